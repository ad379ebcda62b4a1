"""The comparison of run folders, from their prediction files."""

import random
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
from scored_runs import CLASSES, report_of, sentences, with_noise, write_run
from seqeval.metrics import classification_report, f1_score

import report
from metrics import ner_metric
from ner.scoring.significance import holm

pytestmark = pytest.mark.slow


def mask(rows: list[dict], kept: list[str]) -> list[dict]:
    return [row | {s: [t if t[2:] in kept else "O" for t in row[s]] for s in ("gold", "predicted")} for row in rows]


def test_a_run_and_its_copy_do_not_differ(tmp_path, capsys):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    result = report_of(tmp_path, write_run(tmp_path / "a", rows), write_run(tmp_path / "b", rows))
    each = result["differences"]["b"]
    for d in (each["micro"], each["macro"], *each["per_class"].values()):
        assert (d["difference"], d["low"], d["high"], d["p"]) == (0, 0, 0, 1)
    assert all(d["p_holm"] == 1 for d in each["per_class"].values())
    text = capsys.readouterr().out
    assert "**No difference is shown in micro F1 between b and a" in text and "nor in any class" in text
    assert "| higher |" not in text and "| lower |" not in text and "With one seed per experiment" in text


@pytest.mark.filterwarnings("ignore")
def test_a_and_b_are_scored_on_the_classes_both_know(tmp_path):
    rows = with_noise(sentences(random.Random(0)), 0.2, 1)
    a = write_run(tmp_path / "a", rows, CLASSES)
    b = write_run(tmp_path / "b", mask(rows, ["PER", "LOC"]), ["LOC", "PER"])
    result = report_of(tmp_path, a, b)
    assert result["classes"] == ["PER", "LOC"]
    # The same predictions: B's better score on its own classes is the label set alone, and the projection shows it.
    assert result["differences"]["b"]["micro"]["difference"] == 0
    own = {name: run["own"]["overall"]["f1"] for name, run in result["runs"].items()}
    assert own["a"] == f1_score([r["gold"] for r in rows], [r["predicted"] for r in rows])
    two = mask(rows, ["PER", "LOC"])
    gold, predicted = [r["gold"] for r in two], [r["predicted"] for r in two]
    assert result["runs"]["a"]["overall"]["f1"] == own["b"] == f1_score(gold, predicted)
    seqeval = classification_report(gold, predicted, output_dict=True)
    assert result["runs"]["b"]["per_class"]["PER"]["f1"] == seqeval["PER"]["f1-score"]
    assert result["runs"]["b"]["own"]["classes"] == ["PER", "LOC"]


def test_a_real_difference_is_found_and_named(tmp_path, capsys):
    rows = sentences(random.Random(0), 400)
    good, bad = with_noise(rows, 0.1, 1), with_noise(rows, 0.3, 2)
    result = report_of(tmp_path, write_run(tmp_path / "good", good), write_run(tmp_path / "bad", bad))
    d = result["differences"]["bad"]["micro"]
    assert d["low"] < d["difference"] < d["high"] < 0 and d["p"] < 0.001
    text = capsys.readouterr().out
    low, high = 100 * d["low"], 100 * d["high"]
    assert text.startswith("# Comparison of runs\n\n**bad is lower than good in micro F1 (")
    assert re.search(rf"\| micro \| [\d,]+ \| lower \| -[\d.]+ \| {low:.1f} to {high:.1f} \| < 0.001 \|", text)
    assert set(result["languages"]) == {"de", "en"}


