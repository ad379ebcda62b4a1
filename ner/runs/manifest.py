"""The manifest of a run: the SHA-256 and size of each file that makes it, so that damage is found before it spreads.

Training writes it last. What writes into a run later enters its own files only, so nothing hides that another file has
changed.
"""

import hashlib
from pathlib import Path
from typing import Any

from ner.errors import InputError
from ner.files import read_record, write_json
from ner.runs.files import CARD, MANIFEST, METRICS, ONNX_FOLDERS, PREDICTIONS, PUSHED, SCORES, SPLITS, STATE

FOLDERS = ("", *(f"{folder}/" for folder in ONNX_FOLDERS))  # of the run and of its exports
SCORED = [
    f"{folder}{place}/{name}"
    for folder in FOLDERS
    for place in (*SPLITS, f"{SCORES}/*")
    for name in (METRICS, PREDICTIONS)
]
FILES = (*PUSHED, CARD, STATE, *SCORED)  # patterns of all that makes a run
ADDED = (*FOLDERS[1:], f"{SCORES}/")  # what a run's owner may delete again, with its whole folder

REMEDY = "copy the run again from a place where it is whole, or train it again"


def entry(path: Path) -> dict[str, Any]:
    """What a manifest says of a file."""
    with path.open("rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "size": path.stat().st_size}


def write_manifest(run: Path, beginnings: tuple[str, ...] = ()) -> None:
    """Writes the manifest of a run that is complete. With the beginnings of some names, only the entries of these files
    are made anew; what it says of all others stays."""
    present = {path.relative_to(run).as_posix() for pattern in FILES for path in run.glob(pattern) if path.is_file()}
    files = read_manifest(run) if beginnings else {}
    files = {name: value for name, value in files.items() if not name.startswith(beginnings)}
    files |= {name: entry(run / name) for name in present if name.startswith(beginnings or "")}
    write_json(run / MANIFEST, {"files": dict(sorted(files.items()))})


def read_manifest(run: Path) -> dict[str, Any]:
    """The entries of a run's manifest by the names of the files. Raises `InputError` where it has none."""
    path = run / MANIFEST
    if not path.is_file():
        raise InputError(
            f"{run}: holds no {MANIFEST}; expected the folder of a finished run; finish its training with "
            "--resume_from_checkpoint true, or train it again in a new folder"
        )
    files = read_record(path).get("files")
    if not isinstance(files, dict):
        raise InputError(f"{path}: found no list of files; {REMEDY}")
    return files


def require_intact(run: Path) -> int:
    """Raises `InputError` unless the files of a run are as its manifest says. Returns how many there are."""
    recorded = read_manifest(run)
    damage = [text for name, expected in recorded.items() if (text := fault(run, name, expected))]
    if damage:
        raise InputError(f"{run}: does not match {MANIFEST}: {'; '.join(damage)}; {REMEDY}")
    return sum((run / name).is_file() for name in recorded)  # the others were deleted by the run's owner


def fault(run: Path, name: str, expected: dict[str, Any]) -> str | None:
    """What is wrong with a file of a run, which its manifest describes; None if nothing is."""
    path = run / name
    if not path.is_file():
        is_deleted = name.startswith(ADDED) and not path.parent.exists()
        return None if is_deleted else f"{name} is missing"
    return None if entry(path) == expected else f"{name} has changed"
