"""A report's parts, and their Markdown.

A part is a dictionary of plain text: `h2`, `p`, `lead` (a paragraph of the finding), `table` or `picture`. Whoever
renders it escapes it.
"""

from pathlib import Path
from typing import Any

from ner.errors import printable
from ner.report.findings import ISOLATES

Part = dict[str, Any]


def heading(text: str) -> Part:
    return {"kind": "h2", "text": text}


def paragraph(text: str) -> Part:
    return {"kind": "p", "text": text}


def data_table(title: str, head: list[str], rows: list[list[Any]], words: tuple[int, ...] = ()) -> Part:
    """A table whose first column names its rows; `words` are the other columns that hold words, not numbers."""
    return {"kind": "table", "title": title, "head": head, "rows": rows, "words": list(words)}


def picture(title: str, path: Path, drawing: list[Any]) -> Part:
    """A drawing (see drawings.py), and the file that shows it to Markdown."""
    return {"kind": "picture", "title": title, "path": path, "drawing": drawing}


def markdown(parts: list[Part]) -> str:
    """The parts for a README; pictures are named relative to the report's folder."""
    lines = ["# Comparison of runs"]
    for part in parts:
        if part["kind"] == "h2":
            lines.append(f"## {cell(part['text'])}")
        elif part["kind"] in ("p", "lead"):
            text = cell(part["text"].translate(dict.fromkeys(map(ord, ISOLATES))))
            lines.append(f"**{text}**" if part["kind"] == "lead" else text)
        elif part["kind"] == "picture":
            lines.append(f"![{cell(part['title'])}]({part['path'].name})")
        else:
            numeric = ["---" if i in (0, *part["words"]) else "--:" for i in range(len(part["head"]))]
            rows = ["| " + " | ".join(cell(v) for v in row) + " |" for row in (part["head"], *part["rows"])]
            shown = [rows[0], "| " + " | ".join(numeric) + " |", *rows[1:]]
            lines += [f"**{cell(part['title'])}**", "\n".join(shown)]
    return "\n\n".join(lines) + "\n"


def cell(value: Any) -> str:
    """A value from a file, so that neither Markdown nor HTML takes it for markup."""
    text = printable(" ".join(str(value).split()))
    return "".join(f"\\{c}" if c in "\\`*|<[]" else c for c in text)
