"""Resuming: from which checkpoint a run continues, whether it is whole, and whether it is of the same experiment."""

import dataclasses
import json
import logging
import re
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState
from transformers.trainer_pt_utils import safe_globals

from ner.encoder.precision import set_precision, training_precision
from ner.errors import InputError, message_of
from ner.files import optional_json, read_record
from ner.runs.files import INDEX
from ner.runs.folder import checkpoints_in
from ner.training.speed import trained_rows

log = logging.getLogger("ner")
STATE = "trainer_state.json"  # the last file of a save: without it, the save was interrupted
FACTS = ("options", "encoder", "processes", "fingerprints", "seconds", "embedding_rows")
# What a resumed run may change. The data are compared by their rows, and the encoder by its place.
MAY_DIFFER = re.compile(
    "dataset|model_checkpoint|output_dir|save_total_limit|per_device_eval_batch_size|use_cpu|report_to|run_name|"
    "log_.*|logging_.*|dataloader_num_workers|dataloader_pin_memory"
)


class RunRecord(TrainerCallback, ExportableState):
    """Records in each checkpoint the options of the run, its data, which rows of its embedding it trains, and its
    seconds of training so far."""

    def __init__(self, seconds: float = 0.0, **facts: Any) -> None:
        self.seconds, self.facts = seconds, facts
        self.began: float | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.began = time.monotonic()

    def state(self) -> dict[str, Any]:
        now = 0 if self.began is None else time.monotonic() - self.began
        return {"args": self.facts | {"seconds": round(self.seconds + now, 3)}, "attributes": {}}


def run_facts(options: dict[str, Any], encoder: str, processes: int) -> dict[str, Any]:
    """What a record holds of a run before its data are read: its options as `args.yaml` has them, and the folder of its
    encoder."""
    return {"options": options, "encoder": local_folder(encoder), "processes": processes}


def local_folder(name: str) -> str | None:
    """The absolute path of the folder that a checkpoint's name means, or None where it is not a folder here."""
    folder = Path(name).expanduser()
    return str(folder.resolve()) if folder.is_dir() else None


def checkpoint_to_resume(options: TrainingArguments) -> str | None:
    """The folder to resume from: `true` means the run folder's last whole checkpoint.

    Raises `InputError` where there is none, and where the folder that was named is not whole.
    """
    wanted = options.resume_from_checkpoint
    if wanted is None or wanted.lower() == "false":
        return None
    if wanted.lower() != "true":
        require_whole(Path(wanted))
        return wanted
    newest: InputError | None = None
    for folder in reversed(checkpoints_in(Path(options.output_dir))):
        try:
            require_whole(folder)
        except InputError as error:
            log.warning("skipped: %s", error)
            newest = newest or error
            continue
        log.info("resuming from %s", folder)
        return str(folder)
    raise newest or InputError(
        f"--resume_from_checkpoint: found no checkpoint-N in {options.output_dir}; expected one; leave it out"
    )


def require_whole(folder: Path) -> None:
    """Raises `InputError`, naming the file, where a folder is no checkpoint, lacks a file, or has a damaged one."""
    if not (folder / STATE).is_file():
        raise InputError(
            f"--resume_from_checkpoint: {folder} has no {STATE}, the last file of a save; "
            "expected a folder checkpoint-N that was saved to the end; name another"
        )
    record_of(folder)
    tensor_shapes(folder)
    states = [folder / "optimizer.pt", folder / "scheduler.pt", *folder.glob("rng_state*.pth")]
    for path in states if len(states) > 2 else [*states, folder / "rng_state.pth"]:
        try:
            with safe_globals():
                torch.load(path, map_location="meta", weights_only=True)
        except Exception as error:  # each kind of damage raises another exception
            raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> InputError:
    """The error of a checkpoint whose file `path` is absent, or could not be read for the reason that `error` gives."""
    if not path.exists():
        return InputError(f"{path}: no such file; expected a whole checkpoint; resume from another")
    return InputError(f"{path}: damaged: {message_of(error, 100)}; expected a whole checkpoint; resume from another")


def record_of(folder: str | Path) -> dict[str, Any]:
    """What `RunRecord` kept in a checkpoint. Raises `InputError` where there is nothing."""
    path = Path(folder) / STATE
    state = read_record(path)
    record = state.get("stateful_callbacks", {}).get(RunRecord.__name__, {}).get("args", {})
    if state.keys() != {f.name for f in dataclasses.fields(TrainerState)} or record.keys() != set(FACTS):
        raise InputError(
            f"{path}: found no record of the run's options; expected what this version of train.py saves; "
            "resume from another, or start again with --overwrite_output_dir true"
        )
    return record


