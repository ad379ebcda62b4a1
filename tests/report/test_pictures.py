"""How a report draws its numbers."""

import itertools
import re
import warnings
from functools import partial
from xml.etree import ElementTree

import pytest
from matplotlib import rc_context, style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex

from ner.report.pictures import (
    MAX_SERIES,
    PALETTES,
    Point,
    class_bars,
    draw,
    forest_plot,
    heat_map,
    line_plot,
    report_picture,
    shortened,
    theme,
)

POINTS = [Point(-0.25, -0.4, -0.1), Point(0.5, -0.1, 1, filled=False), Point(0.1, None, None)]


def texts(svg: bytes) -> set[str | None]:
    return {t.text for t in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}


def test_the_forest_plot_marks_zero_and_what_is_shown():
    series = {"B": POINTS, "C": POINTS[::-1]}
    (axes,) = forest_plot(["micro", "macro", "PER"], series, "points", zero=True).axes
    markers = [line for line in axes.lines if line.get_marker() in "os" and len(line.get_xdata()) == 1]
    shown = [
        (m.get_marker(), *m.get_xdata(), to_hex(m.get_markerfacecolor()) == to_hex(m.get_color())) for m in markers
    ]
    points = [(-25, True), (50, False), (10, True)]
    assert shown == [*(("o", *point) for point in points), *(("s", *point) for point in points[::-1])]
    assert [round(float(m.get_ydata()[0])) for m in markers] == [0, 1, 2, 0, 1, 2]
    whiskers = [line.get_xdata() for line in axes.lines if line.get_marker() == "|"]
    assert [list(map(round, ends)) for ends in whiskers] == [[-40, -10], [-10, 100], [-10, 100], [-40, -10]]
    assert [0, 0] in [list(line.get_xdata()) for line in axes.lines]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["micro", "macro", "PER"]
    low, high = axes.get_ylim()
    assert low > high  # the first row is on top


def test_a_picture_is_the_same_each_time_and_its_dark_twin_differs_in_colours(tmp_path):
    picture = partial(forest_plot, ["micro", "macro", "PER"], {"B": POINTS}, "points", zero=True)
    light, dark = draw(picture, "title", tmp_path / "a.svg")
    assert [light, dark] == [(tmp_path / f"a{suffix}.svg").read_bytes() for suffix in PALETTES]
    shapes = [re.sub(b"[0-9a-f]{6,}", b"", file) for file in (light, dark)]  # without colours, and marks made of these
    assert light != dark and shapes[0] == shapes[1]
    with rc_context({"text.usetex": True, "font.size": 20, "xtick.labelsize": 20}):  # as a person may have set them
        assert draw(picture, "title", tmp_path / "b.svg") == [light, dark]
    assert {"micro", "macro", "PER", "points"} < texts(light)


def test_odd_names_are_text(tmp_path):
    names = dict.fromkeys(("<b>&\x1b", "_x$a_{b$", "\u65e5\u672c"), POINTS[:2])
    light, _ = draw(partial(forest_plot, ["micro", "macro"], names, "points", zero=True), "<t>\x1b", tmp_path / "a.svg")
    assert {"<b>&\ufffd", "_x$a_{b$", "\u65e5\u672c"} < texts(light) and b"&lt;t&gt;\xef\xbf\xbd" in light


@pytest.mark.parametrize("points", [[(1.0, 80.0)], [(1.0, 80.0), (2.0, 80.0)], [(k / 3, k) for k in range(30)]])
def test_lines_go_through_any_number_of_points(points, tmp_path):
    light, _ = draw(partial(line_plot, {"_$a$": points}, "epoch", "F1"), "t", tmp_path / "b.svg")
    assert {"_$a$", "epoch", "F1"} < texts(light)
    lines = line_plot({"a": points}, "epoch", "F1").axes[0].lines
    assert [line.get_xydata().tolist() for line in lines] == [list(map(list, points))]


def test_bars_have_plain_numbers_and_whole_names_beside_them(tmp_path):
    counts = {"train": {"$x$_{1}": 3000}, "test": {"PER": 12}}  # a class that only a later split has
    light, _ = draw(partial(class_bars, counts, "All classes"), "bars", tmp_path / "bars.svg")
    assert {"0", "1", "10", "100", "1,000", "$x$_{1}", "PER", "train", "test", "All classes"} <= texts(light)
    (axes,) = class_bars(counts, "All classes").axes
    assert [bar.get_width() for bars in axes.containers for bar in bars] == [3000, 0, 0, 12]


