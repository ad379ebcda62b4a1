"""The pictures of a report and of a data set, each in light and in dark colours.

matplotlib takes a while to import, so a command imports this module only where it draws.
"""

import warnings
from base64 import b64encode
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import rc_context, rcParams, style
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.rcsetup import cycler
from matplotlib.textpath import text_to_path
from matplotlib.ticker import StrMethodFormatter
from matplotlib.typing import RcKeyType

from ner.errors import printable
from ner.report.findings import SHOWN, enumeration, verdict
from ner.report.tables import Part, f1_of, first_runs

PALETTES = {  # by the end of the file's name: letters, soft letters, rules, grid, ground, and a colour for each series
    "": ("#1b1b1b", "#5a5a5a", "#b0b0ab", "#e4e4e0", "#ffffff", "#0b57a4 #b3440a #1b7a3d #8a3fa0 #7d5a00 #4a4a4a"),
    "-dark": ("#ececec", "#b0b0b0", "#5f646b", "#2c2f33", "#17181a", "#8ec3f5 #ffab70 #7fd99a #d9a6ea #e3c15a #c9c9c9"),
}
MARKERS = ("o", "s", "D", "^", "v", "P")  # series are told apart without colours as well
MAX_SERIES = len(MARKERS)  # in one picture
WIDTH, LABELS, LINE, AXIS = 600, 104, 20, 46  # pixels: the picture, the names of rows, a legend's line, the axis below
FAINT = 0.55  # how much of its colour the hottest cell of a heat map has: its text stays readable
LETTERS = 13  # pixels: the size of all text


class Point(NamedTuple):
    """A fraction with its interval, if it has one. Not filled: it is a difference that no test shows."""

    value: float
    low: float | None
    high: float | None
    filled: bool = True


def theme(ink: str, soft: str, rule: str, grid: str, ground: str, series: str) -> dict[RcKeyType, Any]:
    """matplotlib's settings in some colours. A file has its text as text, and is the same each time it is drawn."""
    return {
        "axes.axisbelow": True, "axes.edgecolor": rule, "axes.facecolor": ground, "axes.formatter.useoffset": False,
        "axes.labelcolor": soft, "axes.prop_cycle": cycler(color=series.split()), "axes.unicode_minus": False,
        "figure.facecolor": ground, "font.sans-serif": ["system-ui", "DejaVu Sans", "sans-serif"],
        "font.size": 0.75 * LETTERS, "grid.color": grid, "legend.frameon": False, "lines.linewidth": 1.15,
        "lines.markersize": 7, "svg.fonttype": "none", "svg.hashsalt": "ner", "text.color": ink,
        "text.parse_math": False, "xtick.color": soft, "ytick.color": soft,
    }  # fmt: skip


def draw(picture: Callable[[], Figure], title: str, path: Path) -> list[bytes]:
    """Draws a picture in light and in dark colours, writes it as `path` and `NAME-dark`, and returns both files."""
    files = [path.with_stem(path.stem + suffix) for suffix in PALETTES]
    for file, palette in zip(files, PALETTES.values(), strict=True):
        # Without the settings of the person who runs it. The warnings are of letters that no font has.
        with style.context("default"), rc_context(theme(*palette)), warnings.catch_warnings(action="ignore"):
            picture().savefig(file, dpi=144, metadata={"Title": printable(title), "Date": None})
    return [file.read_bytes() for file in files]


def frame(left: int, height: int, legend: int) -> tuple[Figure, Axes]:
    """A figure and its axes: `height` pixels high, `left` pixels from the edge, below a legend of some lines."""
    whole = LINE * legend + 8 + height + AXIS
    figure = Figure((WIDTH / 96, whole / 96))
    axes = figure.add_axes((left / WIDTH, AXIS / whole, 0.98 - left / WIDTH, height / whole))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure, axes


def label_rows(axes: Axes, labels: Iterable[str]) -> None:
    """Names the rows of a picture, from the top, in a column left of them."""
    names = [shortened(label, LABELS - 12) for label in labels]
    axes.set_yticks(range(len(names)), names, ha="left", color=rcParams["text.color"])
    axes.tick_params(axis="y", pad=LABELS * 0.75)
    axes.set_ylim(len(names) - 0.5, -0.5)


