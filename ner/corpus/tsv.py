"""Reads TSV: a token a line, and an empty line between sentences."""

from collections.abc import Iterator
from pathlib import Path

from ner.corpus.rows import Row, checked_content
from ner.errors import InputError
from ner.labels import is_label


def tsv_rows(path: Path, language: str) -> Iterator[Row]:
    """The sentences of a file in MultiNERD's original form, `index TAB token TAB tag [TAB more]`, or in two columns,
    `token tag`.

    Only a newline ends a line. Raises `InputError` for a wrong one.
    """
    tokens: list[str] = []
    tags: list[str] = []
    first = 1  # the line of the sentence's first token
    for number, line in enumerate([*checked_content(path).decode().split("\n"), ""], 1):
        line = line.removesuffix("\r")
        if not line.strip(" \t"):
            if tokens:
                yield first, tokens, tags, language
            tokens, tags = [], []
            continue
        fields = line.split("\t")
        if len(fields) == 1:
            fields = line.strip(" ").split(" ")
        if fields[0] == "-DOCSTART-":
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
        if not is_label(tag.strip()):
            raise InputError(f"{path}:{number}: unknown tag {tag!r}; expected O, B-CLASS or I-CLASS; fix the line")
        if not tokens:
            first = number
        tokens.append(token)
        tags.append(tag)
