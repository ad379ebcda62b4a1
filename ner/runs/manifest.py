"""The manifest of a run: the SHA-256 and size of each file that makes it, so that damage is found before it spreads.

Training writes it last. What writes into a run later enters its own files only, so nothing hides that another file has
changed.
"""

import hashlib
from pathlib import Path, PurePosixPath
from typing import Any

from ner.errors import InputError
from ner.files import read_record, using_records, write_json
from ner.hub_files import fetch_optional
from ner.runs.files import CARD, MANIFEST, METRICS, ONNX_FOLDERS, PREDICTIONS, PUSHED, SCORES, SPLITS, SURFACES
from ner.runs.predictions import checked_predictions

FOLDERS = ("", *(f"{folder}/" for folder in ONNX_FOLDERS))  # of the run and of its exports
SCORED = [
    f"{folder}{place}/{name}"
    for folder in FOLDERS
    for place in (*SPLITS, f"{SCORES}/*")
    for name in (METRICS, PREDICTIONS)
]
FILES = (*PUSHED, CARD, "trainer_state.json", SURFACES, *SCORED)  # patterns of all that makes a run
ADDED = (*FOLDERS[1:], f"{SCORES}/")  # what a run's owner may delete again, with its whole folder
MOST = 5  # damaged files that a message names


def files_of(run: Path) -> list[str]:
    """The names of the files that make a run, with slashes, in alphabetical order."""
    paths = {path for pattern in FILES for path in run.glob(pattern) if path.is_file()}
    return sorted(path.relative_to(run).as_posix() for path in paths)


def entry(path: Path) -> dict[str, Any]:
    """What a manifest says of a file."""
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "size": path.stat().st_size}


def write_manifest(run: Path, beginnings: tuple[str, ...] = ()) -> None:
    """Writes the manifest of a run that is complete. With the beginnings of some names, only the entries of these files
    are made anew; what it says of all others stays."""
    files = read_manifest(run) if beginnings else {}
    files = {name: value for name, value in files.items() if not name.startswith(beginnings)}
    files |= {name: entry(run / name) for name in files_of(run) if name.startswith(beginnings or "")}
    write_json(run / MANIFEST, {"files": dict(sorted(files.items()))})


def read_manifest(run: Path) -> dict[str, Any]:
    """The entries of a run's manifest by the names of the files. Raises `InputError` without one that is usable."""
    path = run / MANIFEST
    if not path.is_file():
        raise InputError(
            f"{run}: holds no {MANIFEST}; expected the folder of a finished run; finish its training with "
            "--resume_from_checkpoint true, or train it again in a new folder"
        )
    content = read_record(path)
    with using_records(path):
        for name in content["files"]:
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise InputError(f"{path}: found {name!r}; expected the name of a file within the run")
        return dict(content["files"])


def require_intact(run: Path, unentered: tuple[str, ...] = ()) -> list[str]:
    """Raises `InputError` unless a run holds what its manifest says, and each score is what its predictions give.

    The manifest may lack files whose names begin with one of `unentered`. Returns a line for each check.
    """
    recorded = read_manifest(run)
    found = [name for name in files_of(run) if name in recorded or not name.startswith(unentered)]
    with using_records(run / MANIFEST):
        damage = [text for name in sorted({*recorded, *found}) if (text := fault(run, name, recorded.get(name)))]
    if damage:
        more = f", and {len(damage) - MOST} more" if len(damage) > MOST else ""
        raise InputError(
            f"{run}: not as {MANIFEST} records it: {'; '.join(damage[:MOST])}{more}; copy the run again from a place "
            "where it is whole, or train it again; inference.py rewrites only the scores and the model card"
        )
    present = sum((run / name).is_file() for name in recorded)  # the others were deleted by the run's owner
    lines = [f"{present} files are as {MANIFEST} records them"]
    for place in (name.removesuffix(f"/{METRICS}") for name in found if name.endswith(f"/{METRICS}")):
        how = f"not computed again, because there is no {PREDICTIONS}"
        if (run / place / PREDICTIONS).is_file():
            checked_predictions(run / place)
            how = f"its scores are those of {PREDICTIONS}"
        with using_records(run / place / METRICS):
            f1 = read_record(run / place / METRICS)["overall"]["f1"]
            lines.append(f"{place}: {how}: F1 {100 * f1:.2f}")
    return lines


def fault(run: Path, name: str, expected: dict[str, Any] | None) -> str | None:
    """What is wrong with a file of a run, which its manifest describes if that is not None; None if nothing is."""
    path = run / name
    if expected is None:
        return f"{name} is not recorded"
    if not path.is_file():
        is_deleted = name.startswith(ADDED) and not path.parent.exists()
        return None if is_deleted else f"{name} is missing"
    size = path.stat().st_size
    if size != expected["size"]:
        return f"{name} has {size:,} bytes instead of {expected['size']:,}"
    return None if entry(path) == expected else f"{name} has changed"


def downloaded(repo_id: str) -> Path:
    """A folder of the Hub's cache with the files that the manifest of a repository names, as far as they are there.

    Raises `InputError` where it has no manifest, and where the Hub does not answer.
    """
    remedy = "try again later"
    manifest = fetch_optional(repo_id, MANIFEST, remedy)
    if manifest is None:
        raise InputError(f"{repo_id}: has no {MANIFEST}; expected a repository that this version pushed; push it again")
    for name in read_manifest(manifest.parent):
        fetch_optional(repo_id, name, remedy)
    return manifest.parent
