"""The report as one self-contained HTML file: tables, pictures, and the test sentences with their entities marked."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ner.report.run_reader import Run
from ner.report.text import Part
from ner.scoring.error_analysis import KINDS, Entities, Entity, errors

TEMPLATES = Path(__file__).parent / "templates"
SENTENCE_BYTES = 12_000_000  # of the sentences on a page, which a browser then opens in a second or two


def html_page(parts: list[Part], runs: list[Run], classes: list[str], entities: list[Entities]) -> str:
    """The page: the parts of a report in their order, then the sentences with the `entities` of each run.

    All text from data is in one block of JSON. The page makes text nodes of it.
    """
    rows = sentence_rows(runs[0].tokens, classes, entities)
    shown = fitting_rows(rows, SENTENCE_BYTES)
    content = {
        "parts": [{key: value for key, value in part.items() if key != "path"} for part in parts],
        "runs": [run.name for run in runs],
        "classes": classes,
        "kinds": list(KINDS),
        "langs": [runs[0].langs[i] for i in shown],
        "sentences": [rows[i] for i in shown],
        "ids": shown,
        "limit": limit_text(len(shown), len(rows)),
    }
    page = (TEMPLATES / "report.html").read_text(encoding="utf-8")
    for place, files in (("@@STYLE@@", ("report.css", "drawing.css")), ("@@SCRIPT@@", ("report.js",))):
        page = page.replace(place, "".join((TEMPLATES / file).read_text(encoding="utf-8") for file in files))
    return page.replace("@@DATA@@", json_in_page(content))


def json_in_page(value: Any) -> str:
    """A value as JSON in which no HTML tag can begin."""
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        data = data.replace(character, f"\\u{ord(character):04x}")
    return data


def fitting_rows(rows: list[list[Any]], limit: int) -> list[int]:
    """The positions of the `sentence_rows` that take at most `limit` bytes together, in their order.

    Those with most errors over all runs come before others, and equals in a random order, the same at each call.
    """
    size = np.array([len(json_in_page(row).encode()) + 1 for row in rows])
    errors_of_row = np.array([sum(map(len, row[3])) for row in rows])
    order = np.lexsort([np.random.default_rng(0).random(len(rows)), -errors_of_row])
    shown: list[int] = np.sort(order[np.cumsum(size[order]) <= limit]).tolist()
    return shown


def limit_text(shown: int, sentences: int) -> str:
    """Which sentences the page has; empty if it has all of them."""
    if shown == sentences:
        return ""
    return (
        f"To stay small, this page has {shown:,} of the {sentences:,} sentences: those with most errors over all runs, "
        "and a random part of those with equally many. The tables are about all sentences."
    )


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
