"""Reads records with tokens and tags: JSON, Parquet, and data sets that the library `datasets` loads from the Hub.

The tokens are in `tokens`, and the tags in `tags`, `ner_tags` or `labels`, or in columns that options name. Tags are
label names, or numbers, whose names come with the data.
"""

import io
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
import pyarrow.parquet

from ner.corpus.annotation_tools import records
from ner.corpus.rows import COLUMNS, MULTINERD_LABELS, NUMBERS, WORDS, checked_content
from ner.corpus.sentences import list_column
from ner.corpus.sources import Source
from ner.errors import InputError, message_of

log = logging.getLogger("ner")
TAG_COLUMNS = ("tags", "ner_tags", "labels")
MULTINERD_KEYS = ("tokens", "ner_tags", "lang")
NAMES_REMEDY = "write the label names, one a line in the order of their numbers, to labels.txt in the data set's folder"


def columns_among(source: Source, names: Sequence[str], place: object) -> tuple[str, str]:
    """The columns of tokens and of tags among a record's. Raises `InputError` where they cannot be told."""
    tokens, wanted = source.token_column or "tokens", [source.tag_column] if source.tag_column else TAG_COLUMNS
    tags = [name for name in wanted if name in names]
    if tokens not in names or len(tags) != 1:
        raise InputError(
            f"{place}: found {', '.join(names) or 'no keys'}; expected {tokens}, and exactly one of "
            f"{', '.join(wanted)}; name the columns: --token_column and --tag_column"
        )
    return tokens, tags[0]


