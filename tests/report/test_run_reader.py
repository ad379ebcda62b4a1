"""Files of scored runs that cannot be read or compared: the message names the file and the line."""

import random

import pytest
from scored_runs import sentences, with_noise, write_run

import report


def test_runs_that_cannot_be_compared_are_refused(tmp_path, fails):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    first = write_run(tmp_path / "first", rows)
    other = [dict(r) for r in rows]
    other[7] = other[7] | {"tokens": ["x", *other[7]["tokens"][1:]]}
    message = fails(report.main, first, write_run(tmp_path / "tokens", other))
    assert "(80 sentences) and tokens (80) differ in sentences: the first is id 7" in message
    assert "the first is id 79" in fails(report.main, first, write_run(tmp_path / "shorter", rows[:-1]))
    gold = [dict(r) for r in rows]
    gold[5] = gold[5] | {"gold": ["B-PER" if t == "O" else "O" for t in gold[5]["gold"]]}
    assert "differ in gold tags" in fails(report.main, first, write_run(tmp_path / "gold", gold))
    others = [r | {s: ["B-X" if t != "O" else t for t in r[s]] for s in ("gold", "predicted")} for r in rows]
    assert "no class in common" in fails(report.main, first, write_run(tmp_path / "classes", others))
    assert "expected each run once" in fails(report.main, first, first)
    assert "score the run" in fails(report.main, tmp_path)
    (first / "test" / "predictions.jsonl").write_text('{"tokens": []}\n')
    assert "predictions.jsonl:1" in fails(report.main, first)


@pytest.mark.parametrize(
    "line",
    [
        '{"tokens": "ab", "gold": ["O", "O"], "predicted": ["O", "O"]}',
        '{"tokens": [1], "gold": ["O"], "predicted": ["O"]}',
        '{"tokens": ["a"], "gold": [1], "predicted": ["O"]}',
        '{"tokens": ["a"], "gold": ["O"], "predicted": [null]}',
        '{"tokens": ["a"], "gold": ["O"], "predicted": ["O"], "lang": null}',
        '{"tokens": ["\\ud800"], "gold": ["O"], "predicted": ["O"]}',
        '{"tokens": [NaN], "gold": ["O"], "predicted": ["O"]}',
        '{"tokens": 5, "gold": [], "predicted": []}',
        "[]",
        "{",
    ],
)
def test_wrong_prediction_lines_are_named(tmp_path, line, fails):
    (tmp_path / "test").mkdir()
    good = '{"tokens": ["a"], "gold": ["O"], "predicted": ["O"]}'
    (tmp_path / "test" / "predictions.jsonl").write_text(good + "\n" + line + "\n")
    assert "predictions.jsonl:2: " in fails(report.main, tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [("config.json", "null"), ("config.json", '{"id2label": {"0": "LABEL_0"}}'), ("environment.json", "[]"),
     ("trainer_state.json", "[]"), ("args.yaml", "[1]"), ("config.json", "{")],
)  # fmt: skip
def test_wrong_records_are_named(tmp_path, name, text, fails):
    folder = write_run(tmp_path / "run", with_noise(sentences(random.Random(0)), 0.3, 1))
    (folder / name).write_text(text)
    assert name in fails(report.main, folder)
