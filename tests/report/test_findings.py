"""What a report says of its numbers, and how it draws them."""

import re
from base64 import b64decode
from functools import partial
from xml.etree import ElementTree

import pytest
from matplotlib.colors import to_hex

from ner.report.findings import experiment_names, finding, verdict
from ner.report.page import report_markdown
from ner.report.pictures import PALETTES, Point, class_bars, difference_picture, draw, forest_plot, line_plot
from ner.report.tables import opening, tables


def difference(value: float, low: float | None, high: float | None, *p: float) -> dict:
    return {"difference": value, "low": low, "high": high} | dict(zip(("p", "p_holm"), p, strict=False))


NONE = difference(-0.009, -0.019, 0.001, 0.08, 0.08)
LOWER = difference(-0.025, -0.04, -0.01, 0.001, 0.002)
HIGHER = difference(0.03, 0.01, 0.05, 0.004, 0.008)
NOT_AFTER_HOLM = difference(-0.061, -0.109, -0.019, 0.02, 0.12)


def result(few: dict | None = None, **compared: dict) -> dict:
    """As `report.json` has it: the runs of `compared` against A, on the classes PER, DIS and, without gold, MYTH."""
    classes = ["PER", "DIS", "MYTH"]
    scores = dict.fromkeys(("precision", "recall", "f1", "accuracy", "macro_f1"), 0.8)
    overall = scores | {"intervals": {name: [0.7, 0.9] for name in scores}}
    per_class = {
        "PER": {"f1": 0.8, "intervals": {"f1": [0.7, 0.9]}},
        "DIS": {"f1": 1.0, "intervals": few},
        "MYTH": None,
    }
    run = {"overall": overall, "per_class": per_class, "own": {"classes": classes, "overall": overall}, "seed": 1}
    errors = {
        "kinds": dict.fromkeys(("type", "boundary", "both", "missed", "spurious"), 1),
        "confusion": [[1] * 5] * 5,
        "strict": {"f1": 0.8},
        "invalid_transitions": {"count": 0, "share": 0.0},
        "by_seen": None,
        "by_entity_length": [{"from": 1, "to": None, "f1": 0.8, "support": 2}],
        "by_sentence_length": [{"from": 1, "to": None, "f1": 0.8, "support": 2}],
    }
    names = ["A", *compared]
    return {
        "classes": classes, "support": {"PER": 1200, "DIS": 3, "MYTH": 0}, "sentences": 10, "clusters": 10,
        "first": "A", "runs": {name: run | {"update_steps": 100} for name in names},
        "differences": {
            name: {"micro": d["micro"], "macro": NONE, "per_class": {"PER": d["PER"], "DIS": d["DIS"], "MYTH": None}}
            for name, d in compared.items()
        },
        "errors": dict.fromkeys(names, errors), "differing": [], "agreeing": ["updates"], "unrecorded": [],
    }  # fmt: skip


def without_marks(sentences: list[str]) -> list[str]:
    return [s.replace("\u2068", "").replace("\u2069", "") for s in sentences]


@pytest.mark.parametrize(
    ("d", "expected"),
    [(NONE, "not shown"), (LOWER, "lower"), (HIGHER, "higher"), (NOT_AFTER_HOLM, "not after Holm"),
     (difference(-0.06, -0.1, -0.02, 0.06, 0.06), "not shown"),  # no correction is to blame
     (difference(-0.06, None, None, 0.02, 0.12), "not after Holm"), (difference(0.1, None, None, 0.01, 0.02), "higher"),
     (difference(0.1, 0.05, 0.2), ""), (difference(0.1, 0.05, 0.2, 0.001), "")],
)  # fmt: skip
def test_verdicts(d, expected):
    assert verdict(d) == expected


