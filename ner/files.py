"""Files: what is written appears whole or not at all, and what is read has been checked."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from ner.errors import InputError, message_of

DEPTH = 50  # levels of lists and mappings that a YAML file may have
# The shape of a value is a type (`float` is any finite number), [shape] for a list, {str: shape} for a mapping,
# {name: shape} for a mapping that may have those keys and others, and (shape, None) for a value that may be null.
SCORES = {str: float}
INTERVALS = {str: ([float], None)}
CONFIDENCE = {
    "entities": int, "calibration": SCORES, "before": SCORES, "thresholds": [{str: (float, None)}],
    "after": {"ece": float, "brier": float, "ece_interval": [float]}, "bins": [SCORES], "risk_coverage": [[float]],
}  # fmt: skip
METRICS = {
    "dataset": str, "precision": str, "languages": [str], "sentences": int, "tokens": int, "data_fingerprint": str,
    "invalid_transitions": int, "constrained_decoding": bool, "overall": SCORES, "per_class": {str: (SCORES, None)},
    "intervals": {"overall": INTERVALS, "per_class": {str: (INTERVALS, None)}}, "confidence": (CONFIDENCE, None),
}  # fmt: skip
SHAPES: dict[str, Any] = {
    "args.yaml": {
        "dataset": str, "languages": [str], "model_checkpoint": str, "output_dir": str, "seed": int,
        "masked_training": bool, "selected_categories": [str],
        "upsample": bool, "upsample_categories": [str], "upsample_factor": int, "upsample_at_random": bool,
        "per_device_train_batch_size": int, "gradient_accumulation_steps": int,
    },
    "config.json": {"id2label": {str: str}, "classes": [str], "masked_training": bool},
    "environment.json": {
        "update_steps": int, "train_seconds": float, "processes": int, "processor": str, "threads": int,
        "accelerators": [str], "packages": {str: str}, "data_fingerprint": str, "rows": {str: int},
        "precision": str,
    },
    "trainer_state.json": {
        "log_history": [{"epoch": float, "eval_f1": float}], "global_step": int, "epoch": (float, None),
        "best_metric": (float, None), "best_model_checkpoint": (str, None), "best_global_step": (int, None),
        "stateful_callbacks": {
            "TrainerControl": {"args": {str: bool}, "attributes": {str: object}},
            "EarlyStoppingCallback": {"args": {str: float}, "attributes": {str: int}},
            "RunRecord": {
                "args": {
                    "options": {str: object}, "processes": int, "training_data": str, "validation_data": str,
                    "seconds": float,
                },
                "attributes": {str: object},
            },
        },
    },
    "metrics.json": METRICS,
    "run_in_float32.json": METRICS,
    "model.safetensors.index.json": {"weight_map": {str: str}},
}  # fmt: skip
NAMES = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "a mapping",
}
LARGEST = 2**63  # a larger number is no count, and may be too long to print


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Around code that writes `path`, a file or a folder: raises `InputError` where the system refuses.

    A pipe whose reader has gone is not the person's mistake: its `BrokenPipeError` is passed on to `run_script`.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        where, reason = error.filename or path, error.strerror or error
        raise InputError(f"{where}: {reason}; expected a place that can be written") from error


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 file. Raises `InputError` where it cannot be written.

    Half a surrogate pair, which UTF-8 cannot hold, is written as its backslash escape, the form that JSON has for it.
    """
    with writing(path):
        path.write_text(text, encoding="utf-8", errors="backslashreplace")


def copy_permissions(old: Path, new: Path) -> None:
    """Gives a new file, or a folder and its files, the permissions and owners of those whose place they take."""
    for path in (new, *new.rglob("*")):
        replaced = old / path.relative_to(new)
        if replaced.exists():
            status = replaced.stat()
            with suppress(OSError):  # only root may give a file to another user
                os.chown(path, status.st_uid, status.st_gid)
            path.chmod(stat.S_IMODE(status.st_mode))


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file. Raises `ValueError` for NaN and infinity, `InputError` where it cannot be written."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


class PlainLoader(yaml.SafeLoader):
    """Loads YAML of limited depth and without aliases, with which a few hundred bytes can expand to gigabytes."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        place = self.peek_event().start_mark
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="found an alias; expected the value itself", problem_mark=place)
        if self.depth == DEPTH:
            raise yaml.MarkedYAMLError(problem=f"found more than {DEPTH} levels", problem_mark=place)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def read_record(path: Path) -> dict[str, Any]:
    """The mapping in a JSON or YAML file, its values of the types that `SHAPES` names for a file of that name.

    Raises `InputError` for any other content or a file that cannot be read, and `FileNotFoundError` or
    `NotADirectoryError` where there is no such file.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        text = content.decode("utf-8")
        record = yaml.load(text, Loader=PlainLoader) if path.suffix == ".yaml" else json.loads(text)
        repr(record)  # hexadecimal numbers of too many digits fail only when they are shown
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        # ValueError: no JSON, not UTF-8, an impossible date, a number of too many digits.
        raise InputError(f"{path}: cannot be read: {message_of(error)}") from None
    wrong = first_mismatch(record, {str: object}, "") or first_mismatch(record, SHAPES.get(path.name, {}), "")
    if wrong:
        raise InputError(f"{path}: {wrong}; correct the file")
    return record


def first_mismatch(value: Any, shape: Any, place: str) -> str | None:
    """The first value that does not have its shape, as `PLACE: found VALUE; expected TYPE`; None where all have it."""
    if isinstance(shape, tuple):
        return None if value is None else first_mismatch(value, shape[0], place)
    if shape is object:
        return None
    if isinstance(shape, list):
        if not isinstance(value, list):
            return mismatch(value, list, place)
        items = (first_mismatch(v, shape[0], f"{place}[{i}]") for i, v in enumerate(value))
        return next(filter(None, items), None)
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return mismatch(value, dict, place)
        wrong_key = next((key for key in value if str in shape and not isinstance(key, str)), None)
        if wrong_key is not None:
            return mismatch(wrong_key, str, f"{place}, a key" if place else "a key")
        shapes = ((k, v, shape.get(k, shape.get(str, object))) for k, v in value.items())
        return next(filter(None, (first_mismatch(v, s, f"{place}.{k}".lstrip(".")) for k, v, s in shapes)), None)
    if shape in (int, float) and type(value) in (int, shape):
        return None if abs(value) < LARGEST else mismatch(value, shape, place)  # false for NaN as well
    return None if type(value) is shape else mismatch(value, shape, place)


def mismatch(value: Any, expected: type, place: str) -> str:
    """The message for a value that is not of the expected type, `PLACE: found VALUE; expected TYPE`."""
    if isinstance(value, (list, dict)):
        description = NAMES[type(value)]
    elif isinstance(value, int) and abs(value) >= LARGEST:
        description = "a number out of range"
    else:
        description = "null" if value is None else repr(value)[:60]
    return f"{place}: found {description}; expected {NAMES[expected]}".removeprefix(": ")


def optional_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file, empty where there is no such file. Raises `InputError` for any other content."""
    try:
        return read_record(path)
    except (FileNotFoundError, NotADirectoryError):
        return {}
