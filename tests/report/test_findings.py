"""What a report says of its numbers, and how it draws them."""

import json
from xml.etree import ElementTree

import pytest

from ner.report.drawings import Point, forest_plot, line_plot, svg
from ner.report.findings import experiment_names, finding, verdict
from ner.report.pictures import difference_plot, score_plots
from ner.report.tables import opening, tables
from ner.report.text import report_markdown


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
def test_a_missing_interval_is_said_and_not_drawn(tmp_path, few):
    content = result(few, B={"micro": NONE, "PER": NONE, "DIS": NONE})
    assert "| DIS | 3 | 100.0 (too few) | 100.0 (too few) |" in report_markdown(tables(content))
    score_plots(content, [], tmp_path)
    lines = [e.get("class") for e in ElementTree.parse(tmp_path / "class_f1.svg").getroot().iter() if "line" in e.tag]
    assert lines.count("s0") == 3 * 3  # micro, macro and PER: a line and its ends


def test_the_forest_plot_marks_zero_and_what_is_shown(tmp_path):
    (part,) = difference_plot(
        result(B={"micro": LOWER, "PER": NONE, "DIS": difference(0.5, None, None, 1, 1)}), tmp_path
    )
    root = ElementTree.parse(tmp_path / "differences.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    zero = [e for e in root.iter(f"{space}line") if e.get("class") == "zero"]
    places = [float(e.get("x").rstrip("%")) for e in root.iter(f"{space}svg") if e.get("x")]
    assert len(zero) == 1 and zero[0].get("x1") == zero[0].get("x2")
    assert [place < float(zero[0].get("x1").rstrip("%")) for place in places] == [True, True, True, False]
    hollow = ["hollow" in e.get("class") for e in root.iter(f"{space}path")]
    assert hollow == [False, True, True, True]  # micro is shown; macro, PER and DIS are not
    assert [t.text for t in root.iter(f"{space}text") if t.text.isalpha()] == ["micro", "macro", "PER", "DIS"]
    assert json.loads(json.dumps(part["drawing"])) == part["drawing"]
    assert "differences.svg" in report_markdown([part])


def test_drawings_take_odd_names_and_few_points():
    names = {"<b>&\x1b": [None, Point(1.0, None, None)], "b": [Point(1.0, 1.0, 1.0), None]}
    assert "&lt;b&gt;&amp;\ufffd" in svg(forest_plot(["micro", "macro"], names, "points", zero=True), "<t>")
    for points in ([(1.0, 80.0)], [(1.0, 80.0), (2.0, 80.0)], [(k / 3, k) for k in range(30)]):
        ElementTree.fromstring(svg(line_plot({"a": points}, "epoch", "F1"), "title"))