def tensor_shapes(folder: Path) -> dict[str, list[int]]:
    """The shape of each tensor in a checkpoint's safetensors. Raises `InputError` where one is absent or damaged."""
    index = optional_json(folder / INDEX).get("weight_map", {})
    shapes: dict[str, list[int]] = {}
    for name in sorted(set(index.values())) or ["model.safetensors"]:
        try:
            with safe_open(folder / name, framework="pt") as file:
                shapes |= {key: file.get_slice(key).get_shape() for key in file.keys()}  # noqa: SIM118
        except Exception as error:  # safetensors' own class, which it does not share with OSError
            raise damaged(folder / name, error) from error
    return shapes


def best_checkpoint(folder: str) -> str | None:
    """The best checkpoint so far of a run that is resumed from `folder`, which may have been moved with it.

    Raises `InputError` where it is gone or not whole.
    """
    recorded = read_record(Path(folder) / STATE).get("best_model_checkpoint")
    if recorded is None:
        return None
    beside = Path(folder).resolve().parent / Path(recorded).name
    best = beside if beside.is_dir() else Path(recorded)  # in the folder of a run that was resumed into another
    if not best.is_dir():
        raise InputError(
            f"--resume_from_checkpoint: the best checkpoint so far, {beside}, is not there; "
            "expected it beside the one to resume from; put it back, or start a new training"
        )
    tensor_shapes(best)
    return str(best)


def keep_precision(options: TrainingArguments, folder: str) -> None:
    """Sets the precision of the run that is resumed, unless the options set one: the hardware may be another now."""
    if options.bf16 is not None:
        return
    precision = training_precision(options)
    if precision == "float32":
        before = record_of(folder)["options"]
        precision = "bfloat16" if before.get("bf16") else "float16" if before.get("fp16") else "float32"
    set_precision(options, precision)


def require_same_options(folder: str, facts: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Raises `InputError`, naming each with both values, where options are not those of the run that is resumed.

    `facts` are those of `run_facts` now, and `defaults` holds every option's default.
    """
    before = record_of(folder)
    old, new = defaults | before["options"], defaults | facts["options"]
    changed = [
        f"--{name} {shown(new.get(name))} instead of {shown(old.get(name))}"
        for name in dict.fromkeys([*old, *new])
        if not MAY_DIFFER.fullmatch(name) and plain(old.get(name)) != plain(new.get(name))
    ]
    names = new["model_checkpoint"], old["model_checkpoint"]
    if not same_encoder(*names, before["encoder"]):
        changed.append("--model_checkpoint {} instead of {}".format(*names))
    if facts["processes"] != before["processes"]:
        changed.append(f"{facts['processes']} process(es) instead of {before['processes']}")
    if changed:
        raise InputError(
            f"--resume_from_checkpoint: {folder} is of a run with other options: found {', '.join(changed)}; "
            "expected the same; resume with the run's own options, or train into another --output_dir"
        )


def same_encoder(name: str, old: str, old_folder: str | None) -> bool:
    """Whether two names, given in two working directories perhaps, mean one encoder; names decide where one is gone."""
    folder = local_folder(name)
    if folder is None or old_folder is None or not Path(old_folder).is_dir():
        return name == old
    return folder == old_folder


def plain(value: Any) -> Any:
    """An option's value, however it was written: text that is JSON becomes the value that it encodes."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def shown(value: Any) -> str:
    """An option's value as it is written on the command line."""
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def require_same_data(folder: str, dataset: str, fingerprints: list[str]) -> None:
    """Raises `InputError` where training or validation data are not those of the run that is resumed."""
    before = record_of(folder)
    for split, then, now in zip(("training", "validation"), before["fingerprints"], fingerprints, strict=True):
        if then != now:
            raise InputError(
                f"--resume_from_checkpoint: {folder} is of a run on other data: found --dataset {dataset}, whose "
                f"{split} sentences have the fingerprint {now}, instead of {before['options'].get('dataset')} with "
                f"{then}; expected the same sentences; resume with the run's own data, or start a new training"
            )


def require_fits(folder: str, model: PreTrainedModel, encoder: str) -> None:
    """Raises `InputError` where a checkpoint has or trains other tensors than the model that is to continue from it."""
    own = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    for name, shape in tensor_shapes(Path(folder)).items():
        if own.get(name) != shape:
            raise InputError(
                f"--resume_from_checkpoint: {folder} holds {name} {shape}, and the model of --model_checkpoint "
                f"{encoder} {own.get(name, 'no such tensor')}; expected the encoder that the run started from"
            )
    before, now = record_of(folder)["embedding_rows"], trained_rows(model)
    if before != now:
        raise InputError(
            f"--resume_from_checkpoint: {folder} trains the word embeddings {before}, and the tokenizer of "
            f"--model_checkpoint {encoder} now gives the data {now}; expected the tokenizer that the run started with"
        )
