"""Text to tag: the lines of a text, a file or standard input, or a column of a table, read a little at a time."""

import csv
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from ner.errors import InputError, message_of, nearest
from ner.files import from_json

Row = tuple[str, dict[str, Any]]  # a text, and the other columns of a table's row, as JSON can hold them
CHARACTERS = 2**22  # of rows that are tagged together: long ones must not fill the memory
LONGEST = 2**27  # characters of a CSV field: a quote that nothing closes must not take the rest of a file into memory


@contextmanager
def input_rows(text: str | None, path: str | None, text_column: str | None = None) -> Iterator[Iterator[Row]]:
    """The lines of `text`; where it is None, those of the file at `path`, or for `-` of standard input. With a
    `text_column`, the file is a table, and its rows are given. Raises `InputError` for what cannot be read so.
    """
    if text is not None:
        yield lines(io.StringIO(text or "\n", newline="\n"))
    elif path == "-":
        yield lines(decoded(sys.stdin.buffer, "standard input"))
    else:
        assert path is not None, "a text or a file is given"
        with open(path, "rb") as file:
            yield lines(decoded(file, path)) if text_column is None else table_rows(file, path, text_column)


def row_count(text: str | None, path: str | None, text_column: str | None = None) -> int | None:
    """How many rows a file has; None for text and streams.

    Since this reads all of it, a mistake in the file shows before the time that tagging takes.
    """
    if path is None or path == "-" or not os.path.isfile(path) or path.startswith(("/dev/std", "/dev/fd/")):
        return None
    with input_rows(text, path, text_column) as rows:
        return sum(1 for _ in rows)


def groups_of(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    """The rows in lists of `size`, or of fewer that have CHARACTERS together."""
    group: list[Row] = []
    characters = 0
    for row in rows:
        group.append(row)
        characters += len(row[0])
        if len(group) == size or characters >= CHARACTERS:
            yield group
            group, characters = [], 0
    yield group


def lines(content: Iterable[str]) -> Iterator[Row]:
    r"""Lines without their `\n` or `\r\n`; nothing else ends a line."""
    for line in content:
        yield line[:-2] if line.endswith("\r\n") else line.removesuffix("\n"), {}


def decoded(content: Iterable[bytes], place: str) -> Iterator[str]:
    """UTF-8 lines as they are, without a byte order mark. Raises `InputError`, naming the line."""
    for number, line in enumerate(content, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise InputError(f"{place}:{number}: found bytes that are not UTF-8; expected UTF-8; convert it") from None


def table_rows(file: BinaryIO, path: str, text_column: str) -> Iterator[Row]:
    """The rows of a table in a format of `TABLES`; a null text is an empty one.

    Raises `InputError`, naming the line (of Parquet, the row), for what cannot be read and a text that is no string.
    """
    for place, row in TABLES[Path(path).suffix.lower()](file, path, text_column):
        text = row.pop(text_column)
        if text is None:
            text = ""
        if not isinstance(text, str):
            raise InputError(
                f"{place}: found {text!r:.60} in the column {text_column!r}; expected text, or null; correct it, or "
                "name another column with --text_column"
            )
        yield text, row


def csv_rows(file: BinaryIO, path: str, text_column: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The place where it ends, and the columns, of each row of a CSV file, or with `.tsv` of one with tabs.

    Where the comma is the decimal separator, Excel separates columns by semicolons.
    """
    csv.field_size_limit(LONGEST)
    content = decoded(file, path)
    first = next(content, "")
    delimiter = "\t" if path.lower().endswith(".tsv") else ";" if ";" in first and "," not in first else ","
    rows = csv.reader(chain([first], content), delimiter=delimiter, strict=True)
    try:
        names = next(rows, [])
        require_columns(f"{path}:1", names, text_column)
        for fields in filter(None, rows):  # an empty line has none
            place = f"{path}:{rows.line_num}"
            if len(fields) != len(names):
                raise InputError(
                    f"{place}: found {len(fields)} fields; expected {len(names)}, as in the first row; put quotes "
                    "around a field that has separators or line ends"
                )
            yield place, dict(zip(names, fields, strict=True))
    except csv.Error as error:
        raise InputError(
            f"{path}:{rows.line_num}: cannot be read: {error}; expected CSV; write quotes in a quoted field twice"
        ) from None


def jsonl_rows(file: BinaryIO, path: str, text_column: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The place and the columns of each row of a JSONL file."""
    for number, line in enumerate(decoded(file, path), 1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            row = from_json(line)
        except (ValueError, RecursionError) as error:
            found = f"found no JSON: {getattr(error, 'msg', error)}"
            raise InputError(f"{place}: {found}; expected an object in each line; correct it") from None
        if not isinstance(row, dict):
            raise InputError(f"{place}: found {line.strip():.60}; expected an object in each line; correct it")
        require_columns(place, list(row), text_column)
        yield place, row


def parquet_rows(file: BinaryIO, path: str, text_column: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The place and the columns of each row of a Parquet file; times, and other values that JSON lacks, as text."""
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        table = ParquetFile(file, buffer_size=2**16, pre_buffer=False)  # not whole row groups in memory
    except (ArrowException, OSError) as error:
        raise InputError(f"{path}: is not a complete Parquet file: {message_of(error, 200)}") from None
    require_columns(path, table.schema_arrow.names, text_column)
    rows, number = chain.from_iterable(batch.to_pylist() for batch in table.iter_batches(batch_size=256)), 0
    try:
        for number, row in enumerate(rows, 1):
            yield f"{path}:{number}", from_json(json.dumps(row, default=as_text)) | {text_column: row[text_column]}
    except (ArrowException, OSError) as error:
        raise InputError(f"{path}: cannot be read after row {number}: {message_of(error, 200)}") from None


def as_text(value: Any) -> str:
    """A value that JSON lacks: bytes, as older writers hold strings, or a time."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


TABLES = {
    ".csv": csv_rows, ".tsv": csv_rows, ".jsonl": jsonl_rows, ".ndjson": jsonl_rows, ".parquet": parquet_rows,
}  # fmt: skip


def require_columns(place: str, names: list[str], text_column: str) -> None:
    """Raises `InputError` unless the text column is there, and each column has a name of its own in tagged text."""
    if text_column not in names:
        known = f"one of {', '.join(map(repr, names)):.300}" if names else "a row with the names of the columns first"
        raise InputError(f"{place}: found no column {text_column!r}; expected {known}{nearest(text_column, names)}")
    keys = ["text" if name == text_column else name for name in names] + ["entities"]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InputError(
            f"{place}: tagged text would have the key {twice!r} twice; expected distinct names of columns, and none "
            "called `entities`, or `text` unless it is --text_column; rename one"
        )
