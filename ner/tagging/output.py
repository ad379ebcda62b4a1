"""Where tagged text goes: standard output, a pipe, or a file that can be continued after an interruption."""

import errno
import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import Any, TextIO

from ner.errors import InputError
from ner.files import whole_file
from ner.runs.folder import acquired, remove_lock
from ner.tagging.html_marks import Show
from ner.tagging.text_rows import Row

log = logging.getLogger("ner")
Record = dict[str, Any]  # a line of tagged text: `text`, `entities`, and the other columns of a table's row


@dataclass(frozen=True)
class Entity:
    """An entity of a text, at its half-open range of characters, with the probability that it is right."""

    type: str
    text: str
    start: int
    end: int
    score: float


def output(path: str | None, kept: Path | None = None) -> AbstractContextManager[TextIO]:
    """Standard output, a pipe or a device as it is, or a file that appears when it is complete: a link's target.

    `kept` is what `kept_output` gives for the path.
    """
    if path in (None, "/dev/stdout"):
        return nullcontext(sys.stdout)
    if os.path.exists(path) and not os.path.isfile(path):  # opening refuses a folder
        return open(path, "w", encoding="utf-8", errors="backslashreplace", newline="\n")
    path = os.path.realpath(path)
    return kept_file(path, kept) if kept else whole_file(path)


def kept_output(path: str | None, is_continued: bool) -> Path | None:
    """Where the lines for an output file are until it is complete; None for a stream, which cannot be continued.

    Raises `InputError` where it is there already, of an interrupted command or of one that runs, and not continued.
    """
    if path in (None, "/dev/stdout") or (os.path.exists(path) and not os.path.isfile(path)):
        if is_continued:
            raise InputError(f"--continue: found the stream {path}; expected a file as --output_file; leave it out")
        return None
    target = Path(os.path.realpath(path))
    kept = target.with_name(f".unfinished-{target.name}")
    if kept.exists() and not is_continued:
        raise InputError(
            f"{path}: was interrupted, or is still being written; its lines so far are in {kept}; go on with "
            "--continue true, or delete them"
        )
    return kept


@contextmanager
def kept_file(path: str, kept: Path) -> Iterator[TextIO]:
    """A file that appears when it is complete. After an error, its lines stay in `kept`, and the log says so.

    Raises `InputError` where another command is writing there.
    """
    lock = kept.with_name(f"{kept.name}.lock")
    if not kept.parent.is_dir():  # else the lock would make the folder
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    with acquired(lock, f"{path}: another command is writing it; wait until it ends, or name another file"):
        try:
            with whole_file(path, kept) as file:
                yield file
        except BaseException:
            if kept.exists():
                log.warning("the lines so far are in %s; the same command with --continue true goes on there", kept)
            raise
        finally:
            remove_lock(lock)


def continued(
    kept: Path, file: TextIO, rows: Iterator[Row], groups: Iterator[list[Record]], size: int, show: Show
) -> tuple[int, Iterator[list[Record]]]:
    """Skips the rows that an interrupted output has, shows their records, and cuts off the rest of it from `file`.

    Returns how many rows these are, and the groups of `size` records of the other rows. Only whole groups are skipped,
    because a score may depend in its last digit on the rows that are tagged together. Nor is the last one: it is tagged
    again, to see whether checkpoint and options are the same. Raises `InputError` where a record differs now.
    """
    with open(kept, "rb") as before:
        skipped = max(sum(line.endswith(b"\n") for line in before) - 1, 0) // size * size
        before.seek(0)
        for number, line in enumerate(islice(before, skipped), 1):
            old = parsed(kept, number, line)
            require_same(kept, number, [old | {"entities": []}], [record(row, []) for row in islice(rows, 1)])
            show(old)
        place = before.tell()
        first = next(groups, [])
        rest = [line for line in before if line.endswith(b"\n")]
        again = [parsed(kept, number, line) for number, line in enumerate(rest, skipped + 1)]
        require_same(kept, skipped + 1, again, first)
    file.truncate(place)
    log.info("%s: going on after %d rows; the last %d are tagged again", kept, skipped + len(again), len(again))
    return skipped, chain([first], groups)


def parsed(kept: Path, number: int, line: bytes) -> Record:
    """The record in a line. Raises `InputError` where there is none."""
    try:
        content = json.loads(line)
        return {**content, "entities": content["entities"]}
    except (ValueError, TypeError, LookupError):
        raise InputError(
            f"{kept}:{number}: found a line that is no tagged text; delete the file to begin again"
        ) from None


def record(row: Row, entities: list[Entity]) -> Record:
    """The record of a row and its entities."""
    text, others = row
    return {"text": text, "entities": list(map(asdict, entities)), **others}


def require_same(kept: Path, number: int, before: list[Record], now: list[Record]) -> None:
    """Raises `InputError` unless earlier records, the first of which is on line `number`, equal the first ones of now.

    Scores are not compared: their last digit may depend on the machine.
    """
    for line, (old, new) in enumerate(zip_longest(before, now[: len(before)]), number):
        if new is None or without_scores(old) != without_scores(new):
            raise InputError(
                f"{kept}:{line}: found a line that this command would not write; expected the same input, checkpoint "
                "and options as before the interruption; go on with those, or delete the file to begin again"
            )


def without_scores(tagged: Record) -> Record:
    """A record whose entities have a class and a place only."""
    return tagged | {"entities": [(e["type"], e["start"], e["end"]) for e in tagged["entities"]]}
