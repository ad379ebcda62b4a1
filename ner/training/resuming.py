"""Resuming: from which checkpoint a run continues, whether it is whole, and whether it belongs to the same training."""

import logging
import re
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from ner.errors import InputError
from ner.files import read_record, using_records, write_json
from ner.runs.folder import STATE, checkpoints_in

log = logging.getLogger("ner")
# What a resumed run may change. The data are compared by their fingerprints, the batches by the sentences per update.
MAY_DIFFER = re.compile(
    "--(dataset|validation_file|test_file|tag_scheme|output_dir|save_total_limit|per_device_train_batch_size|"
    "gradient_accumulation_steps|per_device_eval_batch_size|use_cpu|report_to|run_name|log_.*|logging_.*|"
    "dataloader_num_workers|dataloader_pin_memory)"
)


class RunRecord(TrainerCallback, ExportableState):
    """Records in each checkpoint the facts that must be the same when it is resumed, and the seconds of training."""

    def __init__(self, seconds: float, facts: dict[str, Any]) -> None:
        self.seconds, self.facts = seconds, facts
        self.began: float | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.began = time.monotonic()

    def state(self) -> dict[str, Any]:
        now = 0 if self.began is None else time.monotonic() - self.began
        return {"args": {"facts": self.facts, "seconds": round(self.seconds + now, 3)}, "attributes": {}}


def checkpoint_to_resume(run: Path, wanted: str | None) -> Path | None:
    """The checkpoint that a training starts from: one of the run folder's, or None for a training from the beginning.

    `wanted` is `--resume_from_checkpoint`: `true` means the last whole checkpoint, if there is one. Raises `InputError`
    where the named checkpoint is not whole or not one of the run folder, and where `true` finds only checkpoints that
    have lost a file since they were saved, rather than silently beginning again.
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
        else:
            log.info("resuming from %s", folder)
            return folder
    for folder in checkpoints_in(run):
        if (folder / STATE).is_file():
            require_whole(folder)
    log.info("%s: no whole checkpoint yet, so the training begins again", run)
    return None


def require_whole(folder: Path) -> None:
    """Raises `InputError` where a folder lacks a file of a checkpoint: a training was killed in the middle of saving or
    removing it."""
    names = [STATE, "model.safetensors", "config.json", "tokenizer.json", "optimizer.pt", "scheduler.pt"]
    if (folder / STATE).is_file():
        processes = record_of(folder)["facts"]["processes"]
        names += [f"rng_state_{i}.pth" for i in range(processes)] if processes > 1 else ["rng_state.pth"]
    for name in names:
        if not (folder / name).is_file():
            raise InputError(
                f"{folder}: has no {name}; expected a whole checkpoint, which --save_only_model does not write; resume "
                "from another, or delete the run and begin again"
            )


def record_of(folder: Path) -> dict[str, Any]:
    """What `RunRecord` kept in a checkpoint. Raises `InputError` where there is nothing."""
    with using_records(folder / STATE):
        record: dict[str, Any] = read_record(folder / STATE)["stateful_callbacks"][RunRecord.__name__]["args"]
        return {"facts": record["facts"], "seconds": record["seconds"]}


def recorded_precision(folder: Path) -> str:
    """The precision of a checkpoint's run: the hardware may have changed since."""
    facts = record_of(folder)["facts"]
    return "bfloat16" if facts.get("--bf16") else "float16" if facts.get("--fp16") else "float32"


def sentences_per_update(facts: dict[str, Any]) -> int:
    """How many sentences an update sees, in all processes."""
    steps = facts.get("--gradient_accumulation_steps", 1)
    return int(facts["--per_device_train_batch_size"] * steps * facts["processes"])


def require_same(folder: Path, facts: dict[str, Any]) -> None:
    """Raises `InputError` if facts differ from those of the run that is resumed; it names each with both values."""
    before = record_of(folder)["facts"]
    before, facts = (of | {"sentences per update": sentences_per_update(of)} for of in (before, facts))
    changed = [
        f"{name} {facts.get(name)} instead of {before.get(name)}"
        for name in before | facts
        if before.get(name) != facts.get(name) and not MAY_DIFFER.fullmatch(name)
    ]
    if changed:
        raise InputError(
            f"--resume_from_checkpoint: {folder} is of another training: found {', '.join(changed)}; expected the same;"
            " resume with the run's own options and data, or train into another --output_dir"
        )


def find_best_again(folder: Path, is_needed: bool) -> None:
    """Corrects where a checkpoint's record says that the run's best checkpoint is, since the run may have been moved.

    Raises `InputError` where the best checkpoint is needed, and gone or not whole.
    """
    state = read_record(folder / STATE)
    if state["best_model_checkpoint"]:
        best = folder.parent / Path(state["best_model_checkpoint"]).name
        if is_needed:
            require_whole(best)
        write_json(folder / STATE, state | {"best_model_checkpoint": str(best) if best.is_dir() else None})
