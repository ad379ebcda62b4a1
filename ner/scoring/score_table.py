"""The scores of a `metrics.json` as a table: the cells that every such table shows, and the table for a terminal."""

from dataclasses import dataclass
from typing import Any

from ner.errors import printable
from ner.scoring.calibration import Calibration

TOO_FEW = "too few"  # in place of an interval: there are too few entities to compute one


@dataclass(frozen=True)
class ScoreRow:
    """A row of the score table: percent as text, and the number of gold entities.

    `cells` holds precision, recall, F1, the 95 % interval of F1, and accuracy; it is empty without gold entities.
    """

    name: str
    cells: list[str]
    support: int


def class_rows(metrics: dict[str, Any]) -> list[ScoreRow]:
    """The row of each class."""
    intervals = metrics["intervals"]["per_class"]
    return [
        ScoreRow(name, score_cells(values, intervals[name]["f1"]), values["support"])
        if values
        else ScoreRow(name, [], 0)
        for name, values in metrics["per_class"].items()
    ]


def overall_row(metrics: dict[str, Any], name: str) -> ScoreRow:
    """The row of the micro scores over all classes, under the given name."""
    support = sum(values["support"] for values in metrics["per_class"].values() if values)
    return ScoreRow(name, score_cells(metrics["overall"], metrics["intervals"]["overall"]["f1"]), support)


def score_cells(values: dict[str, float], f1_interval: list[float] | None) -> list[str]:
    """Precision, recall, F1, the interval of F1, and accuracy, in percent; accuracy has two decimals."""
    precision, recall, f1 = (f"{100 * values[score]:.1f}" for score in ("precision", "recall", "f1"))
    return [precision, recall, f1, interval_text(f1_interval), f"{100 * values['accuracy']:.2f}"]


def macro_cells(metrics: dict[str, Any]) -> tuple[str, str]:
    """Macro F1 in percent, and its interval."""
    interval = metrics["intervals"]["overall"]["macro_f1"]
    return f"{100 * metrics['overall']['macro_f1']:.1f}", interval_text(interval)


def interval_text(interval: list[float] | None) -> str:
    """An interval in percent, as in `[79.4, 83.0]`; `too few` if there is none."""
    return TOO_FEW if interval is None else "[{:.1f}, {:.1f}]".format(*(100 * v for v in interval))


def calibration_text(confidence: dict[str, Any]) -> str:
    """How far the scores of entities can be trusted, from the `confidence` of a `metrics.json`."""
    before, after = confidence["before"], confidence["after"]
    low, high = after["ece_interval"]
    interval = f"(95 % interval {100 * low:.1f} to {100 * high:.1f})"
    ece, brier = f"Expected calibration error {100 * after['ece']:.1f} points {interval}", f"{after['brier']:.3f}"
    if not is_calibrated(confidence):
        return f"The score of an entity is not calibrated. {ece}. Brier score {brier}."
    return (
        f"The score of an entity is calibrated on the validation split. {ece}, {100 * before['ece']:.1f} before "
        f"calibration. Brier score {brier}, {before['brier']:.3f} before."
    )


def is_calibrated(confidence: dict[str, Any]) -> bool:
    """Whether the scores are others than the probabilities under the model."""
    return Calibration(**confidence["calibration"]) != Calibration()


def threshold_cells(confidence: dict[str, Any]) -> list[list[str]]:
    """For each threshold: the threshold, precision and coverage in percent; no precision where nothing is left."""
    return [
        [
            f"{each['threshold']:g}",
            "" if each["precision"] is None else f"{100 * each['precision']:.1f}",
            f"{100 * each['coverage']:.1f}",
        ]
        for each in confidence["thresholds"]
    ]


def score_table(metrics: dict[str, Any]) -> str:
    """The scores of a `metrics.json` as lines for a terminal, in percent, with the 95 % interval of F1."""

    def line(name: str, cells: list[str], support: int | str) -> str:
        precision, recall, f1, interval, accuracy = cells
        return f"{name:<8}{precision:>10}{recall:>9}{f1:>8}{interval:>17}{accuracy:>10}{support:>9}"

    rows = class_rows(metrics)
    lines = [line("class", ["precision", "recall", "F1", "95 % interval", "accuracy"], "support")]
    lines += [line(printable(r.name), r.cells, r.support) for r in rows if r.cells]
    overall = overall_row(metrics, "overall")
    lines.append(line(overall.name, overall.cells, overall.support))
    macro_f1, macro_interval = macro_cells(metrics)
    lines.append(f"{'macro F1':<27}{macro_f1:>8}{macro_interval:>17}")
    absent = [printable(r.name) for r in rows if not r.cells]
    if absent:
        lines.append(f"no entity in this split: {', '.join(absent)}")
    return "\n".join(lines)
