"""Reads TSV: a token a line, and an empty line between sentences."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from ner.corpus.rows import checked_content
from ner.corpus.sentences import list_column
from ner.errors import InputError


def tsv_tables(path: Path, language: str) -> Iterator[pa.Table]:
    """The sentences of a file in MultiNERD's original form, `index TAB token TAB tag [TAB more]`, or in two columns,
    `token tag`.

    Only a newline ends a line. Raises `InputError` for a wrong one.
    """
    tokens: list[str] = []
    tags: list[str] = []
    starts: list[int] = []  # the line of each sentence's first token
    lengths: list[int] = []
    between = True  # the sentences
    for number, line in enumerate(checked_content(path).decode().split("\n"), 1):
        line = line.removesuffix("\r")
        fields = line.split("\t") if "\t" in line else line.strip(" ").split(" ")
        if not line.strip(" \t") or fields[0] == "-DOCSTART-":
            between = True
            continue
        if len(fields) >= 3 and fields[0].isdecimal():
            token, tag = fields[1:3]
        elif len(fields) == 2:
            token, tag = fields
        else:
            raise InputError(
                f"{path}:{number}: found {len(fields)} columns; expected index, token and tag, or token and tag, "
                "with tabs between them; fix the line"
            )
        if between:
            starts.append(number)
            lengths.append(0)
            between = False
        lengths[-1] += 1
        tokens.append(token)
        tags.append(tag)
    columns = [list_column(pa.array(column, pa.string()), np.array(lengths)) for column in (tokens, tags)]
    yield pa.table([starts, *columns, [language] * len(starts)], ["line", "tokens", "tags", "lang"])
