"""Compare runs on the classes that all of them know, with intervals and tests.

    python report.py runs/distilbert_default runs/distilbert_masked --output_dir runs/report

It reads run folders only, of which `test/predictions.jsonl` is enough, and writes report.json and report.md.
"""

import argparse
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from comparison import Difference, cluster_sums, clusters, differences, group_difference, holm
from errors import InputError, run_script
from metrics import Counts, intervals, scores
from predictions import Run, read_runs, seeds_of, shared_classes
from runs import write_json

LEVEL = 0.05
SEEDS_FOR_P = 5


def report(runs: list[Run]) -> dict[str, Any]:
    """The comparison of the runs with the first one, as `report.json` holds it; fractions, not percent.

    Micro F1 is the primary test. The per-class tests of all differences are one family under Holm's correction.
    """
    classes = shared_classes(runs)
    counted = [run.counts(classes) for run in runs]
    cluster = clusters(runs[0].tokens)
    sums = [cluster_sums(c.entities, cluster) for c in counted]
    found = {run.name: differences(sums[0], s) for run, s in zip(runs[1:], sums[1:], strict=True)}
    adjusted = iter(holm([d.p for each in found.values() for d in each[2:]]))
    result = {
        "classes": classes,
        "sentences": len(runs[0].tokens),
        "clusters": int(cluster.max() + 1),
        "first": runs[0].name,
        "runs": {run.name: described(run, c) for run, c in zip(runs, counted, strict=True)},
        "differences": {
            name: {
                "micro": plain(each[0]),
                "macro": plain(each[1]),
                "per_class": {c: plain(d) | {"p_holm": next(adjusted)} for c, d in zip(classes, each[2:], strict=True)},
            }
            for name, each in found.items()
        },
    }
    groups = list(seeds_of(runs).values())
    if any(len(members) > 1 for members in groups):
        result["groups"] = grouped(runs, sums, groups, classes)
    languages = sorted(set(runs[0].langs))
    if len(languages) > 1:
        result["languages"] = {lang: by_language(runs, counted, lang) for lang in languages}
    return result


def described(run: Run, shared: Counts) -> dict[str, Any]:
    """A run's scores with intervals on the shared classes, and apart from them on its own."""
    own = run.counts(run.classes)
    return with_intervals(shared) | {
        "own": {"classes": run.classes} | with_intervals(own),
        "update_steps": run.environment.get("update_steps"),
        "seed": run.args.get("seed"),
    }


def with_intervals(counted: Counts) -> dict[str, Any]:
    found, spread = scores(counted), intervals(counted)
    for name, values in found["per_class"].items():
        if values is not None:
            values["intervals"] = spread["per_class"][name]
    return {"overall": found["overall"] | {"intervals": spread["overall"]}, "per_class": found["per_class"]}


def plain(d: Difference) -> dict[str, float]:
    return {"difference": d.difference, "low": d.low, "high": d.high, "p": d.p}


def grouped(
    runs: list[Run], sums: list[np.ndarray], groups: list[np.ndarray], classes: list[str]
) -> list[dict[str, Any]]:
    """F1 over each experiment's seeds, and how its mean differs from the first experiment's."""
    titles, result = ["micro", "macro", *classes], []
    for members in groups:
        found = group_difference([sums[i] for i in groups[0]], [sums[i] for i in members])
        enough = min(len(members), len(groups[0])) >= SEEDS_FOR_P
        entry: dict[str, Any] = {"runs": [runs[i].name for i in members], "f1": {}, "difference": {}}
        for title, mean, deviation, d in zip(titles, found.means, found.deviations, found.differences, strict=True):
            entry["f1"][title] = {"mean": float(mean), "sd": None if len(members) < 2 else float(deviation)}
            if members is not groups[0]:
                entry["difference"][title] = plain(d) if enough else {k: v for k, v in plain(d).items() if k != "p"}
        result.append(entry)
    return result


def by_language(runs: list[Run], counted: list[Counts], lang: str) -> dict[str, Any]:
    rows = np.array([i for i, spoken in enumerate(runs[0].langs) if spoken == lang])
    part = [Counts(c.types, c.entities[rows], c.tokens[rows], c.wrong[rows]) for c in counted]
    return {run.name: with_intervals(c)["overall"] for run, c in zip(runs, part, strict=True)}


def verdict(d: dict[str, float], p: float) -> str:
    """What the numbers say, in words: nothing is called a difference without its test."""
    numbers = f"{100 * d['difference']:+.1f} [{100 * d['low']:.1f}, {100 * d['high']:.1f}]"
    if p >= LEVEL:
        return f"no difference shown: {numbers}"
    return f"{'higher' if d['difference'] > 0 else 'lower'}: {numbers}"


