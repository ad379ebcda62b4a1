"""The experiments over several seeds, as one command that can be given again."""

import importlib
import statistics
import sys
from pathlib import Path

import pytest
import yaml

from benchmarks import experiment, tables
from ner.files import optional_json
from studies import recipe

pytestmark = pytest.mark.slow

FEW = ("default", "masked", "default_upsampled")


@pytest.fixture
def calls(monkeypatch) -> list[tuple[str, str]]:
    """The scripts that the experiments run, and the name of each one's log; they run in this process, one at a time."""
    calls = []

    def script(name: str, *words: str, log: Path) -> None:
        calls.append((name, log.stem))
        importlib.import_module(name.removesuffix(".py")).main(list(words))

    monkeypatch.setattr(experiment, "script", script)
    monkeypatch.setattr(experiment.os, "cpu_count", lambda: 1)
    monkeypatch.setattr(experiment, "EXPERIMENTS", {name: experiment.EXPERIMENTS[name] for name in FEW})
    return calls


def test_runs_are_trained_scored_recorded_and_shown_once(calls, corpus, encoders, tmp_path, monkeypatch, capsys):
    argv = ["experiment", "--dataset", str(corpus), "--model_checkpoint", str(encoders["bert"]), "--seeds", "1", "2",
            "--output_dir", str(tmp_path / "runs"), "--", "--num_train_epochs", "1", "--use_cpu", "true"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", argv)
    experiment.main()
    names = [f"{name}-{seed}" for names in (FEW, experiment.CONTROLS) for seed in (1, 2) for name in names]
    ran = [(script, name) for name in names for script in ("train.py", "inference.py")]
    assert calls == [*ran[:12], ("report.py", "report"), *ran[12:], ("report.py", "controls")]
    experiment.main()
    assert calls[22:] == [("report.py", "report"), ("report.py", "controls")]

    records = tmp_path / "runs" / "records"
    updates = {}
    for name in names:
        args = yaml.safe_load((records / name / "args.yaml").read_text(encoding="utf-8"))
        repeats = (args["upsample"], args["upsample_at_random"])
        assert repeats == ("upsampled" in name or "random" in name, "random" in name)
        assert args["seed"] == int(name[-1])
        assert optional_json(records / name / "test" / "metrics.json")["sentences"] == 40
        updates[name] = optional_json(records / name / "environment.json")["update_steps"]
    assert updates["default-1"] < updates["default_upsampled-1"]
    assert updates["default_longer-1"] == updates["default_random-1"] == updates["default_upsampled-1"]
    report, controls = (optional_json(records / f"{name}.json") for name in ("report", "controls"))
    assert report["classes"] == controls["classes"] == ["PER", "ORG", "LOC", "ANIM", "DIS"]
    assert [group["runs"] for group in report["groups"]] == [[f"{name}-{seed}" for seed in (1, 2)] for name in FEW]
    everything = "".join(path.read_text(encoding="utf-8") for path in records.rglob("*.*"))
    assert str(tmp_path) not in everything and "Bergen" not in everything

    capsys.readouterr()
    tables.main([str(records)])
    lines = capsys.readouterr().out.splitlines()
    own = [optional_json(records / name / "test" / "metrics.json")["overall"]["f1"] for name in names[2:6:3]]
    assert lines[4].startswith(f"| A, up-sampled | {updates['default_upsampled-1']} | ")
    assert lines[4].endswith(f"| {100 * statistics.mean(own):.1f} ± {100 * statistics.stdev(own):.1f} |")
    assert [line for line in lines if "against" in line] == [
        "B, masked, against A, all classes:",
        "A, up-sampled, against A, all classes:",
        "A, other sentences repeated, against A, as many updates:",
        "A, up-sampled, against A, as many updates:",
    ]


def test_recipes_are_compared_on_both_splits(calls, corpus, encoders, tmp_path, monkeypatch, capsys):
    quick = ["--num_train_epochs", "2", "--use_cpu", "true"]
    recipes = {"plain": [*quick, "--learning_rate", "0"], "better": [*quick, "--learning_rate", "1e-2"]}
    monkeypatch.setattr(recipe, "RECIPES", recipes)
    records = tmp_path / "records"
    argv = ["recipe", "--datasets", str(corpus), "--model_checkpoint", str(encoders["bert"]), "--seeds", "1", "2",
            "--output_dir", str(tmp_path / "runs"), "--records", str(records)]  # fmt: skip
    monkeypatch.setattr(sys, "argv", argv)
    recipe.main()
    first = capsys.readouterr().out
    assert [log for script, log in calls if script == "report.py"] == ["report", "validation"]
    monkeypatch.setattr(sys, "argv", ["recipe", "--records", str(records)])
    recipe.main()
    shown = capsys.readouterr().out
    assert shown in first

    for split, part in zip(("validation", "test"), shown.split("test:\n"), strict=True):
        means = []
        for line, name in zip([line for line in part.splitlines() if corpus.name in line], recipes, strict=True):
            runs = [records / corpus.name / f"{name}-{seed}" / split / "metrics.json" for seed in (1, 2)]
            means.append(100 * statistics.mean(optional_json(run)["overall"]["f1"] for run in runs))
            assert f"| {name} | 2 | " in line and f"| {means[-1]:.1f}" in line
        assert f"({means[1] - means[0]:+.1f}, " in line
        assert f"micro F1: {means[1] - means[0]:+.1f}" in part


def test_recipes_of_one_seed_are_compared_as_single_runs(calls, corpus, encoders, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(recipe, "RECIPES", {name: ["--max_steps", "2", "--use_cpu", "true"] for name in ("a", "b")})
    argv = ["recipe", "--datasets", str(corpus), "--model_checkpoint", str(encoders["bert"]), "--seeds", "1",
            "--output_dir", str(tmp_path / "runs"), "--records", str(tmp_path / "records")]  # fmt: skip
    monkeypatch.setattr(sys, "argv", argv)
    recipe.main()
    shown = capsys.readouterr().out.split("validation:\n\n")[-1]
    assert shown.count("| a | 1 | 2 |") == shown.count("| b | 1 | 2 |") == 2
    assert shown.count("(+0.0, +0.0 to +0.0)") >= 2  # they differ in their names only
