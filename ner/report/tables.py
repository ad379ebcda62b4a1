"""A report's tables and words, once, for Markdown and for HTML. Classes go down, runs across."""

from typing import Any

from ner.report.findings import (
    Comparison,
    bounds,
    by_experiment,
    by_run,
    enumerated,
    experiment_names,
    finding,
    name,
    p_cell,
    scored,
    signed,
    verdict,
)
from ner.report.text import Part, data_table, heading, paragraph
from ner.scoring.error_analysis import KINDS

EMPTY = "\u2013"  # F1 of a class or size without gold entities
UNKNOWN = "Nothing is recorded of how the runs were made."
MACRO = (
    "Macro F1 is the mean F1 of the shared classes that have gold entities in the split. seqeval's macro average also "
    "counts a class that is only predicted, with an F1 of 0, and is lower where there is one."
)


def opening(result: dict[str, Any]) -> list[Part]:
    """The finding, and in what the runs differ beyond what the experiment varies."""
    parts = [{"kind": "lead", "text": text} for text in finding(result)]
    if len(result["runs"]) < 2:
        return parts
    differing, agreeing, unrecorded = (result[key] for key in ("differing", "agreeing", "unrecorded"))
    missing = f" Not recorded for any run: {enumerated(unrecorded)}." if unrecorded else ""
    if not differing:
        about = f"All runs agree in {enumerated(agreeing)}.{missing}" if agreeing else UNKNOWN
        return [*parts, paragraph(about)]
    names = list(result["runs"])
    about = f"Mind that the runs differ in more than the experiment: in {enumerated([d['what'] for d in differing])}."
    agree = f" They agree in {enumerated(agreeing)}." if agreeing else ""
    rows = [[d["what"], *(d["values"][run] or "not recorded" for run in names)] for d in differing]
    table = data_table("What else differs", ["recorded", *names], rows, tuple(range(1, len(names) + 1)))
    return [*parts, paragraph(about + agree + missing), table]


def tables(result: dict[str, Any]) -> list[Part]:
    """The parts of a `report.json` in the order of reading: differences, scores, then where the errors are."""
    runs, experiments, single = result["runs"], by_experiment(result), by_run(result)
    parts = []
    if experiments:
        parts += [heading("Differences over seeds"), paragraph(OVER_SEEDS), paragraph(MACRO)]
        parts += [part for c in experiments for part in difference(c, result["support"])]
    if "groups" in result:
        parts += [heading("F1 over seeds"), mean_table(result)]
    if single:
        parts += [heading("Differences of single runs" if experiments else "Differences"), paragraph(SINGLE)]
        parts += [] if experiments else [paragraph(MACRO)]
        parts += [part for c in single for part in difference(c, result["support"])]
        parts.append(paragraph(caveat(result)))
    parts += f1_of_runs(result)
    if "languages" in result:
        parts.append(heading("Languages"))
        parts += [by_language(result, key, title) for key, title in (("f1", "Micro"), ("macro_f1", "Macro"))]
    return parts + own_scores(runs) + where_the_errors_are(result["errors"], result["classes"])


SINGLE = (
    "Difference of F1 in points, its paired 95 % interval, and p by paired approximate randomisation. Micro "
    "F1 is the primary test, corrected by Holm's method over the runs; the classes with gold entities are a second "
    "family, over classes and runs. The corrected p decides the verdict. An interval stands for itself: where it "
    "excludes zero and the corrected p does not show a difference, the verdict is “not after Holm”. Macro F1 is "
    "only described: its p is corrected for nothing and gives no verdict."
)
OVER_SEEDS = (
    "Runs whose recorded arguments differ in seed and output folder only are one experiment. Difference of the mean F1 "
    "in points, with a 95 % interval and p for new seeds and new sentences, by Student's t; an experiment of one seed "
    "has neither. Micro F1 is the primary test, corrected by Holm's method over the experiments; the classes with gold "
    "entities are a second family, over classes and experiments."
)