def json_table(path: Path, content: bytes, source: Source) -> tuple[str, pa.Table]:
    """How JSON is read, and the sentences in its `json_lines`, the `content`.

    The first record shows the keys. Raises `InputError`, with the line, or the number of the record in a list, for a
    wrong one.
    """
    lines = [number for number, line in enumerate(io.BytesIO(content), 1) if line.strip()]
    if not lines:
        return "JSON", COLUMNS.empty_table()
    keys = list(next(records(path, content))[1])
    token_column, tag_column = columns_among(source, keys, f"{path}:{lines[0]}")
    tags: Any = next((record[tag_column] for _, record in records(path, content) if record.get(tag_column)), [])
    kind = NUMBERS if isinstance(tags, list) and tags and isinstance(tags[0], int) else WORDS
    read = pa.schema([(token_column, WORDS), (tag_column, kind), ("lang", pa.string())])
    try:
        table = pyarrow.json.read_json(
            pa.BufferReader(content),
            pyarrow.json.ReadOptions(use_threads=False, block_size=min(len(content) + 1, 2**30)),
            pyarrow.json.ParseOptions(explicit_schema=read, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowInvalid as error:
        found, _, row = str(error).partition(" in row ")
        raise InputError(
            f"{path}{f':{lines[int(row)]}' if row else ''}: {found}; expected a record with lists, of strings in "
            f"{token_column}, and of label names or of numbers in {tag_column}; fix the record, or name other columns: "
            "--token_column and --tag_column"
        ) from None
    if len(table) != len(lines):
        raise InputError(f"{path}: found {len(table)} records in {len(lines)} lines; expected one in each line")
    return record_table(path, "JSON", table, source, keys, lines)


def parquet_table(path: Path, source: Source) -> tuple[str, pa.Table]:
    """How a Parquet file is read, and its sentences.

    Raises `InputError`, with the row, counted from 1, for a wrong one.
    """
    try:
        table = pyarrow.parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: cannot be read as Parquet: {message_of(error, 200)}; is it complete?") from None
    return record_table(path, "Parquet", table, source, table.column_names, range(1, len(table) + 1))


def record_table(
    place: Path, form: str, table: pa.Table, source: Source, keys: Sequence[str], lines: Sequence[int]
) -> tuple[str, pa.Table]:
    """How records with some `keys` were read, and their sentences. `lines` are those of the rows.

    Raises `InputError`, with the line, for a wrong record, and for numbers without names that may not be MultiNERD's,
    because the records have other keys.
    """
    token_column, tag_column = columns_among(source, keys, place)
    tokens, tags = (lists_in(place, table, name, lines) for name in (token_column, tag_column))
    if tags.type == NUMBERS:
        names = names_within(table.schema, tag_column) or names_beside((place.parent, source.home))
        others = [key for key in keys if key not in MULTINERD_KEYS]
        if names is None and others:
            raise InputError(
                f"{place}: found numbers in {tag_column} and the key {others[0]!r}, which MultiNERD does not have, so "
                f"they may mean other labels than MultiNERD's; expected their names; {NAMES_REMEDY}"
            )
        tags = named(place, tags, lines, names)
    lang = table["lang"] if "lang" in table.column_names else pa.nulls(len(table), pa.string())
    try:
        lang = lang.cast(pa.string())
    except pa.ArrowException:
        raise InputError(f"{place}: found {lang.type} in lang; expected text; rename the column") from None
    columns = {
        "line": list_column(np.array(lines), np.ones(len(table))),
        "tokens": tokens.cast(WORDS),
        "tags": tags,
        "lang": lang,
        "document": pa.nulls(len(table), pa.int64()),
    }
    return f"{form} with {token_column} and {tag_column}", pa.table(columns)


def lists_in(place: Path, table: pa.Table, name: str, lines: Sequence[int]) -> pa.ListArray:
    """A column as lists of numbers if it has these, else of words. Raises `InputError` where it has no lists."""
    column = table[name].combine_chunks()
    try:
        column = column.cast(NUMBERS if pa.types.is_integer(column.type.value_type) else WORDS)
    except (pa.ArrowException, AttributeError):
        raise InputError(
            f"{place}: found {column.type} in {name}; expected lists of words and of tags; name other columns: "
            "--token_column and --tag_column"
        ) from None
    within = pc.list_parent_indices(column).filter(column.flatten().is_null())
    if nulls := [*np.flatnonzero(column.is_null()), *within.to_pylist()]:
        raise InputError(
            f"{place}:{lines[min(nulls)]}: found null instead of a list, or within one, in {name}; fix the record"
        )
    return column


def names_within(schema: pa.Schema, column: str) -> Sequence[str] | None:
    """The label names that the library `datasets` wrote into the schema of a table, or None."""
    about = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    feature = about.get("info", {}).get("features", {}).get(column)
    while feature and "names" not in feature:  # a list has been described in several ways
        feature = feature[0] if isinstance(feature, list) else feature.get("feature")
    return feature and feature["names"]


def names_beside(folders: Sequence[Path]) -> Sequence[str] | None:
    """The lines of `labels.txt` in the first of the folders that has one, or None; logs which file it is."""
    for path in (folder / "labels.txt" for folder in folders):
        if path.is_file():
            names = [line.strip() for line in checked_content(path).decode().rstrip().split("\n")]
            if twice := [name for i, name in enumerate(names) if name in names[:i]]:
                raise InputError(f"{path}: found {twice[0]!r} twice; expected a name for each number; fix the file")
            log.info("tags: numbers mean the %d label names in %s", len(names), path)
            return names
    return None


def named(place: Path, tags: pa.ListArray, lines: Sequence[int], names: Sequence[str] | None) -> pa.ListArray:
    """Lists of numbers as their names, or where these are None as MultiNERD's.

    The latter are dictionary-encoded: by that, `read_whole` tells them from names. Raises `InputError` for a number
    without a name.
    """
    numbers, lengths = tags.flatten().to_numpy(), tags.value_lengths().to_numpy()
    known = pa.array(names or MULTINERD_LABELS, pa.string())
    if len(wrong := np.flatnonzero((numbers < 0) | (numbers >= len(known)))):
        line = lines[np.searchsorted(np.cumsum(lengths), wrong[0], side="right")]
        own = f"MultiNERD's numbers; correct the record, or {NAMES_REMEDY}"
        whose = "those of the label names with the data; correct the record or the names" if names else own
        raise InputError(f"{place}:{line}: unknown tag {numbers[wrong[0]]}; expected 0 to {len(known) - 1}, {whose}")
    flat = pa.DictionaryArray.from_arrays(pa.array(numbers.astype(np.int32)), known)
    return list_column(flat.dictionary_decode() if names else flat, lengths)
