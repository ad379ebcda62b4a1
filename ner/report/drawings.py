"""Forest plots and line plots as SVG.

A drawing is a tree of nodes [tag, attributes, children or text]. The page turns it into elements, and `svg` into a
file. Attributes never come from data. Horizontal positions are percentages, so a picture can have any width while its
letters keep their size.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

STYLE = Path(__file__).parent / "templates" / "drawing.css"
Node = list[Any]
MARKERS = (  # the shape of each series, around (0, 0)
    "M0 -5A5 5 0 0 1 0 5A5 5 0 0 1 0 -5Z", "M-4.5 -4.5H4.5V4.5H-4.5Z", "M0 -6L6 0L0 6L-6 0Z",
    "M0 -5.5L5.5 4.5H-5.5Z", "M0 5.5L5.5 -4.5H-5.5Z", "M-5.5 -2.2H5.5V2.2H-5.5Z",
)  # fmt: skip
MAX_SERIES = len(MARKERS)  # in one picture
LEFT, RIGHT = 17.0, 98.0  # percent: the plot is between, labels are left of it
LINE, AXIS, WIDTH = 20, 44, 720  # pixels: height of a legend line and of the axis, width of a file


@dataclass(frozen=True)
class Point:
    """A value with its interval, if it has one. Not filled: the value is a difference that no test shows."""

    value: float
    low: float | None
    high: float | None
    filled: bool = True


def node(tag: str, content: Sequence[Node] | str = (), **attributes: Any) -> Node:
    """A node; underscores in attribute names become hyphens, and one at the end is dropped."""
    names = {key.rstrip("_").replace("_", "-"): str(value) for key, value in attributes.items()}
    return [tag, names, content if isinstance(content, str) else list(content)]


def text(content: str, x: float, y: float, anchor: str = "start", class_: str = "") -> Node:
    """A text at x percent and y pixels."""
    attributes = {"class": class_} if class_ else {}
    return ["text", {"x": f"{x:.2f}%", "y": f"{y:.1f}", "text-anchor": anchor} | attributes, content]


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Node:
    """A line; x in percent, y in pixels."""
    return node("line", x1=f"{x1:.2f}%", y1=f"{y1:.1f}", x2=f"{x2:.2f}%", y2=f"{y2:.1f}", class_=class_)


def marker(x: float, y: float, series: int, filled: bool = True) -> Node:
    """The marker of a series at x percent and y pixels."""
    shape = node("path", d=MARKERS[series], class_=f"s{series}{'' if filled else ' hollow'}")
    return node("svg", [shape], x=f"{x:.2f}%", y=f"{y:.1f}", overflow="visible")


def axis(values: Sequence[float]) -> tuple[float, float, list[float]]:
    """The low and high end of a range somewhat wider than the values, and at most seven round numbers in it."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    margin = 0.05 * (high - low) or 0.5
    low, high = low - margin, high + margin
    power = 10.0 ** math.floor(math.log10(high - low))
    step = next(power * k for k in (0.2, 0.5, 1, 2) if (high - low) / (power * k) <= 6.5)
    return low, high, [k * step for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def position(value: float, low: float, high: float) -> float:
    """Where a value is between low (0) and high (1)."""
    return (value - low) / (high - low)


def forest_plot(rows: Sequence[str], series: dict[str, list[Point | None]], unit: str, zero: bool) -> Node:
    """Points with their intervals: a row for each label, a marker for each series. `zero` draws a line at 0.

    A rule separates the first two rows (micro, macro) from the classes. At most `MAX_SERIES` series are drawn.
    """
    shown = dict(list(series.items())[:MAX_SERIES])
    points = [p for each in shown.values() for p in each if p]
    ends = [v for p in points for v in (p.value, p.low, p.high) if v is not None] + ([0.0] if zero else [])
    low, high, places = axis(ends)

    def x(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * position(value, low, high)

    nodes = legend(list(shown))
    top = LINE * len(nodes) + (8 if nodes else 0)
    height = max(28, 13 * len(shown) + 12)
    bottom = top + height * len(rows)
    nodes += [line(x(v), top, x(v), bottom, "zero" if zero and v == 0 else "grid") for v in places]
    nodes += [text(f"{v:.4g}", x(v), bottom + 16, "middle", "soft") for v in places]
    nodes.append(text(unit, (LEFT + RIGHT) / 2, bottom + 36, "middle", "soft"))
    for i, label in enumerate(rows):
        middle = top + height * (i + 0.5)
        nodes.append(text(short_label(label), 0, middle + 4.5, class_="strong" if i < 2 else ""))
        if i:
            nodes.append(line(0, top + height * i, 100, top + height * i, "rule" if i == 2 else "faint"))
        for k, each in enumerate(shown.values()):
            if (p := each[i]) is not None:
                y = middle + 13 * (k - (len(shown) - 1) / 2)
                nodes += [*whisker(p, x, y, k), marker(x(p.value), y, k, p.filled)]
    return frame(nodes, bottom + AXIS)


def whisker(p: Point, x: Callable[[float], float], y: float, series: int) -> list[Node]:
    """The line of a point's interval, with a cap at each end; nothing without an interval."""
    if p.low is None or p.high is None:
        return []
    ends = x(p.low), x(p.high)
    caps = [line(end, y - 3.5, end, y + 3.5, f"s{series}") for end in ends]
    return [line(ends[0], y, ends[1], y, f"s{series}"), *caps]


def line_plot(series: dict[str, list[tuple[float, float]]], across: str, up: str) -> Node:
    """Lines through points (x, y), one for each series, at most `MAX_SERIES`; `across` and `up` name the axes."""
    shown = dict(list(series.items())[:MAX_SERIES])
    steps = sorted({x for points in shown.values() for x, _ in points})
    left, right, columns = axis(steps)
    low, high, levels = axis([y for points in shown.values() for _, y in points])
    nodes = legend(list(shown), always=True)
    top = LINE * len(nodes) + 30
    bottom = top + 200

    def x(value: float) -> float:
        return 8 + 89 * position(value, left, right)

    def y(value: float) -> float:
        return bottom - (bottom - top) * position(value, low, high)

    nodes.append(text(up, 0, top - 14, class_="soft"))
    for v in levels:
        nodes += [line(8, y(v), 97, y(v), "grid"), text(f"{v:.4g}", 6.5, y(v) + 4.5, "end", "soft")]
    nodes += [text(f"{v:.4g}", x(v), bottom + 16, "middle", "soft") for v in (steps if len(steps) < 8 else columns)]
    nodes.append(text(across, 52, bottom + 36, "middle", "soft"))
    for k, points in enumerate(shown.values()):
        dots = [(x(a), y(b)) for a, b in points]
        nodes += [line(*a, *b, f"s{k}") for a, b in pairwise(dots)] + [marker(*dot, k) for dot in dots]
    return frame(nodes, bottom + AXIS)


def legend(names: list[str], always: bool = False) -> list[Node]:
    """A node for each series, one below the other; none for a single series unless `always`."""
    if len(names) < 2 and not always:
        return []
    lines = ([marker(0, 0, k), ["text", {"x": "14", "y": "4.5"}, series]] for k, series in enumerate(names))
    return [node("g", each, transform=f"translate(8, {LINE * k + 10})") for k, each in enumerate(lines)]


def short_label(label: str) -> str:
    """The label, cut to 12 characters."""
    return label if len(label) <= 12 else label[:11] + "…"


def frame(nodes: list[Node], height: float) -> Node:
    """The whole drawing, with a height in pixels."""
    return node("svg", nodes, width=WIDTH, height=f"{height:.0f}", class_="drawing")


def svg(drawing: Node, title: str) -> str:
    """The text of an SVG file with the drawing, light or dark as the reader's system is."""
    style, (tag, attributes, children) = STYLE.read_text(encoding="utf-8"), drawing
    about = [["title", {}, title], ["style", {}, style]]
    return markup([tag, {"xmlns": "http://www.w3.org/2000/svg", "role": "img"} | attributes, about + children]) + "\n"


def markup(part: Node) -> str:
    """A node as XML; characters that cannot be shown are replaced."""
    tag, attributes, content = part
    if isinstance(content, str):
        inner = escape("".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in content))
    else:
        inner = "".join(map(markup, content))
    return f"<{tag}{''.join(f' {key}={quoteattr(value)}' for key, value in attributes.items())}>{inner}</{tag}>"