def add_legend(figure: Figure, handles: list[Any], names: Iterable[str], **options: Any) -> None:
    """Names the series above a picture, one below the other."""
    labels = [shortened(name, WIDTH - 100) for name in names]
    figure.legend(handles, labels, loc="upper left", borderaxespad=0, borderpad=0.2, **options)


def shortened(name: str, width: int) -> str:
    """A name in printable characters, cut to a width in pixels; where there is no room for a letter, an ellipsis."""
    font, text, kept = FontProperties(size=LETTERS), printable(name), min(len(name), max(width, 1))
    while kept and text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] > width:
        kept -= 1
        text = printable(name[:kept]) + "…"
    return text


def forest_plot(rows: list[str], series: dict[str, list[Point]], unit: str, zero: bool) -> Figure:
    """Points with their intervals, in percent: a row for each label, a marker for each series.

    A series without points only keeps its colour and marker from the others. `zero` draws a line at 0. A rule separates
    the first two rows (micro, macro) from the classes.
    """
    drawn = {name: (f"C{k}", MARKERS[k], points) for k, (name, points) in enumerate(series.items()) if points}
    several = len(drawn) > 1
    height = max(28, 13 * len(drawn) + 12)
    figure, axes = frame(LABELS, height * len(rows), len(drawn) if several else 0)
    axes.grid(axis="x")
    if zero:
        axes.axvline(0, color=rcParams["text.color"])
    for k, (color, marker, points) in enumerate(drawn.values()):
        for i, point in enumerate(points):
            y = i + 13 / height * (k - (len(drawn) - 1) / 2)
            if point.low is not None and point.high is not None:
                axes.plot([100 * point.low, 100 * point.high], [y, y], color, marker="|")
            face = color if point.filled else rcParams["figure.facecolor"]
            axes.plot(100 * point.value, y, color, marker=marker, markerfacecolor=face)
    label_rows(axes, rows)
    for i, label in enumerate(axes.get_yticklabels()):
        label.set_fontweight("bold" if i < 2 else "normal")
        if i:
            color = rcParams["axes.edgecolor" if i == 2 else "grid.color"]
            axes.axhline(i - 0.5, -LABELS / (0.98 * WIDTH - LABELS), color=color, linewidth=0.8, clip_on=False)
    axes.set_xlabel(unit)
    if several:
        handles = [axes.plot([], color + marker)[0] for color, marker, _ in drawn.values()]
        add_legend(figure, handles, drawn, handlelength=1)
    return figure


def line_plot(series: dict[str, list[tuple[float, float]]], across: str, up: str) -> Figure:
    """Lines through points (x, y), one for each series; `across` and `up` name the axes.

    A series without points only keeps its colour and marker from the others.
    """
    drawn = [name for name, points in series.items() if points]
    figure, axes = frame(58, 200, len(drawn) + 1)
    axes.grid(axis="y")
    handles = []
    for k, points in enumerate(series.values()):
        if points:
            handles += axes.plot(*zip(*points, strict=True), f"C{k}", marker=MARKERS[k])
    axes.set_xlabel(across)
    axes.set_title(up, loc="left", x=-58 / (0.98 * WIDTH - 58), size="medium", color=rcParams["axes.labelcolor"])
    add_legend(figure, handles, drawn, handlelength=4)
    return figure


def class_bars(counts: dict[str, dict[str, int]], title: str) -> Figure:
    """The number of entities of each class, a bar for each split, on a logarithmic axis.

    `counts` holds the number of entities by split and class.
    """
    splits, classes = list(counts), list(dict.fromkeys(name for of_split in counts.values() for name in of_split))
    thickness = 0.8 / len(splits)
    figure, axes = frame(LABELS, 28 * len(classes), len(splits) + 1)
    for i, split in enumerate(splits):
        places = [k + thickness * (i - (len(splits) - 1) / 2) for k in range(len(classes))]
        values = [counts[split].get(c, 0) for c in classes]
        face, hatch = (f"C{i}", "none", "none")[i], ("", "////", "")[i]  # told apart without colours as well
        axes.barh(places, values, thickness - 0.06, facecolor=face, edgecolor=f"C{i}", hatch=hatch)
    axes.grid(axis="x")
    axes.set_xscale("symlog", linthresh=1)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlabel("entities")
    label_rows(axes, classes)
    add_legend(figure, axes.containers, splits, title=title, alignment="left")
    return figure