def f1_of_runs(result: dict[str, Any]) -> list[Part]:
    runs, classes, support = result["runs"], result["classes"], result["support"]
    rows = [
        ["micro", sum(support.values()), *(scored(r["overall"], "f1") for r in runs.values())],
        ["macro", "", *(scored(r["overall"], "macro_f1") for r in runs.values())],
    ]
    for c in classes:
        each = [r["per_class"][c] for r in runs.values()]
        rows.append([c, support[c], *(EMPTY if values is None else scored(values, "f1") for values in each)])
    return [
        heading("F1 of each run"),
        paragraph(
            f"In percent, entity-level, with 95 % intervals, on the classes that all runs know: "
            f"{', '.join(map(name, classes))}. Every other tag counts as O, in gold and prediction and for every run. "
            f"{result['sentences']:,} test sentences, {result['clusters']:,} of them distinct: copies of a sentence "
            "count as one."
        ),
        data_table("F1 on the shared classes", ["class", "gold entities", *runs], with_commas(rows)),
        paragraph(f"{MACRO} {updates(runs)}".strip()),
    ]


def with_commas(rows: list[list[Any]]) -> list[list[Any]]:
    return [[f"{value:,}" if isinstance(value, int) else value for value in row] for row in rows]


def updates(runs: dict[str, Any]) -> str:
    """How many updates each run was trained for: up-sampling adds some."""
    steps = {run: r["update_steps"] for run, r in runs.items() if r["update_steps"] is not None}
    if len(steps) == len(runs) and len(set(steps.values())) == 1:
        return f"Updates of each run: {next(iter(steps.values())):,}."
    return f"Updates: {', '.join(f'{name(run)} {n:,}' for run, n in steps.items())}." if steps else ""


def difference(c: Comparison, support: dict[str, int]) -> list[Part]:
    """A table with verdict, difference, interval and p in columns of their own, and which classes are not tested."""

    def row(title: str, gold: int | str, d: dict[str, Any], said: str) -> list[Any]:
        between = bounds(d, "one seed" if c.seeds and min(c.seeds) == 1 else "too few")
        return [title, gold, said, signed(d["difference"]), between, p_cell(d.get("p")), p_cell(d.get("p_holm"))]

    rows = [
        row("micro", sum(support.values()), c.micro, verdict(c.micro) or "not tested"),
        row("macro", "", c.macro, "described only"),
        *(row(k, support[k], d, verdict(d) or "not tested") for k, d in c.classes.items() if d and support[k]),
    ]
    head = ["class", "gold entities", "verdict", "difference", "95 % interval", "p", "p (Holm)"]
    parts = [data_table(f"{c.name} against {c.first}", head, with_commas(rows), (2,))]
    empty = [name(k) for k, n in support.items() if not n]
    if empty:
        parts.append(paragraph(f"Not tested, without gold entities in the split: {enumerated(empty)}."))
    return parts


def caveat(result: dict[str, Any]) -> str:
    """How far the tests of single runs carry, by the number of seeds that were compared."""
    groups = result.get("groups")
    if not groups:
        return (
            "With one seed an experiment, this is about these checkpoints. It says nothing of the method: another seed "
            "moves every score as well."
        )
    counts = {label: len(g["runs"]) for label, g in zip(experiment_names(groups), groups, strict=True)}
    if len(groups) == 1:
        return (
            f"These runs are one experiment with {counts.popitem()[1]} seeds: what differs between them is the seed's."
        )
    single = [name(label) for label, n in counts.items() if n == 1]
    about = "These tests are about single checkpoints; the experiments are compared over their seeds above."
    return about + (f" There is only one seed of {enumerated(single)}." if single else "")


def mean_table(result: dict[str, Any]) -> Part:
    """F1 of each experiment over its seeds: mean and standard deviation."""
    groups, support = result["groups"], result["support"]

    def mean(f1: dict[str, float | None]) -> str:
        deviation = "" if f1["sd"] is None else f" ± {100 * f1['sd']:.1f}"
        return f"{100 * f1['mean']:.1f}{deviation}"

    titles = {"micro": sum(support.values()), "macro": "", **support}
    rows = [
        [title, gold, *(mean(g["f1"][title]) if gold != 0 else EMPTY for g in groups)] for title, gold in titles.items()
    ]
    labels = [
        label if [label] == g["runs"] else f"{label} ({', '.join(g['runs'])})"
        for label, g in zip(experiment_names(groups), groups, strict=True)
    ]
    return data_table("Mean F1 ± standard deviation over seeds", ["class", "gold entities", *labels], with_commas(rows))


def by_language(result: dict[str, Any], key: str, title: str) -> Part:
    rows = [
        [language, *(scored(by_run[run], key) for run in result["runs"])]
        for language, by_run in result["languages"].items()
    ]
    return data_table(f"{title} F1 by language", ["language", *result["runs"]], rows)


