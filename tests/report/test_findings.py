"""What a report says of its numbers."""

import pytest

from ner.report.comparison import experiment_names
from ner.report.findings import finding, interval_in_points, points, verdict
from ner.report.page import html_page, report_markdown
from ner.report.tables import tables


def difference(value: float, low: float | None, high: float | None, *p: float) -> dict:
    return {"difference": value, "low": low, "high": high, "p": None, "detectable": None} | dict(
        zip(("p", "p_holm"), p, strict=False)
    )


NONE = difference(-0.009, -0.019, 0.001, 0.08, 0.08)
LOWER = difference(-0.025, -0.04, -0.01, 0.001, 0.002)
HIGHER = difference(0.03, 0.01, 0.05, 0.004, 0.008)
NOT_AFTER_HOLM = difference(-0.061, -0.109, -0.019, 0.02, 0.12)
UNTESTED = difference(-0.01, None, None)


def result(**compared: tuple[dict, dict, dict]) -> dict:
    """As `report.json` has it: the differences of micro F1, PER and DIS of some runs from A; MYTH has no gold."""
    classes = ["PER", "DIS", "MYTH"]
    scores = dict.fromkeys(("precision", "recall", "f1", "accuracy", "macro_f1"), 0.8)
    intervals = {
        "overall": {name: [0.7, 0.9] for name in scores},
        "per_class": {"PER": {"f1": [0.7, 0.9]}, "DIS": {"f1": None}, "MYTH": None},
    }
    per_class = {"PER": {"f1": 0.8}, "DIS": {"f1": 1.0}, "MYTH": None}
    run = {"overall": scores, "per_class": per_class, "intervals": intervals}
    run["own"] = {"classes": classes} | run
    kinds = dict.fromkeys(("type", "boundary", "both", "missed", "spurious"), 1)
    errors = {"kinds": kinds, "confusion": [[1] * 5] * 5}
    f1 = {title: {"mean": 0.8, "sd": None} for title in ("micro", "macro", *classes)}
    groups = [{"name": "A", "runs": ["A"], "trained": "", "f1": f1, "difference": {}}]
    for name, (micro, per, dis) in compared.items():
        by_title = {"micro": micro, "macro": difference(0.01, 0.0, 0.02, 0.01), "PER": per, "DIS": dis, "MYTH": None}
        groups.append({"name": name, "runs": [name], "trained": "", "f1": f1, "difference": by_title})
    return {
        "classes": classes, "support": {"PER": 1200, "DIS": 3, "MYTH": 0}, "split": "test", "sentences": 10,
        "clusters": 10, "groups": groups, "runs": {g["name"]: run | {"update_steps": 1212} for g in groups},
        "errors": {g["name"]: errors for g in groups}, "differing": [], "unrecorded": [],
    }  # fmt: skip


def test_white_space_of_all_kinds_is_shown_as_spaces():
    assert ">1 000 F1<" in html_page([("lead", "1\u202f000\u3000F1")], "A study")


@pytest.mark.parametrize(
    ("d", "expected"),
    [(NONE, "not shown"), (LOWER, "lower"), (HIGHER, "higher"), (NOT_AFTER_HOLM, "not after Holm"),
     (difference(-0.06, -0.1, -0.02, 0.06, 0.12), "not shown"),  # no correction is to blame
     (difference(-0.06, -0.1, 0.01, 0.02, 0.12), "not after Holm"), (UNTESTED, ""),
     (difference(0.1, 0.05, 0.2, 0.001), "")],
)  # fmt: skip
def test_verdicts(d, expected):
    assert verdict(d) == expected


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ((NONE, NONE, NOT_AFTER_HOLM), "No difference is shown between B and A in micro F1 (-0.9 points, 95 % interval "
         "-1.9 to 0.1, p = 0.080)NOTE; no class shows a difference."),
        ((NONE, LOWER, HIGHER), "No difference is shown between B and A in micro F1 (-0.9 points, 95 % interval -1.9 "
         "to 0.1, p = 0.080)NOTE; by class, B is higher in DIS (+3.0 points) and lower in PER (-2.5 points)."),
        ((LOWER, LOWER, NONE), "B is lower than A in micro F1 (-2.5 points, 95 % interval -4.0 to -1.0, corrected "
         "p = 0.002)NOTE; by class, B is lower in PER (-2.5 points)."),
        ((difference(0.2, 0.1, 0.3, 1e-4, 1e-4), NONE, NONE), "B is higher than A in micro F1 (+20.0 points, 95 % "
         "interval 10.0 to 30.0, p < 0.001)NOTE; no class shows a difference."),
        ((UNTESTED,) * 3, "Micro F1 of B minus A: -1.0 points. One seed is too few to test this."),
    ],
)  # fmt: skip
def test_the_finding_is_a_sentence_that_says_it_is_about_two_checkpoints(differences, expected):
    note = ", but with one seed each, this is about two checkpoints, not about the method"
    assert finding(result(B=differences)) == [expected.replace("NOTE", note)]
    over_seeds = result(B=differences)
    for group in over_seeds["groups"]:
        group["runs"] = [f"{group['name']}{seed}" for seed in range(5)]
    (said,) = finding(over_seeds)
    assert "checkpoints" not in said and said.replace(" (5 seeds)", "") == expected.replace("NOTE", "")


