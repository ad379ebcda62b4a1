"""Reads MultiNERD's JSONL: an object a line, with `tokens`, `ner_tags` (numbers) or `tags` (names), and perhaps `lang`.

Arrow parses many lines at once, several times as fast as Python does one by one.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.json

from ner.corpus.rows import checked_content
from ner.errors import InputError, message_of

BYTES = 2**22  # in a block, about 10,000 sentences
NAMES = pa.list_(pa.string())
FIELDS = pa.schema([("tokens", NAMES), ("ner_tags", pa.list_(pa.int16())), ("tags", NAMES), ("lang", pa.string())])
OPTIONS = pa.json.ParseOptions(explicit_schema=FIELDS, unexpected_field_behavior="ignore")


def jsonl_tables(path: Path, language: str) -> Iterator[pa.Table]:
    """The sentences of a file; `language` is that of lines that name none. Raises `InputError` for a wrong line."""
    first = 1
    for content in blocks(checked_content(path)):
        lines = content.split(b"\n")
        yield from tables(path, lines, first, language)
        first += len(lines) - 1


def blocks(content: bytes) -> Iterator[bytes]:
    """The content in blocks of about `BYTES`, each of which ends where a line ends."""
    start = 0
    while start < len(content):
        end = content.find(b"\n", start + BYTES) + 1 or len(content)
        yield content[start:end]
        start = end


def tables(path: Path, lines: list[bytes], first: int, language: str) -> Iterator[pa.Table]:
    """The sentences of lines, of which the first has the number `first`. A wrong line is found by halving them."""
    numbers = [number for number, line in enumerate(lines, first) if line.strip()]
    try:
        table = parsed(b"\n".join(lines), len(numbers), language) if numbers else None
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
        if table:
            yield table.add_column(0, "line", [numbers])


def parsed(content: bytes, count: int, language: str) -> pa.Table:
    """The sentences of `count` UTF-8 lines with one kind of tags. Raises `ValueError`, as Arrow does, for others."""
    if not content.lstrip().startswith(b"{"):  # at a null, Arrow crashes
        raise ValueError("found no JSON object")
    whole = pa.json.ReadOptions(use_threads=False, block_size=len(content) + 1)
    table = pa.json.read_json(pa.BufferReader(content), whole, OPTIONS)
    tokens, numbers, names, lang = (table[name].combine_chunks() for name in FIELDS.names)
    tags = names if numbers.null_count else numbers
    if len(table) != count:  # Arrow ignores where lines end
        raise ValueError("found an object that is not on one line of its own")
    if any(column.null_count for column in (tokens, tags, tokens.flatten(), tags.flatten())):
        raise ValueError("found no tokens, no tags, or null among them")
    return pa.table([tokens, tags, lang.fill_null(language)], ["tokens", "tags", "lang"])
