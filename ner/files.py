"""Files: what is written appears whole or not at all, and what is read is a record of this project."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO
from uuid import uuid4

import yaml
from filelock import FileLock, Timeout

from ner.errors import InputError, message_of, nearest

ROOT = Path(__file__).parents[1]  # of this repository
WRITING = ".writing-"  # begins the names of unfinished files; those that a killed process leaves may be deleted


@contextmanager
def whole_file(path: Path | str, kept: Path | None = None) -> Iterator[TextIO]:
    """A UTF-8 file to write, which takes the place and the permissions of `path` when the block ends without an error.

    Until then it has another name, in the same folder. After an error it is removed; but with the name `kept`, it stays
    unless it is empty, and the next block of that name appends to it. Half a surrogate pair, which UTF-8 cannot hold,
    is written as its backslash escape, the form that JSON has for it. Raises `OSError`, naming `path`, where the system
    refuses.
    """
    unfinished = kept or Path(path).with_name(f"{WRITING}{uuid4().hex}")
    try:
        with open(unfinished, "a" if kept else "x", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            if os.path.isfile(path) and not os.path.islink(path):
                with suppress(PermissionError):  # a disk without permissions, such as one of Windows in WSL
                    shutil.copymode(path, unfinished)
            yield file
        os.replace(unfinished, path)
    except BaseException as error:
        with suppress(OSError):
            if not (kept and unfinished.stat().st_size):
                unfinished.unlink()
        if isinstance(error, OSError) and error.filename in (None, str(unfinished)):
            error.filename = str(path)
        raise


@contextmanager
def locked(lock: Path, message: str) -> Iterator[None]:
    """Locks a file until the block ends, or the process, however it ends. A block that ends removes the file.

    Raises `InputError` with a message where another process has locked it, and where the disk has no locks.
    """
    try:
        held = FileLock(lock).acquire(timeout=0)
    except Timeout:
        raise InputError(message) from None
    except OSError as error:  # as on a network disk without locks
        raise InputError(f"{lock.parent}: a file cannot be locked: {message_of(error)}; name another folder") from None
    with held:
        try:
            yield
        finally:  # filelock sees to it that nobody acquires a file that was removed meanwhile
            with suppress(OSError):  # on Windows, where the lock removes its file by itself
                lock.unlink()


@contextmanager
def written_together(folder: Path) -> Iterator[Path]:
    """A new folder to write files into that belong together, such as predictions and their scores.

    When the block ends without an error, they take their places in `folder`, which is made where it is absent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=WRITING, dir=folder) as unfinished:
        yield Path(unfinished)
        for path in sorted(Path(unfinished).iterdir(), reverse=True):  # predictions before metrics, which mark the end
            path.replace(folder / path.name)


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 file, whole or not at all. Raises `OSError` where the system refuses."""
    with whole_file(path) as file:
        file.write(text)


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file. Raises `ValueError` for NaN and infinity, `OSError` where the system refuses."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_jsonl(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Writes a JSON object a line. Raises `OSError` where the system refuses."""
    with whole_file(path) as file:
        file.writelines(f"{json.dumps(record, ensure_ascii=False)}\n" for record in records)


def write_yaml(path: Path, content: dict[str, Any]) -> None:
    """Writes a YAML file. Raises `OSError` where the system refuses."""
    write_text(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


class PlainLoader(yaml.SafeLoader):
    """Loads YAML without aliases, with which a few hundred bytes can expand to gigabytes; `1e-5` is a number."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            problem, place = "found an alias; expected the value itself", self.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=place)
        return super().compose_node(parent, index)


PlainLoader.add_implicit_resolver(  # YAML 1.1 requires a point, JSON and Python do not
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


from_json = partial(json.loads, parse_constant=lambda name: None)  # NaN and infinity, which JSON lacks, are null
from_yaml = partial(yaml.load, Loader=PlainLoader)


def similar(path: Path) -> str:
    """The name beside a path that is most like its own, to be appended to a message; empty if there is none."""
    return nearest(path.name, os.listdir(path.parent)) if os.path.isdir(path.parent) else ""


def read_as(path: Path, parse: Callable[[str], Any]) -> Any:
    """What `parse` makes of the text of a UTF-8 file. Raises `InputError` where that is impossible."""
    try:
        return parse(path.read_text(encoding="utf-8-sig"))
    except (ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
        # ValueError: no JSON, not UTF-8, an impossible date, a number of too many digits. TypeError: keys of several
        # kinds in the metadata of a README.md.
        raise InputError(f"{path}: cannot be read: {message_of(error)}") from None


def read_record(path: Path) -> dict[str, Any]:
    """The mapping in a JSON or YAML file; NaN and infinity, which Trainer writes, are read as null.

    Raises `InputError` for any other content.
    """
    content = read_as(path, from_yaml if path.suffix == ".yaml" else from_json)
    if not isinstance(content, dict):
        raise InputError(f"{path}: found no mapping; expected the record of a run")
    return content


def optional_record(path: Path) -> dict[str, Any]:
    """What `read_record` returns, or an empty mapping where there is no such file."""
    return read_record(path) if os.path.exists(path) else {}
