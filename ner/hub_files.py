"""Names on the Hugging Face Hub, and files from there."""

import logging
import os
from pathlib import Path, PureWindowsPath

from ner.errors import InputError, message_of

LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"


class MissingFileError(InputError):
    """The folder or repository exists, but has no such file."""


def is_repo_id(name: str) -> bool:
    """True for `NAME` and `OWNER/NAME` as the Hub allows them."""
    from huggingface_hub.errors import HFValidationError  # here, because the Hub's client takes a while to import
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True


def public_name(name: str) -> str:
    """The name of a data set or checkpoint without a local path: its Hub id, `package:...`, or the path's last part."""
    path = os.path.expanduser(name)
    local = os.path.isabs(path) or os.path.exists(path) or not is_repo_id(name)
    return PureWindowsPath(os.path.abspath(path)).name if local and not name.startswith("package:") else name


def fetch(repo_id: str, filename: str, repo_type: str, remedy: str) -> Path:
    """The local path of a file on the Hub, which is downloaded unless it is cached.

    Raises `MissingFileError` where the repository lacks the file, and another `InputError` where there is no such
    repository, or the file is not cached and the Hub does not answer.
    """
    from huggingface_hub import errors, hf_hub_download

    logging.getLogger("huggingface_hub").handlers.clear()  # a script's own handler shows each message, too
    place = f"{repo_id} ({repo_type} on the Hub)"
    try:
        return Path(hf_hub_download(repo_id, filename, repo_type=repo_type))
    except errors.RemoteEntryNotFoundError:
        raise MissingFileError(f"{place}: has no file {filename}; check the name") from None
    except (errors.HTTPError, OSError, RuntimeError) as error:
        cause = error.__cause__ if isinstance(error, errors.LocalEntryNotFoundError) else None
        reason = message_of(cause or error, 500).rstrip(".")  # also what helps: another name, a login, waiting
        raise InputError(f"{place}: {filename} cannot be fetched: {reason}; {remedy}") from None


def fetch_optional(repo_id: str, filename: str, remedy: str) -> Path | None:
    """The local path of a file of a model on the Hub, or None where the repository lacks it.

    Raises `InputError` where the Hub does not answer: the file may exist.
    """
    try:
        return fetch(repo_id, filename, "model", remedy)
    except MissingFileError:
        return None
