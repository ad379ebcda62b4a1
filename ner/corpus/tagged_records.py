"""Reads records with tokens and tags: JSON, Parquet, and data sets that the library `datasets` loads from the Hub.

The tokens are in `tokens`, and the tags in `tags`, `ner_tags` or `labels`, or in columns that options name. Tags are
label names, or numbers, whose names come with the data.
"""

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
import pyarrow.parquet

from ner.corpus.number_names import NAMES_REMEDY, names_of_tags, number_names
from ner.corpus.rows import COLUMNS, MULTINERD_LABELS, NUMBERS, WORDS, checked_content
from ner.corpus.sentences import list_column
from ner.corpus.sources import Source
from ner.errors import InputError, message_of, nearest

TAG_COLUMNS = ("tags", "ner_tags", "labels")
NUMBERED = COLUMNS.set(2, pa.field("tags", NUMBERS))
MULTINERD_FIELDS = pa.schema([("tokens", WORDS), ("ner_tags", NUMBERS), ("lang", pa.string())])
EXACTLY = pyarrow.json.ParseOptions(explicit_schema=MULTINERD_FIELDS, unexpected_field_behavior="error")


def columns_among(source: Source, names: Sequence[str], place: object) -> tuple[str, str]:
    """The columns of tokens and of tags among a record's. Raises `InputError` where they cannot be told."""
    for option, wanted in (("token_column", source.token_column), ("tag_column", source.tag_column)):
        if wanted is not None and wanted not in names:
            raise InputError(f"--{option}: found {wanted!r}; {place} has {', '.join(names)}{nearest(wanted, names)}")
    tokens = [source.token_column or "tokens"] if source.token_column or "tokens" in names else []
    tags = [source.tag_column] if source.tag_column else [name for name in TAG_COLUMNS if name in names]
    one_of = f"exactly one of {', '.join(TAG_COLUMNS)}"
    for option, found, usual in (("token_column", tokens, "tokens"), ("tag_column", tags, one_of)):
        if len(found) != 1:
            raise InputError(
                f"{place}: found {', '.join(names) or 'no keys'}; expected {usual} among them; name the column: "
                f"--{option}"
            )
    return tokens[0], tags[0]


def multinerd_table(path: Path, source: Source) -> pa.Table | None:
    """The sentences of JSON in MultiNERD's form: lines with `tokens`, `ner_tags` (numbers) and perhaps `lang`, no more.

    None if any line is different: `record_table` then reads the file, or says what is wrong. Arrow is several times as
    fast. Raises `InputError` for a number that has no name, and if the file is not UTF-8.
    """
    content = checked_content(path)
    starts = [line.lstrip()[:1] for line in io.BytesIO(content)]
    numbers = [number for number, start in enumerate(starts, 1) if start]
    if set(starts) - {b"", b"{"}:  # at a null, Arrow crashes, and it ignores where lines end
        return None
    try:
        whole = pyarrow.json.ReadOptions(use_threads=False, block_size=len(content) + 1)
        table = pyarrow.json.read_json(pa.BufferReader(content), whole, EXACTLY)
    except (ValueError, OverflowError):  # OverflowError: from 2 GiB
        return None
    tokens, tags, lang = (table[name].combine_chunks() for name in MULTINERD_FIELDS.names)
    has_null = any(column.null_count for column in (tokens, tags, tokens.flatten(), tags.flatten()))
    if has_null or len(table) != len(numbers):
        return None
    line, document = list_column(pa.array(numbers), np.ones(len(numbers))), pa.nulls(len(table), pa.int64())
    table = pa.table([line, tokens, tags, lang, document], NUMBERED)
    return with_label_names(path, "ner_tags", table, source, None, {})


def parquet_table(path: Path, source: Source) -> tuple[str, pa.Table]:
    """How a Parquet file is read, and its sentences. The names of numbers are those that the library `datasets` wrote
    into it, or else in a file.

    Raises `InputError`, with the row, counted from 1, for a wrong one.
    """
    try:
        table = pyarrow.parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: cannot be read as Parquet: {message_of(error, 200)}; is it complete?") from None
    features = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
    return record_table(path, "Parquet", rows_of(table), source, features)