def test_a_heat_map_has_a_colour_for_losses_and_one_for_gains_and_its_numbers(tmp_path):
    cells = [["-9.0 ↓", "–"], ["+0.1", "+4.0 ="]]
    light, _ = draw(partial(heat_map, ["A", "B"], ["C", "D"], cells, [[-1, 0], [0.1, 0.8]]), "map", tmp_path / "m.svg")
    assert {"A", "B", "C", "D"} < texts(light)
    (axes,) = heat_map(["A", "B"], ["C", "D"], cells, [[-1, 0], [0.1, 0.8]]).axes
    (mesh,) = axes.collections
    mesh.update_scalarmappable()
    (red, _, blue, _), none, _, gain = mesh.get_facecolor()
    assert red > blue and gain[2] > gain[0] and min(none[:3]) > 0.99
    assert {text.get_text(): text.get_position() for text in axes.texts} == {
        "-9.0 ↓": (0, 0), "–": (1, 0), "+0.1": (0, 1), "+4.0 =": (1, 1),
    }  # fmt: skip
    assert {text.get_text() for text in axes.texts if text.get_weight() == "bold"} == {"-9.0 ↓"}


LONG = ["W" * 40, "a_class_of_a_long_name", "\u05d9" * 30, *(f"CLASS_{k}_WITH_MANY_WORDS" for k in range(37))]
PICTURES = {
    "bars": lambda: class_bars({s: dict.fromkeys(LONG, 10**6) for s in ("train", "validation", "test")}, "All classes"),
    "one bar": lambda: class_bars({"train": {"PER": 7}}, "All classes"),
    "points": lambda: forest_plot(LONG, {f"{k} {'W' * 90}": [POINTS[0]] * 40 for k in range(6)}, "points", zero=True),
    "two rows": lambda: forest_plot(["micro", "macro"], {"B": POINTS[:2]}, "points", zero=True),
    "heat": lambda: heat_map(LONG, LONG[:12], [["-10.5 ↓"] * 12] * 40, [[-1.0] * 12] * 40),
    "lines": lambda: line_plot({f"{k} {'W' * 90}": [(0, 0), (100, 1)] for k in range(6)}, "x", "y"),
}


@pytest.mark.parametrize("picture", PICTURES)
def test_nothing_in_a_picture_covers_or_touches_something_else(picture):
    """The boxes of names, numbers, legend and drawing do not overlap, and the edge cuts none of them."""
    with style.context("default"), rc_context(theme(*PALETTES[""])), warnings.catch_warnings(action="ignore"):
        figure = PICTURES[picture]()
        FigureCanvasAgg(figure).draw()
        (axes,) = figure.axes
        texts = [axes.xaxis.get_label(), axes._left_title]
        for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, sorted(axes.get_ylim()))):
            shown = zip(axis.get_ticklabels(), axis.get_ticklocs(), strict=True)
            texts += [label for label, place in shown if low <= place <= high]
        boxes = [text.get_window_extent() for text in texts if text.get_text()]
        boxes += [axes.get_window_extent(), *(legend.get_window_extent() for legend in figure.legends)]
    assert len(boxes) > 4
    for box, other in itertools.combinations(boxes, 2):
        assert min(box.x1, other.x1) <= max(box.x0, other.x0) or min(box.y1, other.y1) <= max(box.y0, other.y0)
    for box in boxes:
        assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1


def luminance(colour: str) -> float:
    channels = [c / 255 for c in bytes.fromhex(colour[1:])]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("palette", PALETTES.values(), ids=["light", "dark"])
def test_letters_and_series_stand_out(palette):
    """A contrast of 4.5 for text and of 3 for marks: WCAG 2, level AA."""
    ink, soft, _, _, ground, series = palette
    for colour, least in ((ink, 4.5), (soft, 4.5), *((colour, 3) for colour in series.split())):
        light, dark = sorted((luminance(colour), luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= least


def test_a_title_counts_the_series_with_points(tmp_path, undrawn):
    def titles(*series: list[Point]) -> list[str]:
        parts = report_picture(lambda drawn: None, dict(enumerate(series)), "F1", tmp_path / "f1.svg")
        return [content["title"] for _, content in parts]

    first = [[], *[POINTS] * (MAX_SERIES - 1)]  # the baseline has no difference
    assert titles(*first) == ["F1"]
    assert titles(*first, POINTS, POINTS) == [f"F1 (the first {MAX_SERIES - 1} of {MAX_SERIES + 1})"]
    assert titles(*[[]] * MAX_SERIES, POINTS) == []


def test_a_name_without_room_is_an_ellipsis():
    """As those of the columns of a map of many classes are."""
    with style.context("default"):
        assert [shortened("PERSON", width) for width in (13, 12, 0, -2)] == ["…"] * 4 and shortened("", -2) == ""
        names = [f"CLASS_{k}" for k in range(63)]
        assert heat_map(names, names, [["+0.1"] * 63] * 63, [[0.1] * 63] * 63).axes
