"""A report's pictures: the differences, F1 of each class and run, and the learning curves."""

from pathlib import Path
from typing import Any

from ner.report.drawings import SHOWN, Node, Point, curves, forest_plot, svg
from ner.report.findings import by_experiment, by_run, interval_of, is_shown
from ner.report.run_reader import Run
from ner.report.text import Part, heading, picture
from ner.writing import write_text


def forest(result: dict[str, Any], folder: Path) -> list[Part]:
    """Draws the differences of F1 into the report's folder: of the experiments over seeds, else of the runs."""
    compared = by_experiment(result) or by_run(result)
    if not compared:
        return []
    classes = [c for c in result["classes"] if result["support"][c]]
    series = {
        c.name: [point(d, "difference", (d["low"], d["high"]), is_shown(d)) if d else None
                 for d in (c.micro, c.macro, *(c.classes[k] for k in classes))]
        for c in compared
    }  # fmt: skip
    drawing = forest_plot(["micro", "macro", *classes], series, "difference of F1 in points", zero=True)
    against = f"{compared[0].name} against" if len(compared) == 1 else "Differences to"
    kept = f" The first {SHOWN} comparisons are drawn." if len(compared) > SHOWN else ""
    title = (
        f"{against} {compared[0].first}: F1 in points with 95 % intervals. A filled mark is a difference that its "
        f"corrected test shows; macro F1 is not tested.{kept}"
    )
    return [drawn(title, drawing, folder / "differences.svg")]


def point(values: dict[str, Any], score: str, interval: Any, filled: bool = True) -> Point:
    low, high = interval or (None, None)
    if low is None or high is None:
        return Point(100 * values[score], None, None, filled)
    return Point(100 * values[score], 100 * low, 100 * high, filled)


def pictures(result: dict[str, Any], runs: list[Run], folder: Path) -> list[Part]:
    """Draws F1 of each class and run, and the learning curves, into the report's folder."""
    classes = [c for c in result["classes"] if result["support"][c]]
    series = {}
    for name, r in result["runs"].items():
        rows = [(r["overall"], "f1"), (r["overall"], "macro_f1"), *((r["per_class"][c], "f1") for c in classes)]
        series[name] = [point(values, score, interval_of(values, score)) for values, score in rows]
    kept = f"; the first {SHOWN} runs" if len(series) > SHOWN else ""
    drawing = forest_plot(["micro", "macro", *classes], series, "F1 in percent", zero=False)
    found = [
        heading("Pictures"),
        drawn(f"F1 of each class and run, with 95 % intervals{kept}", drawing, folder / "class_f1.svg"),
    ]
    lines = {run.name: run.curve for run in runs if run.curve}
    if lines:
        drawing = curves(lines, "epoch", "validation F1 in percent")
        found.append(drawn("Validation F1 while training", drawing, folder / "learning_curves.svg"))
    return found


def drawn(title: str, drawing: Node, path: Path) -> Part:
    write_text(path, svg(drawing, title))
    return picture(title, path, drawing)
