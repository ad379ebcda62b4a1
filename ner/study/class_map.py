"""The map of a removal study: what taking a class out of the training data does to each of the others."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from ner.files import optional_json, using_records, write_json
from ner.report.findings import EMPTY, p_cell
from ner.report.tables import Part, table
from ner.runs.files import METRICS, PREDICTIONS, recorded_args
from ner.runs.predictions import prediction_rows
from ner.scoring.error_analysis import entities_of
from ner.scoring.removal_effects import (
    Effects,
    confusion_rates,
    effects,
    effects_on_parts,
    equivalence_p,
    error_parts,
    family_wise_p,
    rank_correlation,
    verdicts,
)
from ner.study.plan import WHOLE, PlannedRun, Study
from ner.study.records import is_recorded

log = logging.getLogger("ner")
LEAST_MENTIONS = 250  # in the split, of a class that is measured
PARTS = "parts.json"  # the errors of a run by their parts, as `error_parts` gives them
MOST_LISTED = 12
MAP_TEXT = (
    "Rows are classes that were removed, columns those that were measured: the effect on F1 in points, over runs that "
    "each remove several classes. ↑ or ↓ marks an effect that the permutation test over the whole map shows; = marks "
    "one within ±1 point. Anything else is not shown, which is not the same as no effect. docs/study.md explains this."
)


def record_parts(study: Study, group: str, output_dir: Path, records: Path) -> None:
    """Records the parts of the errors of each run that is scored, and whose predictions are at hand.

    The gold entities of all classes are those of a run that removed none.
    """
    runs = [run for run in study.runs if run.group == group]
    scored = [run for run in runs if (output_dir / run.name / study.split / PREDICTIONS).is_file()]
    missing = [run for run in scored if not (records / run.name / PARTS).is_file()]
    whole = next((run for run in scored if run.setting == WHOLE), None)
    if whole and missing:
        rows = prediction_rows(output_dir / whole.name / study.split / PREDICTIONS)
        gold = entities_of([row["gold"] for row in rows], study.removable)
        for run in missing:
            rows = prediction_rows(output_dir / run.name / study.split / PREDICTIONS)
            predicted = entities_of([row["predicted"] for row in rows], study.removable)
            write_json(records / run.name / PARTS, error_parts(gold, predicted, study.removable))


def class_map(study: Study, group: str, records: Path) -> dict[str, Any]:
    """The map from the records of a study's finished runs; empty where there are too few for one."""
    runs = [run for run in study.runs if run.group == group and is_recorded(records / run.name, study.split)]
    unmasked = [run for run in runs if run.setting == WHOLE]
    if not unmasked:
        return {}
    classes, metrics = study.removable, [optional_json(records / run.name / study.split / METRICS) for run in runs]
    with using_records(records):
        gold = metrics[runs.index(unmasked[0])]["per_class"]
        support = {name: gold[name]["support"] if gold.get(name) else 0 for name in classes}
        removed = np.array([[name in removed_classes(records / run.name, classes) for name in classes] for run in runs])
        values = np.array([[f1_points(each, name, support) for name in classes] for each in metrics])
    found = effects(removed, values)
    if np.isnan(found.effect).all():
        return {}
    p, low_high = family_wise_p(removed, values), found.interval()
    words = verdicts(found.effect, p, equivalence_p(found))
    by_part, rho, rho_p = parts_of(records, runs, unmasked, removed, support, found)
    cells = {
        x: {
            y: {
                "effect": found.effect[i, j], "low": low_high[0][i, j], "high": low_high[1][i, j], "p": p[i, j],
                "verdict": str(words[i, j]), "parts": {name: each.effect[i, j] for name, each in by_part.items()},
            }
            for j, y in enumerate(classes) if not np.isnan(found.effect[i, j])
        }
        for i, x in enumerate(classes)
    }  # fmt: skip
    return {
        "classes": classes, "support": support, "runs": len(runs), "unmasked": len(unmasked), "effects": cells,
        "spread": {y: float(s) for y, s in zip(classes, found.spread, strict=True) if not np.isnan(s)},
        "confusion": {"rank_correlation": rho, "p": rho_p} if rho is not None else None,
    }  # fmt: skip


