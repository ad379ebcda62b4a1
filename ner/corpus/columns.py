"""Reads a token a line, in columns that tabs or spaces separate, with an empty line between sentences: CoNLL's form."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ner.corpus.rows import COLUMNS, checked_content
from ner.corpus.schemes import prefix_and_class
from ner.errors import InputError

DOCUMENT = "-DOCSTART-"


@dataclass(frozen=True)
class Form:
    """The columns of a file: how many, whether tabs separate them, and which have token and tag, counted from 0.

    `indexed` means that the first one numbers the tokens of a sentence and that any number of columns may follow the
    tag, as in MultiNERD's original release.
    """

    count: int
    tabs: bool
    indexed: bool
    token: int
    tag: int

    def __str__(self) -> str:
        between, index = "tabs" if self.tabs else "spaces", " after an index" if self.indexed else ""
        return f"columns between {between}{index}: token {self.token + 1}, tag {self.tag + 1} of {self.count}"


def columns_of(line: str, tabs: bool) -> list[str]:
    """The columns of a line. Only tabs and the space end a column: a token may contain other white space."""
    return line.split("\t") if tabs else re.split("[ \t]+", line.strip(" \t"))


def form_of(path: Path, lines: list[str], token_column: str | None, tag_column: str | None) -> Form:
    """The form of a file, judged by its first token; the options count columns from 1.

    Raises `InputError` for a single column, and for an option that names no column.
    """
    tokens = (line for line in lines if line.strip(" \t") and not line.startswith(("#", DOCUMENT)))
    line = next(tokens, "")
    tabs = "\t" in line
    columns = columns_of(line, tabs)
    count = len(columns)
    if line and count < 2:
        raise InputError(
            f"{path}: found {line[:40]!r}; expected a token and its tag in each line, with a tab or spaces between; "
            "convert the file"
        )
    indexed = count >= 3 and token_column != "1" and columns[0].isdecimal()
    for option, column in (("token_column", token_column), ("tag_column", tag_column)):
        if column is not None and not (column.isdecimal() and 1 <= int(column) <= count):
            raise InputError(f"--{option}: found {column!r}; expected a number from 1 to {count}, a column of {path}")
    token = int(indexed) if token_column is None else int(token_column) - 1
    tag = (2 if indexed else count - 1) if tag_column is None else int(tag_column) - 1
    return Form(count, tabs, indexed, token, tag)


def column_table(path: Path, token_column: str | None = None, tag_column: str | None = None) -> tuple[str, pa.Table]:
    """How a file is read, and its sentences. The first column has the token and the last one the tag.

    If the first column of the first token is a number, the tokens of each sentence are numbered, as in MultiNERD's
    original release: then the token is in the second column and the tag in the third. Options name other columns.
    `-DOCSTART-` and the comment `# newdoc` begin a document. Only a newline ends a line. Raises `InputError` for a
    wrong line.
    """
    lines = [line.removesuffix("\r") for line in checked_content(path).decode().split("\n")]
    form = form_of(path, lines, token_column, tag_column)
    rows: list[dict[str, Any]] = []
    between = True  # the sentences
    document = -1
    for number, line in enumerate(lines, 1):
        columns = columns_of(line, form.tabs)
        is_mark = DOCUMENT in line.split()[:2]  # with spaces after it, even where tabs separate columns
        if not line.strip(" \t") or is_mark:
            between = True
            document += is_mark
            continue
        if line.startswith("#") and not is_token(columns, form):
            document += line.split()[1:2] == ["newdoc"]
            continue
        require_columns(f"{path}:{number}", columns, form)
        if between:
            rows.append({"line": [], "tokens": [], "tags": [], "document": document})
            between = False
        rows[-1]["line"].append(number)
        rows[-1]["tokens"].append(columns[form.token])
        rows[-1]["tags"].append(columns[form.tag])
    return str(form), pa.Table.from_pylist(rows, COLUMNS)


def is_token(columns: list[str], form: Form) -> bool:
    """Whether a line that begins with # has a token: as many columns as the others and, between spaces, a tag."""
    return len(columns) == form.count and (form.tabs or prefix_and_class(columns[form.tag], "bio")[0] != "")


def require_columns(place: str, columns: list[str], form: Form) -> None:
    """Raises `InputError` unless a line has the columns of its file: all, or those up to the tag after an index."""
    least = max(form.token, form.tag) + 1
    if form.indexed and not (len(columns) >= least and columns[0].isdecimal()):
        raise InputError(
            f"{place}: found {len(columns)} columns, the first {columns[0]!r}; expected at least {least}, the first an "
            "index; fix the line, or if the first column has the tokens, name it: --token_column 1"
        )
    if not form.indexed and len(columns) != form.count:
        raise InputError(
            f"{place}: found {len(columns)} columns; expected {form.count}, as in the first line with a token, with "
            f"{'tabs' if form.tabs else 'spaces'} between them; fix the line"
        )
