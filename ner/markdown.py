"""Markdown: text from data and options in it, tables, and templates of pages."""

import re
from collections.abc import Iterable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from ner.errors import on_one_line


def escape(value: object) -> str:
    """A value as one line of Markdown text, so that neither Markdown nor HTML takes it for markup.

    What cannot begin markup stays as it is: an underscore within a word, and `<` or `&` before a space.
    """
    text = on_one_line(str(value))
    text = re.sub(r"&(?=[#\w])", "&amp;", text)
    text = re.sub(r"<(?=[a-zA-Z/!?])", "&lt;", text).replace(">", "&gt;")
    return re.sub(r"[\\`*\[\]|#]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)


def table(rows: Iterable[Iterable[object]]) -> str:
    """Rows of text as a table: the first names the columns, and the first column names the others."""
    head, *others = (list(map(escape, row)) for row in rows)
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *others]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def templates(folder: Path) -> Environment:
    """The Jinja templates in a folder. Those of Markdown have the filters `md` and `table`; those of HTML escape all
    text by themselves."""
    found = Environment(
        loader=FileSystemLoader(folder), autoescape=select_autoescape(["html.j2"]), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    found.filters |= {"md": escape, "table": table}
    return found
