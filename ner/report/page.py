"""The report as Markdown, and as one self-contained page with the test sentences and their entities marked."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup
from markupsafe import escape as escape_html

from ner.markdown import escape
from ner.report.findings import ISOLATES
from ner.report.run_reader import Run
from ner.report.tables import Part
from ner.scoring.error_analysis import KINDS, Entities, Entity, errors

SENTENCE_BYTES = 12_000_000  # of the sentences on a page, which a browser then opens in a second or two
AS_JSON: dict[str, Any] = {"ensure_ascii": False, "separators": (",", ":"), "allow_nan": False}


def report_markdown(parts: list[Part]) -> str:
    """The report in Markdown; pictures are named relative to the report's folder."""
    return templates().get_template("report.md.j2").render(parts=parts)


def html_page(parts: list[Part], runs: list[Run], classes: list[str], entities: list[Entities]) -> str:
    """The page: the parts of a report in their order, then the sentences with the `entities` of each run.

    All text of the sentences is in one block of JSON. The page makes text nodes of it.
    """
    rows = sentence_rows(runs[0].tokens, classes, entities)
    shown = fitting_rows(rows, SENTENCE_BYTES)
    data = {
        "runs": [run.name for run in runs],
        "classes": classes,
        "kinds": list(KINDS),
        "langs": [runs[0].langs[i] for i in shown],
        "sentences": [rows[i] for i in shown],
        "ids": shown,
    }
    return templates().get_template("report.html.j2").render(parts=parts, data=data, sentences=len(rows))


def templates() -> Environment:
    """The templates of both, where text from data is escaped: by `markdown` in Markdown, by itself on the page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = AS_JSON
    marks = dict.fromkeys(map(ord, ISOLATES))
    environment.filters |= {"markdown": escape, "plain": lambda text: text.translate(marks), "prose": prose}
    return environment


def prose(text: str) -> Markup:
    """A sentence for the page: names are set apart from the text around them, and no line breaks within `p = 0.05`."""
    text = re.sub(r"\bp ([=<]) ", "p\u00a0\\1\u00a0", re.sub(r"(\d) %", "\\1\u00a0%", text))
    return Markup(re.sub("{}(.*?){}".format(*ISOLATES), r"<bdi>\1</bdi>", str(escape_html(text)), flags=re.DOTALL))


def fitting_rows(rows: list[list[Any]], limit: int) -> list[int]:
    """The positions of the `sentence_rows` that take at most `limit` bytes together, in their order.

    Those with most errors over all runs come before others, and equals in a random order, the same at each call.
    """
    size = np.array([len(htmlsafe_json_dumps(row, **AS_JSON).encode()) + 1 for row in rows])
    errors_of_row = np.array([sum(map(len, row[3])) for row in rows])
    order = np.lexsort([np.random.default_rng(0).random(len(rows)), -errors_of_row])
    shown: list[int] = np.sort(order[np.cumsum(size[order]) <= limit]).tolist()
    return shown


def sentence_rows(tokens: list[list[str]], classes: list[str], entities: list[Entities]) -> list[list[Any]]:
    """For each sentence [tokens, gold entities, entities of each run, errors of each run].

    An entity is [start, end, class], an error [kind, gold entity, predicted entity]. Class, kind and entities are
    positions in their lists; -1 is no entity.
    """
    class_index, kind_index = {c: i for i, c in enumerate(classes)}, {k: i for i, k in enumerate(KINDS)}

    def entity_rows(side: list[Entity]) -> list[list[int]]:
        return [[start, end, class_index[class_name]] for start, end, class_name in side]

    def error_rows(gold: list[Entity], predicted: list[Entity]) -> list[list[int]]:
        return [
            [kind_index[kind], -1 if g is None else gold.index(g), -1 if p is None else predicted.index(p)]
            for kind, g, p in errors(gold, predicted)
        ]

    rows = []
    for i, words in enumerate(tokens):
        gold, predicted = entities[0].gold[i], [each.predicted[i] for each in entities]
        by_run = [entity_rows(side) for side in predicted]
        rows.append([words, entity_rows(gold), by_run, [error_rows(gold, side) for side in predicted]])
    return rows
