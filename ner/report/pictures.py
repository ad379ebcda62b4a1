"""The pictures of a report: the differences, F1 of each class and run, and the learning curves."""

from pathlib import Path
from typing import Any

from ner.files import write_text
from ner.report.drawings import MAX_SERIES, Node, Point, forest_plot, line_plot, svg
from ner.report.findings import experiment_comparisons, is_shown, run_comparisons, score_interval
from ner.report.run_reader import Run
from ner.report.text import Part, heading, picture


def difference_plot(result: dict[str, Any], folder: Path) -> list[Part]:
    """Draws the differences of F1 into the report's folder: those over seeds if there are any, else those of runs."""
    compared = experiment_comparisons(result) or run_comparisons(result)
    if not compared:
        return []
    classes = [c for c in result["classes"] if result["support"][c]]
    series = {
        c.name: [difference_point(d) if d else None for d in (c.micro, c.macro, *(c.classes[k] for k in classes))]
        for c in compared
    }
    drawing = forest_plot(["micro", "macro", *classes], series, "difference of F1 in points", zero=True)
    against = f"{compared[0].name} against" if len(compared) == 1 else "Differences to"
    limit = f" Only the first {MAX_SERIES} comparisons are drawn." if len(compared) > MAX_SERIES else ""
    title = (
        f"{against} {compared[0].first}: F1 in points with 95 % intervals. A filled mark is a difference that its "
        f"corrected test shows; macro F1 is not tested.{limit}"
    )
    return [saved_picture(title, drawing, folder / "differences.svg")]


def score_plots(result: dict[str, Any], runs: list[Run], folder: Path) -> list[Part]:
    """Draws F1 of each class and run, and the learning curves if recorded, into the report's folder."""
    classes = [c for c in result["classes"] if result["support"][c]]
    series: dict[str, list[Point | None]] = {}
    for name, r in result["runs"].items():
        rows = [(r["overall"], "f1"), (r["overall"], "macro_f1"), *((r["per_class"][c], "f1") for c in classes)]
        series[name] = [percent_point(v[score], *(score_interval(v, score) or (None, None))) for v, score in rows]
    limit = f"; only the first {MAX_SERIES} runs are drawn" if len(series) > MAX_SERIES else ""
    drawing = forest_plot(["micro", "macro", *classes], series, "F1 in percent", zero=False)
    title = f"F1 of each class and run, with 95 % intervals{limit}"
    parts = [heading("Pictures"), saved_picture(title, drawing, folder / "class_f1.svg")]
    curves = {run.name: run.curve for run in runs if run.curve}
    if curves:
        drawing = line_plot(curves, "epoch", "validation F1 in percent")
        parts.append(saved_picture("Validation F1 during training", drawing, folder / "learning_curves.svg"))
    return parts


def difference_point(d: dict[str, Any]) -> Point:
    """A difference record as a point, filled if its test shows the difference."""
    return percent_point(d["difference"], d["low"], d["high"], is_shown(d))


def percent_point(value: float, low: float | None, high: float | None, filled: bool = True) -> Point:
    """Fractions as a point in percent."""
    if low is None or high is None:
        return Point(100 * value, None, None, filled)
    return Point(100 * value, 100 * low, 100 * high, filled)


def saved_picture(title: str, drawing: Node, path: Path) -> Part:
    """Writes the drawing as an SVG file, and returns the part that shows it."""
    write_text(path, svg(drawing, title))
    return picture(title, path, drawing)
