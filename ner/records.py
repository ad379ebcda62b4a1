"""Records that somebody else may have written: JSON and YAML read safely, and the types that their values must have."""

import json
from pathlib import Path
from typing import Any

import yaml

from ner.errors import InputError

DEPTH = 50  # levels of lists and mappings in a YAML file
# A shape is a type (`float` is any finite number), [shape] for a list, {str: shape} for a mapping, {name: shape} for
# those keys of one where they are there, and (shape, None) for a value that may be null.
SCORES = {str: float}
INTERVALS = {str: ([float], None)}
METRICS = {
    "dataset": str, "precision": str, "languages": [str], "sentences": int, "tokens": int, "data_fingerprint": str,
    "invalid_transitions": int, "overall": SCORES, "per_class": {str: (SCORES, None)},
    "intervals": {"overall": INTERVALS, "per_class": {str: (INTERVALS, None)}},
}  # fmt: skip
SHAPES: dict[str, Any] = {
    "args.yaml": {
        "dataset": str, "languages": [str], "model_checkpoint": str, "output_dir": str, "seed": int,
        "masked_training": bool, "selected_categories": [str],
        "upsample": bool, "upsample_categories": [str], "upsample_factor": int,
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
                    "options": {str: object}, "encoder": (str, None), "processes": int, "fingerprints": [str],
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
LARGEST = 2**63  # whole numbers beyond it are no counts, and may be too long to print


class PlainLoader(yaml.SafeLoader):
    """YAML without aliases, by which a few hundred bytes stand for gigabytes, and of limited depth."""

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

    Raises `InputError` for anything else, and `OSError` where the file cannot be opened.
    """
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
        found = yaml.load(text, Loader=PlainLoader) if path.suffix == ".yaml" else json.loads(text)
        repr(found)  # hexadecimal numbers of too many digits fail when they are shown
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        # ValueError: no JSON, not UTF-8, an impossible date, a number of too many digits.
        raise InputError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    wrong = fault(found, {str: object}, "") or fault(found, SHAPES.get(path.name, {}), "")
    if wrong:
        raise InputError(f"{path}: {wrong}; correct the file")
    return found


def fault(value: Any, shape: Any, place: str) -> str | None:
    """The first value that does not have its shape, as `PLACE: found VALUE; expected TYPE`; None where all have."""
    if isinstance(shape, tuple):
        return None if value is None else fault(value, shape[0], place)
    if shape is object:
        return None
    if isinstance(shape, (list, dict)):
        kind = type(shape)
        if not isinstance(value, kind):
            return misfit(value, kind, place)
        if kind is list:
            parts = [(v, shape[0], f"{place}[{i}]") for i, v in enumerate(value)]
        else:
            wrong = next((key for key in value if str in shape and not isinstance(key, str)), None)
            if wrong is not None:
                return misfit(wrong, str, f"{place}, a key" if place else "a key")
            parts = [(v, shape.get(k, shape.get(str, object)), f"{place}.{k}".lstrip(".")) for k, v in value.items()]
        return next(filter(None, (fault(*part) for part in parts)), None)
    if shape in (int, float) and type(value) in (int, shape):
        return None if abs(value) < LARGEST else misfit(value, shape, place)  # false for NaN as well
    return None if type(value) is shape else misfit(value, shape, place)


def misfit(value: Any, kind: type, place: str) -> str:
    if isinstance(value, (list, dict)):
        found = NAMES[type(value)]
    elif isinstance(value, int) and abs(value) >= LARGEST:
        found = "a number out of range"
    else:
        found = "null" if value is None else repr(value)[:60]
    return f"{place}: found {found}; expected {NAMES[kind]}".removeprefix(": ")
