"""Reads TSV: a token a line, and an empty line between sentences."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from ner.corpus.rows import checked_content
from ner.corpus.sentences import list_column
from ner.errors import InputError

log = logging.getLogger("ner")


def tsv_tables(path: Path, language: str) -> Iterator[pa.Table]:
    """The sentences of a file in MultiNERD's original form, `index TAB token TAB tag [TAB more]`, or in two columns,
    `token tag`.

    Only a newline ends a line. Raises `InputError` for a wrong one, and for a second column of tags.
    """
    tokens: list[str] = []
    tags: list[str] = []
    starts: list[int] = []  # the line of each sentence's first token
    lengths: list[int] = []
    between = True  # the sentences
    seen: set[str] = set()  # tags
    columns = 0  # of the first line with a token
    uneven: list[int] = []  # the lines with another number of columns after the tag
    marks: list[int] = []  # the lines with -DOCSTART- after an index
    for number, line in enumerate(checked_content(path).decode().split("\n"), 1):
        line = line.removesuffix("\r")
        fields = line.split("\t") if "\t" in line else line.strip(" ").split(" ")
        if not line.strip(" \t") or "-DOCSTART-" in fields[:2]:
            between = True
            if fields[1:2] == ["-DOCSTART-"]:
                marks.append(number)
            continue
        if len(fields) >= 3 and fields[0].isdecimal():
            token, tag, *more = fields[1:]
        elif len(fields) == 2:
            token, tag, *more = fields
        else:
            raise InputError(
                f"{path}:{number}: found {len(fields)} columns; expected index, token and tag, or token and tag, "
                "with tabs between them; fix the line"
            )
        seen.add(tag)
        if not seen.isdisjoint(more):
            raise InputError(
                f"{path}:{number}: found a tag in another column too: {' '.join(more)!r}; expected one tag for each "
                "token, since entities cannot be nested; remove the column"
            )
        columns = columns or len(fields)
        if len(fields) != columns:
            if 2 in (len(fields), columns):
                raise InputError(
                    f"{path}:{number}: found {len(fields)} columns, and {columns} in the lines before; expected index, "
                    "token and tag in every line, or token and tag in every line; fix the line"
                )
            uneven.append(number)
        if between:
            starts.append(number)
            lengths.append(0)
            between = False
        lengths[-1] += 1
        tokens.append(token)
        tags.append(tag)
    for lines, what in ((uneven, "has another number of columns after the tag; they are not read"),
                        (marks, "is -DOCSTART- with an index; it is skipped")):  # fmt: skip
        if lines:
            log.info("%s:%d: this line %s (%d such lines)", path, lines[0], what, len(lines))
    lists = [list_column(pa.array(column, pa.string()), np.array(lengths)) for column in (tokens, tags)]
    yield pa.table([starts, *lists, [language] * len(starts)], ["line", "tokens", "tags", "lang"])
