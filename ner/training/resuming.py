"""Resuming: from which checkpoint a run continues, whether it is whole, and whether it is of the same training."""

import dataclasses
import json
import logging
import re
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState
from transformers.trainer_pt_utils import safe_globals

from ner.errors import InputError, message_of
from ner.files import optional_json, read_record, write_json
from ner.runs.files import INDEX
from ner.runs.folder import STATE, checkpoints_in

log = logging.getLogger("ner")
FACTS = {"options", "processes", "training_data", "validation_data", "seconds"}
# Options that a resumed run may change. The data are compared by their fingerprints.
MAY_DIFFER = re.compile(
    "dataset|output_dir|save_total_limit|per_device_eval_batch_size|use_cpu|report_to|run_name|"
    "log_.*|logging_.*|dataloader_num_workers|dataloader_pin_memory"
)


class RunRecord(TrainerCallback, ExportableState):
    """Records in each checkpoint the options and the data of its run, and the seconds of training so far."""

    def __init__(self, seconds: float, **facts: Any) -> None:
        self.seconds, self.facts = seconds, facts
        self.began: float | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.began = time.monotonic()

    def state(self) -> dict[str, Any]:
        now = 0 if self.began is None else time.monotonic() - self.began
        return {"args": self.facts | {"seconds": round(self.seconds + now, 3)}, "attributes": {}}


def checkpoint_to_resume(run: Path, wanted: str | None) -> Path | None:
    """The checkpoint that a training starts from: one of the run folder's, or None for a training from the beginning.

    `wanted` is `--resume_from_checkpoint`: `true` means the last whole checkpoint, if there is one. Raises `InputError`
    where the checkpoint that was named is not whole, or not one of the run folder.
    """
    if wanted is None or wanted.lower() == "false":
        return None
    if wanted.lower() != "true":
        folder = Path(wanted)
        if folder.resolve().parent != run.resolve():
            raise InputError(f"--resume_from_checkpoint: found {wanted}; expected true, or a checkpoint-N in {run}")
        require_whole(folder)
        return folder
    for folder in reversed(checkpoints_in(run)):
        try:
            require_whole(folder)
        except InputError as error:
            log.warning("skipped: %s", error)
            continue
        log.info("resuming from %s", folder)
        return folder
    log.info("%s: no whole checkpoint yet, so the training begins again", run)
    return None


def require_whole(folder: Path) -> None:
    """Raises `InputError`, naming the file, where a folder is no checkpoint, lacks a file, or has a damaged one."""
    if not (folder / STATE).is_file():
        raise InputError(
            f"--resume_from_checkpoint: {folder} has no {STATE}, the last file of a save; "
            "expected a folder checkpoint-N that was saved to the end; name another"
        )
    processes = record_of(folder)["processes"]
    shards = optional_json(folder / INDEX).get("weight_map", {}).values()
    random_states = [f"rng_state_{i}.pth" for i in range(processes)] if processes > 1 else ["rng_state.pth"]
    # Trainer also removes checkpoints, in no certain order, and can be killed in the middle of it.
    for name in (*(sorted(set(shards)) or ["model.safetensors"]), "optimizer.pt", "scheduler.pt", *random_states,
                 "config.json", "tokenizer.json", "tokenizer_config.json"):  # fmt: skip
        try:
            read_through(folder / name)
        except Exception as error:  # each kind of damage raises another exception
            found = f"damaged: {message_of(error, 100)}" if (folder / name).exists() else "no such file"
            raise InputError(f"{folder / name}: {found}; expected a whole checkpoint; resume from another") from error


def read_through(path: Path) -> None:
    """Reads a file of a checkpoint without keeping it. Raises an error of whatever kind where that fails."""
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt"):
            pass
    elif path.suffix == ".json":
        json.loads(path.read_bytes())
    else:
        with safe_globals():
            torch.load(path, map_location="meta", weights_only=True)


def record_of(folder: Path) -> dict[str, Any]:
    """What `RunRecord` kept in a checkpoint. Raises `InputError` where there is nothing."""
    state = read_record(folder / STATE)
    record = state.get("stateful_callbacks", {}).get(RunRecord.__name__, {}).get("args", {})
    if state.keys() != {f.name for f in dataclasses.fields(TrainerState)} or record.keys() != FACTS:
        raise InputError(
            f"{folder / STATE}: found no record of the run's options; expected what this version of train.py saves; "
            "resume from another, or start a new training"
        )
    return record


def recorded_precision(folder: Path) -> str:
    """The precision of the run that a checkpoint is of: the hardware may be another now."""
    options = record_of(folder)["options"]
    return "bfloat16" if options.get("bf16") else "float16" if options.get("fp16") else "float32"


def require_same(folder: Path, facts: dict[str, Any], defaults: dict[str, Any] | None = None) -> None:
    """Raises `InputError`, naming each with both values, where facts are not those of the run that is resumed.

    `facts` are some of those that `RunRecord` keeps. Options that one side lacks have their value in `defaults`.
    """
    before = record_of(folder)
    old, new = ((defaults or {}) | each.get("options", {}) for each in (before, facts))
    pairs = {f"--{name}": (old.get(name), value) for name, value in new.items() if not MAY_DIFFER.fullmatch(name)}
    pairs |= {name.replace("_", " "): (before[name], value) for name, value in facts.items() if name != "options"}
    changed = [
        f"{name} {shown(now)} instead of {shown(then)}"
        for name, (then, now) in pairs.items()
        if plain(then) != plain(now)
    ]
    if changed:
        raise InputError(
            f"--resume_from_checkpoint: {folder} is of another training: found {', '.join(changed)}; expected the same;"
            " resume with the run's own options and data, or train into another --output_dir"
        )


def plain(value: Any) -> Any:
    """An option's value, however it was written: text that is JSON becomes the value that it encodes."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def shown(value: Any) -> str:
    """An option's value as it is written on the command line."""
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def find_best_again(folder: Path) -> None:
    """Corrects where a checkpoint's record says that the run's best checkpoint is, since the run may have been moved.

    Raises `InputError` where the best checkpoint is gone or not whole.
    """
    state = read_record(folder / STATE)
    if not state.get("best_model_checkpoint"):
        return
    best = folder.parent / Path(state["best_model_checkpoint"]).name
    if not best.is_dir():
        raise InputError(
            f"--resume_from_checkpoint: the best checkpoint so far, {best}, is not there; "
            "expected it beside the one to resume from; put it back, or start a new training"
        )
    require_whole(best)
    write_json(folder / STATE, state | {"best_model_checkpoint": str(best)})
