"""Pushing a run folder to the Hub: a short list of files, and no local path in any of them."""

import os
import shlex
import shutil
import tempfile
from pathlib import Path, PureWindowsPath
from typing import Any

from huggingface_hub import HfApi, RepoUrl, get_token
from huggingface_hub.errors import HTTPError

from ner.errors import InputError, message_of, printable
from ner.files import read_record, write_text, write_yaml
from ner.hub_files import LOG_IN, is_repo_id
from ner.runs.files import CARD, PUSHED, WEIGHTS
from ner.runs.manifest import require_intact, write_manifest
from ner.runs.model_card import model_card


def require_repo_and_login(repo_id: str, token: str | None) -> None:
    """Raises `InputError` where `repo_id` is no name of a repository, or where there is no token for the Hub.

    Call it before hours of training, not only before the push.
    """
    if not is_repo_id(repo_id):
        raise InputError(f"repository {repo_id!r}: expected OWNER/NAME in letters, digits, - _ and .")
    if token is None and get_token() is None:
        raise InputError(f"no login to the Hub; expected a token; {LOG_IN}")


def push(run: Path, repo_id: str, private: bool | None = None, token: str | None = None) -> RepoUrl:
    """Uploads a run with a newly rendered model card; the folder is not changed. Returns the repository's address.

    Raises `InputError` where the run is not as it was written, where a file cannot be shared, or the Hub cannot be
    reached or refuses.
    """
    require_repo_and_login(repo_id, token)
    require_intact(run)
    api, message = HfApi(token=token), f"{printable(run.resolve().name)}: weights, tokenizer, model card"
    with tempfile.TemporaryDirectory() as folder:
        stage(run, Path(folder))
        try:
            repository = api.create_repo(repo_id, private=private, exist_ok=True)
            if private and not api.model_info(repository.repo_id).private:
                raise InputError(
                    "the repository exists and is public; expected a private one; make it private in its settings on "
                    "the Hub, or name another"
                )
            api.upload_folder(  # and deletes such files of an earlier run, such as exports of other weights
                repo_id=repository.repo_id, folder_path=folder, commit_message=message, delete_patterns=list(PUSHED)
            )
        except (HTTPError, OSError, RuntimeError, ValueError) as error:
            raise InputError(
                f"{repo_id}: not pushed: {message_of(error, 500).rstrip('.')}; the run in {run} is whole; try again: "
                f"python hub.py push {shlex.quote(str(run))} --repo_id {repo_id}{' --private' if private else ''}"
            ) from error
    return repository


def stage(run: Path, folder: Path) -> None:
    """Puts what is pushed into a folder: a new model card, arguments without local paths, copies of all other files,
    and the manifest of these.

    Raises `InputError` for a run without weights, and for a link that leads out of it.
    """
    if not list(run.glob("model*.safetensors")):
        raise InputError(f"{run}: found no weights; expected {WEIGHTS}; a study keeps them with --keep_checkpoints")
    write_text(folder / CARD, model_card(run))
    for path in (path for pattern in PUSHED for path in run.glob(pattern) if path.is_file()):
        if not path.resolve().is_relative_to(run.resolve()):
            raise InputError(f"{path}: leads out of the run folder, to {path.resolve()}; put a copy there to push it")
        staged = folder / path.relative_to(run)
        staged.parent.mkdir(parents=True, exist_ok=True)
        if path.name == "args.yaml":
            write_yaml(staged, without_local_paths(read_record(path)))
        else:
            shutil.copyfile(path, staged)
    write_manifest(folder)


def without_local_paths(value: Any, key: str = "") -> Any:
    """A record with only the last part of each absolute path, and of `output_dir`; `key` is that of `value`."""
    if isinstance(value, dict):
        return {k: without_local_paths(v, str(k)) for k, v in value.items()}
    if isinstance(value, list):
        return [without_local_paths(v, key) for v in value]
    if not isinstance(value, str) or not value:
        return value
    path = os.path.expanduser(value)
    is_local = key == "output_dir" or os.path.isabs(path) or PureWindowsPath(path).is_absolute()
    return PureWindowsPath(os.path.abspath(path)).name if is_local else value
