"""The comparison of run folders, from their prediction files."""

import json
import os
import random
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
from scored_runs import CLASSES, ROWS, report_of, sentences, table_of, with_noise, without, write_run
from seqeval.metrics import classification_report, f1_score
from seqeval.metrics.sequence_labeling import get_entities

import report
from ner.scoring.intervals import scores_and_intervals
from ner.scoring.scores import cluster_ids, counts_of_tags
from ner.scoring.significance import holm

pytestmark = pytest.mark.usefixtures("undrawn")


def page_data(folder: Path) -> dict:
    html = (folder / "report.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1])


def test_a_run_and_its_copy_do_not_differ(tmp_path, capsys):
    result = report_of(tmp_path, write_run(tmp_path / "a", ROWS), write_run(tmp_path / "b", ROWS))
    differences = result["groups"][1]["difference"]
    assert all((d["difference"], d["low"], d["high"], d["p"]) == (0, 0, 0, 1) for d in differences.values())
    assert all(differences[c]["p_holm"] == 1 for c in ("micro", *CLASSES))
    text = capsys.readouterr().out
    assert "**No difference is shown between b and a in micro F1 (" in text and "no class shows a difference" in text
    assert "| higher |" not in text and "| lower |" not in text and "with one seed each" in text


def test_the_page_of_one_run_offers_no_comparison(tmp_path):
    runs = [write_run(tmp_path / name, ROWS) for name in "ab"]
    for some in (runs[:1], runs):
        report_of(tmp_path, *some)
        page_text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
        assert ("the first run is right" in page_text) == (len(some) == 2)


@pytest.mark.filterwarnings("ignore")
def test_a_and_b_are_scored_on_the_classes_both_know(tmp_path):
    rows = with_noise(sentences(random.Random(0)), 0.2, 1)
    two = without(rows, "ORG")
    a, b = write_run(tmp_path / "a", rows, CLASSES), write_run(tmp_path / "b", two, ["LOC", "PER"])
    result = report_of(tmp_path, a, b)
    assert result["classes"] == ["PER", "LOC"]
    # The same predictions: B's better score on its own classes is the label set alone, and the projection shows it.
    assert result["groups"][1]["difference"]["micro"]["difference"] == 0
    own = {name: run["own"]["overall"]["f1"] for name, run in result["runs"].items()}
    assert own["a"] == f1_score([r["gold"] for r in rows], [r["predicted"] for r in rows])
    gold, predicted = [r["gold"] for r in two], [r["predicted"] for r in two]
    assert result["runs"]["a"]["overall"]["f1"] == own["b"] == f1_score(gold, predicted)
    seqeval = classification_report(gold, predicted, output_dict=True)
    assert result["runs"]["b"]["per_class"]["PER"]["f1"] == seqeval["PER"]["f1-score"]
    assert result["runs"]["b"]["own"]["classes"] == ["PER", "LOC"]
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    title = "Each run on all classes that it knows: fewer classes score higher, so do not compare these"
    shown, right = table_of(text, title), [result["runs"][name]["own"]["overall"] for name in "ab"]
    assert shown["classes"] == ["3", "2"]
    assert [cell.split()[0] for cell in shown["micro F1"]] == [f"{100 * each['f1']:.1f}" for each in right]
    assert shown["token accuracy"] == [f"{100 * each['accuracy']:.2f}" for each in right]


def test_a_real_difference_is_found_and_named(tmp_path, capsys):
    rows = sentences(random.Random(0), 400)
    good, bad = with_noise(rows, 0.1, 1), with_noise(rows, 0.3, 2)
    result = report_of(tmp_path, write_run(tmp_path / "good", good), write_run(tmp_path / "bad", bad))
    d = result["groups"][1]["difference"]["micro"]
    assert d["low"] < d["difference"] < d["high"] < 0 and d["p"] < 0.001
    text = capsys.readouterr().out
    low, high = 100 * d["low"], 100 * d["high"]
    assert text.startswith("# Comparison of runs\n\n**bad is lower than good in micro F1 (")
    assert re.search(rf"\| micro \| -[\d.]+ \| {low:.1f} to {high:.1f} \| lower \| < 0.001 \|", text)
    assert f"| PER | {100 * result['runs']['good']['per_class']['PER']['f1']:.1f} (" in text


def test_a_class_without_gold_is_not_tested_and_not_in_macro_f1(tmp_path):
    """An empty class has no row, and does not make the family of tests larger."""
    rows = with_noise(sentences(random.Random(0)), 0.2, 1)
    rows = [r | {"gold": [t if t[2:] != "LOC" else "O" for t in r["gold"]]} for r in rows]
    better = [r | {"predicted": p["predicted"]} for r, p in zip(rows, with_noise(rows, 0.1, 2), strict=True)]
    result = report_of(tmp_path, write_run(tmp_path / "a", rows, CLASSES), write_run(tmp_path / "b", better, CLASSES))
    each = result["groups"][1]["difference"]
    assert result["support"]["LOC"] == 0 and each["LOC"] is None
    two = [each[c] for c in ("PER", "ORG")]
    assert [c["p_holm"] for c in two] == pytest.approx(holm([c["p"] for c in two]))
    kept = [result["runs"]["a"]["per_class"][c]["f1"] for c in ("PER", "ORG")]
    assert result["runs"]["a"]["overall"]["macro_f1"] == pytest.approx(sum(kept) / 2)
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert not re.search(r"\| LOC \| [-+]", text) and "| LOC | \u2013 | \u2013 | 0 |" in text


def test_micro_tests_of_several_runs_are_one_family(tmp_path):
    rows = sentences(random.Random(0))
    folders = [write_run(tmp_path / name, with_noise(rows, 0.3, seed)) for seed, name in enumerate("abcd")]
    micro = [group["difference"]["micro"] for group in report_of(tmp_path, *folders)["groups"][1:]]
    assert [m["p_holm"] for m in micro] == pytest.approx(holm([m["p"] for m in micro]))
    assert any(m["p_holm"] > m["p"] for m in micro)


def test_the_reports_intervals_are_those_of_metrics_json(tmp_path):
    rows = ROWS + [r | {"id": len(ROWS) + r["id"]} for r in ROWS[:20]]  # copies, which count as one in both
    report = report_of(tmp_path, write_run(tmp_path / "run", rows, CLASSES))
    assert (report["sentences"], report["clusters"]) == (100, 80)
    assert "same 100 test sentences (80 distinct), with" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    result = report["runs"]["run"]["own"]
    gold, predicted, tokens = ([r[key] for r in rows] for key in ("gold", "predicted", "tokens"))
    expected = scores_and_intervals(counts_of_tags(gold, predicted), cluster_ids(tokens))
    assert result["intervals"] == expected["intervals"]


def test_the_page_has_the_tables_of_the_markdown_before_any_script_runs(tmp_path):
    rows = sentences(random.Random(0))
    report_of(tmp_path, *(write_run(tmp_path / n, with_noise(rows, 0.3, i), CLASSES) for i, n in enumerate("ab")))
    text, html = ((tmp_path / "out" / f"report.{suffix}").read_text(encoding="utf-8") for suffix in ("md", "html"))
    lines = [line[2:-2].split(" | ") for line in text.splitlines() if line.startswith("| ") and " --- " not in line]
    cells = [unescape(cell) for cell in re.findall(r"<t[hd][^>]*>\s*<bdi>(.*?)</bdi>", html)]
    assert cells == [cell for line in lines for cell in line] and len(cells) > 150


def test_a_page_has_the_sentences_with_an_error_and_first_those_where_the_runs_differ(tmp_path):
    runs = [write_run(tmp_path / name, with_noise(sentences(random.Random(0)), 0.1, k)) for k, name in enumerate("ab")]
    report_of(tmp_path, *runs)
    rows = page_data(tmp_path / "out")["sentences"]
    lines = [[json.loads(line) for line in (run / "test" / "predictions.jsonl").open()] for run in runs]
    differ, same = [], []
    for i, pair in enumerate(zip(*lines, strict=True)):
        gold, a, b = (get_entities(tags) for tags in (pair[0]["gold"], *(line["predicted"] for line in pair)))
        if not gold == a == b:
            (same if a == b else differ).append(i)
    assert [row[4] for row in rows] == [*differ, *same] and 0 < len(rows) < 80


def test_names_are_those_of_the_folders_or_where_they_are(tmp_path):
    folders = [write_run(tmp_path / parent / "run", ROWS) for parent in ("x", "y")]
    assert list(report_of(tmp_path, *folders)["runs"]) == ["x/run", "y/run"]
    assert list(report_of(tmp_path, folders[0], write_run(tmp_path / "b", ROWS))["runs"]) == ["run", "b"]


@pytest.mark.slow
def test_names_of_folders_and_classes_inject_nothing_and_may_be_no_utf8(tmp_path):
    rows = [r | {s: [t.replace("PER", "<b>|x") for t in r[s]] for s in ("gold", "predicted")} for r in ROWS]
    names = (b"a\r# Heading", b"![x](data:b", b"c](d\x1b]0;t\x07", b"t\xff", "\u2028e\u202e".encode())
    folders = [write_run(Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)), rows) for name in names]
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/out\xff"))
    done = subprocess.run([sys.executable, report.__file__, *folders, "--output_dir", odd], capture_output=True)
    assert done.returncode == 0, done.stderr
    text = (odd / "report.md").read_bytes().decode("utf-8")
    for shown in (text, done.stdout.decode("utf-8")):
        assert all(line.isprintable() for line in shown.split("\n"))
        assert "\n# Heading" not in shown and "!\\[x\\](data:b" in shown and "&lt;b&gt;\\|x" in shown
    html = (odd / "report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;|x" in html and "<b>" not in text + html
    findings = re.findall('<p class="lead">(.*?)</p>', html, re.DOTALL)
    assert len(findings) == 4 and all(text.replace("\u00a0", " ").isprintable() for text in findings)
    assert set(json.loads((odd / "report.json").read_text())["runs"]) >= {"a\r# Heading", "\u2028e\u202e"}
