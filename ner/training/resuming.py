"""Resuming: from which checkpoint a run continues, and whether it belongs to the same training."""

import logging
import os
import re
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from ner.errors import InputError
from ner.files import read_record, write_json
from ner.runs.files import STATE, WEIGHTS
from ner.runs.folder import whole_checkpoints

log = logging.getLogger("ner")
# What a resumed run may change. The data are compared by their fingerprints, the batches by the sentences per update.
MAY_DIFFER = re.compile(
    "--(dataset|validation_file|test_file|tag_scheme|output_dir|save_total_limit|per_device_train_batch_size|"
    "gradient_accumulation_steps|per_device_eval_batch_size|use_cpu|run_name|log_.*|logging_.*|"
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


def checkpoint_to_resume(run: Path) -> Path | None:
    """The last whole checkpoint of a run folder; None where there is none yet, and the training begins again.

    Raises `InputError` for a checkpoint without the model or one of the states, which Trainer would begin anew.
    """
    whole = whole_checkpoints(run)
    if not whole:
        log.info("%s: no whole checkpoint yet, so the training begins again", run)
        return None
    for name in (WEIGHTS, "optimizer.pt", "scheduler.pt", "rng_state*.pth"):
        if not any(whole[-1].glob(name)):
            raise InputError(
                f"{whole[-1]}: has no {name}; expected a whole checkpoint, which --save_only_model does not write; "
                "delete it to resume from an earlier one, or delete the run and begin again"
            )
    log.info("resuming from %s", whole[-1])
    return whole[-1]


def record_of(folder: Path) -> dict[str, Any]:
    """What `RunRecord` kept in a checkpoint."""
    record: dict[str, Any] = read_record(folder / STATE)["stateful_callbacks"][RunRecord.__name__]["args"]
    return record


def recorded_encoder(folder: Path, encoder: str) -> str:
    """The encoder's name as a checkpoint has it: with its whole path, even if the encoder is gone by now."""
    recorded: str = record_of(folder)["facts"]["--model_checkpoint"]
    return recorded if os.path.abspath(os.path.expanduser(encoder)) == recorded else encoder


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

    Raises `InputError` where the best checkpoint is needed, and gone.
    """
    state = read_record(folder / STATE)
    if state["best_model_checkpoint"]:
        best = folder.parent / Path(state["best_model_checkpoint"]).name
        if is_needed and not (best / WEIGHTS).is_file():
            raise InputError(
                f"{best}: has no {WEIGHTS}; expected the run's best checkpoint; copy it back, or delete the run and "
                "begin again"
            )
        write_json(folder / STATE, state | {"best_model_checkpoint": str(best)})
