"""Quick trainings on the tiny corpus: their options, and what their run folders hold."""

import json
import shutil
from pathlib import Path

import architectures
import torch
from safetensors.torch import load_file

import inference
import train
from ner.errors import InputError
from ner.runs.folder import checkpoints_in
from ner.tagging import onnx_export

CPU = ("--use_cpu", "true", "--bf16", "false")
QUICK = (*CPU, "--num_train_epochs", "6", "--learning_rate", "1e-2", "--save_total_limit", "9")
# Two updates, with a checkpoint after each.
ENCODER_OPTIONS = ("--max_steps", 2, "--save_strategy", "steps", "--save_steps", 1, "--save_total_limit", 3,
                   "--eval_strategy", "no", "--load_best_model_at_end", "false", *CPU)  # fmt: skip


def argv(corpus, encoder, run, *more: object) -> list[str]:
    options = ("--dataset", corpus, "--model_checkpoint", encoder, "--output_dir", run, *QUICK, *more)
    return [str(o) for o in options]


def encoder_run(name: str, corpus: Path, folder: Path) -> Path:
    """A run of an architecture, scored on the test split, and exported if torch can export it."""
    encoder, run = architectures.save(folder / "encoder", name), folder / "run"
    options = ("--dataset", corpus, "--model_checkpoint", encoder, "--output_dir", run, *ENCODER_OPTIONS)
    train.main([str(o) for o in options])
    inference.main(["--checkpoint", str(run), *CPU])
    try:
        onnx_export.export(run)
    except InputError as error:
        assert "torch cannot export a model of type" in str(error)
    return run


def interrupted(run: Path, folder: Path, steps: int = 99) -> Path:
    """A copy of a run as a kill leaves it after the update `steps`: its options and its checkpoints."""
    folder.mkdir()
    shutil.copy(run / "args.yaml", folder)
    for checkpoint in checkpoints_in(run):
        if int(checkpoint.name.split("-")[1]) <= steps:
            shutil.copytree(checkpoint, folder / checkpoint.name)
    return folder


def weights(run: Path) -> dict:
    return load_file(run / "model.safetensors")


def differ_by(a: Path, b: Path) -> float:
    first, second = weights(a), weights(b)
    assert first.keys() == second.keys()
    return torch.stack([(first[k] - second[k]).abs().max() for k in first]).max().item()  # nan if one is


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def predictions(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "predictions.jsonl").open(encoding="utf-8")]


def read_json(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def tagged(capsys, *argv: object) -> list[dict]:
    capsys.readouterr()
    inference.main([str(a) for a in (*argv, *CPU)])
    return [json.loads(line) for line in capsys.readouterr().out.split("\n")[:-1]]
