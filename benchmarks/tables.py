"""The tables of the README and of results/multinerd_en/README.md, from the records that `benchmarks.experiment` wrote.

    python -m benchmarks.tables RECORDS

Numbers are in percent and in points of F1.
"""

import argparse
import statistics
from pathlib import Path
from typing import Any

from ner.errors import CommandParser, InputError, run_script
from ner.files import optional_json, using_records
from ner.report.findings import p_cell, points, verdict
from ner.report.tables import detectable_cell

TITLES = {
    "default": "A, all classes",
    "masked": "B, masked",
    "default_upsampled": "A, up-sampled",
    "masked_upsampled": "B, up-sampled",
    "default_longer": "A, as many updates",
    "default_random": "A, other sentences repeated",
}


def main(argv: list[str]) -> None:
    """Prints the tables of a folder of records. Raises `InputError` if it has no report over experiments."""
    parser = CommandParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path)
    records = parser.parse_args(argv).records
    paths = [path for name in ("report", "controls") if (path := records / f"{name}.json").exists()]
    if not paths:
        found = f"{records}: found no report.json or controls.json"
        below = ", ".join(str(path.parent) for path in sorted(records.rglob("report.json")))
        raise InputError(f"{found}; expected one over experiments; {below or 'results/README.md'} may have it")
    for path in paths:
        report = optional_json(path)
        if "groups" not in report:
            raise InputError(f"{path}: found no experiments; expected a report over seeds; read README.md beside it")
        with using_records(path):
            print_tables(report, records)


def print_tables(report: dict[str, Any], records: Path) -> None:
    """The scores of the experiments of a report, then the differences of each from the first."""
    support = {c: n for c, n in report["support"].items() if n}
    titles = ["micro", "macro", *support]
    experiments = {TITLES.get(name := group["runs"][0].rpartition("-")[0], name): group for group in report["groups"]}
    head = ["F1 on the shared classes", "updates", *titles, "own classes"]
    print(table(head, [score_row(name, group, titles, records) for name, group in experiments.items()]) + "\n")
    for name, group in list(experiments.items())[1:]:
        print(f"{name}, against {next(iter(experiments))}:\n")
        head = ["class", "gold entities", "difference", "95 % interval", "p", "p (Holm)", "verdict", "detectable"]
        gold = {"micro": sum(support.values())} | support
        print(table(head, [difference_row(t, n, group["difference"][t]) for t, n in gold.items()]) + "\n")


def score_row(name: str, group: dict[str, Any], titles: list[str], records: Path) -> list[str]:
    """Mean and standard deviation over the seeds of an experiment; the last column is on all classes of each run."""
    updates = {optional_json(records / run / "environment.json")["update_steps"] for run in group["runs"]}
    own = [optional_json(records / run / "test" / "metrics.json")["overall"]["f1"] for run in group["runs"]]
    f1 = [group["f1"][title] for title in titles]
    cells = [spread(each["mean"], each["sd"]) for each in f1]
    return [name, " ".join(f"{n:,}" for n in updates), *cells, spread(statistics.mean(own), statistics.stdev(own))]


def spread(mean: float, deviation: float) -> str:
    """Mean and standard deviation in percent."""
    return f"{100 * mean:.1f} ± {100 * deviation:.1f}"


def difference_row(title: str, support: int, d: dict[str, Any]) -> list[str]:
    """How a score differs from that of the first experiment."""
    difference, low, high = (points(d[name], 2, "+") for name in ("difference", "low", "high"))
    p = p_cell(d["p"]), p_cell(d["p_holm"])
    return [title, f"{support:,}", difference, f"{low} to {high}", *p, verdict(d), detectable_cell(d)]


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


if __name__ == "__main__":
    run_script(main)