@pytest.mark.parametrize(
    ("micro", "per", "dis", "expected"),
    [
        (NONE, NONE, NOT_AFTER_HOLM, "No difference is shown in micro F1 between B and A (-0.9 points, 95 % interval "
         "-1.9 to 0.1, p = 0.080), nor in any class."),
        (NONE, LOWER, HIGHER, "No difference is shown in micro F1 between B and A (-0.9 points, 95 % interval -1.9 to "
         "0.1, p = 0.080); by class, B is higher in DIS (+3.0 points) and lower in PER (-2.5 points)."),
        (LOWER, LOWER, HIGHER, "B is lower than A in micro F1 (-2.5 points, 95 % interval -4.0 to -1.0, p = 0.001, "
         "p = 0.002 after Holm's correction); by class, it is lower in PER (-2.5 points) and higher in DIS "
         "(+3.0 points)."),
        (difference(0.2, None, None, 0.04, 0.04), NONE, NONE, "B is higher than A in micro F1 (+20.0 points, no "
         "interval, p = 0.040); no class shows a difference."),
    ],
)  # fmt: skip
def test_the_finding_is_a_sentence(micro, per, dis, expected):
    assert without_marks(finding(result(B={"micro": micro, "PER": per, "DIS": dis}))) == [expected]


def test_several_runs_have_a_headline_and_a_sentence_each():
    quiet = {"micro": NONE, "PER": NONE, "DIS": NONE}
    said = without_marks(finding(result(B=quiet, C={"micro": LOWER, "PER": LOWER, "DIS": NONE}, D=quiet)))
    assert said[0] == "Micro F1 against A: no difference shown for B and D; lower for C."
    assert len(said) == 4
    assert without_marks(finding(result()))[0].startswith("Micro F1 of A is 80.0 (70.0")


def test_experiments_are_compared_over_seeds_with_what_the_tests_allow():
    """p values, corrected ones and intervals may be missing; without a corrected p there is no verdict."""
    groups = [
        {"runs": ["A-1", "A-2"], "f1": {t: {"mean": 0.8, "sd": 0.01} for t in ("micro", "macro", "PER", "DIS", "MYTH")},
         "difference": {}},
        {"runs": ["B"], "f1": {t: {"mean": 0.8, "sd": None} for t in ("micro", "macro", "PER", "DIS", "MYTH")},
         "difference": {"micro": difference(-0.01, None, None), "macro": difference(-0.01, None, None),
                        "PER": LOWER, "DIS": difference(0.01, None, None, 0.2)}},
    ]  # fmt: skip
    content = result(B={"micro": LOWER, "PER": LOWER, "DIS": LOWER}) | {"groups": groups}
    assert without_marks(finding(content)) == [
        "Over 2 seeds of A and 1 seed of B, micro F1 of B differs from that of A by -1.0 points, no interval; with one "
        "seed this is not tested; by class, B is lower in PER (-2.5 points)."
    ]
    text = report_markdown(tables(content))
    assert "| micro | 1,203 | not tested | -1.0 | one seed |  |  |" in text
    assert "| PER | 1,200 | 80.0 ± 1.0 | 80.0 |" in text and "There is only one seed of B." in text


def test_columns_of_their_own_and_no_contradiction():
    text = report_markdown(
        tables(result(B={"micro": NONE, "PER": NOT_AFTER_HOLM, "DIS": difference(0.1, None, None, 1, 1)}))
    )
    assert "| class | gold entities | verdict | difference | 95 % interval | p | p (Holm) |" in text
    assert "| PER | 1,200 | not after Holm | -6.1 | -10.9 to -1.9 | 0.020 | 0.120 |" in text
    assert "| DIS | 3 | not shown | +10.0 | too few | 1.000 | 1.000 |" in text
    assert "| DIS | 3 | 100.0 (too few) | 100.0 (too few) |" in text
    assert "no difference shown: " not in text


def test_experiments_are_named_by_what_their_runs_share():
    def names(*groups: list[str]) -> list[str]:
        return experiment_names([{"runs": g} for g in groups])

    assert names(["A1", "A2"], ["B1", "B2"]) == ["A", "B"]
    assert names(["default", "default-1"], ["masked_seed1", "masked_seed2"], ["x7"]) == ["default", "masked", "x7"]
    assert names(["red", "rose"], ["B1", "B2"]) == ["experiment 1", "experiment 2"]
    assert names(["A1", "A2"], ["A3", "A4"]) == ["experiment 1", "experiment 2"]
    assert names(["1", "2"], ["3"]) == ["experiment 1", "experiment 2"]


def test_a_name_in_a_sentence_cannot_turn_the_text_around():
    content = result(B={"micro": NONE, "PER": NONE, "DIS": NONE})
    content["first"] = "\u202eA\u2069"
    assert "between \u2068B\u2069 and \u2068\u202eA\u2069" in finding(content)[0]
    assert "\u2068" not in report_markdown(opening(content))


