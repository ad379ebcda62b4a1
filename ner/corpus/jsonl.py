"""Reads MultiNERD's JSONL: an object a line, with `tokens`, `ner_tags` (numbers) or `tags` (names), and perhaps `lang`.

Numbers mean the label names in a file beside the data. Without one, they are read as MultiNERD's, but only if the
lines have no keys other than MultiNERD's.

Arrow parses many lines at once, several times as fast as Python does one by one.
"""

import codecs
import json
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from ner.corpus.number_names import NAMES_REMEDY, number_names
from ner.corpus.rows import checked_content, require_numbers
from ner.corpus.sentences import list_column
from ner.errors import InputError, message_of
from ner.labels import MULTINERD_CLASSES, label_names

BYTES = 2**22  # in a block, about 10,000 sentences
NAMES = pa.list_(pa.string())
FIELDS = pa.schema([("tokens", NAMES), ("ner_tags", pa.list_(pa.int16())), ("tags", NAMES), ("lang", pa.string())])
STRICT, LENIENT = (
    pa.json.ParseOptions(explicit_schema=FIELDS, unexpected_field_behavior=how) for how in ("error", "ignore")
)


def is_multinerds(path: Path) -> bool:
    """Whether the first line with tags has `tokens`, and numbers in `ner_tags` or names in `tags`. True if a line is no
    JSON object, which is for the reader to report."""
    with path.open("rb") as file:
        for line in file:
            try:
                record = json.loads(line.removeprefix(codecs.BOM_UTF8)) if line.strip() else {}
            except (ValueError, RecursionError):
                return True
            match record:
                case {"labels": _} | {"ner_tags": [str(), *_]} | {"tags": [int(), *_]}:
                    return False
                case {"ner_tags": [_, *_]} | {"tags": [_, *_]}:
                    return "tokens" in record
    return True


def jsonl_tables(path: Path, folder: Path, language: str) -> Iterator[pa.Table]:
    """The sentences of a file; `language` is that of lines that name none, and `folder` may hold the names of numbers.

    Raises `InputError` for a wrong line.
    """
    names = cache(partial(number_names, (path.parent, folder)))  # of the numbers, looked for where there are some
    first = 1
    for content in blocks(checked_content(path)):
        lines = content.split(b"\n")
        for table, has_other_keys in tables(path, lines, first, language):
            if has_other_keys and not table["ner_tags"].null_count and names() is None:
                require_multinerd_keys(path, lines, first)
            yield with_label_names(path, table, names)
        first += len(lines) - 1


def require_multinerd_keys(path: Path, lines: list[bytes], first: int) -> None:
    """Raises `InputError` for the first line with a key that MultiNERD does not have."""
    for number, line in enumerate(lines, first):
        others = json.loads(line).keys() - set(FIELDS.names) if line.strip() else ()
        if others:
            raise InputError(
                f"{path}:{number}: found the key {min(others)!r}, which MultiNERD's lines do not have, so the numbers "
                f"in ner_tags may mean other labels; expected their names; {NAMES_REMEDY}"
            )


def with_label_names(path: Path, table: pa.Table, names: Callable[[], list[str] | None]) -> pa.Table:
    """The table with `tags` alone: as label names, unless they are numbers without names.

    Raises `InputError` for a number that has no name, and where a line has both and they contradict each other.
    """
    numbers, tags = (table[name].combine_chunks() for name in ("ner_tags", "tags"))
    for row in np.flatnonzero(pc.and_(numbers.is_valid(), tags.is_valid())).tolist():
        require_equal(f"{path}:{table['line'][row]}", numbers[row].as_py(), tags[row].as_py(), names())
    if not numbers.null_count:
        tags, known = numbers, names()
        if known is not None:
            lengths, flat = pc.list_value_length(numbers).to_numpy(), pc.list_flatten(numbers).to_numpy()
            whose = "those of the label names beside the data; correct the line or the names"
            require_numbers(path, table["line"], flat, lengths, len(known), whose)
            tags = list_column(pa.array(known).take(pa.array(flat)), lengths)
    return pa.table([table["line"], table["tokens"], tags, table["lang"]], ["line", "tokens", "tags", "lang"])


def require_equal(place: str, numbers: list[int], tags: list[str], names: list[str] | None) -> None:
    """Raises `InputError` unless the numbers of a line mean its tags."""
    meanings: dict[Any, str] = dict(enumerate(names or label_names(MULTINERD_CLASSES)))
    for number, tag in zip_longest(numbers, tags, fillvalue="nothing"):
        meaning = meanings.get(number, "no label")
        if meaning != str(tag).strip():
            raise InputError(
                f"{place}: found the tag {tag!r} in tags, and {number} ({meaning}) in ner_tags; expected the same; "
                f"correct one, leave one out, or {NAMES_REMEDY}"
            )


def blocks(content: bytes) -> Iterator[bytes]:
    """The content in blocks of about `BYTES`, each of which ends where a line ends."""
    start = 0
    while start < len(content):
        end = content.find(b"\n", start + BYTES) + 1 or len(content)
        yield content[start:end]
        start = end


def tables(path: Path, lines: list[bytes], first: int, language: str) -> Iterator[tuple[pa.Table, bool]]:
    """The sentences of lines, of which the first has the number `first`, and whether there are others than `FIELDS`.

    A wrong line is found by halving them.
    """
    numbers = [number for number, line in enumerate(lines, first) if line.strip()]
    content = b"\n".join(lines)
    if not numbers:
        return
    try:
        try:
            table, has_other_keys = parsed(content, len(numbers), language, STRICT), False
        except ValueError:
            table, has_other_keys = parsed(content, len(numbers), language, LENIENT), True
    except ValueError as error:
        if len(lines) == 1:
            raise InputError(
                f'{path}:{first}: {message_of(error, 200)}; expected an object with "tokens" (strings), and "ner_tags" '
                '(numbers) or "tags" (label names); fix the line'
            ) from None
        middle = len(lines) // 2
        yield from tables(path, lines[:middle], first, language)
        yield from tables(path, lines[middle:], first + middle, language)
    else:
        yield table.add_column(0, "line", [numbers]), has_other_keys


def parsed(content: bytes, count: int, language: str, options: pa.json.ParseOptions) -> pa.Table:
    """The sentences of `count` UTF-8 lines, all with numbers or all with names as tags; the columns are `FIELDS`.

    Raises `ValueError`, as Arrow does, for others.
    """
    if not content.lstrip().startswith(b"{"):  # at a null, Arrow crashes
        raise ValueError("found no JSON object")
    whole = pa.json.ReadOptions(use_threads=False, block_size=len(content) + 1)
    table = pa.json.read_json(pa.BufferReader(content), whole, options)
    tokens, numbers, names, lang = (table[name].combine_chunks() for name in FIELDS.names)
    tags = names if numbers.null_count else numbers
    if len(table) != count:  # Arrow ignores where lines end
        raise ValueError("found an object that is not on one line of its own")
    if any(column.null_count for column in (tokens, tags, tokens.flatten(), tags.flatten())):
        raise ValueError("found no tokens, no tags, or null among them")
    return pa.table([tokens, numbers, names, lang.fill_null(language)], FIELDS)
