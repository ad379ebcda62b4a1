"""What a report shows of the scores of entities."""

import json
import random
import re
from base64 import b64decode

import numpy as np
from scored_runs import CLASSES, ROWS, report_of, sentences, with_noise, write_run

from ner.report.pictures import PALETTES
from ner.scoring.calibration import Calibration, confidence


def record(size: int) -> dict:
    rng = np.random.default_rng(size)
    probabilities = rng.beta(4, 1, size)
    return confidence(probabilities, Calibration(0.8, -0.5), rng.random(size) < probabilities)


def test_scores_are_shown_for_the_runs_that_have_them(tmp_path):
    records = {"a": record(500), "b": record(1), "c": None}
    for name, each in records.items():
        run = write_run(tmp_path / name, ROWS, CLASSES)
        (run / "test" / "metrics.json").write_text(json.dumps({"confidence": each}))
    report_of(tmp_path, *(tmp_path / name for name in records))
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    table = text.split("## Scores of entities")[1]
    at = next(t for t in records["a"]["thresholds"] if t["threshold"] == 0.9)
    row = next(line for line in table.splitlines() if line.startswith("| a |"))
    assert f"| {100 * records['a']['after']['ece']:.1f} |" in row
    assert f"| {100 * at['precision']:.1f} ({100 * at['coverage']:.1f}) |" in row
    assert "| c |" not in table
    assert "All classes of a run count: do not compare" in table

    out = tmp_path / "out"
    shown = re.findall(
        r'<img class="(\w+)"[^>]* src="data:image/svg\+xml;base64,([^"]+)"', (out / "report.html").read_text()
    )
    assert [(kind, b64decode(data)) for kind, data in shown] == [
        (kind, (out / f"{name}{suffix}.svg").read_bytes())
        for name in ("differences", "class_f1")
        for kind, suffix in (("light", ""), ("dark", "-dark"))
    ]

    report_of(tmp_path, tmp_path / "c")
    assert "Scores of entities" not in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")


def test_a_run_has_one_colour_in_all_pictures(tmp_path):
    """The second of three, which is the first that the picture of differences shows."""
    for k, name in enumerate("abc"):
        write_run(tmp_path / name, with_noise(sentences(random.Random(0)), 0.1 * k + 0.1, k), CLASSES)
    report_of(tmp_path, *(tmp_path / name for name in "abc"))
    for suffix, palette in PALETTES.items():
        first, second, third, *others = palette[-1].split()
        for picture in ("differences", "class_f1"):
            drawn = (tmp_path / "out" / f"{picture}{suffix}.svg").read_text(encoding="utf-8")
            assert second in drawn and third in drawn and not any(other in drawn for other in others)
            assert (first in drawn) == (picture == "class_f1")


def test_the_pictures_show_the_numbers_of_the_report(tmp_path, monkeypatch):
    """A mark is filled where the corrected test shows the difference."""
    drawn = {}

    def shown(plot, series, title, path):
        drawn[path.name] = series
        return []

    monkeypatch.setattr("ner.report.pictures.report_picture", shown)
    for name, rate in (("a", 0.3), ("b", 0.1)):
        write_run(tmp_path / name, with_noise(sentences(random.Random(0)), rate, 1), CLASSES)
    result = report_of(tmp_path, tmp_path / "a", tmp_path / "b")
    run, differences = result["runs"]["b"], result["groups"][1]["difference"]
    assert drawn["differences.svg"]["b"] == [
        (d["difference"], d["low"], d["high"], d.get("p_holm", 1) < 0.05)
        for d in (differences[title] for title in ("micro", "macro", *CLASSES))
    ]
    assert {point.filled for point in drawn["differences.svg"]["b"]} == {False, True}
    overall, intervals = run["overall"], run["intervals"]
    f1 = [(overall[score], *intervals["overall"][score]) for score in ("f1", "macro_f1")]
    f1 += [(run["per_class"][c]["f1"], *intervals["per_class"][c]["f1"]) for c in CLASSES]
    assert [point[:3] for point in drawn["class_f1.svg"]["b"]] == f1