def test_runs_that_differ_in_seed_only_are_one_experiment(tmp_path, capsys):
    rows = sentences(random.Random(0), 200)
    folders = [
        write_run(
            tmp_path / f"{name}{seed}", with_noise(rows, rate, 10 * seed + masked), masked_training=masked, seed=seed
        )
        for name, masked, rate in (("a", False, 0.2), ("b", True, 0.1))
        for seed in range(3)
    ]
    result = report_of(tmp_path, *folders)
    first, second = result["groups"]
    assert (first["runs"], second["runs"]) == (["a0", "a1", "a2"], ["b0", "b1", "b2"])
    f1 = [result["runs"][name]["overall"]["f1"] for name in second["runs"]]
    assert second["f1"]["micro"]["mean"] == pytest.approx(sum(f1) / 3)
    d = second["difference"]["micro"]
    assert d["low"] < d["difference"] < d["high"] and d["p"] == d["p_holm"]  # a family of one micro test
    by_class = [second["difference"][c] for c in CLASSES]
    assert [c["p_holm"] for c in by_class] == pytest.approx(holm([c["p"] for c in by_class]))
    # A class needs a larger difference than micro F1: more tests, fewer entities. Macro F1 is not tested.
    assert 0 < d["detectable"] < min(c["detectable"] for c in by_class)
    text = capsys.readouterr().out
    assert "**Over 3 seeds of a and 3 seeds of b, " in text and "With one seed" not in text
    over_seeds, _, of_runs = text.partition("## Differences of single runs")
    assert f"| ±{100 * d['detectable']:.1f} |" in over_seeds and "| \N{EN DASH} |" in over_seeds
    assert "detectable" not in of_runs


def test_an_experiment_of_one_seed_has_no_interval_over_seeds(tmp_path, capsys):
    rows = sentences(random.Random(0), 200)
    folders = [
        write_run(tmp_path / f"{masked}{seed}", with_noise(rows, 0.2, seed), masked_training=masked, seed=seed)
        for masked, seed in ((False, 1), (False, 2), (True, 1))
    ]
    d = report_of(tmp_path, *folders)["groups"][1]["difference"]["micro"]
    assert d["difference"] is not None and d["low"] is d["high"] is d["p"] is d["detectable"] is None
    assert "p_holm" not in d
    assert "with one seed this is not tested" in capsys.readouterr().out


def test_a_report_needs_neither_torch_nor_transformers():
    code = "import sys, report; sys.exit(bool({'torch', 'transformers', 'datasets', 'evaluate'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(report.__file__).parent).returncode == 0


def test_copies_of_sentences_are_no_evidence(tmp_path):
    rows = with_noise(sentences(random.Random(0), 60), 0.3, 1)
    once = report_of(tmp_path / "1", write_run(tmp_path / "1" / "run", rows))
    often = report_of(tmp_path / "2", write_run(tmp_path / "2" / "run", rows * 4))
    for scores in ("f1", "accuracy"):
        a, b = (r["runs"]["run"]["overall"]["intervals"][scores] for r in (once, often))
        assert a == pytest.approx(b)
    assert (often["sentences"], often["clusters"]) == (240, 60)


def test_a_repeated_seed_counts_once(tmp_path):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    folders = [write_run(tmp_path / name, rows, masked_training=False, seed=1) for name in ("a", "b")]
    assert "groups" not in report_of(tmp_path, *folders)


def test_a_class_without_gold_is_not_tested(tmp_path):
    """An empty class has no row, and does not make the family of tests larger."""
    rows = with_noise(sentences(random.Random(0)), 0.2, 1)
    rows = [r | {"gold": [t if t[2:] != "LOC" else "O" for t in r["gold"]]} for r in rows]
    better = [r | {"predicted": p["predicted"]} for r, p in zip(rows, with_noise(rows, 0.1, 2), strict=True)]
    result = report_of(tmp_path, write_run(tmp_path / "a", rows, CLASSES), write_run(tmp_path / "b", better, CLASSES))
    each = result["differences"]["b"]["per_class"]
    assert result["support"]["LOC"] == 0 and each["LOC"] is None
    assert max(each[c]["p_holm"] for c in ("PER", "ORG")) <= 2 * max(each[c]["p"] for c in ("PER", "ORG"))
    text = (tmp_path / "out" / "report.md").read_text()
    assert "Not tested, without gold entities in the split: LOC." in text
    assert not re.search(r"\| LOC \| 0 \| (not|higher|lower)", text) and "| LOC | 0 | \u2013 | \u2013 |" in text


def test_micro_tests_of_several_runs_are_one_family(tmp_path):
    rows = sentences(random.Random(0))
    folders = [write_run(tmp_path / name, with_noise(rows, 0.3, seed)) for seed, name in enumerate("abcd")]
    micro = [d["micro"] for d in report_of(tmp_path, *folders)["differences"].values()]
    assert [m["p_holm"] for m in micro] == pytest.approx(holm([m["p"] for m in micro]))
    assert any(m["p_holm"] > m["p"] for m in micro)