def markdown(result: dict[str, Any]) -> str:
    """The report for a README."""
    first, classes = result["first"], result["classes"]
    parts = [
        "# Comparison of runs",
        f"Compared on the classes all runs know: {', '.join(map(cell, classes))}. Every other tag counts as `O`, on "
        f"both sides and for every run. {result['sentences']:,} test sentences, of which {result['clusters']:,} are "
        "distinct; copies of a sentence are drawn and swapped together. F1 in percent, entity-level, with 95 % "
        "bootstrap intervals.",
        table(
            ["run", "updates", "micro F1", "macro F1", *classes],
            [[name, updates(r), *f1_cells(r, classes)] for name, r in result["runs"].items()],
        ),
        f"## Differences to {cell(first)}",
        "Difference of F1 in points, its paired 95 % bootstrap interval, and p by paired approximate randomisation. "
        "Micro F1 is the primary test; the classes are one family, and Holm's p decides their words.",
    ]
    for name, each in result["differences"].items():
        rows = [["micro", verdict(each["micro"], each["micro"]["p"]), p_cell(each["micro"]["p"]), ""]]
        rows.append(["macro", interval(each["macro"]), p_cell(each["macro"]["p"]), ""])
        for c, d in each["per_class"].items():
            rows.append([c, verdict(d, d["p_holm"]), p_cell(d["p"]), p_cell(d["p_holm"])])
        parts += [f"### {cell(name)}", table(["", "F1 against the first run", "p", "p (Holm)"], rows)]
    parts.append(caveat(result))
    if "groups" in result:
        parts += ["## Over seeds", over_seeds(result["groups"])]
    if "languages" in result:
        rows = [
            [lang, name, *(f"{100 * scores['f1']:.1f}",), f"{100 * scores['macro_f1']:.1f}"]
            for lang, runs in result["languages"].items()
            for name, scores in runs.items()
        ]
        parts += ["## Languages", table(["language", "run", "micro F1", "macro F1"], rows)]
    rows = [
        [name, len(r["own"]["classes"]), *f1_cells(r["own"], []), f"{100 * r['own']['overall']['accuracy']:.2f}"]
        for name, r in result["runs"].items()
    ]
    parts += [
        "## Each run on its own classes",
        "Not to be compared with each other where the classes differ.",
        table(["run", "classes", "micro F1", "macro F1", "token accuracy"], rows),
    ]
    return "\n\n".join(parts) + "\n"


def caveat(result: dict[str, Any]) -> str:
    seeds = [len(g["runs"]) for g in result.get("groups", [])] or [1]
    if min(seeds) == 1:
        return (
            "With one seed, this is about these checkpoints. It says nothing of the method: another seed moves every "
            "score as well."
        )
    return "The tests above are about these checkpoints; the experiments are compared over their seeds below."


def over_seeds(groups: list[dict[str, Any]]) -> str:
    """Experiments side by side: mean and standard deviation, and the difference to the first with its interval."""
    titles = list(groups[0]["f1"])
    rows = []
    for number, group in enumerate(groups, 1):
        cells = []
        for title in titles:
            f1, d = group["f1"][title], group["difference"].get(title)
            deviation = "" if f1["sd"] is None else f" ± {100 * f1['sd']:.1f}"
            against = "" if d is None else f"<br>{interval(d)}" + (f", p {p_cell(d['p'])}" if "p" in d else "")
            cells.append(f"{100 * f1['mean']:.1f}{deviation}{against}")
        rows.append([f"{number}: {', '.join(map(cell, group['runs']))}", *cells])
    note = (
        "Runs whose recorded arguments differ in seed and output folder only are one experiment: mean ± standard "
        "deviation of F1, and below it the difference to the first experiment's mean with an approximate 95 % "
        f"interval from drawing seeds and sentences. No p value stands below {SEEDS_FOR_P} seeds an experiment."
    )
    return note + "\n\n" + table(["experiment", *titles], rows, raw=True)


def table(head: list[str], rows: list[list[Any]], raw: bool = False) -> str:
    lines = ["| " + " | ".join(map(cell, head)) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(v) if raw else cell(v) for v in row) + " |" for row in rows]
    return "\n".join(lines)


def cell(value: Any) -> str:
    """A value from a file, so that neither Markdown nor HTML takes it for markup."""
    return "".join(f"\\{c}" if c in "\\`*|<[" else c for c in str(value).replace("\n", " "))


def updates(run: dict[str, Any]) -> str:
    return "" if run["update_steps"] is None else f"{run['update_steps']:,}"


def f1_cells(run: dict[str, Any], classes: list[str]) -> list[str]:
    cells = [spread(run["overall"], "f1"), spread(run["overall"], "macro_f1")]
    return cells + ["" if run["per_class"][c] is None else spread(run["per_class"][c], "f1") for c in classes]


def spread(values: dict[str, Any], score: str) -> str:
    low, high = (100 * v for v in values["intervals"][score])
    return f"{100 * values[score]:.1f} ({low:.1f} to {high:.1f})"


def interval(d: dict[str, float]) -> str:
    return f"{100 * d['difference']:+.1f} ({100 * d['low']:.1f} to {100 * d['high']:.1f})"


def p_cell(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; --help shows the usage")


def main(argv: list[str]) -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run folder; the first is compared with")
    parser.add_argument("--output_dir", type=Path, default=Path("runs/report"), help="where the report goes")
    options = parser.parse_args(argv)
    result = report(read_runs(options.runs))
    text = markdown(result)
    options.output_dir.mkdir(parents=True, exist_ok=True)
    write_json(options.output_dir / "report.json", result)
    (options.output_dir / "report.md").write_text(text, encoding="utf-8")
    print(text, end="")
    print(f"wrote report.json and report.md in {options.output_dir}", file=sys.stderr)


if __name__ == "__main__":
    run_script(main)