def removed_classes(record: Path, classes: list[str]) -> set[str]:
    """The classes that a recorded run took out of its training data."""
    args = recorded_args(record)
    return set(classes) - set(args["selected_categories"]) if args["masked_training"] else set()


def f1_points(metrics: dict[str, Any], name: str, support: dict[str, int]) -> float:
    """The F1 of a class in points; NaN for one that the run does not know, or with too few mentions to measure."""
    scores = metrics["per_class"].get(name)
    return 100 * scores["f1"] if scores and support[name] >= LEAST_MENTIONS else float("nan")


def parts_of(
    records: Path, runs: list[PlannedRun], unmasked: list[PlannedRun], removed: np.ndarray, support: dict[str, int],
    found: Effects,
) -> tuple[dict[str, Effects], float | None, float | None]:  # fmt: skip
    """The effects on the parts of the errors, and how the confusion of unmasked runs goes with the map (rank
    correlation and p); empty and None where not every run has its parts recorded."""
    parts = [optional_json(records / run.name / PARTS) for run in runs]
    if not all(parts):
        log.warning("%d of %d runs have no %s, so the map has no parts of errors", parts.count({}), len(parts), PARTS)
        return {}, None, None
    confusion = confusion_rates([own for run, own in zip(runs, parts, strict=True) if run in unmasked], support)
    return effects_on_parts(removed, parts, support), *rank_correlation(confusion, found.effect)


def map_parts(result: dict[str, Any]) -> list[Part]:
    """The map as a table, then its clearest effects with their intervals and parts."""
    cells = {(x, y): cell for x, row in result["effects"].items() for y, cell in row.items()}
    measured = [y for y in result["classes"] if any(key[1] == y for key in cells)]
    largest = max(abs(cell["effect"]) for cell in cells.values())
    marks = {"higher": " ↑", "lower": " ↓", "no effect": " =", "not shown": "", "": ""}
    texts = [[map_cell(cells.get((x, y)), marks) for y in measured] for x in result["classes"]]
    shades = [
        [abs(cells[x, y]["effect"]) / largest if (x, y) in cells else 0.0 for y in measured] for x in result["classes"]
    ]
    shown = [cell["verdict"] for cell in cells.values()]
    rows = [[x, *row] for x, row in zip(result["classes"], texts, strict=True)]
    lead = (
        f"Over {result['runs']} runs, {shown.count('lower')} of {len(cells)} pairs of classes show a loss, "
        f"{shown.count('higher')} a gain, {shown.count('no effect')} no effect beyond ±1 point, and "
        f"{shown.count('not shown')} are not shown to be either."
    )
    parts: list[Part] = [
        ("lead", lead),
        ("p", MAP_TEXT),
        table("Effect on F1, in points", ["removed", *measured], rows, shades),
    ]
    if result["confusion"]:
        rho, p = result["confusion"]["rank_correlation"], p_cell(result["confusion"]["p"])
        text = f"Confusion in the unmasked runs and effect: Spearman's rank correlation {rho:+.2f}, p = {p}."
        parts.append(("p", text.replace("= <", "<")))
    clearest = sorted(cells, key=lambda key: (cells[key]["p"], -abs(cells[key]["effect"])))[:MOST_LISTED]
    names = list(cells[clearest[0]]["parts"])
    head = ["removed → measured", "effect", "95 % interval", "p", "verdict", *names]
    listed = []
    for x, y in clearest:
        effect, low, high = (signed(cells[x, y][name], 2) for name in ("effect", "low", "high"))
        of_parts = [signed(cells[x, y]["parts"][name]) for name in names]
        p, word = p_cell(cells[x, y]["p"]), cells[x, y]["verdict"]
        listed.append([f"{x} → {y}", effect, f"{low} to {high}", p, word, *of_parts])
    return [
        *parts,
        table("The clearest effects, and the parts of their errors for each 100 gold entities", head, listed),
    ]


def map_cell(cell: dict[str, Any] | None, marks: dict[str, str]) -> str:
    """An effect in points with a mark for its verdict; empty on the diagonal."""
    return EMPTY if cell is None else f"{signed(cell['effect'])}{marks[cell['verdict']]}"


def signed(value: float, decimals: int = 1) -> str:
    """A number with its sign, never `-0.0`."""
    return f"{round(value, decimals) + 0.0:+.{decimals}f}"
