"""Reads MultiNERD's JSONL: an object a line, with `tokens`, `ner_tags` (numbers) and perhaps `lang`, and nothing else.

Arrow parses it several times as fast as Python does line by line.
"""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.json

from ner.corpus.rows import checked_content
from ner.corpus.text_spans import NUMBERED

FIELDS = pa.schema([("tokens", pa.list_(pa.string())), ("ner_tags", pa.list_(pa.int64())), ("lang", pa.string())])
EXACT = pa.json.ParseOptions(explicit_schema=FIELDS, unexpected_field_behavior="error")


def multinerd_table(path: Path, language: str) -> pa.Table | None:
    """The sentences of a file, with numbers as tags; `language` is that of lines that name none.

    None if any line is different: another reader then reads the file, or says what is wrong. Raises `InputError` if
    the file is empty or not UTF-8.
    """
    content = checked_content(path)
    starts = [line.lstrip()[:1] for line in io.BytesIO(content)]
    numbers = [number for number, start in enumerate(starts, 1) if start]
    if set(starts) - {b"", b"{"}:  # at a null, Arrow crashes, and it ignores where lines end
        return None
    try:
        whole = pa.json.ReadOptions(use_threads=False, block_size=len(content) + 1)
        table = pa.json.read_json(pa.BufferReader(content), whole, EXACT)
    except (ValueError, OverflowError):  # OverflowError: from 2 GiB
        return None
    tokens, tags, lang = (table[name].combine_chunks() for name in FIELDS.names)
    has_null = any(column.null_count for column in (tokens, tags, tokens.flatten(), tags.flatten()))
    if has_null or len(table) != len(numbers):
        return None
    return pa.table([numbers, tokens, tags, lang.fill_null(language)], NUMBERED)
