"""The predictions of a scored split, and whether the scores beside them are those that they give."""

import json
from pathlib import Path
from typing import Any

from ner.errors import InputError, message_of
from ner.files import optional_json, using_records
from ner.labels import classes_of, flat_ids, label_names
from ner.runs.files import METRICS, PREDICTIONS
from ner.scoring.intervals import scores_by_language
from ner.scoring.scores import cluster_ids, counts_of_tags, invalid_transitions, scores

ROUNDING = 1e-9  # what sums in another order may differ by


def prediction_rows(path: Path) -> list[dict[str, Any]]:
    """The sentences of a `predictions.jsonl`, each with as many gold and predicted BIO tags as tokens.

    Raises `InputError`, with the line, for anything else.
    """
    rows: list[dict[str, Any]] = []
    if not path.exists():
        raise InputError(f"{path.parent}: found no {path.name}; expected the scores of a run; score it: inference.py")
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                row = json.loads(line)
                tokens, gold, predicted = row["tokens"], row["gold"], row["predicted"]
                "".join([*tokens, *gold, *predicted, row.get("lang", "")]).encode()  # text, and whole characters
                classes_of({*gold, *predicted})
                if not len(tokens) == len(gold) == len(predicted):
                    raise ValueError("tokens, gold and predicted differ in length")
                rows.append(row)
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        place = f"{path}:{len(rows) + 1}"
        raise InputError(f"{place}: found no predictions ({message_of(error)}); run inference.py again") from None
    if not rows:
        raise InputError(f"{path}: holds no sentence; expected at least one; score another split")
    return rows


def require_scores_of(rows: list[dict[str, Any]], folder: Path) -> None:
    """Raises `InputError` where the `metrics.json` of a folder records a score that its predictions do not give."""
    gold, predicted = [row["gold"] for row in rows], [row["predicted"] for row in rows]
    counts, cluster = counts_of_tags(gold, predicted), cluster_ids([row["tokens"] for row in rows])
    names = label_names(counts.classes)
    invalid = invalid_transitions(*flat_ids(predicted, names), names)
    sizes = {"sentences": len(rows), "tokens": int(counts.tokens[:, 0].sum()), "invalid_transitions": invalid}
    per_language = scores_by_language(counts, cluster, [row.get("lang", "") for row in rows])
    computed = sizes | scores(counts) | {"per_language": per_language}
    require_equal(optional_json(folder / METRICS), computed, ROUNDING, folder / METRICS, PREDICTIONS)


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
