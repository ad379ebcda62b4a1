"""Reads a token a line, in columns that tabs or spaces separate, with an empty line between sentences: CoNLL's form."""

import logging
import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import pyarrow as pa

from ner.corpus.rows import COLUMNS, checked_content
from ner.corpus.schemes import prefix_and_class
from ner.errors import InputError

log = logging.getLogger("ner")
DOCUMENT = "-DOCSTART-"
NUMBER = re.compile(r"\d+([-.]\d+)?")  # also 1-2 and 1.1, as CoNLL-U has them between its indices


@dataclass(frozen=True)
class Form:
    """The columns of a file: how many, whether tabs separate them, and which have token and tag, counted from 0.

    `indexed` means that the first one numbers the tokens of a sentence and that any number of columns may follow the
    tag, as in MultiNERD's original release; `chosen`, that an option names the tag's column.
    """

    count: int
    tabs: bool
    indexed: bool
    token: int
    tag: int
    chosen: bool

    def __str__(self) -> str:
        between, index = "tabs" if self.tabs else "spaces", " after an index" if self.indexed else ""
        return f"columns between {between}{index}: token {self.token + 1}, tag {self.tag + 1} of {self.count}"


def columns_of(line: str, tabs: bool) -> list[str]:
    """The columns of a line. Only tabs and the space end a column: a token may contain other white space."""
    return line.split("\t") if tabs else re.split("[ \t]+", line.strip(" \t"))


def form_of(path: Path, lines: list[str], token_column: str | None, tag_column: str | None) -> Form:
    """The form of a file, judged by its first sentence; the options count columns from 1.

    Raises `InputError` for a first sentence that has no such form, and for an option that names no column.
    """
    tokens = (line for line in lines if line.strip(" \t") and not line.startswith(("#", DOCUMENT)))
    line = next(tokens, "")
    tabs = "\t" in line
    count = len(columns_of(line, tabs)) if line else 0
    place = lines.index(line) if line else 0
    if count == 1:
        raise InputError(
            f"{path}:{place + 1}: found 1 column; expected a token and its tag, with a tab or spaces between them, in "
            "each line, and an empty line between sentences; fix the file"
        )
    sentence = takewhile(lambda line: line.strip(" \t"), lines[place:])
    numbers = [columns_of(line, tabs)[0] for line in sentence if not line.startswith("#")]
    first = int(numbers[0] == "1") if numbers else 0
    indexed = count >= 3 and token_column != "1" and numbers == [str(n) for n in range(first, first + len(numbers))]
    if count >= 3 and not indexed and token_column is None and len(numbers) > 1 and all(map(NUMBER.fullmatch, numbers)):
        raise InputError(
            f"{path}:{place + 1}: found {' '.join(numbers[:5])} in the first column; expected the tokens, or an index "
            "that counts the tokens of a sentence from 0 or 1; name the column of the tokens: --token_column"
        )
    chosen = []
    for option, column in (("token_column", token_column), ("tag_column", tag_column)):
        if column is not None and count and not (column.isdecimal() and 1 <= int(column) <= count):
            raise InputError(f"--{option}: found {column!r}; expected a number from 1 to {count}, a column of {path}")
        chosen.append(None if column is None else int(column) - 1)
    token, tag = chosen
    token = int(indexed) if token is None else token
    return Form(count, tabs, indexed, token, (2 if indexed else count - 1) if tag is None else tag, tag is not None)


def column_table(path: Path, token_column: str | None = None, tag_column: str | None = None) -> tuple[str, pa.Table]:
    """How a file is read, and its sentences. The first column has the token and the last one the tag.

    If the tokens of the first sentence are numbered from 0 or 1, as in MultiNERD's original release, the token is in
    the second column and the tag in the third. Options name other columns. `-DOCSTART-` and the comment `# newdoc`
    begin a document. Only a newline ends a line. Raises `InputError` for a wrong line, and for a second column of tags
    after an index.
    """
    lines = [line.removesuffix("\r") for line in checked_content(path).decode().split("\n")]
    if len(lines) == 1 and "\r" in lines[0]:
        raise InputError(f"{path}: found lines that end in CR alone; expected LF or CR LF; convert the file")
    form = form_of(path, lines, token_column, tag_column)
    return str(form), table_of(path, lines, form)


def table_of(path: Path, lines: list[str], form: Form) -> pa.Table:
    """The sentences of a file's lines. Logs the number of lines that are skipped, or read in part."""
    rows: list[dict[str, Any]] = []
    between = True  # the sentences
    document = -1
    seen: set[str] = set()  # tags
    uneven: list[int] = []  # the lines with another number of columns after the tag
    comments: list[int] = []
    for number, line in enumerate(lines, 1):
        columns = columns_of(line, form.tabs)
        is_mark = DOCUMENT in line.split()[:2]  # with spaces after it, even where tabs separate columns
        if not line.strip(" \t") or is_mark:
            between = True
            document += is_mark
            continue
        if line.startswith("#") and not is_token(columns, form, seen):
            comments.append(number)
            document += line.split()[1:2] == ["newdoc"]
            continue
        require_columns(f"{path}:{number}", columns, form)
        token, tag, more = columns[form.token], columns[form.tag], columns[form.tag + 1 :]
        seen.add(tag)
        if form.indexed:
            if not form.chosen and not seen.isdisjoint(more):
                raise InputError(
                    f"{path}:{number}: found a tag in another column too: {' '.join(more)!r}; expected one tag for "
                    f"each token, since entities cannot be nested; name the column to read: --tag_column {form.tag + 1}"
                )
            if len(columns) != form.count:
                uneven.append(number)
        if between:
            rows.append({"line": [], "tokens": [], "tags": [], "document": document})
            between = False
        rows[-1]["line"].append(number)
        rows[-1]["tokens"].append(token)
        rows[-1]["tags"].append(tag)
    for numbers, what in ((uneven, "has another number of columns after the tag; they are not read"),
                          (comments, "begins with # and is skipped as a comment")):  # fmt: skip
        if numbers:
            log.info("%s:%d: this line %s (%d such lines)", path, numbers[0], what, len(numbers))
    return pa.Table.from_pylist(rows, COLUMNS)


def is_token(columns: list[str], form: Form, seen: set[str]) -> bool:
    """Whether a line that begins with # has a token: as many columns as the others, and a tag."""
    if len(columns) != form.count:
        return False
    tag = columns[form.tag]
    return tag in seen or prefix_and_class(tag, "bio")[0] != ""


def require_columns(place: str, columns: list[str], form: Form) -> None:
    """Raises `InputError` unless a line has the columns of its file: all, or those up to the tag after an index."""
    least = max(form.token, form.tag)
    is_right = len(columns) > least and columns[0].isdecimal() if form.indexed else len(columns) == form.count
    if not is_right:
        wanted = "the index, the token and the tag" if form.indexed else "the same number"
        begin = f" that begin with {columns[0]!r}" if form.indexed else ""
        other = ", or if the first column has the tokens, name it: --token_column 1" if form.indexed else ""
        raise InputError(
            f"{place}: found {len(columns)} columns{begin}, and {form.count} in the first line with a token; expected "
            f"{wanted} in every line, with {'tabs' if form.tabs else 'spaces'} between them; fix the line{other}"
        )
