"""Files of the Hugging Face Hub, with messages a person can act on."""

from pathlib import Path

from errors import InputError


class MissingFileError(InputError):
    """The repository is there, the file is not."""


def is_repo_id(name: str) -> bool:
    """True for `NAME` and `OWNER/NAME` as the Hub allows them."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True


def fetch(repo_id: str, filename: str, repo_type: str, remedy: str) -> Path:
    """The local path of a file on the Hub, fetched where the cache lacks it.

    Raises `InputError` with `remedy` where there is no network, no such repository or no such file.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    place = f"{repo_id} ({repo_type} on the Hub)"
    try:
        return Path(hf_hub_download(repo_id, filename, repo_type=repo_type))
    except RepositoryNotFoundError:
        raise InputError(
            f"{place}: no such repository, or no access; check the name, or log in with `hf auth login`"
        ) from None
    except LocalEntryNotFoundError:
        raise InputError(f"{place}: {filename} cannot be fetched: no network and not in the cache; {remedy}") from None
    except EntryNotFoundError:
        raise MissingFileError(f"{place}: has no file {filename}; check the name and --languages") from None
    except (HfHubHTTPError, OSError) as error:
        raise InputError(f"{place}: {filename} cannot be fetched: {' '.join(str(error).split())}; {remedy}") from None


def fetch_optional(repo_id: str, filename: str) -> Path | None:
    """The local path of a file of a model on the Hub, or None where the repository lacks it."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    try:
        return Path(hf_hub_download(repo_id, filename))
    except EntryNotFoundError:
        return None
