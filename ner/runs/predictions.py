"""The predictions of a scored split, and whether the scores beside them are those that they give."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ner.errors import InputError, message_of
from ner.files import optional_json, using_records
from ner.labels import classes_of, flat_ids, wrong_transitions
from ner.runs.files import METRICS, PREDICTIONS
from ner.scoring.intervals import scores_by_language
from ner.scoring.scores import Counts, cluster_ids, counts_of_tags, scores

ROUNDING = 1e-9  # what sums in another order may differ by


@dataclass(frozen=True)
class Predictions:
    """The sentences of a scored split: their tokens, gold and predicted BIO tags, and languages, each [sentence]."""

    tokens: list[list[str]]
    gold: list[list[str]]
    predicted: list[list[str]]
    langs: list[str]

    def counts(self, classes: list[str] | None = None) -> Counts:
        """The counts over some classes, while every other tag counts as `O`; or over all classes of the tags."""
        return counts_of_tags(self.gold, self.predicted, classes)


def read_predictions(path: Path) -> Predictions:
    """The content of a `predictions.jsonl`. Raises `InputError`, with the line, for anything else."""
    rows: list[tuple[list[str], list[str], list[str], str]] = []
    if not path.exists():
        raise InputError(
            f"{path.parent}: found no {path.name}; expected the scores of a run; check its name, or score it: "
            f"python inference.py --checkpoint {path.parents[1]}"
        )
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                tokens, gold, predicted, lang = row["tokens"], row["gold"], row["predicted"], row.get("lang", "")
                "".join([*tokens, *gold, *predicted, lang]).encode()  # text, and whole characters
                classes_of({*gold, *predicted})
                if not len(tokens) == len(gold) == len(predicted):
                    raise ValueError("tokens, gold and predicted differ in length")
                rows.append((tokens, gold, predicted, lang))
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        place = f"{path}:{len(rows) + 1}"
        raise InputError(f"{place}: found no predictions ({message_of(error)}); run inference.py again") from None
    if not rows:
        raise InputError(f"{path}: holds no sentence; expected at least one; score another split")
    return Predictions(*map(list, zip(*rows, strict=True)))


def checked_predictions(folder: Path) -> Predictions:
    """The `predictions.jsonl` of a folder. Raises `InputError` also where its `metrics.json` records another score."""
    found = read_predictions(folder / PREDICTIONS)
    counts, cluster = found.counts(), cluster_ids(found.tokens)
    invalid = int(wrong_transitions(*flat_ids(found.predicted, counts.classes)).sum())
    sizes = {"sentences": len(cluster), "tokens": int(counts.tokens[:, 0].sum()), "invalid_transitions": invalid}
    per_language = scores_by_language(counts, cluster, found.langs)
    computed = sizes | scores(counts) | {"per_language": per_language}
    require_equal(optional_json(folder / METRICS), computed, ROUNDING, folder / METRICS, PREDICTIONS)
    return found


def require_equal(
    recorded: dict[str, Any], computed: dict[str, Any], tolerance: float, place: Path, source: str
) -> None:
    """Raises `InputError` for the first score or count of a `metrics.json` that differs from what `source` gives now.

    `place` is the file with the `recorded` ones, from which the `computed` ones may differ by the tolerance.
    """
    with using_records(place):
        found, expected = figures(recorded), figures(computed)
        for name, value in found.items():
            other = expected.get(name, 0)
            if value is None or abs(value - other) > tolerance:
                raise InputError(
                    f"{place}: found {name} {value}, but {source} gives {other}; expected the same; the file was "
                    "changed or cut: score the run again with inference.py"
                )


def figures(metrics: dict[str, Any]) -> dict[str, Any]:
    """The scores and counts of a `metrics.json` under names such as `f1 of PER`; those that it lacks are left out."""
    counts = ("sentences", "tokens", "invalid_transitions")
    found: dict[str, Any] = {name: metrics[name] for name in counts if name in metrics}
    found |= metrics.get("overall", {})
    for class_, values in metrics.get("per_class", {}).items():
        found |= {f"{name} of {class_}": value for name, value in (values or {"support": 0}).items()}
    for language, values in metrics.get("per_language", {}).items():
        found |= {f"{name} in {language}": value for name, value in figures(values).items()}
    return found
