"""The parts of a report, and their Markdown.

A part is a dictionary of plain text. Its `element` is `h2`, `p`, `lead` (a paragraph of the finding), `table` or
`picture`. Whoever renders a part escapes its text.
"""

from pathlib import Path
from typing import Any

from ner.markdown import escape
from ner.report.drawings import Node
from ner.report.findings import ISOLATES

Part = dict[str, Any]
EMPTY = "\u2013"  # a table cell without a value, as the F1 of a class without gold entities


def heading(text: str) -> Part:
    """A heading of the second level."""
    return {"element": "h2", "text": text}


def paragraph(text: str) -> Part:
    """A paragraph."""
    return {"element": "p", "text": text}


def lead(text: str) -> Part:
    """A paragraph of the finding, which is set larger."""
    return {"element": "lead", "text": text}


def data_table(title: str, head: list[str], rows: list[list[Any]], words: tuple[int, ...] = ()) -> Part:
    """A table whose first column names its rows; `words` are the other columns that hold words, not numbers."""
    return {"element": "table", "title": title, "head": head, "rows": rows, "words": list(words)}


def with_commas(rows: list[list[Any]]) -> list[list[Any]]:
    """The rows of a table with its integers as in `1,234`."""
    return [[f"{value:,}" if isinstance(value, int) else value for value in row] for row in rows]


def picture(title: str, path: Path, drawing: Node) -> Part:
    """A drawing for the page, and the file that shows it in Markdown."""
    return {"element": "picture", "title": title, "path": path, "drawing": drawing}


def report_markdown(parts: list[Part]) -> str:
    """The report in Markdown; pictures are named relative to the report's folder."""
    blocks = ["# Comparison of runs"]
    for part in parts:
        match part["element"]:
            case "h2":
                blocks.append(f"## {escape(part['text'])}")
            case "p":
                blocks.append(escape_prose(part["text"]))
            case "lead":
                blocks.append(f"**{escape_prose(part['text'])}**")
            case "picture":
                blocks.append(f"![{escape(part['title'])}]({part['path'].name})")
            case "table":
                blocks += [f"**{escape(part['title'])}**", table_markdown(part)]
    return "\n\n".join(blocks) + "\n"


def escape_prose(text: str) -> str:
    """A sentence for Markdown, without the marks around names that only the page needs."""
    return escape(text.translate(dict.fromkeys(map(ord, ISOLATES))))


def table_markdown(part: Part) -> str:
    """The lines of a table; numbers are aligned to the right."""
    alignments = ["---" if i in (0, *part["words"]) else "--:" for i in range(len(part["head"]))]
    head, *rows = ([escape(value) for value in row] for row in (part["head"], *part["rows"]))
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, alignments, *rows))
