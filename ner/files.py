"""Files: what is written appears whole or not at all, and what is read has been checked."""

import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import yaml

from ner.errors import InputError, message_of

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
NAMES: dict[type, str] = {
    str: "text", bool: "true or false", int: "a whole number", float: "a number", list: "a list", dict: "a mapping",
    type(None): "null",
}  # fmt: skip
LARGEST = 2**63  # a larger number is no count


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


@contextmanager
def whole_file(path: Path | str) -> Iterator[IO[str]]:
    """A UTF-8 file to write, which takes the place and the permissions of `path` when the block ends without an error.

    Until then it has another name, in the same folder. Of a link, the file that it leads to is replaced. Half a
    surrogate pair, which UTF-8 cannot hold, is written as its backslash escape, the form that JSON has for it.
    Raises `InputError` where the file cannot be made or completed; writing to it can raise `OSError`.
    """
    target = Path(os.path.realpath(path))
    unfinished = target.with_name(f".unfinished-{uuid4().hex}")
    if target.is_dir():
        raise InputError(f"{path}: is a folder; expected a file")
    if not target.parent.is_dir():
        raise InputError(f"{path}: there is no folder {target.parent}; make it first")
    file = None
    try:
        with writing(path):
            file = open(unfinished, "x", encoding="utf-8", errors="backslashreplace", newline="\n")
            copy_permissions(target, unfinished)
        yield file
        with writing(path):
            file.flush()
            os.fsync(file.fileno())
            os.replace(unfinished, target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    finally:
        with suppress(OSError):  # it was flushed, or that error is being raised already
            if file:
                file.close()


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 file, whole or not at all. Raises `InputError` where it cannot be written."""
    with writing(path), whole_file(path) as file:
        file.write(text)


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file. Raises `ValueError` for NaN and infinity, `InputError` where it cannot be written."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def copy_permissions(old: Path, new: Path) -> None:
    """Gives a new file, or a folder and its files, the permissions and owners of those whose place they take."""
    for path in (new, *new.rglob("*")):
        replaced = old / path.relative_to(new)
        if replaced.exists():
            status = replaced.stat()
            with suppress(OSError):  # only root may give a file to another user
                os.chown(path, status.st_uid, status.st_gid)
            path.chmod(stat.S_IMODE(status.st_mode))


class PlainLoader(yaml.SafeLoader):
    """Loads YAML without aliases, with which a few hundred bytes can expand to gigabytes; `1e-5` is a number."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            problem, place = "found an alias; expected the value itself", self.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=place)
        return super().compose_node(parent, index)


PlainLoader.add_implicit_resolver(  # YAML 1.1 requires a point, JSON and Python do not
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+"), list("-+.0123456789")
)


def read_as(path: Path, parse: Callable[[str], Any]) -> Any:
    """What `parse` makes of the text of a UTF-8 file. Raises `InputError` where either is impossible."""
    try:
        content = parse(path.read_text(encoding="utf-8-sig"))
        repr(content)  # hexadecimal numbers of too many digits fail only when they are shown
        return content
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except RecursionError:
        raise InputError(f"{path}: cannot be read: its lists and mappings are nested too deeply") from None
    except (ValueError, yaml.YAMLError) as error:
        # ValueError: no JSON, not UTF-8, an impossible date, a number of too many digits.
        raise InputError(f"{path}: cannot be read: {message_of(error)}") from None


def read_record(path: Path) -> dict[str, Any]:
    """The mapping in a JSON or YAML file, its values of the types that `SHAPES` names for a file of that name.

    Raises `InputError` for any other content, and where there is no such file.
    """
    content = read_as(path, partial(yaml.load, Loader=PlainLoader) if path.suffix == ".yaml" else json.loads)
    try:
        require_shape(content, SHAPES.get(path.name, {}), "")
    except InputError as error:
        raise InputError(f"{path}: {error}; correct the file") from None
    return content


def require_shape(value: Any, shape: Any, place: str) -> None:
    """Raises `InputError`, as `PLACE: found VALUE; expected TYPE`, for the first value that does not have its shape."""
    if isinstance(shape, tuple):
        if value is None:
            return
        shape = shape[0]
    if shape is object:
        return
    kind, expected = type(value), shape if isinstance(shape, type) else type(shape)
    if kind is not expected and not (expected is float and kind is int):
        found = NAMES[kind] if kind in (list, dict, type(None)) else repr(value)[:60]
        raise InputError(f"{place}: found {found}; expected {NAMES[expected]}".removeprefix(": "))
    if expected in (int, float) and not abs(value) < LARGEST:  # NaN is not less either
        raise InputError(f"{place}: found {repr(value)[:60]}; expected a number below 2**63")
    if isinstance(shape, list):
        for i, item in enumerate(value):
            require_shape(item, shape[0], f"{place}[{i}]")
    if isinstance(shape, dict):
        for key, item in value.items():
            require_shape(key, str, f"{place}, a key".removeprefix(", "))
            require_shape(item, shape.get(key, shape.get(str, object)), f"{place}.{key}".removeprefix("."))


def optional_json(path: Path) -> dict[str, Any]:
    """What `read_record` returns, or an empty mapping where there is no such file."""
    return read_record(path) if os.path.exists(path) else {}
