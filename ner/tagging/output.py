"""Where tagged text goes: standard output, a pipe, or a file that can be continued after an interruption."""

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO

from ner.errors import InputError
from ner.files import whole_file
from ner.runs.folder import acquired
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


def output(path: str | None, continues: bool | None = None) -> AbstractContextManager[TextIO]:
    """Standard output, a pipe or a device as it is, or a file that appears when it is complete: a link's target.

    Unless `continues` is None, it is a `kept_file`. Raises `InputError` for a stream, which cannot be continued.
    """
    if path in (None, "/dev/stdout") or (os.path.exists(path) and not os.path.isfile(path)):
        if continues:
            raise InputError(f"--continue: found the stream {path}; expected a file as --output_file; leave it out")
        if path in (None, "/dev/stdout"):
            return nullcontext(sys.stdout)
        return open(path, "w", encoding="utf-8", errors="backslashreplace", newline="\n")  # which refuses a folder
    place = Path(os.path.realpath(path))
    return whole_file(place) if continues is None else kept_file(place, continues)


@contextmanager
def kept_file(path: Path, continues: bool) -> Iterator[TextIO]:
    """A file that appears when it is complete. Until then, its lines are in `.unfinished-NAME` beside it. After an
    error, they stay there, and the log says so.

    Raises `InputError` where they are there already, of an interrupted command or of one that runs, and not continued;
    and where another command is writing them.
    """
    kept = path.with_name(f".unfinished-{path.name}")
    if kept.exists() and not continues:
        raise InputError(
            f"{path}: was interrupted, or is still being written; its lines so far are in {kept}; go on with "
            "--continue true, or delete them"
        )
    kept.parent.stat()  # an error where there is no such folder: the lock would make it
    busy = f"{path}: another command is writing it; wait until it ends, or name another file"
    with acquired(kept.with_name(f"{kept.name}.lock"), busy):
        try:
            with whole_file(path, kept) as file:
                yield file
        except BaseException:
            if kept.exists():
                log.warning("the lines so far are in %s; the same command with --continue true goes on there", kept)
            raise


def continued(
    file: TextIO, rows: Iterator[Row], groups: Iterator[list[Record]], size: int, show: Show
) -> tuple[int, Iterator[list[Record]]]:
    """Skips the rows that a continued output has already, shows their records, and cuts off the rest of it.

    Returns how many rows these are, and the groups of `size` records of the other rows. Only whole groups are skipped,
    because scores may depend a little on the rows that are tagged together. Nor is the last one: it is tagged again,
    to see whether checkpoint and options are the same. Raises `InputError` where a record differs now.
    """
    first: list[Record] = []  # of the other groups
    place = 0
    with open(file.name, "rb") as before:
        whole = sum(line.endswith(b"\n") for line in before)
        skipped = max(whole - 1, 0) // size * size
        before.seek(0)
        for number, line in enumerate(islice(before, whole)):
            is_tagged = number >= skipped
            if is_tagged:
                first = first or next(groups, [])
                now = first[number - skipped :]
            else:
                place, now = place + len(line), [record(row, []) for row in islice(rows, 1)]
            try:
                old = json.loads(line)
                is_same = [compared(old, is_tagged)] == [compared(new, is_tagged) for new in now[:1]]
                if is_same and not is_tagged:
                    show(old)
            except (ValueError, TypeError, LookupError):  # it is no tagged text
                is_same = False
            if not is_same:
                raise InputError(
                    f"{file.name}:{number + 1}: found a line that this command would not write; expected the same "
                    "input, checkpoint, options, number of processes and kind of machine as before the interruption; "
                    "go on with those, or delete the file to begin again"
                )
    file.truncate(place)
    log.info("%s: going on after %d rows; the last %d are tagged again", file.name, whole, whole - skipped)
    return skipped, chain([first], groups)


def compared(tagged: Record, is_tagged: bool) -> Record:
    """What must be the same in a record of before and of now; its entities only if the row is tagged again.

    Scores are not compared: they may depend a little on the machine.
    """
    return tagged | {"entities": [(e["type"], e["start"], e["end"]) for e in tagged["entities"] if is_tagged]}


def record(row: Row, entities: list[Entity]) -> Record:
    """The record of a row and its entities."""
    text, others = row
    return {"text": text, "entities": list(map(asdict, entities)), **others}