def rows_of(table: pa.Table) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of an Arrow table, counted from 1."""
    rows = (row for batch in table.to_batches(max_chunksize=10_000) for row in batch.to_pylist())
    return enumerate(rows, 1)


def record_table(
    place: Path, form: str, numbered: Iterable[tuple[int, Any]], source: Source, features: Any = None
) -> tuple[str, pa.Table]:
    """How records were read, and their sentences. `features` describe their columns, as the library `datasets` does.

    Raises `InputError`, with the number of the record, for a wrong one.
    """
    rows: list[dict[str, Any]] = []
    keys: dict[str, int] = {}  # and the first line that has each
    chosen = ("", "")
    kind: set[type] = set()
    for line, record in numbered:
        if not isinstance(record, dict):
            raise InputError(f"{place}:{line}: found no JSON object; expected tokens and tags; fix the record")
        if not rows or record.keys() - keys:  # with further columns, which of them has the tags may be unclear
            found = columns_among(source, list(record), f"{place}:{line}")
            chosen = chosen if rows else found
            keys = dict.fromkeys(record, line) | keys
        tokens, tags, lang = (record.get(name) for name in (*chosen, "lang"))
        kinds = {type(tag) for tag in tags} if isinstance(tags, list) else {type(None)}
        are_numbers = kinds <= {int} and all(abs(tag) < 2**31 for tag in tags or ())  # what Arrow can hold
        if not is_words(tokens) or not (are_numbers or is_words(tags)):
            raise InputError(
                f"{place}:{line}: expected lists, of strings in {chosen[0]}, and of label names or of numbers in "
                f"{chosen[1]}; fix the record, or name other columns: --token_column and --tag_column"
            )
        if kinds and kind and kinds != kind:
            raise InputError(f"{place}:{line}: found both numbers and label names as tags; expected one of them")
        if form == "JSON" and lang is not None and not is_words([lang]):
            raise InputError(
                f"{place}:{line}: found {lang!r} in lang; expected a language code; correct it or leave it out"
            )
        kind = kind or kinds
        rows.append({"line": [line], "tokens": tokens, "tags": tags, "lang": lang if is_words([lang]) else None})
    form = f"{form} with {chosen[0]} and {chosen[1]}"
    if kind != {int}:
        return form, pa.Table.from_pylist(rows, COLUMNS)
    return form, with_label_names(place, chosen[1], pa.Table.from_pylist(rows, NUMBERED), source, features, keys)


def with_label_names(
    place: Path, column: str, table: pa.Table, source: Source, features: Any, keys: dict[str, int]
) -> pa.Table:
    """A table whose tags are the numbers of a `column`, with their names instead: those in `features`, or else in a
    file beside the data, or else MultiNERD's, which are dictionary-encoded.

    Raises `InputError` for a number that has no name, and for one that may not be MultiNERD's, because the records have
    other `keys`, whose values are lines.
    """
    names = next(names_of_tags(features, column), None) or number_names((place.parent, source.home), column)
    others = sorted(keys.keys() - set(MULTINERD_FIELDS.names), key=lambda key: (keys[key], key))
    if names is None and others:
        raise InputError(
            f"{place}:{keys[others[0]]}: found numbers in {column} and the key {others[0]!r}, which MultiNERD does not "
            f"have, so they may mean other labels than MultiNERD's; expected their names; {NAMES_REMEDY}"
        )
    numbers, lengths = pc.list_flatten(table["tags"]).to_numpy(), pc.list_value_length(table["tags"]).to_numpy()
    known = pa.array(MULTINERD_LABELS if names is None else names, pa.string())
    if len(wrong := np.flatnonzero((numbers < 0) | (numbers >= len(known)))):
        line = table["line"][np.searchsorted(np.cumsum(lengths), wrong[0], side="right")][0]
        own = f"MultiNERD's numbers; correct the record, or {NAMES_REMEDY}"
        whose = own if names is None else "those of the label names with the data; correct the record or the names"
        raise InputError(f"{place}:{line}: unknown tag {numbers[wrong[0]]}; expected 0 to {len(known) - 1}, {whose}")
    flat = pa.DictionaryArray.from_arrays(pa.array(numbers.astype(np.int32)), known)
    return table.set_column(2, "tags", list_column(flat if names is None else flat.dictionary_decode(), lengths))


def is_words(value: Any) -> bool:
    """Whether a value is a list of strings that UTF-8 can hold: JSON allows half a surrogate pair."""
    with suppress(TypeError, UnicodeEncodeError):
        "".join(value).encode()
        return isinstance(value, list)
    return False
