"""Where tagged text goes: standard output, a pipe, or a file that can be continued after an interruption."""

import errno
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from ner.corpus.annotation_tools import parsed
from ner.errors import InputError, printable
from ner.files import locked, whole_file
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

    Unless `continues` is None, the lines of a file are in `.unfinished-NAME` until then, and after an error. Raises
    `InputError` where they are there already, and not continued, or where another process writes them.
    """
    if path in (None, "/dev/stdout"):
        return nullcontext(sys.stdout)
    if os.path.exists(path) and not os.path.isfile(path):
        return open(path, "w", encoding="utf-8", errors="backslashreplace", newline="\n")  # which refuses a folder
    place = Path(os.path.realpath(path))
    kept = None if continues is None else place.with_name(f".unfinished-{place.name}")
    if kept and kept.exists() and not continues:
        raise InputError(
            f"{place}: was interrupted, or is still being written; its lines so far are in {kept}; go on with "
            "--continue true, or delete them"
        )
    return kept_file(place, kept) if kept else whole_file(place)


@contextmanager
def kept_file(place: Path, kept: Path) -> Iterator[TextIO]:
    """`whole_file` with a name for its lines so far, for one process at a time."""
    if not place.parent.is_dir():  # filelock would make it
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(place))
    message = f"{place}: another process writes it; wait for its end, or name another --output_file"
    with locked(kept.with_name(f"{kept.name}.lock"), message), whole_file(place, kept) as file:
        yield file


def skip_tagged(file: TextIO, rows: Iterator[Row], show: Show) -> int:
    """Skips the rows that a continued output has already, shows their records, and cuts off a line that is not whole.

    Returns how many rows these are. Raises `InputError` where the text of a record is not that of its row.
    """
    if not os.path.isfile(file.name):  # standard output, a pipe or a device has none
        return 0
    with open(file.name, "rb") as before:
        count = sum(line.endswith(b"\n") for line in before)
        before.seek(0)
        for number, line in enumerate(islice(before, count), 1):
            tagged = parsed(Path(file.name), line, number)
            if not isinstance(tagged, dict) or tagged.get("text") != next(rows, (..., {}))[0]:
                raise InputError(
                    f"{file.name}:{number}: its text is not that of this row of the input; expected the input from "
                    "before the interruption; go on with that, or delete the file to begin again"
                )
            show(tagged)
        file.truncate(before.tell())
    if count:
        log.info("%s: going on after %d rows", file.name, count)
    return count


def record(row: Row, entities: list[Entity]) -> Record:
    """The record of a row and its entities."""
    text, others = row
    return {"text": text, "entities": list(map(asdict, entities)), **others}


def marked_text(text: str, entities: list[dict[str, Any]]) -> str:
    """A text with its entities marked, then one line for each entity; for a terminal."""
    text = printable(text)  # each character by one, so that the offsets stay right
    parts, lines, done = [], [], 0
    for e in entities:
        start, end, name = e["start"], e["end"], printable(e["type"])
        parts += [text[done:start], f"\x1b[1m[{text[start:end]}]\x1b[0m\x1b[2m{name}\x1b[0m"]
        lines.append(f"  {name:<6} {text[start:end]}  ({start}-{end}, {e['score']:.0%})")
        done = end
    return "\n".join(["".join(parts) + text[done:], *(lines or ["  no entity"])])
