"""Fetching files from the Hugging Face Hub, with error messages that name a remedy."""

import os
from pathlib import Path

from ner.errors import InputError, message_of


class MissingFileError(InputError):
    """The repository exists, but has no such file."""


class UnreachableError(InputError):
    """It is unknown whether the repository has the file: no network, a failing Hub, or offline and not cached."""


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

    Raises `InputError` with `remedy` where there is no such repository, `UnreachableError` where the Hub does not
    answer, and `MissingFileError` where the Hub or the cache knows that there is no such file.
    """
    from huggingface_hub import _CACHED_NO_EXIST, errors, hf_hub_download, try_to_load_from_cache

    place = f"{repo_id} ({repo_type} on the Hub)"
    try:
        return Path(hf_hub_download(repo_id, filename, repo_type=repo_type))
    except errors.RepositoryNotFoundError:
        raise InputError(
            f"{place}: no such repository, or no access; check the name, or log in with `hf auth login`"
        ) from None
    except (errors.HTTPError, OSError, RuntimeError) as error:
        absent, why = isinstance(error, errors.EntryNotFoundError), message_of(error)
        if isinstance(error, errors.LocalEntryNotFoundError):  # an EntryNotFoundError too, but the Hub gave no answer
            absent = try_to_load_from_cache(repo_id, filename, repo_type=repo_type) is _CACHED_NO_EXIST
            cause, why = error.__cause__, "no network, and not cached"
            if isinstance(cause, errors.HfHubHTTPError):
                why = f"the Hub answers {cause.response.status_code}, and not cached"
    if absent:
        raise MissingFileError(f"{place}: has no file {filename}; check the name and --languages")
    raise UnreachableError(f"{place}: {filename} cannot be fetched: {why}; {remedy}")


def fetch_optional(repo_id: str, filename: str, remedy: str) -> Path | None:
    """The local path of a file of a model on the Hub, or None where the repository lacks it.

    Raises `InputError` as `fetch` does, `UnreachableError` included: without an answer the file may still exist.
    """
    try:
        return fetch(repo_id, filename, "model", remedy)
    except MissingFileError:
        return None