def test_each_comparison_has_a_sentence():
    said = finding(result(B=(NONE, NONE, NONE), C=(LOWER, LOWER, NONE)))
    assert len(said) == 2 and said[0].startswith("No difference is shown between B and A") and "C is lower" in said[1]
    assert finding(result()) == ["Micro F1 of A is 80.0; nothing is compared with it."]


@pytest.mark.parametrize(
    ("de", "expected"),
    [(LOWER, " By language, B is lower in de (-2.5 points)."), (NONE, " No language shows a difference.")],
)
def test_the_finding_names_the_languages_with_a_difference(de, expected):
    by_language = {"de": {"differences": [de]}, "en": {"differences": [None]}}
    (said,) = finding(result(B=(NONE, NONE, NONE)) | {"by_language": by_language})
    assert said.endswith("no class shows a difference." + expected)


def test_cells_do_not_contradict_the_verdict_and_say_what_is_missing():
    text = report_markdown(tables(result(B=(NONE, NOT_AFTER_HOLM, UNTESTED))), "Title")
    assert "| class | difference | 95 % interval | verdict | p | p (Holm) | gold entities |" in text
    assert "| macro | +1.0 | 0.0 to 2.0 | described only | 0.010 |  |  |" in text
    assert "| PER | -6.1 | -10.9 to -1.9 | not after Holm | 0.020 | 0.120 | 1,200 |" in text
    assert "| DIS | -1.0 | one seed | not tested |  |  | 3 |" in text
    assert "| DIS | 100.0 (too few) | 100.0 (too few) | 3 |" in text
    assert "| MYTH | \N{EN DASH} | \N{EN DASH} | 0 |" in text and text.count("| MYTH | \N{EN DASH}") == 1
    assert "| updates | 1,212 | 1,212 |" in text


@pytest.mark.parametrize("value", [0.0004, -0.0004, 3e-7, -3e-7, 0.0005, -0.0449, 0.2])
def test_a_difference_that_is_not_0_is_not_shown_as_0(value):
    """With its sign, and an interval that excludes 0 is shown without it."""
    shown, size = float(points(value, sign="+")), abs(value)
    assert shown * value > 0 and abs(shown) == pytest.approx(100 * size, rel=0.5, abs=0.05)
    low, high = map(float, interval_in_points(difference(value, size, 2 * size)).split(" to "))
    assert 0 < low <= high and points(value, sign="+")[0] == "-+"[value > 0]
    assert [points(zero, sign="+") for zero in (0.0, -0.0, 1e-17, -1e-17)] == ["+0.0"] * 4


def test_what_explains_a_table_comes_after_it():
    """And so do the glosses of the verdicts."""
    sections = report_markdown(tables(result(B=(NONE, NOT_AFTER_HOLM, UNTESTED))), "Title").split("\n## ")[1:]
    assert len(sections) == 4
    for section in sections:
        blocks = section.strip().split("\n\n")[1:]
        first_text = next(i for i, block in enumerate(blocks) if block[0] not in "*|")
        assert first_text > 0 and not any(block[0] in "*|" for block in blocks[first_text:])
    assert "“Not shown” means not significant" in sections[0] and "“Not after Holm” means" in sections[0]


def test_experiments_are_named_by_their_first_runs():
    assert experiment_names([["A1", "A2"], ["B1", "B2"]]) == ["A", "B"]
    assert experiment_names([["default-1", "default-2"], ["masked_seed1", "x"], ["x7"]]) == ["default", "masked", "x7"]
    assert experiment_names([["A1", "A2"], ["A3", "A4"]]) == ["A1", "A3"]
    assert experiment_names([["1", "2"], ["3"]]) == ["1", "3"]