def heat_map(rows: list[str], columns: list[str], texts: list[list[str]], heat: list[list[float]]) -> Figure:
    """A cell for each row and column: its text on a ground whose colour is that of its heat, from -1 to 1.

    A text that ends in ↑ or ↓ is bold, so that nothing depends on colours.
    """
    figure, axes = frame(LABELS, 26 * len(rows), 0)
    ground = rcParams["figure.facecolor"]
    colors = LinearSegmentedColormap.from_list("heat", ["C1", ground, "C0"])  # loss, none, gain
    edges = np.arange(len(columns) + 1) - 0.5, np.arange(len(rows) + 1) - 0.5
    axes.pcolormesh(*edges, heat, cmap=colors, vmin=-1 / FAINT, vmax=1 / FAINT, edgecolors=ground, linewidth=1)
    for i, line in enumerate(texts):
        for j, text in enumerate(line):
            weight = "bold" if text.endswith(("↑", "↓")) else "normal"
            axes.text(j, i, text, ha="center", va="center", size="small", weight=weight)
    label_rows(axes, rows)
    axes.set_xticks(range(len(columns)), [shortened(name, (WIDTH - LABELS) // len(columns) - 6) for name in columns])
    axes.set_xlabel("rows: removed class; columns: measured class; effect on F1 in points")
    return figure


def report_picture(
    plot: Callable[[dict[str, Any]], Figure], series: dict[str, Any], title: str, path: Path
) -> list[Part]:
    """Draws the first `MAX_SERIES` series into a report's folder, and returns the part that shows them, if any.

    There is a series for each experiment, empty if it is not in this picture, so that all pictures have its colour.
    """
    drawn = dict(list(series.items())[:MAX_SERIES])
    shown, known = (sum(map(bool, each.values())) for each in (drawn, series))
    if not shown:
        return []
    if shown < known:
        title += f" (the first {shown} of {known})"
    return [picture_part(lambda: plot(drawn), title, path)]


def picture_part(picture: Callable[[], Figure], title: str, path: Path) -> Part:
    """Draws a picture into a report's folder, and returns the part that shows it."""
    light, dark = (f"data:image/svg+xml;base64,{b64encode(file).decode()}" for file in draw(picture, title, path))
    return "picture", {"title": title, "name": path.name, "light": light, "dark": dark}


def difference_picture(result: dict[str, Any], folder: Path) -> list[Part]:
    """Draws the differences of F1 from the first experiment into the report's folder."""
    first, *others = result["groups"]
    titles = ["micro", "macro", *(c for c in result["classes"] if result["support"][c])]
    series: dict[str, list[Point]] = {first["name"]: []} | {
        other["name"]: [
            Point(d["difference"], d["low"], d["high"], verdict(d) in SHOWN)
            for d in (other["difference"][title] for title in titles)
        ]
        for other in others
    }
    against = others[0]["name"] if len(others) == 1 else "Each"
    title = (
        f"{against} against {first['name']}: difference of F1 in points with 95 % interval. A mark is filled if the "
        "corrected test shows the difference; macro F1 is only described."
    )
    plot = partial(forest_plot, titles, unit="difference of F1 in points", zero=True)
    return report_picture(plot, series, title, folder / "differences.svg")


def class_f1_picture(result: dict[str, Any], folder: Path) -> list[Part]:
    """Draws F1 of each class of the first run of each experiment into the report's folder."""
    titles = ["micro", "macro", *(c for c in result["classes"] if result["support"][c])]
    series: dict[str, list[Point]] = {}
    for run in first_runs(result):
        found = [f1_of(result["runs"][run], title) for title in titles]
        series[run] = [Point(score, *(interval or (None, None))) for score, interval in found if score is not None]
    several = any(len(group["runs"]) > 1 for group in result["groups"])
    first = ", of each experiment the first run" if several else ""
    title = f"F1 of each class of {enumeration(list(series)[:MAX_SERIES])}{first}, with 95 % intervals"
    plot = partial(forest_plot, titles, unit="F1 in percent", zero=False)
    return [("h2", "Picture"), *report_picture(plot, series, title, folder / "class_f1.svg")]
