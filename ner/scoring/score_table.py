"""The scores of a `metrics.json` in percent, as the terminal, the model card and reports show them.

A table is a list of rows, of which the first names the columns.
"""

from typing import Any

from ner.errors import printable
from ner.scoring.calibration import THRESHOLDS, Calibration

EMPTY = "\u2013"  # a cell without a value, as the F1 of a class without gold entities
TOO_FEW = "too few"  # in place of an interval: there are too few entities to compute one
SCORES = ("precision", "recall", "F1", "95 % interval")
CONFIDENCE = ("entities", "ECE before", "ECE", "Brier", *(f"≥ {least:g}" for least in THRESHOLDS))
ABOUT_CONFIDENCE = (
    "The score of an entity is the probability that it is right, calibrated on the validation split unless the table "
    "says otherwise. The expected calibration error (ECE) is in points. Under “≥” are precision and, in brackets, "
    "coverage (the share of all predicted entities) of the entities with at least such a score, in percent."
)


def percent(fraction: float, decimals: int = 1) -> str:
    """A fraction in percent."""
    return f"{100 * fraction:.{decimals}f}"


def interval_text(interval: list[float] | None) -> str:
    """An interval in percent, as in `79.4 to 83.0`; `too few` if there is none."""
    return TOO_FEW if interval is None else "{} to {}".format(*map(percent, interval))


def score_row(name: str, scores: dict[str, float], intervals: dict[str, Any], more: str, *sizes: int) -> list[str]:
    """A row of a table: precision, recall, F1 and its interval in percent, then another score, and numbers."""
    shown = (percent(scores[score]) for score in ("precision", "recall", "f1"))
    return [name, *shown, interval_text(intervals["f1"]), more, *map("{:,}".format, sizes)]


def class_table(metrics: dict[str, Any]) -> list[list[str]]:
    """The scores of each class and of all classes, and macro F1; accuracy has two decimals."""
    overall, intervals, support = metrics["overall"], metrics["intervals"], 0
    rows = [["class", *SCORES, "accuracy", "support"]]
    for name, values in metrics["per_class"].items():
        if values:
            limits, accuracy = intervals["per_class"][name], percent(values["accuracy"], 2)
            rows.append(score_row(name, values, limits, accuracy, values["support"]))
            support += values["support"]
        else:
            rows.append([name, *[EMPTY] * 5, "0"])
    rows.append(score_row("overall", overall, intervals["overall"], percent(overall["accuracy"], 2), support))
    macro_f1, macro_interval = percent(overall["macro_f1"]), interval_text(intervals["overall"]["macro_f1"])
    return [*rows, ["macro F1", "", "", macro_f1, macro_interval, "", ""]]


def language_table(metrics: dict[str, Any]) -> list[list[str]]:
    """The scores in each language; empty unless there are several."""
    rows = [["language", *SCORES, "macro F1", "support", "sentences"]]
    for language, of in metrics.get("per_language", {}).items():
        overall, limits = of["overall"], of["intervals"]["overall"]
        rows.append(score_row(language, overall, limits, percent(overall["macro_f1"]), of["support"], of["sentences"]))
    return rows if len(rows) > 1 else []


def confidence_cells(record: dict[str, Any]) -> list[str]:
    """The cells of a record of confidence in a table; no precision where no entity reaches a threshold."""
    after, at = record["after"], {each["threshold"]: each for each in record["thresholds"]}
    is_calibrated = Calibration(**record["calibration"]) != Calibration()
    before = percent(record["before"]["ece"]) if is_calibrated else "not calibrated"
    return [
        f"{record['entities']:,}", before, percent(after["ece"]), f"{after['brier']:.3f}",
        *(
            EMPTY if at[least]["precision"] is None
            else f"{percent(at[least]['precision'])} ({percent(at[least]['coverage'])})"
            for least in THRESHOLDS
        ),
    ]  # fmt: skip


def score_table(metrics: dict[str, Any]) -> str:
    """The tables of a `metrics.json` as lines for a terminal."""
    return "\n\n".join(aligned(rows) for rows in (class_table(metrics), language_table(metrics)) if rows)


def aligned(rows: list[list[str]]) -> str:
    """A table as lines for a terminal."""
    texts = [list(map(printable, row)) for row in rows]
    first, *widths = (max(map(len, column)) for column in zip(*texts, strict=True))
    return "\n".join("  ".join([name.ljust(first), *map(str.rjust, cells, widths)]).rstrip() for name, *cells in texts)
