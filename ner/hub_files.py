"""Fetching files from the Hugging Face Hub, with error messages that name a remedy."""

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    return os.path.basename(os.path.abspath(path)) if local and not name.startswith("package:") else name


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
    except errors.GatedRepoError as error:  # the server says where to ask for access
        raise InputError(f"{place}: {refusal(error)}") from None
    except errors.RepositoryNotFoundError:
        raise InputError(f"{place}: no such repository, or no access; check the name, or {LOG_IN}") from None
    except errors.RemoteEntryNotFoundError:
        raise MissingFileError(f"{place}: has no file {filename}; check the name") from None
    except errors.LocalEntryNotFoundError as error:
        raise InputError(
            f"{place}: {filename} cannot be fetched, and is not cached: {refusal(error.__cause__ or error)}; {remedy}"
        ) from None
    except (errors.HTTPError, OSError, RuntimeError) as error:
        raise InputError(f"{place}: {filename} cannot be fetched: {refusal(error)}; {remedy}") from None


def refusal(error: BaseException) -> str:
    """What stopped the Hub's client, and what helps."""
    from huggingface_hub import errors

    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        said = f"status {status}{f': {error.server_message}' if error.server_message else ''}"
        if status in (401, 403):
            return f"the Hub gives no access ({said}); {LOG_IN}"
        if status == 429:
            return f"too many requests to the Hub ({said}); wait a few minutes, or log in to be allowed more"
        return f"the Hub answers with {said}"
    if isinstance(error, errors.FileMetadataError):
        return "another server answers in place of the Hub; log in to your network, or check its proxy and HF_ENDPOINT"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set"
    return message_of(error, 300)


@contextmanager
def from_cache(repo_type: str, repo_id: str) -> Iterator[None]:
    """Around code that reads files which `fetch` gave: where it raises an `InputError` because such a file is damaged,
    the `InputError` says so, and how to remove the file from the Hub's cache."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    try:
        yield
    except InputError as error:
        if not is_repo_id(repo_id):  # a local folder
            raise
        folder = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=repo_id, repo_type=repo_type), "snapshots")
        for path in sorted(folder.glob("*/**/*")):
            if path.is_file() and is_damaged(path):
                name = path.relative_to(folder).as_posix().partition("/")[2]
                raise InputError(
                    f"{path}: this file in the cache of the Hub is damaged; remove it, and try again: "
                    f"hf cache rm hf://{repo_type}s/{repo_id}/{name}"
                ) from error
        raise


def is_damaged(path: Path) -> bool:
    """Whether a file in the Hub's cache is not what was downloaded, or is a web page, sent in the place of the file.

    The file is a link to one with the name of its checksum: SHA-256 if it is large, else git's SHA-1. What has another
    name, as on a disk without links, is not compared with it.
    """
    content, checksum = path.read_bytes(), path.resolve().name
    if content[:100].lstrip().lower().startswith((b"<!doctype", b"<html")):
        return True
    if len(checksum) == 64:
        return hashlib.sha256(content).hexdigest() != checksum
    return len(checksum) == 40 and hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() != checksum


def fetch_optional(repo_id: str, filename: str, remedy: str) -> Path | None:
    """The local path of a file of a model on the Hub, or None where the repository lacks it.

    Raises `InputError` where the Hub does not answer: the file may exist.
    """
    try:
        return fetch(repo_id, filename, "model", remedy)
    except MissingFileError:
        return None
