"""Compare runs on the classes that all of them know, with intervals and tests.

    python report.py runs/distilbert_default runs/distilbert_masked --output_dir runs/report

It reads run folders only, of which `test/predictions.jsonl` is enough, and writes report.html, report.md, report.json
and the pictures, as SVG.
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ner.errors import CommandParser, named_folder, run_script
from ner.report.page import html
from ner.report.pictures import forest, pictures
from ner.report.run_reader import Run, read_runs, seeds_of, shared_classes
from ner.report.setups import setups
from ner.report.tables import opening, tables
from ner.report.text import markdown
from ner.runs.files import write_json
from ner.scoring.error_analysis import Entities, analysis, by_seen, entities_of, strict_scores
from ner.scoring.intervals import intervals
from ner.scoring.scores import Counts, cluster_sums, clustered, clusters, scores
from ner.scoring.significance import Difference, differences, holm, seed_differences, seed_scores
from ner.writing import write_text, writing


def report(runs: list[Run], classes: list[str], marked: list[Entities]) -> dict[str, Any]:
    """The comparison of the runs with the first one on `classes`, as `report.json` holds it; fractions, not percent.

    Micro F1 is the primary test: one family under Holm's correction over the runs that are compared. The classes with
    gold entities are a second family over classes and runs; a class without any cannot be tested and is None.
    """
    counted = [run.counts(classes) for run in runs]
    cluster = clusters(runs[0].tokens)
    sums = [cluster_sums(c.entities, cluster) for c in counted]
    found = {run.name: differences(sums[0], s) for run, s in zip(runs[1:], sums[1:], strict=True)}
    support = counted[0].entities[:, :, [0, 2]].sum(axis=(0, 2))
    tested = [(name, i) for name in found for i in np.flatnonzero(support)]
    adjusted = dict(zip(tested, holm([found[name][2 + i].p for name, i in tested]), strict=True))
    micro = dict(zip(found, holm([each[0].p for each in found.values()]), strict=True))
    result = {
        "classes": classes,
        "support": {c: int(n) for c, n in zip(classes, support, strict=True)},
        "sentences": len(runs[0].tokens),
        "clusters": int(cluster.max() + 1),
        "first": runs[0].name,
        "runs": {run.name: described(run, c, cluster) for run, c in zip(runs, counted, strict=True)},
        "differences": {
            name: {
                "micro": plain(each[0]) | {"p_holm": micro[name]},
                "macro": plain(each[1]),
                "per_class": {
                    c: plain(d) | {"p_holm": adjusted[name, i]} if support[i] else None
                    for i, (c, d) in enumerate(zip(classes, each[2:], strict=True))
                },
            }
            for name, each in found.items()
        },
        "errors": {
            run.name: analysis(both, run.predicted, classes)
            | {"strict": strict_scores(both, run.gold, run.predicted), "by_seen": by_seen(both, run.tokens, run.seen)}
            for run, both in zip(runs, marked, strict=True)
        },
    }
    groups = list(seeds_of(runs).values())
    if any(len(members) > 1 for members in groups):
        result["groups"] = grouped(runs, sums, groups, result["support"])
    languages = sorted(set(runs[0].langs))
    if len(languages) > 1:
        result["languages"] = {lang: by_language(runs, counted, cluster, lang) for lang in languages}
    return result


def described(run: Run, shared: Counts, cluster: np.ndarray) -> dict[str, Any]:
    """A run's scores with intervals on the shared classes, and apart from them on its own."""
    own = run.counts(run.classes)
    return with_intervals(shared, cluster) | {
        "own": {"classes": run.classes} | with_intervals(own, cluster),
        "update_steps": run.environment.get("update_steps"),
        "seed": run.args.get("seed"),
    }


def with_intervals(counted: Counts, cluster: np.ndarray) -> dict[str, Any]:
    """Scores, and intervals over clusters."""
    found, spread = scores(counted), intervals(clustered(counted, cluster))
    for name, values in found["per_class"].items():
        if values is not None:
            values["intervals"] = spread["per_class"][name]
    return {"overall": found["overall"] | {"intervals": spread["overall"]}, "per_class": found["per_class"]}


def plain(d: Difference) -> dict[str, float | None]:
    """The difference for JSON: None for what is not known."""
    return {name: None if np.isnan(value) else value for name, value in asdict(d).items()}


def grouped(
    runs: list[Run], sums: list[np.ndarray], groups: list[np.ndarray], support: dict[str, int]
) -> list[dict[str, Any]]:
    """F1 over each experiment's seeds, and how its mean differs from the first experiment's.

    Micro F1 is one family of tests under Holm's correction, the classes with gold entities are another.
    """
    titles, result = ["micro", "macro", *support], []
    for members in groups:
        own = [sums[i] for i in members]
        f1 = seed_scores(own)
        entry: dict[str, Any] = {"runs": [runs[i].name for i in members], "f1": {}, "difference": {}}
        for title, mean, deviation in zip(titles, f1.means, f1.deviations, strict=True):
            entry["f1"][title] = {"mean": float(mean), "sd": None if np.isnan(deviation) else float(deviation)}
        if members is not groups[0]:
            found = zip(titles, seed_differences([sums[i] for i in groups[0]], own), strict=True)
            entry["difference"] = {title: plain(d) if support.get(title, 1) else None for title, d in found}
        result.append(entry)
    for family in (["micro"], list(support)):
        tested = [d for entry in result for t in family if (d := entry["difference"].get(t)) and d["p"] is not None]
        for d, p in zip(tested, holm([d["p"] for d in tested]), strict=True):
            d["p_holm"] = p
    return result


def by_language(runs: list[Run], counted: list[Counts], cluster: np.ndarray, lang: str) -> dict[str, Any]:
    rows = np.array([i for i, spoken in enumerate(runs[0].langs) if spoken == lang])
    here = np.unique(cluster[rows], return_inverse=True)[1]
    part = [Counts(c.types, c.entities[rows], c.tokens[rows], c.wrong[rows]) for c in counted]
    return {run.name: with_intervals(c, here)["overall"] for run, c in zip(runs, part, strict=True)}


def main(argv: list[str]) -> None:
    parser = CommandParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "runs", nargs="+", type=named_folder, metavar="RUN", help="a run folder; the first is compared with"
    )
    parser.add_argument("--output_dir", type=Path, default=Path("runs/report"), help="where the report goes")
    options = parser.parse_args(argv)
    runs, folder = read_runs(options.runs), options.output_dir
    classes = shared_classes(runs)
    gold = entities_of(runs[0].gold, classes)
    marked = [Entities(gold, entities_of(run.predicted, classes)) for run in runs]
    result = report(runs, classes, marked) | setups(runs)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "report.json", result)
    first, rest = opening(result), tables(result)
    parts = [*first, *forest(result, folder), *rest, *pictures(result, runs, folder)]
    write_text(folder / "report.md", markdown(parts))
    write_text(folder / "report.html", html(parts, runs, classes, marked))
    print(markdown([*first, *rest]), end="")
    print(f"wrote report.html, report.md and report.json in {folder}", file=sys.stderr)


if __name__ == "__main__":
    run_script(main)
