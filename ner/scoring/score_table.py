"""The scores of a `metrics.json` as text in percent, and the table of them for a terminal."""

from typing import Any

from ner.errors import printable
from ner.scoring.calibration import Calibration

TOO_FEW = "too few"  # in place of an interval: there are too few entities to compute one
ROW = "{:<8}{:>10}{:>9}{:>8}{:>17}{:>10}{:>9}"  # of the table for a terminal
LANGUAGE_ROW = ROW + "{:>11}"


def percent(fraction: float) -> str:
    """A fraction in percent, with one decimal."""
    return f"{100 * fraction:.1f}"


def interval_text(interval: list[float] | None) -> str:
    """An interval in percent, as in `[79.4, 83.0]`; `too few` if there is none."""
    return TOO_FEW if interval is None else "[{}, {}]".format(*map(percent, interval))


def score_cells(values: dict[str, float], f1_interval: list[float] | None) -> list[str]:
    """Precision, recall, F1, the interval of F1, and accuracy, in percent; accuracy has two decimals."""
    precision, recall, f1 = (percent(values[score]) for score in ("precision", "recall", "f1"))
    return [precision, recall, f1, interval_text(f1_interval), f"{100 * values['accuracy']:.2f}"]


def language_cells(values: dict[str, Any]) -> list[str]:
    """Precision, recall, F1, the interval of F1, and macro F1 of an entry of `per_language`, in percent."""
    cells = score_cells(values["overall"], values["intervals"]["overall"]["f1"])
    return [*cells[:-1], percent(values["overall"]["macro_f1"])]


def is_calibrated(confidence: dict[str, Any]) -> bool:
    """Whether the scores differ from the probabilities under the model."""
    return Calibration(**confidence["calibration"]) != Calibration()


def score_table(metrics: dict[str, Any]) -> str:
    """The scores of a `metrics.json` as lines for a terminal, in percent, with the 95 % interval of F1."""
    per_class, overall, intervals = metrics["per_class"], metrics["overall"], metrics["intervals"]
    present = {name: values for name, values in per_class.items() if values}
    lines = [ROW.format("class", "precision", "recall", "F1", "95 % interval", "accuracy", "support")]
    for name, values in present.items():
        cells = score_cells(values, intervals["per_class"][name]["f1"])
        lines.append(ROW.format(printable(name), *cells, values["support"]))
    support = sum(values["support"] for values in present.values())
    lines.append(ROW.format("overall", *score_cells(overall, intervals["overall"]["f1"]), support))
    macro_f1, macro_interval = percent(overall["macro_f1"]), interval_text(intervals["overall"]["macro_f1"])
    lines.append(ROW.format("macro F1", "", "", macro_f1, macro_interval, "", "").rstrip())
    absent = [printable(name) for name in per_class if name not in present]
    if absent:
        lines.append(f"no entity in this split: {', '.join(absent)}")
    if "per_language" in metrics:
        titles = ("language", "precision", "recall", "F1", "95 % interval", "macro F1", "support", "sentences")
        lines += ["", LANGUAGE_ROW.format(*titles)]
        for language, values in metrics["per_language"].items():
            sizes = values["support"], values["sentences"]
            lines.append(LANGUAGE_ROW.format(printable(language), *language_cells(values), *sizes))
    return "\n".join(lines)