@pytest.mark.filterwarnings("ignore")
def test_a_class_that_is_only_predicted_and_macro_f1(tmp_path):
    """The page says what macro F1 is, and how it differs from seqeval's."""
    rows = with_noise(sentences(random.Random(0)), 0.2, 1)
    rows = [r | {"gold": [t if t[2:] != "LOC" else "O" for t in r["gold"]]} for r in rows]
    result = report_of(tmp_path, write_run(tmp_path / "a", rows, CLASSES))
    run = result["runs"]["a"]
    kept = [run["per_class"][c]["f1"] for c in ("PER", "ORG")]
    assert run["overall"]["macro_f1"] == pytest.approx(sum(kept) / 2)
    seqeval = classification_report([r["gold"] for r in rows], [r["predicted"] for r in rows], output_dict=True)
    assert seqeval["macro avg"]["f1-score"] == pytest.approx(sum(kept) / 3)
    text = (tmp_path / "out" / "report.md").read_text()
    assert "mean F1 of the shared classes that have gold entities" in text and "with an F1 of 0" in text


def test_seeds_are_counted_before_they_are_said_to_be_one(tmp_path, capsys):
    rows = sentences(random.Random(0))
    folders = [
        write_run(tmp_path / f"a-{seed}", with_noise(rows, 0.2, seed), masked_training=False, seed=seed)
        for seed in range(3)
    ]
    report_of(tmp_path, *folders)
    text = capsys.readouterr().out
    assert "**All runs are of one experiment: they differ in their seed only.**" in text
    assert "These runs are one experiment with 3 seeds" in text and "With one seed" not in text
    single = write_run(tmp_path / "b", with_noise(rows, 0.2, 9), masked_training=True, seed=1)
    report_of(tmp_path, *folders, single)
    text = capsys.readouterr().out
    assert "There is only one seed of b." in text and "3 seeds of a and 1 seed of b" in text


def test_tables_have_classes_down_with_their_gold_entities_and_runs_across(tmp_path):
    rows = sentences(random.Random(0))
    result = report_of(tmp_path, *(write_run(tmp_path / n, with_noise(rows, 0.3, i)) for i, n in enumerate("abc")))
    text = (tmp_path / "out" / "report.md").read_text()
    assert "| class | gold entities | a | b | c |" in text
    for c in CLASSES:
        assert f"| {c} | {result['support'][c]} | {100 * result['runs']['a']['per_class'][c]['f1']:.1f} (" in text


def test_the_reports_intervals_are_those_of_metrics_json(tmp_path):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    rows += [r | {"id": len(rows) + r["id"]} for r in rows[:20]]  # copies, which count as one in both
    result = report_of(tmp_path, write_run(tmp_path / "run", rows, CLASSES))["runs"]["run"]["own"]
    gold, predicted, tokens = ([r[key] for r in rows] for key in ("gold", "predicted", "tokens"))
    expected = ner_metric().compute(predictions=predicted, references=gold, tokens=tokens)["intervals"]
    assert result["overall"]["intervals"] == expected["overall"]
    assert all(result["per_class"][c]["intervals"] == expected["per_class"][c] for c in CLASSES)


def test_the_page_has_the_tables_of_the_markdown_before_any_script_runs(tmp_path):
    rows = sentences(random.Random(0))
    report_of(tmp_path, *(write_run(tmp_path / n, with_noise(rows, 0.3, i), CLASSES) for i, n in enumerate("ab")))
    text, html = ((tmp_path / "out" / f"report.{suffix}").read_text(encoding="utf-8") for suffix in ("md", "html"))
    lines = [line[2:-2].split(" | ") for line in text.splitlines() if line.startswith("| ") and " --- " not in line]
    cells = [unescape(cell) for cell in re.findall(r"<t[hd][^>]*>\s*<bdi>(.*?)</bdi>", html)]
    assert cells == [cell for line in lines for cell in line] and len(cells) > 200
