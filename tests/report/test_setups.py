"""What the report says of how the compared runs were made."""

import json
import random
from pathlib import Path

from scored_runs import CLASSES, report_of, sentences, with_noise, write_run

ENVIRONMENT = {
    "python": "3.11.7", "packages": {"torch": "2.13.0", "numpy": "2.4.6"}, "threads": 1, "accelerators": [],
    "git_commit": "4956983", "processes": 1, "precision": "float32", "data_fingerprint": "511f", "update_steps": 1212,
}  # fmt: skip
SCORED = {"precision": "float32", "constrained_decoding": True, "data_fingerprint": "a1"}
ARGUMENTS = {"learning_rate": 2e-5, "per_device_train_batch_size": 16, "weight_decay": 0.01, "seed": 1}
ROWS = with_noise(sentences(random.Random(0)), 0.3, 1)


def recorded_run(folder: Path, environment: dict, metrics: dict, **args: object) -> Path:
    write_run(folder, ROWS, CLASSES, **args)
    (folder / "environment.json").write_text(json.dumps(environment))
    (folder / "test" / "metrics.json").write_text(json.dumps(metrics))
    return folder


def test_what_an_experiment_varies_is_no_difference(tmp_path, capsys):
    a = recorded_run(tmp_path / "a", ENVIRONMENT, SCORED, **ARGUMENTS, masked_training=False)
    b = recorded_run(tmp_path / "b", ENVIRONMENT, SCORED, **ARGUMENTS | {"seed": 2}, masked_training=True)
    result = report_of(tmp_path, a, b)
    assert result["differing"] == [] and result["unrecorded"] == []
    assert capsys.readouterr().out.split("\n\n")[2] == "Everything else that all runs record is the same."


def test_runs_that_differ_in_more_than_the_experiment_say_so_first(tmp_path, capsys):
    a = recorded_run(tmp_path / "a", ENVIRONMENT, SCORED, **ARGUMENTS)
    other = ENVIRONMENT | {
        "precision": "bfloat16", "packages": {"torch": "2.12.1", "numpy": "2.4.6"}, "threads": 4, "update_steps": 606,
        "accelerators": ["H100", "H100"], "git_commit": None,
    }  # fmt: skip
    scored = SCORED | {"precision": "bfloat16", "data_fingerprint": "b2"}
    b = recorded_run(tmp_path / "b", other, scored, **ARGUMENTS | {"weight_decay": 0.0}, optim="sgd")
    result = report_of(tmp_path, a, b)
    assert {d["what"]: (d["values"]["a"], d["values"]["b"]) for d in result["differing"]} == {
        "argument weight_decay": ("0.01", "0.0"),
        "argument optim": ("default", "sgd"),
        "training precision": ("float32", "bfloat16"),
        "training update steps": ("1212", "606"),
        "training threads": ("1", "4"),
        "training accelerators": ("none", "H100, H100"),
        "training git commit": ("4956983", "not recorded"),
        "version of torch": ("2.13.0", "2.12.1"),
        "scoring precision": ("float32", "bfloat16"),
        "scoring data fingerprint": ("a1", "b2"),
    }
    parts = capsys.readouterr().out.split("\n\n")
    assert parts[2].startswith("Note that the runs differ in more than the experiment: in argument weight_decay, ")
    assert "| recorded | a | b |" in parts[4] and "| version of torch | 2.13.0 | 2.12.1 |" in parts[4]


def test_what_a_run_has_not_recorded_is_said(tmp_path, capsys):
    a = recorded_run(tmp_path / "a", ENVIRONMENT, SCORED, **ARGUMENTS)
    result = report_of(tmp_path, a, write_run(tmp_path / "b", ROWS, CLASSES))
    assert (result["differing"], len(result["unrecorded"])) == ([], 3)
    assert " Not every run has args.yaml, environment.json and test/metrics.json." in capsys.readouterr().out
