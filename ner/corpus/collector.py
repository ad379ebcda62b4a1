"""Checks the rows of files, and collects them as Arrow columns: only a block of them is ever held as Python objects."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ner.corpus.sentences import LARGEST_OFFSET, Sentences, list_column
from ner.errors import InputError
from ner.labels import MULTINERD_CLASSES, classes_of, is_label, label_names

ROWS = 20_000  # of a block
LARGEST_TAG = 2 * len(MULTINERD_CLASSES)


class Collector:
    """Collects the rows of a split, checking each. `rows` is how many there are."""

    def __init__(self, known_classes: Sequence[str] | None):
        self.known_classes = known_classes
        self.rows = 0
        self.text_bytes = 0
        self.blocks: list[pa.Table] = []
        self.tokens: list[list[str]] = []
        self.tags: list[list[int]] = []
        self.langs: list[str] = []
        self.string_ids: dict[str, int] = {}  # the string tags, numbered in the order of their first use
        self.tag_type: type | None = None  # int or str, the same in all files

    def add(self, place: str, tokens: list[str], tags: list[Any], lang: str) -> None:
        """Adds a row. Raises `InputError` with its place where it is no sentence with its tags."""
        if len(tokens) != len(tags):
            raise InputError(
                f"{place}: found {len(tokens)} tokens and {len(tags)} tags; expected as many tags as tokens; fix it"
            )
        kinds = set(map(type, tags))  # bool is no int here
        if len(kinds | {self.tag_type} - {None}) > 1 or kinds - {int, str}:
            raise mixed_tags(place)
        if kinds == {int}:
            if min(tags) < 0 or max(tags) > LARGEST_TAG:
                wrong = next(t for t in tags if not 0 <= t <= LARGEST_TAG)
                raise InputError(
                    f"{place}: found the tag number {wrong}; expected 0 to {LARGEST_TAG}, "
                    "MultiNERD's numbers; fix the line or write label names under `tags`"
                )
            self.tag_type = int
        elif kinds == {str}:
            tags = [self.string_id(tag, place) for tag in tags]
            self.tag_type = str
        self.tokens.append(tokens)
        self.tags.append(tags)
        self.langs.append(lang)
        self.rows += 1
        if len(self.tokens) == ROWS:
            self.close_block(place)

    def add_block(self, path: Path, line: int, block: pa.Table) -> None:
        """Adds rows that `ner.corpus.json_blocks` checked, the first one of which is at `line`."""
        lengths = pc.list_value_length(block["tags"]).to_numpy()
        if lengths.any():
            if self.tag_type is str:
                raise mixed_tags(f"{path}:{line + int(np.argmax(lengths > 0))}")
            self.tag_type = int
        self.close_block(f"{path}:{line}")
        self.append(f"{path}:{line}", block)
        self.rows += len(block)

    def string_id(self, given: str, place: str) -> int:
        """The number of a string tag. Raises `InputError` for one that is no label of a known class."""
        known = self.string_ids.get(given)
        if known is not None:
            return known
        tag = given.strip()  # white space around a tag would make another class of it
        if not is_label(tag) or (self.known_classes is not None and tag != "O" and tag[2:] not in self.known_classes):
            expected = ", ".join(self.known_classes) if self.known_classes else "some CLASS"
            raise InputError(
                f"{place}: unknown tag {tag!r}; expected O, or B- or I- with {expected}; "
                "fix the line (the training split must contain every class)"
            )
        self.string_ids[given] = len(self.string_ids)
        return self.string_ids[given]

    def close_block(self, place: str) -> None:
        """Turns the rows that are held as Python objects into a block."""
        if not self.tokens:
            return
        lengths = np.array([len(tokens) for tokens in self.tokens], dtype=np.int64)
        flat = np.array([tag for tags in self.tags for tag in tags], dtype=np.int16)
        block = {
            "tokens": pa.array(self.tokens, type=pa.list_(pa.string())),
            "tags": list_column(flat, lengths),
            "lang": pa.array(self.langs, type=pa.string()),
        }
        self.append(place, pa.table(block))
        self.tokens, self.tags, self.langs = [], [], []

    def append(self, place: str, block: pa.Table) -> None:
        """Appends a block. Raises `InputError` where a split has more text than a column holds."""
        self.text_bytes += pc.sum(pc.binary_length(pc.list_flatten(block["tokens"]))).as_py() or 0
        if self.text_bytes > LARGEST_OFFSET:
            raise InputError(
                f"{place}: found more than {LARGEST_OFFSET:,} bytes of tokens in one split; expected at most as many; "
                "name fewer languages, or leave sentences out"
            )
        self.blocks.append(block)

    def sentences(self) -> Sentences:
        """All rows that were added."""
        self.close_block("--dataset")
        table = pa.concat_tables(self.blocks).combine_chunks()
        self.blocks = []
        if self.tag_type is not str:
            return Sentences(table, label_names(MULTINERD_CLASSES))
        used = [tag.strip() for tag in self.string_ids]
        names = label_names(self.known_classes if self.known_classes is not None else classes_of(used))
        return Sentences(table, [*used, "O"]).with_names(names)


def mixed_tags(place: str) -> InputError:
    """The error for tags that are neither all numbers nor all names."""
    return InputError(f"{place}: found tags of other types; expected all integers or all label names")
