"""The report as one self-contained HTML file: tables, pictures, and the test sentences with their entities marked."""

import json
from pathlib import Path
from typing import Any

from ner.report.run_reader import Run
from ner.report.text import Part
from ner.scoring.error_analysis import KINDS, Entities, Entity, errors

TEMPLATES = Path(__file__).parent / "templates"


def html(parts: list[Part], runs: list[Run], classes: list[str], marked: list[Entities]) -> str:
    """The page: the parts of a report in their order, then its sentences with their entities.

    All that comes from data travels as JSON in which no tag can begin, and the page makes text nodes of it.
    """
    content = {
        "parts": [embedded(part) for part in parts],
        "runs": [run.name for run in runs],
        "classes": classes,
        "kinds": list(KINDS),
        "langs": runs[0].langs,
        "sentences": sentences(runs[0].tokens, classes, marked),
    }
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        data = data.replace(character, f"\\u{ord(character):04x}")
    page = (TEMPLATES / "report.html").read_text(encoding="utf-8")
    for place, files in (("@@STYLE@@", ("report.css", "drawing.css")), ("@@SCRIPT@@", ("report.js",))):
        page = page.replace(place, "".join((TEMPLATES / file).read_text(encoding="utf-8") for file in files))
    return page.replace("@@DATA@@", data)


def sentences(tokens: list[list[str]], classes: list[str], marked: list[Entities]) -> list[list[Any]]:
    """For each sentence [tokens, gold entities, entities of each run, errors of each run], all by position."""
    index, kind_index = {c: i for i, c in enumerate(classes)}, {k: i for i, k in enumerate(KINDS)}

    def shown(entities: list[Entity]) -> list[list[int]]:
        return [[start, end, index[kind]] for start, end, kind in entities]

    rows = []
    for i, words in enumerate(tokens):
        gold, sides = marked[0].gold[i], [both.predicted[i] for both in marked]
        wrong = [
            [
                [kind_index[kind], -1 if g is None else gold.index(g), -1 if p is None else side.index(p)]
                for kind, g, p in errors(gold, side)
            ]
            for side in sides
        ]
        rows.append([words, shown(gold), [shown(side) for side in sides], wrong])
    return rows


def embedded(part: Part) -> Part:
    """The part as JSON takes it: a picture is its drawing, not its file."""
    return {k: v for k, v in part.items() if k != "path"}
