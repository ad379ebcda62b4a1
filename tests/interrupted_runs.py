"""Runs of nine epochs that stop early, and copies of them as a kill leaves a run."""

import json
import shutil
from pathlib import Path

from ner.runs.folder import checkpoints_in

# `best` is the first epoch's checkpoint, since the loss falls: three evaluations without a better one end the run.
WORSE = ("--metric_for_best_model", "loss", "--greater_is_better", "true", "--early_stopping_patience", "3")
QUICK = ("--use_cpu", "true", "--num_train_epochs", "9", "--learning_rate", "1e-2", "--save_total_limit", "9")


def argv(corpus: Path, encoder: Path, run: Path | str, *more: object) -> list[str]:
    options = ("--dataset", corpus, "--model_checkpoint", encoder, "--output_dir", run, *QUICK, *WORSE, *more)
    return [str(o) for o in options]


def state(folder: Path) -> dict:
    return json.loads((folder / "trainer_state.json").read_text())


def interrupted(run: Path, folder: Path, steps: int = 99) -> Path:
    """A copy of a run as a kill leaves it after the update `steps`: its options and its checkpoints."""
    folder.mkdir()
    shutil.copy(run / "args.yaml", folder)
    for checkpoint in checkpoints_in(run):
        if int(checkpoint.name.split("-")[1]) <= steps:
            shutil.copytree(checkpoint, folder / checkpoint.name)
    return folder
