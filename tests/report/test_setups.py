"""What the report says of how the compared runs were made."""

import json
import random
from pathlib import Path

from scored_runs import CLASSES, report_of, sentences, with_noise, write_run

ENVIRONMENT = {
    "python": "3.11.7", "packages": {"torch": "2.13.0", "numpy": "2.4.6"}, "processor": "EPYC", "threads": 1,
    "accelerators": [], "git_commit": "4956983", "processes": 1, "device": "cpu", "precision": "float32",
    "data_fingerprint": "511f", "update_steps": 1212,
}  # fmt: skip
SCORED = {"precision": "float32", "constrained_decoding": True, "data_fingerprint": "a1"}
ARGUMENTS = {"learning_rate": 2e-5, "per_device_train_batch_size": 16, "weight_decay": 0.01, "seed": 1}


def recorded_run(folder: Path, rows: list[dict], environment: dict, metrics: dict, **args: object) -> Path:
    write_run(folder, rows, CLASSES, **args)
    (folder / "environment.json").write_text(json.dumps(environment))
    (folder / "test" / "metrics.json").write_text(json.dumps(metrics))
    return folder


def test_runs_that_were_made_alike_are_said_to_agree(tmp_path, capsys):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    a = recorded_run(tmp_path / "a", rows, ENVIRONMENT, SCORED, **ARGUMENTS, masked_training=False)
    # What an experiment varies, and the same precision as an older version recorded it, are no difference.
    older = {k: v for k, v in ENVIRONMENT.items() if k != "precision"} | {"bfloat16": False}
    b = recorded_run(tmp_path / "b", rows, older, SCORED, **ARGUMENTS | {"seed": 2}, masked_training=True)
    result = report_of(tmp_path, a, b)
    assert result["differing"] == [] and result["unrecorded"] == []
    for text in (capsys.readouterr().out, (tmp_path / "out" / "report.md").read_text()):
        assert text.split("\n\n")[2].startswith("All runs agree in precision of training, precision of scoring, ")


def test_runs_that_differ_in_more_than_the_experiment_say_so_first(tmp_path, capsys):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    a = recorded_run(tmp_path / "a", rows, ENVIRONMENT, SCORED, **ARGUMENTS)
    other = ENVIRONMENT | {
        "precision": "bfloat16", "packages": {"torch": "2.12.1", "numpy": "2.4.6"}, "processes": 2, "threads": 4,
        "update_steps": 606, "data_fingerprint": "622a", "processor": "Xeon", "accelerators": ["H100"],
        "git_commit": "bd433ce-dirty",
    }  # fmt: skip
    changed = ARGUMENTS | {"learning_rate": 3e-4, "weight_decay": 0.0}
    b = recorded_run(
        tmp_path / "b", rows, other, SCORED | {"precision": "bfloat16", "data_fingerprint": "b2"}, **changed
    )
    result = report_of(tmp_path, a, b)
    differing = {d["what"]: (d["values"]["a"], d["values"]["b"]) for d in result["differing"]}
    assert differing == {
        "precision of training": ("float32", "bfloat16"),
        "precision of scoring": ("float32", "bfloat16"),
        "sentences per update": ("16", "32"),
        "updates": ("1212", "606"),
        "learning rate": ("2e-05", "0.0003"),
        "training data": ("511f", "622a"),
        "test data": ("a1", "b2"),
        "CPU": ("EPYC", "Xeon"),
        "threads": ("1", "4"),
        "accelerators": ("none", "H100"),
        "git commit": ("4956983", "bd433ce-dirty"),
        "argument weight_decay": ("0.01", "0"),
        "version of torch": ("2.13.0", "2.12.1"),
    }
    for text in (capsys.readouterr().out, (tmp_path / "out" / "report.md").read_text()):
        parts = text.split("\n\n")
        assert parts[2].startswith("Note that the runs differ in more than the experiment: in precision of training, ")
        assert "| recorded | a | b |" in parts[4] and "| version of torch | 2.13.0 | 2.12.1 |" in parts[4]


def test_what_a_run_has_not_recorded_is_said(tmp_path, capsys):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    a = recorded_run(tmp_path / "a", rows, ENVIRONMENT, {"data_fingerprint": "a1"}, **ARGUMENTS)
    b = write_run(tmp_path / "b", rows, CLASSES)
    result = report_of(tmp_path, a, b)
    differing = {d["what"]: d["values"]["b"] for d in result["differing"]}
    assert set(differing) >= {"updates", "package versions", "other arguments"} and set(differing.values()) == {None}
    assert result["unrecorded"] == ["precision of scoring", "constrained decoding"]
    text = capsys.readouterr().out
    assert "| updates | 1212 | not recorded |" in text
    assert "Not recorded for any run: precision of scoring and constrained decoding." in text
    report_of(tmp_path, b, write_run(tmp_path / "c", rows, CLASSES))
    assert "There is no record of how the runs were made." in capsys.readouterr().out
