"""The predictions of a scored split."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ner.errors import InputError
from ner.files import read_as


@dataclass(frozen=True)
class Predictions:
    """The sentences of a scored split: their tokens, gold and predicted BIO tags, and languages, each [sentence]."""

    tokens: list[list[str]]
    gold: list[list[str]]
    predicted: list[list[str]]
    langs: list[str]


def read_predictions(path: Path) -> Predictions:
    """The content of a `predictions.jsonl`. Raises `InputError` where there is none, and for a line that is none."""
    if not path.exists():
        raise InputError(
            f"{path.parent}: found no {path.name}; expected the scores of a run; check its name, or score it: "
            f"python inference.py --checkpoint {shlex.quote(str(path.parents[1]))}"
        )
    rows = []
    for number, line in enumerate(read_as(path, lambda text: text.rstrip("\n").split("\n")), 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not is_scored(row):
            raise InputError(
                f"{path}:{number}: expected tokens, gold and predicted, three lists of strings of one length; score "
                "the run again"
            )
        rows.append(row)
    tokens, gold, predicted = ([row[side] for row in rows] for side in ("tokens", "gold", "predicted"))
    return Predictions(tokens, gold, predicted, [row.get("lang", "") for row in rows])


def is_scored(row: Any) -> bool:
    """Whether a row has tokens, gold and predicted tags: three lists of strings of one length."""
    match row:
        case {"tokens": list(tokens), "gold": list(gold), "predicted": list(predicted)}:
            is_text = all(isinstance(text, str) for side in (tokens, gold, predicted) for text in side)
            return is_text and len(tokens) == len(gold) == len(predicted)
    return False