def own_scores(runs: dict[str, Any]) -> list[Part]:
    rows: list[list[Any]] = [
        ["classes", *(len(r["own"]["classes"]) for r in runs.values())],
        *([f"{t} F1", *(scored(r["own"]["overall"], key) for r in runs.values())] for t, key in SCORES),
        ["token accuracy", *(f"{100 * r['own']['overall']['accuracy']:.2f}" for r in runs.values())],
    ]
    return [
        heading("Each run on its own classes"),
        paragraph("Not to be compared with each other where the classes differ: fewer classes score higher."),
        data_table("Scores on all classes of each run", ["score", *runs], rows),
    ]


SCORES = (("micro", "f1"), ("macro", "macro_f1"))


def where_the_errors_are(errors: dict[str, Any], classes: list[str]) -> list[Part]:
    """Errors by kind and class, strict scoring, seen and unseen surfaces, lengths; runs across."""
    each, runs = list(errors.values()), list(errors)
    strict: list[list[Any]] = [
        ["micro F1, strict", *(f"{100 * e['strict']['f1']:.1f}" for e in each)],
        ["I- tags that continue nothing", *(e["invalid_transitions"]["count"] for e in each)],
        ["the same, percent of entity tags", *(f"{100 * e['invalid_transitions']['share']:.2f}" for e in each)],
    ]
    kinds = [[kind, *(e["kinds"][kind] for e in each)] for kind in KINDS]
    parts = [
        heading("Where the errors are"),
        paragraph(
            "Type: the borders are right and the class is wrong. Boundary: an entity of the class overlaps. Both: an "
            "entity of another class and with other borders overlaps. Missed and spurious: no partner on the other "
            "side. Each gold entity is in one error at most, in this table, in the confusions and in the sentences."
        ),
        data_table("Errors by kind", ["kind", *runs], with_commas(kinds)),
        data_table("Strict scoring (IOB2)", ["score", *runs], with_commas(strict)),
    ]
    if any(e["by_seen"] for e in each):
        found = [e["by_seen"] or {} for e in each]
        rows = [[kind, *(f1_of_part(seen.get(kind), True) for seen in found)] for kind in ("seen", "unseen")]
        parts.append(data_table("F1 by surface form, in training or not (gold entities)", ["surface", *runs], rows))
    for key, title in (("by_entity_length", "entity"), ("by_sentence_length", "sentence")):
        rows = [
            [size(bins[0]), bins[0]["support"], *(f1_of_part(b, False) for b in bins)]
            for bins in zip(*(e[key] for e in each), strict=True)
        ]
        parts.append(data_table(f"F1 by tokens of the {title}", ["tokens", "gold entities", *runs], with_commas(rows)))
    return parts + confusions(errors, classes)


def f1_of_part(part: dict[str, Any] | None, with_support: bool) -> str:
    if part is None:
        return "not recorded"
    f1 = f"{100 * part['f1']:.1f}" if part["support"] else EMPTY
    return f"{f1} ({part['support']:,})" if with_support else f1


SHOWN_CONFUSIONS = 6  # runs


def confusions(errors: dict[str, Any], classes: list[str]) -> list[Part]:
    """A table for each run; `shade` holds the share of its row that a cell has."""
    parts = [
        heading("Confusion"),
        paragraph(
            "Gold classes down, predicted classes across. Right entities are on the diagonal and errors of type beside "
            "it. Other borders are errors of kind boundary or both: each counts in the row of its gold class and in "
            "the column of its predicted class."
        ),
    ]
    titles = [*classes, "other borders", "spurious"]
    for run, e in list(errors.items())[:SHOWN_CONFUSIONS]:
        rows = [[title, *counts] for title, counts in zip(titles, e["confusion"], strict=True)]
        table = data_table(f"Confusion of {run}", ["gold", *classes, "other borders", "missed"], with_commas(rows))
        table["shade"] = [[round(n / max(sum(values), 1), 3) for n in values] for values in e["confusion"]]
        parts.append(table)
    if len(errors) > SHOWN_CONFUSIONS:
        parts.append(paragraph(f"Those of {len(errors) - SHOWN_CONFUSIONS} more runs are in report.json."))
    return parts


def size(b: dict[str, Any]) -> str:
    if b["to"] is None:
        return f"{b['from']} or more"
    return str(b["from"]) if b["from"] == b["to"] else f"{b['from']} to {b['to']}"
