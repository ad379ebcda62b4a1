"""Reads MultiNERD's JSONL: an object a line, with `tokens`, `ner_tags` (numbers) or `tags` (names), and perhaps `lang`.

Arrow parses many lines at once, several times as fast as Python does one by one. It gets only lines of the usual form,
and Python reads the others and names the mistake.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from ner.corpus.rows import COLUMNS, LARGEST_TAG, Block, Row, checked_content
from ner.errors import LONE_SURROGATE, InputError

BYTES = 2**22  # in a block, about 10,000 sentences
FIELDS = pa.schema([field.with_name("ner_tags") if field.name == "tags" else field for field in COLUMNS])
OPTIONS = pa.json.ParseOptions(explicit_schema=FIELDS, unexpected_field_behavior="error")


def jsonl_rows(path: Path, language: str) -> Iterator[Row | Block]:
    """The sentences of a file; `language` is that of lines that name none."""
    first = 1
    for lines in whole_lines(checked_content(path)):
        block = numbered_rows(lines, language)
        if block is None:
            yield from line_rows(path, language, first, lines.decode())
        else:
            yield first, block
        first += lines.count(b"\n")


def whole_lines(content: bytes) -> Iterator[bytes]:
    """The content in blocks of about `BYTES`, each of which ends where a line ends."""
    start = 0
    while start < len(content):
        end = content.find(b"\n", start + BYTES) + 1 or len(content)
        yield content[start:end]
        start = end


def numbered_rows(lines: bytes, language: str) -> pa.Table | None:
    """The sentences of UTF-8 lines if all are correct, in the usual form, and tagged with numbers; else None.

    Arrow ignores where lines end. So exactly a line end must separate each object from the next.
    """
    rows = lines.count(b"}\n{") + 1
    if lines[:1] != b"{" or not lines.endswith((b"}", b"}\n")) or rows != lines.count(b"\n", 0, len(lines) - 1) + 1:
        return None
    blocks = pa.json.ReadOptions(use_threads=False, block_size=len(lines) + 1)
    try:
        table = pa.json.read_json(pa.BufferReader(lines), blocks, OPTIONS).combine_chunks()
    except pa.ArrowInvalid:
        return None
    tokens, tags, lang = (table[name].chunk(0) for name in FIELDS.names)
    numbers = tags.flatten()
    correct = (
        len(table) == rows
        and not any(column.null_count for column in (tokens, tags, tokens.flatten(), numbers))
        and not (lang.null_count and b"null" in lines)  # `lang` may be missing, but not null
        and np.array_equal(tokens.offsets, tags.offsets)
        and (not len(numbers) or 0 <= pc.min(numbers).as_py() <= pc.max(numbers).as_py() <= LARGEST_TAG)
    )
    return pa.table([tokens, tags, lang.fill_null(language)], COLUMNS) if correct else None


def line_rows(path: Path, language: str, first: int, lines: str) -> Iterator[Row]:
    """The sentences of lines, the first of which has the number `first`. Raises `InputError` for a wrong line."""
    for number, line in enumerate(lines.split("\n"), first):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            row = json.loads(line)
        except ValueError as error:  # JSONDecodeError, or a number too long to convert
            raise InputError(f"{place}: found no JSON ({error}); expected one object a line; fix the line") from None
        except RecursionError:
            raise InputError(f"{place}: found JSON nested too deeply; expected one flat object a line") from None
        if not isinstance(row, dict):
            raise InputError(f"{place}: found {type(row).__name__}; expected an object with tokens and ner_tags")
        tokens, tags, lang = row.get("tokens"), row.get("ner_tags", row.get("tags")), row.get("lang", language)
        if "tokens" not in row:
            raise InputError(f"{place}: found no key 'tokens'; expected tokens and ner_tags; fix the line")
        if tags is None:
            raise InputError(f"{place}: found no key 'ner_tags' or 'tags'; expected one of them; fix the line")
        if not isinstance(tokens, list) or not isinstance(tags, list) or set(map(type, tokens)) - {str}:
            raise InputError(f"{place}: expected lists: tokens of strings, tags of numbers or label names")
        if not isinstance(lang, str):
            raise InputError(f"{place}: found the language {lang!r}; expected a code such as 'en'")
        if LONE_SURROGATE.search("".join([*tokens, *map(str, tags), lang])):
            raise InputError(f"{place}: found half a surrogate pair; expected whole characters")
        yield number, tokens, tags, lang
