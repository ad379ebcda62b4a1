"""The report as Markdown, and as one self-contained page with the test sentences and their entities marked."""

from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from ner.errors import printable
from ner.markdown import escape
from ner.report.run_reader import Run
from ner.report.tables import Part
from ner.scoring.error_analysis import KINDS, Entities, Entity

MAX_SENTENCES = 20_000  # of a page, which a browser then opens in a second or two


def report_markdown(parts: list[Part]) -> str:
    """The report in Markdown; pictures are named relative to the report's folder."""
    return templates().get_template("report.md.j2").render(parts=parts)


def html_page(parts: list[Part], runs: list[Run], classes: list[str], entities: list[Entities]) -> str:
    """The page: the parts of a report in their order, then the sentences with the `entities` of each run.

    All text of the sentences is in one block of JSON. The page makes text nodes of it. If there are very
    many, it has those with the most errors over all runs, and ties are broken at random.
    """
    count = len(runs[0].tokens)
    wrong = np.array([sum(len(each.errors[i]) for each in entities) for i in range(count)])
    order = np.lexsort([np.random.default_rng(0).random(count), -wrong])
    shown = np.sort(order[:MAX_SENTENCES]).tolist()
    data = {
        "runs": [run.name for run in runs],
        "classes": classes,
        "kinds": list(KINDS),
        "sentences": [sentence_row(i, runs[0], classes, entities) for i in shown],
    }
    return templates().get_template("report.html.j2").render(parts=parts, data=data, sentences=count)


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
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":"), "allow_nan": False}
    environment.filters |= {"markdown": escape, "printable": printable}
    return environment


def sentence_row(i: int, run: Run, classes: list[str], entities: list[Entities]) -> list[Any]:
    """The sentence `i` as [tokens, gold entities, entities of each run, errors of each run, id, language].

    An entity is [start, end, class], an error [kind, gold entity, predicted entity]. Class, kind and entities are
    positions in their lists; -1 is no entity.
    """

    def rows(side: list[Entity]) -> list[list[int]]:
        return [[start, end, classes.index(class_name)] for start, end, class_name in side]

    gold = entities[0].gold[i]
    wrong = [
        [
            [KINDS.index(kind), gold.index(g) if g else -1, each.predicted[i].index(p) if p else -1]
            for kind, g, p in each.errors[i]
        ]
        for each in entities
    ]
    return [run.tokens[i], rows(gold), [rows(each.predicted[i]) for each in entities], wrong, i, run.langs[i]]
