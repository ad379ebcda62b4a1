"""What the report says of how the compared runs were made."""

import json
from pathlib import Path

import pytest
from scored_runs import CLASSES, ROWS, report_of, without, write_run

pytestmark = pytest.mark.usefixtures("undrawn")

ENVIRONMENT = {
    "python": "3.11.7", "packages": {"torch": "2.13.0", "numpy": "2.4.6"}, "threads": 1, "accelerators": [],
    "git_commit": "4956983", "processes": 1, "precision": "float32", "data_fingerprint": "511f", "update_steps": 1212,
}  # fmt: skip
SCORED = {"precision": "float32", "constrained_decoding": True, "data_fingerprint": "a1"}
ARGUMENTS = {"learning_rate": 2e-5, "per_device_train_batch_size": 16, "weight_decay": 0.01, "seed": 1}


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
    assert " All other recorded values are the same.\n\n## Differences" in capsys.readouterr().out


RARE = {"upsample_categories": ["DIS", "ANIM"], "upsample_factor": 2, "upsample_at_random": False}


def test_the_report_says_what_the_experiments_are(tmp_path, capsys):
    a = write_run(
        tmp_path / "default", ROWS, CLASSES, masked_training=False, upsample=False, learning_rate=None, **RARE
    )
    two = without(ROWS, "ORG")
    b = write_run(tmp_path / "masked", two, ["PER", "LOC"], masked_training=True, upsample=False, **RARE)
    options = RARE | {"upsample": True, "upsample_at_random": True, "learning_rate": 3e-4}
    c = write_run(tmp_path / "c", ROWS, CLASSES, masked_training=False, **options, optim="sgd")
    groups = report_of(tmp_path, a, b, c)["groups"]
    assert [group["trained"] for group in groups] == [
        "on all 3 classes, with learning_rate default and optim default",
        "on PER and LOC, with the other classes as O, with learning_rate default and optim default",
        "on all 3 classes, up-sampled (as many random sentences as contain DIS or ANIM appear 2 times), with "
        "learning_rate 0.0003 and optim sgd",
    ]
    report_of(tmp_path, a, b)
    f1, entities = (f"{100 * groups[0]['f1']['micro']['mean']:.1f}", sum(t[:2] == "B-" for r in two for t in r["gold"]))
    parts = capsys.readouterr().out.split("# Comparison of runs")[-1].strip().split("\n\n")
    assert parts[1:3] == [
        f"default: trained on all 3 classes; micro F1 {f1}.",
        f"masked: trained on PER and LOC, with the other classes as O; micro F1 {f1}.",
    ]
    assert parts[3].startswith(
        f"All scores are on the same 80 test sentences, with {entities} entities of PER and LOC."
    )


def test_the_report_says_how_classes_were_removed(tmp_path):
    kept, two = {"selected_categories": ["PER", "LOC"]}, without(ROWS, "ORG")
    whole = write_run(
        tmp_path / "whole", ROWS, CLASSES, masked_training=False, masking="as_O", masked_share=1.0, **kept
    )
    ways = {
        ("as_O", 1.0): "on PER and LOC, with the other classes as O",
        ("ignore", 1.0): "on PER and LOC, with the other classes left out of the loss",
        ("drop_sentences", 1.0): "on PER and LOC, without the sentences that contain another class",
        ("drop_others", 1.0): "on all 3 classes, without as many other sentences as contain ORG",
        ("as_O", 0.25): "on all 3 classes, with 25 % of the mentions of ORG as O",
        ("ignore", 0.5): "on all 3 classes, with 50 % of the mentions of ORG left out of the loss",
    }
    runs = []
    for (masking, share), text in ways.items():
        lacks = text.startswith("on PER")
        options = {"masked_training": True, "masking": masking, "masked_share": share, **kept}
        rows, classes = (two, ["PER", "LOC"]) if lacks else (ROWS, CLASSES)
        runs.append(write_run(tmp_path / f"{masking}{share}", rows, classes, **options))
    result = report_of(tmp_path, whole, *runs)
    assert [group["trained"] for group in result["groups"]] == ["on all 3 classes", *ways.values()]
    assert result["differing"] == []


def test_what_all_experiments_have_in_common_is_not_said_of_each(tmp_path):
    two, options = without(ROWS, "ORG"), RARE | {"masked_training": True}
    runs = [write_run(tmp_path / str(up), two, ["PER", "LOC"], upsample=up, **options) for up in (False, True)]
    trained = [group["trained"] for group in report_of(tmp_path, *runs)["groups"]]
    assert trained == ["", "up-sampled (sentences with DIS or ANIM appear 2 times)"]


def test_many_differences_stay_readable(tmp_path, capsys):
    """The opening names a few, and a table has all."""
    many = {f"option_{i}": i for i in range(30)}
    a, b = (write_run(tmp_path / n, ROWS, CLASSES, **{k: v + d for k, v in many.items()}) for d, n in enumerate("ab"))
    report_of(tmp_path, a, b)
    opening, rest = capsys.readouterr().out.split("\n\n## Differences", 1)
    assert "the seed, the runs differ in 30 recorded values (“Other differences”, below)." in opening
    assert all(f"| --option_{i} | {i} | {i + 1} |" in rest for i in range(30))


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
        "--weight_decay": ("0.01", "0.0"),
        "--optim": ("default", "sgd"),
        "precision in training": ("float32", "bfloat16"),
        "update_steps in training": ("1212", "606"),
        "threads in training": ("1", "4"),
        "accelerators in training": ("none", "H100, H100"),
        "git_commit in training": ("4956983", "not recorded"),
        "torch in training": ("2.13.0", "2.12.1"),
        "precision in scoring": ("float32", "bfloat16"),
        "data_fingerprint in scoring": ("a1", "b2"),
    }
    opening, rest = capsys.readouterr().out.split("\n\n## Differences", 1)
    assert "Apart from masking, up-sampling and the seed, the runs differ in 10 recorded values (“Other" in opening
    assert "| recorded | a | b |" in rest and "| torch in training | 2.13.0 | 2.12.1 |" in rest


def test_what_a_run_has_not_recorded_is_said(tmp_path, capsys):
    a = recorded_run(tmp_path / "a", ENVIRONMENT, SCORED, **ARGUMENTS)
    result = report_of(tmp_path, a, write_run(tmp_path / "b", ROWS, CLASSES))
    assert (result["differing"], len(result["unrecorded"])) == ([], 3)
    assert " Not every run has args.yaml, environment.json and test/metrics.json." in capsys.readouterr().out
    assert [group["trained"] for group in report_of(tmp_path, tmp_path / "b", a)["groups"]] == ["", ""]
