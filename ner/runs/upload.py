"""Pushing a run folder to the Hub: a fixed list of files, and no local path in any of them."""

import json
import os
import shlex
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import CommitOperationAdd, HfApi, RepoUrl, get_token
from huggingface_hub.errors import HTTPError

from ner.errors import InputError, message_of, printable
from ner.files import optional_json
from ner.hub_files import is_repo_id, public_name
from ner.runs.files import (
    BASELINE,
    INDEX,
    ONNX,
    ONNX_FOLDERS,
    SHARD,
    SPLITS,
    TOKENIZER_NAMES,
    recorded_args,
)
from ner.runs.model_card import write_card

# Of the scores of a split only metrics.json: predictions.jsonl holds the text of the data.
CHECKPOINT_FILES = (
    "config.json", "args.yaml", *TOKENIZER_NAMES, *(f"{split}/metrics.json" for split in SPLITS),
)  # fmt: skip
PUSHED_FILES = (
    *CHECKPOINT_FILES, "README.md", "environment.json", "model.safetensors", INDEX, BASELINE,
    *(f"{folder}/{name}" for folder in ONNX_FOLDERS for name in (*CHECKPOINT_FILES, ONNX)),
)  # fmt: skip
CONFIG_FILES = ("config.json", "tokenizer_config.json")
RECORD_FILES = ("environment.json", "metrics.json", Path(BASELINE).name)
TRACES = b"pkg.torch.onnx.stack_trace"  # earlier versions exported ONNX models with these, which hold local paths


def require_repo_and_login(repo_id: str, token: str | None) -> None:
    """Raises `InputError` where `repo_id` is no name of a repository, or where there is no token for the Hub.

    Call it before hours of training, not only before the push.
    """
    if not is_repo_id(repo_id):
        raise InputError(f"repository {repo_id!r}: expected OWNER/NAME in letters, digits, - _ and .")
    if token is None and get_token() is None:
        raise InputError("no login to the Hub; expected a token; log in with `hf auth login`, or set HF_TOKEN")


def push(run: Path, repo_id: str, private: bool | None = None, token: str | None = None) -> RepoUrl:
    """Uploads a run folder in one commit, with a fresh model card, and returns the repository's address.

    Raises `InputError` where a file cannot be shared, or the Hub cannot be reached or refuses; the run folder stays
    as it is.
    """
    require_repo_and_login(repo_id, token)
    files_to_push(run)  # before the card is written: its file may be a link to somewhere else
    write_card(run)
    names = files_to_push(run)
    contents = [without_local_paths(run / name) for name in names]
    api = HfApi(token=token)
    try:
        files = [CommitOperationAdd(name, content) for name, content in zip(names, contents, strict=True)]
        repository = api.create_repo(repo_id, private=private, exist_ok=True)
        message = f"{printable(run.resolve().name)}: weights, tokenizer, model card"
        api.create_commit(repository.repo_id, files, commit_message=message)
    except (HTTPError, OSError, RuntimeError) as error:
        again = f"python hub.py push {shlex.quote(str(run))} --repo_id {repo_id}" + (" --private" if private else "")
        raise InputError(
            f"{repo_id}: not pushed: {message_of(error, 300)}; the run in {run} is whole; try again: {again}"
        ) from error
    return repository


def files_to_push(run: Path) -> list[str]:
    """The files of a run folder that are pushed, as paths within it.

    Raises `InputError` for a run without weights, and for a link that leads out of the folder.
    """
    shards = set(optional_json(run / INDEX).get("weight_map", {}).values())
    odd = next((name for name in shards if not SHARD.fullmatch(name)), None)
    if odd is not None:
        raise InputError(
            f"{run / INDEX}: found the file {odd!r}; expected names such as model-00001-of-00002.safetensors"
        )
    names = [name for name in (*PUSHED_FILES, *sorted(shards)) if (run / name).is_file()]
    if "model.safetensors" not in names and not (shards and shards <= set(names)):
        raise InputError(f"{run}: found no weights, or not all of them; expected model.safetensors, or each part of it")
    for name in names:
        target = (run / name).resolve()
        if not target.is_relative_to(run.resolve()):
            raise InputError(f"{run / name}: leads out of the run folder, to {target}; put a copy there to push it")
    return names


def without_local_paths(path: Path) -> Path | bytes:
    """What is pushed for a file: the file itself, or its content without local paths where it holds some.

    Raises `InputError` for an ONNX model that an earlier version exported, with paths in it.
    """
    if path.name == ONNX and TRACES in path.read_bytes():
        raise InputError(f"{path}: names local files; export the run again: python hub.py onnx RUN")
    if path.name == "args.yaml":
        record = recorded_args(path.parent)
        public = public_args(record)
        text = yaml.safe_dump(public, sort_keys=False, allow_unicode=True)
    elif path.name in (*CONFIG_FILES, *RECORD_FILES):
        record = optional_json(path)
        public = public_config(record) if path.name in CONFIG_FILES else without_absolute_paths(record)
        text = json.dumps(public, indent=2, ensure_ascii=False) + "\n"
    else:
        return path
    return path if public == record else text.encode("utf-8", "backslashreplace")


def public_args(args: dict[str, Any]) -> dict[str, Any]:
    """The options of an `args.yaml`, with the last part of each local path in its place."""
    public = without_absolute_paths(args)
    public |= {name: public_name(args[name]) for name in ("dataset", "model_checkpoint") if name in args}
    if "output_dir" in args:  # often a relative path
        public["output_dir"] = last_part(args["output_dir"])
    return public


def public_config(value: Any) -> Any:
    """A configuration in which the names of what it was loaded from are without a path.

    Other text stays, even where it looks like a path: a token may be `/etc/x`.
    """
    if isinstance(value, list):
        return [public_config(v) for v in value]
    if not isinstance(value, dict):
        return value
    return {
        key: public_name(v)
        if isinstance(v, str) and v and key.endswith(("name_or_path", "_file"))
        else public_config(v)
        for key, v in value.items()
    }


def without_absolute_paths(value: Any) -> Any:
    """A record with the last part of each absolute path in its place."""
    if isinstance(value, dict):
        return {key: without_absolute_paths(v) for key, v in value.items()}
    if isinstance(value, list):
        return [without_absolute_paths(v) for v in value]
    if isinstance(value, str) and os.path.isabs(os.path.expanduser(value)):
        return last_part(value)
    return value


def last_part(path: str) -> str:
    """The last part of a path, also of `~` and `.`."""
    return os.path.basename(os.path.abspath(os.path.expanduser(path)))
