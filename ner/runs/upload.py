"""What of a run folder goes to the Hub: known files only, and no local path in any of them."""

import json
import os
from pathlib import Path
from typing import Any

import yaml

from ner.errors import InputError
from ner.hub_files import public_name
from ner.runs.files import (
    BASELINE,
    INDEX,
    ONNX,
    ONNX_FOLDERS,
    SHARD,
    SPLITS,
    TOKENIZER_NAMES,
    optional_json,
    recorded_args,
)

# Configuration and tokenizer, and the options. Of a split only the scores: its predictions hold the data's text.
CHECKPOINT = (
    "config.json", "args.yaml", *TOKENIZER_NAMES, *(f"{split}/metrics.json" for split in SPLITS),
)  # fmt: skip
KNOWN = (
    *CHECKPOINT, "README.md", "environment.json", "model.safetensors", INDEX, BASELINE,
    *(f"{folder}/{name}" for folder in ONNX_FOLDERS for name in (*CHECKPOINT, ONNX)),
)  # fmt: skip
TRACES = b"pkg.torch.onnx.stack_trace"


def pushed_names(run: Path) -> list[str]:
    """The files of a run folder that are pushed, as paths within it.

    Raises `InputError` for a run without weights, and for a link that leads out of the folder.
    """
    shards = set(optional_json(run / INDEX).get("weight_map", {}).values())
    odd = next((name for name in shards if not SHARD.fullmatch(name)), None)
    if odd is not None:
        raise InputError(
            f"{run / INDEX}: found the file {odd!r}; expected names such as model-00001-of-00002.safetensors"
        )
    names = [name for name in (*KNOWN, *sorted(shards)) if (run / name).is_file()]
    if "model.safetensors" not in names and not (shards and shards <= set(names)):
        raise InputError(
            f"{run}: its weights are not there, or not all; expected model.safetensors, or each part of it"
        )
    for name in names:
        place = (run / name).resolve()
        if not place.is_relative_to(run.resolve()):
            raise InputError(f"{run / name}: leads out of the run folder, to {place}; put a copy there to push it")
    return names


def shareable(path: Path) -> Path | bytes:
    """A file's path where it can be pushed as it is, else its content without local paths.

    Raises `InputError` for an ONNX model that an earlier version exported, with paths in it.
    """
    if path.name == ONNX and TRACES in path.read_bytes():
        raise InputError(f"{path}: names local files; export the run again: python hub.py onnx RUN")
    if path.name == "args.yaml":
        found = recorded_args(path.parent)
        named = {k: public_name(found[k]) for k in ("dataset", "model_checkpoint") if k in found}
        cleaned = without_paths(found) | named
        if "output_dir" in found:
            cleaned["output_dir"] = last_part(found["output_dir"])
        text = yaml.safe_dump(cleaned, sort_keys=False, allow_unicode=True)
    elif path.name in ("config.json", "tokenizer_config.json", "environment.json", "metrics.json", Path(BASELINE).name):
        found = optional_json(path)
        cleaned = without_names(found) if "config" in path.name else without_paths(found)
        text = json.dumps(cleaned, indent=2, ensure_ascii=False) + "\n"
    else:
        return path
    return path if cleaned == found else text.encode("utf-8", "backslashreplace")


def last_part(path: str) -> str:
    return os.path.basename(os.path.abspath(os.path.expanduser(path)))


def without_paths(value: Any) -> Any:
    """A record in which the last part stands for each absolute path."""
    if isinstance(value, dict):
        return {key: without_paths(v) for key, v in value.items()}
    if isinstance(value, list):
        return [without_paths(v) for v in value]
    if isinstance(value, str) and os.path.isabs(os.path.expanduser(value)):
        return last_part(value)
    return value


def without_names(value: Any) -> Any:
    """A configuration in which what it was loaded from has no path; a token may look like one, and stays."""
    if isinstance(value, list):
        return [without_names(v) for v in value]
    if not isinstance(value, dict):
        return value
    return {
        key: public_name(v)
        if isinstance(v, str) and v and key.endswith(("name_or_path", "_file"))
        else without_names(v)
        for key, v in value.items()
    }