@pytest.mark.parametrize("few", [None, {"f1": None}])
def test_a_missing_interval_is_said_and_not_drawn(few):
    content = result(few, B={"micro": NONE, "PER": NONE, "DIS": NONE})
    assert "| DIS | 3 | 100.0 (too few) | 100.0 (too few) |" in report_markdown(tables(content))
    (axes,) = forest_plot(
        ["micro", "macro"], {"A": [Point(0.8, 0.7, 0.9), Point(1, None, None)]}, "F1", zero=False
    ).axes
    whiskers = [
        line.get_xdata().tolist() for line in axes.lines if len(line.get_xdata()) == 2 and "|" in line.get_marker()
    ]
    assert whiskers == [[70, 90]]


def test_the_forest_plot_marks_zero_and_what_is_shown():
    points = [Point(-0.25, -0.4, -0.1), Point(0.5, -0.1, 1, filled=False), None]
    (axes,) = forest_plot(["micro", "macro", "PER"], {"B": points, "C": points[::-1]}, "points", zero=True).axes
    markers = [line for line in axes.lines if line.get_marker() in "os" and len(line.get_xdata()) == 1]
    shown = [
        (line.get_marker(), *line.get_xdata(), to_hex(line.get_markerfacecolor()) == to_hex(line.get_color()))
        for line in markers
    ]
    assert shown == [("o", -25, True), ("o", 50, False), ("s", 50, False), ("s", -25, True)]
    assert [round(float(line.get_ydata()[0])) for line in markers] == [0, 1, 1, 2]
    assert [0, 0] in [list(line.get_xdata()) for line in axes.lines]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["micro", "macro", "PER"]
    low, high = axes.get_ylim()
    assert low > high  # the first row is on top


def texts(svg: bytes) -> list[str | None]:
    return [t.text for t in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_a_picture_is_the_same_each_time_and_its_dark_twin_differs_in_colours(tmp_path):
    (part,) = difference_picture(result(B={"micro": LOWER, "PER": NONE, "DIS": HIGHER}), tmp_path)
    light, dark = ((tmp_path / f"differences{suffix}.svg").read_bytes() for suffix in PALETTES)
    assert [b64decode(part[1][side].partition(",")[2]) for side in ("light", "dark")] == [light, dark]
    shapes = [re.sub(b"[0-9a-f]{6,}", b"", file) for file in (light, dark)]  # without colours, and marks made of these
    assert light != dark and shapes[0] == shapes[1]
    assert {"micro", "macro", "PER", "DIS", "difference of F1 in points"} < set(texts(light)) and "MYTH" not in texts(
        light
    )
    difference_picture(result(B={"micro": LOWER, "PER": NONE, "DIS": HIGHER}), tmp_path)
    assert (tmp_path / "differences.svg").read_bytes() == light
    assert "](differences.svg)" in report_markdown([part])


def test_pictures_take_odd_names_and_few_points(tmp_path):
    names = {"<b>&\x1b": [None, Point(1, None, None)], "_x$a_{b$": [Point(1, 1, 1), None], "\u65e5\u672c": [None, None]}
    light, _ = draw(partial(forest_plot, ["micro", "macro"], names, "points", zero=True), "<t>\x1b", tmp_path / "a.svg")
    assert {"<b>&\ufffd", "_x$a_{b$", "\u65e5\u672c"} < set(texts(light)) and b"&lt;t&gt;\xef\xbf\xbd" in light
    for points in ([(1.0, 80.0)], [(1.0, 80.0), (2.0, 80.0)], [(k / 3, k) for k in range(30)]):
        light, _ = draw(partial(line_plot, {"_$a$": points}, "epoch", "F1", diagonal="d"), "t", tmp_path / "b.svg")
        assert {"_$a$", "d", "epoch", "F1"} < set(texts(light))


def test_bars_have_plain_numbers_and_whole_names_beside_them(tmp_path):
    counts = {"train": {"$x$_{1}": 3000, "PER": 0}, "test": {"PER": 12}}
    light, _ = draw(partial(class_bars, counts, "All classes"), "bars", tmp_path / "bars.svg")
    assert {"0", "1", "10", "100", "1,000", "$x$_{1}", "PER", "train", "test", "All classes"} <= set(texts(light))
    (axes,) = class_bars(counts, "All classes").axes
    assert [bar.get_width() for bars in axes.containers for bar in bars] == [3000, 0, 0, 12]
