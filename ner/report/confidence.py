"""The part of a report on the scores of entities: a table, the reliability diagram and the risk-coverage curve."""

from pathlib import Path
from typing import Any

from ner.errors import InputError
from ner.report.drawings import MAX_SERIES, line_plot
from ner.report.pictures import saved_picture
from ner.report.run_reader import Run
from ner.report.text import EMPTY, Part, data_table, heading, paragraph
from ner.scoring.score_table import is_calibrated

SHOWN = (0.5, 0.8, 0.9, 0.95, 0.99)  # the least scores in the table
PERFECT = {"as sure as right": [(0.0, 0.0), (100.0, 100.0)]}
ABOUT = (
    "The score of an entity is the probability that it is right, calibrated on the validation split. The expected "
    "calibration error (ECE) is the mean distance, in points, between the scores in a bin of entities and the share of "
    "these that is right. The Brier score is the mean squared error of the scores. Under a least score are precision "
    "and, in brackets, coverage of the entities with at least that score, in percent. All classes of each run count."
)


def confidence_records(runs: list[Run]) -> dict[str, Any]:
    """The `confidence` of the `metrics.json` of each run that has it, by the run's name.

    Raises `InputError` where one is incomplete.
    """
    records = {run.name: run.metrics["confidence"] for run in runs if run.metrics.get("confidence")}
    for name, record in records.items():
        try:
            row(name, record), points(record)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{name}: test/metrics.json: found an incomplete confidence ({error}); expected what inference.py "
                "writes; score the run again"
            ) from error
    return records


def confidence_part(records: dict[str, Any], folder: Path) -> list[Part]:
    """The part of the report, whose pictures go into its folder; nothing without `records`."""
    if not records:
        return []
    limit = f"; only the first {MAX_SERIES - 1} runs are drawn" if len(records) > MAX_SERIES - 1 else ""
    drawn = dict(list(records.items())[: MAX_SERIES - 1])
    diagram, curve = ({name: points(record)[i] for name, record in drawn.items()} for i in (0, 1))
    head = ["run", "predicted entities", "ECE before", "ECE", "95 % interval", "Brier before", "Brier"]
    return [
        heading("Scores of entities"),
        paragraph(ABOUT),
        data_table(
            "How far the scores can be trusted",
            [*head, *(f"score ≥ {least:g}" for least in SHOWN)],
            [row(name, record) for name, record in records.items()],
        ),
        saved_picture(
            f"Reliability: mean score and precision of the entities of each bin{limit}",
            line_plot(PERFECT | diagram, "mean score in percent", "precision in percent"),
            folder / "reliability.svg",
        ),
        saved_picture(
            f"Risk and coverage: the share of errors among the entities with the highest scores{limit}",
            line_plot(curve, "coverage in percent", "wrong entities in percent"),
            folder / "risk_coverage.svg",
        ),
    ]


def points(record: dict[str, Any]) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """The points of a run in the reliability diagram, and those of its risk-coverage curve, in percent."""
    diagram = [(100 * each["score"], 100 * each["precision"]) for each in record["bins"]]
    return diagram, [(100 * coverage, 100 * risk) for coverage, risk in record["risk_coverage"]]


def row(name: str, record: dict[str, Any]) -> list[str]:
    """The row of a run in the table."""
    before, after = record["before"], record["after"]
    low, high = after["ece_interval"]
    at = {each["threshold"]: each for each in record["thresholds"]}
    return [
        name,
        f"{record['entities']:,}",
        f"{100 * before['ece']:.1f}" if is_calibrated(record) else "not calibrated",
        f"{100 * after['ece']:.1f}",
        f"{100 * low:.1f} to {100 * high:.1f}",
        f"{before['brier']:.3f}",
        f"{after['brier']:.3f}",
        *(at_least(at.get(least)) for least in SHOWN),
    ]


def at_least(record: dict[str, Any] | None) -> str:
    """Precision and coverage above a least score; empty where no entity reaches it."""
    if record is None or record["precision"] is None:
        return EMPTY
    return f"{100 * record['precision']:.1f} ({100 * record['coverage']:.1f})"
