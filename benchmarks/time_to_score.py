"""How long does a training take to reach a score? F1 against seconds, from the records of studies/time_to_score.yaml.

    python study.py run studies/time_to_score.yaml --datasets FOLDER ... --records RECORDS
    python -m benchmarks.time_to_score RECORDS --datasets FOLDER ... [--picture readmefiles/time.svg]

Prints a table for each corpus: the seconds and the F1 of each recipe after some epochs, means over seeds, and how many
times as fast that is as the longest plain training. The plain recipe has the better of two rates. `≥` marks an F1 that
is at least its best. Records of `benchmarks.other_tools` in `tools/`, in a corpus's folder, are further points.
"""

import argparse
import statistics
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, StrMethodFormatter

from ner.files import read_record
from ner.report.pictures import MARKERS, draw
from ner.study.plan import Study, read_study
from ner.study.records import is_recorded

STUDY = Path(__file__).parents[1] / "studies" / "time_to_score.yaml"
SCORES = {"f1": "micro F1", "macro_f1": "macro F1"}


class Point(NamedTuple):
    """A setting's mean seconds and its mean F1 in percent: micro, macro."""

    setting: str
    seeds: int
    seconds: float
    f1: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path)
    parser.add_argument("--datasets", nargs="+", metavar="DATA", help="those of the runs, if not the study's")
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    study = read_study(STUDY, options.datasets, records=options.records)
    corpora = {group: lines for group in study.groups if (lines := lines_of(study, group))}
    for corpus, lines in corpora.items():
        best = {score: max(point.f1[score] for point in lines["plain"]) for score in SCORES}
        whole = max(point.seconds for point in lines["plain"])
        print(f"\n{corpus}\n\n| recipe and epochs | seeds | seconds | times as fast | micro | macro |")
        print("|---|---|---|---|---|---|")
        for line in lines.values():
            for point in line:
                micro, macro = (f"{f1:.1f}{' ≥' if f1 >= best[score] else ''}" for score, f1 in point.f1.items())
                times = f"{whole / point.seconds:.1f}"
                print(f"| {point.setting} | {point.seeds} | {point.seconds:,.0f} | {times} | {micro} | {macro} |")
    if options.picture:
        draw(lambda: curves(corpora), "F1 against the seconds of a training", options.picture)


def lines_of(study: Study, group: str) -> dict[str, list[Point]]:
    """The points of each recipe in a corpus, from few epochs to many; empty without the plain recipe's."""
    lines: dict[str, list[Point]] = defaultdict(list)
    for setting in study.comparisons["report"]:
        folders = [study.records / run.name for run in study.runs_of(group, setting) if is_recorded(study, run)]
        if folders:
            overall = [read_record(folder / study.split / "metrics.json")["overall"] for folder in folders]
            seconds = [read_record(folder / "environment.json")["train_seconds"] for folder in folders]
            f1 = {score: 100 * statistics.mean(each[score] for each in overall) for score in SCORES}
            lines[setting.rpartition("_")[0]].append(Point(setting, len(folders), statistics.mean(seconds), f1))
    rates = [name for name in lines if name.startswith("plain")]
    if not rates:
        return {}
    better = max(rates, key=lambda name: lines[name][-1].f1["f1"])
    lines = {"plain": lines[better]} | {name: line for name, line in lines.items() if name not in rates}
    for tool in (read_record(path) for path in sorted((study.records / group / "tools").glob("*.json"))):
        if tool["sentences"] is None:  # else it was trained on some of them, for the seconds
            name, f1 = f"{tool['tool']} {tool['version']}", {score: 100 * tool[score] for score in SCORES}
            lines[name] = [Point(f"{name}, epochs: {tool['epochs']}", 1, tool["train_seconds"], f1)]
    return lines


def curves(corpora: dict[str, dict[str, list[Point]]]) -> Figure:
    """F1 against seconds, on a logarithmic axis: a row for each corpus, a column for each score."""
    figure = Figure((7.6, 0.7 + 2.4 * len(corpora)), layout="constrained")
    grid = figure.subplots(len(corpora), len(SCORES), squeeze=False)
    for row, (corpus, lines) in enumerate(corpora.items()):
        for column, (score, title) in enumerate(SCORES.items()):
            axes = grid[row, column]
            for k, (recipe, line) in enumerate(lines.items()):
                across, up = [p.seconds for p in line], [p.f1[score] for p in line]
                axes.plot(across, up, f"C{k}", marker=MARKERS[k], label=recipe)
            best = max(point.f1[score] for point in lines["plain"])
            axes.axhline(best, color=rcParams["axes.edgecolor"], linestyle="--", zorder=0)
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
            axes.grid(axis="y")
            axes.spines[:].set_visible(False)
            axes.tick_params(length=0, which="both")
            axes.set_title(f"{title}, {corpus}", loc="left", size="medium")
            axes.set_xlabel("seconds of training")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=len(MARKERS))
    return figure


if __name__ == "__main__":
    main()
