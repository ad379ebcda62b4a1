"""The map of a removal study: what taking a class out of the training data does to each of the others."""

import logging
from itertools import permutations
from typing import Any

import numpy as np

from ner.errors import InputError
from ner.files import optional_record, write_json
from ner.runs.files import METRICS
from ner.runs.predictions import read_predictions
from ner.scoring.error_analysis import entities_of
from ner.scoring.removal_effects import (
    confusion_rates,
    effects,
    effects_on_parts,
    equivalence_p,
    error_parts,
    family_wise_p,
    rank_correlation,
    verdicts,
)
from ner.study.plan import PlannedRun, Study, removal_table
from ner.study.records import is_recorded, predictions_of, recorded_scores

log = logging.getLogger("ner")
LEAST_MENTIONS = 250  # in the split, of a class that is measured
PARTS = "parts.json"  # the errors of a run by their parts, as `error_parts` gives them
MOST_CHANGED = 5  # mentions of a pair of classes
Mention = tuple[int, int, int]  # sentence, first token, end
ChangedMentions = dict[tuple[str, str], list[dict[str, str]]]  # by removed and measured class


def record_parts(study: Study, group: str) -> None:
    """Records the parts of the errors of each run that is recorded, and whose predictions are available.

    The gold entities of all classes are those of a run that removed none.
    """
    scored = [(run, path) for run in finished_runs(study, group) if (path := predictions_of(study, run))]
    missing = [(run, path) for run, path in scored if not (study.records / run.name / PARTS).is_file()]
    whole = [(run, path) for run, path in scored if not run.removed]
    if whole and missing:
        first, path = whole[0]
        gold = entities_of(read_predictions(path).gold, study.removable)
        data = recorded_scores(study, first)["data"]
        for run, path in missing:
            if recorded_scores(study, run)["data"] == data:  # else `class_map` refuses it
                predicted = entities_of(read_predictions(path).predicted, study.removable)
                write_json(study.records / run.name / PARTS, error_parts(gold, predicted, study.removable))


def finished_runs(study: Study, group: str) -> list[PlannedRun]:
    """The runs of a group that are recorded."""
    return [run for run in study.runs if run.group == group and is_recorded(study, run)]


def class_map(study: Study, group: str) -> dict[str, Any]:
    """The map from the records of a study's finished runs; empty where there are too few for one.

    Runs on another processor or GPU, or in another precision, are a stratum of their own. `parts` and `confusion` are
    there if the parts of every run's errors are recorded. Raises `InputError` for runs that were scored on other data.
    """
    runs, classes = finished_runs(study, group), study.removable
    whole = [i for i, run in enumerate(runs) if not run.removed]
    if not whole:
        return {}
    scored = [optional_record(study.records / run.name / study.split / METRICS) for run in runs]
    if len({each.get("data_fingerprint") for each in scored}) > 1:
        where = study.records / group
        raise InputError(f"{where}: the runs of the map were scored on different data; expected the same")
    metrics = [each["per_class"] for each in scored]
    support = {y: metrics[whole[0]][y]["support"] if metrics[whole[0]].get(y) else 0 for y in classes}
    machines = [optional_record(study.records / run.name / "environment.json") for run in runs]
    stratum = np.array([f"{m.get('accelerators') or m.get('processor')} {m.get('precision')}" for m in machines])
    removed = removal_table(runs, classes)
    values = np.array([[f1_points(each.get(y), support[y]) for y in classes] for each in metrics])
    found = effects(removed, values, stratum)
    if np.isnan(found.effect).all():
        return {}
    p, (low, high) = family_wise_p(removed, values, stratum), found.interval()
    words = verdicts(found.effect, p, equivalence_p(found))
    parts = [optional_record(study.records / run.name / PARTS) for run in runs]
    by_part, confusion = {}, None
    if all(parts):
        by_part = effects_on_parts(removed, parts, support, stratum)
        rho, rho_p = rank_correlation(confusion_rates([parts[i] for i in whole], support), found.effect)
        confusion = {"rank_correlation": rho, "p": rho_p}
    cells = [
        {
            "removed": classes[i], "measured": classes[j], "effect": found.effect[i, j], "low": low[i, j],
            "high": high[i, j], "p": p[i, j], "verdict": str(words[i, j]),
            "parts": {name: effect[i, j] for name, effect in by_part.items()},
        }
        for i, j in np.argwhere(~np.isnan(found.effect)).tolist()
    ]  # fmt: skip
    spread = {y: float(s) for y, s in zip(classes, found.spread, strict=True) if not np.isnan(s)}
    return {
        "classes": classes, "support": support, "runs": len(runs), "unmasked": len(whole), "spread": spread,
        "confusion": confusion, "effects": cells,
    }  # fmt: skip


def f1_points(scores: dict[str, Any] | None, support: int) -> float:
    """The F1 of a class in points; NaN for one that the run does not know, or with too few mentions to measure."""
    return 100 * scores["f1"] if scores and support >= LEAST_MENTIONS else float("nan")


def changed_mentions(study: Study, group: str) -> ChangedMentions:
    """The mentions that change most, for each removed class X and measured class Y; empty without all predictions.

    A mention changes by the difference of two shares: of the runs without X, and of those with X, that predict it as Y.
    It has the words `before`, `within` and `after` it, and `about`: its gold class, and how many runs predict it.
    """
    runs, classes = finished_runs(study, group), study.removable
    paths = [path for run in runs if (path := predictions_of(study, run))]
    if len(paths) < len(runs):
        log.warning("%s: not all predictions are here, so the map shows no mentions", group or study.name)
        return {}
    predicted: dict[str, dict[Mention, list[int]]] = {y: {} for y in classes}  # the runs that predict each mention
    for run, path in enumerate(paths):
        of_run = read_predictions(path)
        for place, y in mentions_of(of_run.predicted, classes):
            predicted[y].setdefault(place, []).append(run)
        if not runs[run].removed:
            gold, tokens = dict(mentions_of(of_run.gold, classes)), of_run.tokens
    removed, found = removal_table(runs, classes), {}
    for (k, x), (j, y) in permutations(enumerate(classes), 2):
        without, having = removed[:, k] & ~removed[:, j], ~removed[:, k] & ~removed[:, j]
        counts = [(place, without[of].sum(), having[of].sum()) for place, of in predicted[y].items()]
        change = [n / max(without.sum(), 1) - m / max(having.sum(), 1) for _, n, m in counts]
        found[x, y] = [
            marked(tokens[place[0]], place)
            | {"about": f"gold: {gold.get(place, 'none with these borders')}; predicted as {y} in {n} of "
               f"{without.sum()} runs without {x}, and in {m} of {having.sum()} with it"}
            for i in np.argsort(-np.abs(change), kind="stable")[:MOST_CHANGED].tolist()
            for place, n, m in [counts[i]]
        ]  # fmt: skip
    return found


def mentions_of(tags: list[list[str]], classes: list[str]) -> list[tuple[Mention, str]]:
    """The place and the class of each entity in the BIO tags of sentences."""
    return [((i, start, end), y) for i, each in enumerate(entities_of(tags, classes)) for start, end, y in each]


def marked(tokens: list[str], mention: Mention) -> dict[str, str]:
    """The words of a sentence before, within and after a mention."""
    _, start, end = mention
    return {"before": " ".join(tokens[:start]), "within": " ".join(tokens[start:end]), "after": " ".join(tokens[end:])}
