"""The rows of a file: what a reader yields, and the checks that hold for every format.

A reader is a function from a file to its rows. The rows become Arrow columns a block at a time, so that only one block
is ever held as Python objects.
"""

import codecs
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ner.corpus.sentences import LARGEST_OFFSET, Sentences
from ner.errors import InputError
from ner.labels import MULTINERD_CLASSES, classes_of, is_label, label_names

Row = tuple[int, list[str], list[Any], str]  # line, tokens, tags (numbers or label names) and language of a sentence
Block = tuple[int, pa.Table]  # the first line, and sentences that are already checked, one a line

ROWS = 500  # rows in a block: few, because Python's garbage collector goes over all that wait for one
LARGEST_TAG = 2 * len(MULTINERD_CLASSES)
COLUMNS = pa.schema([("tokens", pa.list_(pa.string())), ("tags", pa.list_(pa.int16())), ("lang", pa.string())])


def checked_content(path: Path) -> bytes:
    """The content of a UTF-8 file, without its byte order mark. Raises `InputError` if it is not UTF-8, or empty."""
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: found bytes that are not UTF-8; expected UTF-8; convert the file") from None
    if not text.strip():
        raise InputError(f"{path}: the file is empty; expected sentences")
    return content.removeprefix(codecs.BOM_UTF8)


class Collector:
    """Checks the rows of a split and collects them; `rows` says how many there are so far."""

    def __init__(self, known_classes: Sequence[str] | None):
        self.known_classes = known_classes
        self.rows = 0
        self.blocks: list[pa.Table] = []
        self.waiting: list[tuple[list[str], list[int], str]] = []  # tokens, tag ids and language, not yet in a block
        self.name_ids: dict[str, int] = {}  # label names as they were found, numbered in that order
        self.tag_types: set[type] = set()  # int or str, the same in all files of the split

    def add(self, place: str, tokens: list[str], tags: list[Any], lang: str) -> None:
        """Adds a row. Raises `InputError`, naming its place, if its tags are wrong."""
        if len(tokens) != len(tags):
            raise InputError(
                f"{place}: found {len(tokens)} tokens and {len(tags)} tags; expected a tag for each token; fix it"
            )
        types = set(map(type, tags))  # here, bool is not int
        self.require_one_type(place, types)
        if str in types:
            tags = [self.name_ids[t] if t in self.name_ids else self.new_id(t, place) for t in tags]
        elif tags and not 0 <= min(tags) <= max(tags) <= LARGEST_TAG:
            wrong = next(t for t in tags if not 0 <= t <= LARGEST_TAG)
            raise InputError(
                f"{place}: found the tag number {wrong}; expected 0 to {LARGEST_TAG}, "
                "MultiNERD's numbers; fix the line or write label names under `tags`"
            )
        self.waiting.append((tokens, tags, lang))
        self.rows += 1
        if len(self.waiting) == ROWS:
            self.close_block()

    def add_block(self, path: Path, line: int, block: pa.Table) -> None:
        """Adds checked rows with the columns of `COLUMNS` and numbers as tags, the first of which is at `line`."""
        lengths = pc.list_value_length(block["tags"]).to_numpy()
        if lengths.any():
            self.require_one_type(f"{path}:{line + int(np.argmax(lengths > 0))}", {int})
        self.close_block()
        self.blocks.append(block)
        self.rows += len(block)

    def require_one_type(self, place: str, types: set[type]) -> None:
        """Raises `InputError` unless the tags of this row and all earlier ones are all numbers, or all names."""
        self.tag_types |= types
        if self.tag_types - {int, str} or len(self.tag_types) > 1:
            raise InputError(f"{place}: found tags of mixed types; expected all integers or all label names")

    def new_id(self, found: str, place: str) -> int:
        """Numbers a label name. Raises `InputError` if it is not a label, or not one of a known class."""
        tag = found.strip()  # with white space around it, a tag would be a class of its own
        if not is_label(tag) or (self.known_classes is not None and tag != "O" and tag[2:] not in self.known_classes):
            expected = ", ".join(self.known_classes) if self.known_classes else "some CLASS"
            raise InputError(
                f"{place}: unknown tag {tag!r}; expected O, or B- or I- with {expected}; "
                "fix the line (the training split must contain every class)"
            )
        return self.name_ids.setdefault(found, len(self.name_ids))

    def close_block(self) -> None:
        """Turns the waiting rows into a block."""
        if self.waiting:
            columns = zip(COLUMNS.names, zip(*self.waiting, strict=True), strict=True)
            self.blocks.append(pa.table(dict(columns), COLUMNS))
            self.waiting = []

    def sentences(self) -> Sentences:
        """All rows that were added. Raises `InputError` if they have more text than a column can hold."""
        self.close_block()
        table = pa.concat_tables(self.blocks)
        text = pc.sum(pc.binary_length(pc.list_flatten(table["tokens"]))).as_py() or 0
        if text > LARGEST_OFFSET:
            raise InputError(
                f"--dataset: found {text:,} bytes of tokens in one split; expected at most {LARGEST_OFFSET:,}; "
                "use fewer languages, or leave sentences out"
            )
        table, self.blocks = table.combine_chunks(), []
        if str not in self.tag_types:
            return Sentences(table, label_names(MULTINERD_CLASSES))
        found = [name.strip() for name in self.name_ids]
        names = label_names(self.known_classes if self.known_classes is not None else classes_of(found))
        return Sentences(table, [*found, "O"]).with_names(names)
