"""The experiments over several seeds, as one command that can be given again."""

import importlib
import statistics
import sys
from pathlib import Path

import yaml

from benchmarks import experiment, tables
from ner.runs.files import optional_json


def test_runs_are_trained_scored_and_recorded_once(corpus, encoders, tmp_path, monkeypatch, capsys):
    calls = []

    def script(name: str, *words: str, log: Path) -> None:
        calls.append((name, Path(words[words.index("--output_dir" if name == "train.py" else "--checkpoint") + 1]).name)
                     if name != "report.py" else (name, ""))  # fmt: skip
        importlib.import_module(name.removesuffix(".py")).main(list(words))

    monkeypatch.setattr(experiment, "script", script)
    monkeypatch.setattr(experiment.os, "cpu_count", lambda: 1)
    monkeypatch.setattr(experiment, "EXPERIMENTS", {n: experiment.EXPERIMENTS[n] for n in ("default", "masked")})
    argv = ["experiment", "--dataset", str(corpus), "--model_checkpoint", str(encoders["bert"]), "--seeds", "1", "2",
            "--output_dir", str(tmp_path / "runs"), "--", "--max_steps", "4", "--use_cpu", "true"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", argv)
    experiment.main()
    names = ["default-1", "masked-1", "default-2", "masked-2"]
    assert calls == [(s, n) for n in names for s in ("train.py", "inference.py")] + [("report.py", "")]
    experiment.main()
    assert calls[9:] == [("report.py", "")]
    records = tmp_path / "runs" / "records"
    for name in names:
        args = yaml.safe_load((records / name / "args.yaml").read_text(encoding="utf-8"))
        assert (args["seed"], args.get("masked_training", False)) == (int(name[-1]), name.startswith("masked"))
        assert optional_json(records / name / "test" / "metrics.json")["sentences"] == 40
    groups = optional_json(records / "report.json")["groups"]
    assert [group["runs"] for group in groups] == [["default-1", "default-2"], ["masked-1", "masked-2"]]
    everything = "".join(path.read_text(encoding="utf-8") for path in records.rglob("*.*"))
    assert str(tmp_path) not in everything and "Bergen" not in everything
    monkeypatch.setattr(sys, "argv", ["tables", str(records)])
    capsys.readouterr()
    tables.main()
    lines = capsys.readouterr().out.splitlines()
    own = [
        100 * optional_json(records / f"masked-{seed}" / "test" / "metrics.json")["overall"]["f1"] for seed in (1, 2)
    ]
    assert lines[3].startswith("| B, masked | 4 | ")
    assert lines[3].endswith(f"| {statistics.mean(own):.1f} ± {statistics.stdev(own):.1f} |")
    assert lines[5] == "B, masked, against A, all classes:" and len(lines) == 7 + 2 + 6
