"""The tables and texts of a report, for Markdown and for the page alike. Rows are classes, columns are runs."""

from typing import Any

from ner.report.error_tables import error_tables
from ner.report.findings import (
    Comparison,
    enumeration,
    experiment_comparisons,
    experiment_names,
    finding,
    interval_in_points,
    isolated_name,
    p_cell,
    run_comparisons,
    score_cell,
    signed_points,
    verdict,
)
from ner.report.text import EMPTY, Part, data_table, heading, lead, paragraph, with_commas
from ner.scoring.score_table import TOO_FEW

DIFFERENCE = ("verdict", "difference", "95 % interval", "p", "p (Holm)")  # columns of a table
SCORES = (("micro", "f1"), ("macro", "macro_f1"))
UNKNOWN = "There is no record of how the runs were made."
MACRO = (
    "Macro F1 is the mean F1 of the {which} classes that have gold entities in the split. seqeval's macro average also "
    "includes a class that is only predicted, with an F1 of 0, and is lower if there is one."
)
SINGLE = (
    "The difference of F1 and its 95 % interval are in points. The interval is paired: it is for the same sentences, "
    "tagged by both runs. p is that of paired approximate randomisation. Micro F1 is the primary test; its p is "
    "corrected by Holm's method over the runs. The classes with gold entities are a second family of tests, over "
    "classes and runs. The corrected p decides the verdict. The interval is not corrected: if it excludes zero but the "
    "corrected p does not show a difference, the verdict is “not after Holm”. Macro F1 is only described: its p is not "
    "corrected, and there is no verdict."
)
OVER_SEEDS = (
    "Runs whose recorded arguments differ only in seed and output folder are one experiment. The difference of mean F1 "
    "and its 95 % interval are in points. Interval and p are for new seeds and new sentences, by Student's t; an "
    "experiment of one seed has neither. Micro F1 is the primary test; its p is corrected by Holm's method over the "
    "experiments. The classes with gold entities are a second family of tests, over classes and experiments. Under "
    "“detectable” is the smallest true difference that the corrected test would find in four of five tries, with as "
    "many seeds and sentences, if it were the only one in its family."
)
BY_LANGUAGE = (
    "In each language, the runs are compared on its sentences alone. These tests are about single runs. They are a "
    "family of their own: p is corrected by Holm's method over languages and runs."
)


def opening(result: dict[str, Any]) -> list[Part]:
    """The finding, and how the runs differ apart from what the experiment varies."""
    parts = [lead(text) for text in finding(result)]
    if len(result["runs"]) < 2:
        return parts
    differing, agreeing, unrecorded = (result[key] for key in ("differing", "agreeing", "unrecorded"))
    missing = f" Not recorded for any run: {enumeration(unrecorded)}." if unrecorded else ""
    if not differing:
        about = f"All runs agree in {enumeration(agreeing)}.{missing}" if agreeing else UNKNOWN
        return [*parts, paragraph(about)]
    names = list(result["runs"])
    about = f"Note that the runs differ in more than the experiment: in {enumeration([d['what'] for d in differing])}."
    agree = f" They agree in {enumeration(agreeing)}." if agreeing else ""
    rows = [[d["what"], *(d["values"][run] or "not recorded" for run in names)] for d in differing]
    table = data_table(
        "Other differences between the runs", ["recorded", *names], rows, tuple(range(1, len(names) + 1))
    )
    return [*parts, paragraph(about + agree + missing), table]


def tables(result: dict[str, Any]) -> list[Part]:
    """The parts after the opening: differences, then scores, then where the errors are."""
    experiments, single = experiment_comparisons(result), run_comparisons(result)
    parts: list[Part] = []
    if experiments:
        parts += [heading("Differences over seeds"), paragraph(OVER_SEEDS), macro_paragraph(result)]
        parts += [part for c in experiments for part in difference_table(c, result["support"])]
    if "groups" in result:
        parts += [heading("F1 over seeds"), seed_table(result)]
    if single:
        parts += [heading("Differences of single runs" if experiments else "Differences"), paragraph(SINGLE)]
        parts += [] if experiments else [macro_paragraph(result)]
        parts += [part for c in single for part in difference_table(c, result["support"])]
        parts.append(paragraph(caveat(result)))
    parts += f1_table(result)
    if "languages" in result:
        parts += language_tables(result, single)
    return parts + own_score_table(result["runs"]) + error_tables(result["errors"], result["classes"])


def f1_table(result: dict[str, Any]) -> list[Part]:
    """F1 of each run on the compared classes."""
    runs, classes, support = result["runs"], result["classes"], result["support"]
    rows = [
        ["micro", sum(support.values()), *(score_cell(r["overall"], "f1") for r in runs.values())],
        ["macro", "", *(score_cell(r["overall"], "macro_f1") for r in runs.values())],
    ]
    for c in classes:
        per_run = [r["per_class"][c] for r in runs.values()]
        rows.append([c, support[c], *(EMPTY if values is None else score_cell(values, "f1") for values in per_run)])
    return [
        heading("F1 of each run"),
        paragraph(
            f"F1 is in percent, entity-level, with 95 % intervals, on {classes_text(result)}. Every other tag counts "
            "as O, in the gold tags and in the predictions of every run. "
            f"{result['sentences']:,} test sentences were scored, {result['clusters']:,} of them distinct: "
            "for the intervals, copies of a sentence count as one."
        ),
        data_table(f"F1 on the {which_classes(result)} classes", ["class", "gold entities", *runs], with_commas(rows)),
        macro_paragraph(result, update_text(runs)),
    ]


def which_classes(result: dict[str, Any]) -> str:
    """`chosen` if the runs are compared on some of the classes that they share, else `shared`."""
    return "chosen" if "not_compared" in result else "shared"


def macro_paragraph(result: dict[str, Any], more: str = "") -> Part:
    """What macro F1 is, and `more`."""
    return paragraph(f"{MACRO.format(which=which_classes(result))} {more}".strip())


def classes_text(result: dict[str, Any]) -> str:
    """Which classes are compared, and which others the runs share if only some were chosen."""
    compared = ", ".join(map(isolated_name, result["classes"]))
    if "not_compared" not in result:
        return f"the classes that all runs know: {compared}"
    others = map(isolated_name, result["not_compared"])
    return f"the chosen classes: {compared} (all runs also know {enumeration(list(others))})"


def update_text(runs: dict[str, Any]) -> str:
    """For how many updates the runs were trained, if that is recorded: up-sampling adds some."""
    steps = {run: r["update_steps"] for run, r in runs.items() if r["update_steps"] is not None}
    if len(steps) == len(runs) and len(set(steps.values())) == 1:
        return f"Updates of each run: {next(iter(steps.values())):,}."
    return f"Updates: {', '.join(f'{isolated_name(run)} {n:,}' for run, n in steps.items())}." if steps else ""


def difference_table(c: Comparison, support: dict[str, int]) -> list[Part]:
    """Verdict, difference, interval and p of each F1, and which classes are not tested.

    Over several seeds, the minimal detectable difference as well.
    """
    detectable = c.seeds is not None and min(c.seeds) > 1
    missing = {"missing": "one seed"} if c.seeds and min(c.seeds) == 1 else {}

    def row(title: str, entities: int | str, d: dict[str, Any], outcome: str) -> list[Any]:
        cells = difference_cells(d, **missing)
        return [title, entities, outcome, *cells, *([detectable_cell(d)] if detectable else [])]

    rows = [
        row("micro", sum(support.values()), c.micro, verdict(c.micro) or "not tested"),
        row("macro", "", c.macro, "described only"),
        *(row(k, support[k], d, verdict(d) or "not tested") for k, d in c.classes.items() if d and support[k]),
    ]
    head = ["class", "gold entities", *DIFFERENCE, *(["detectable"] if detectable else [])]
    parts = [data_table(f"{c.name} against {c.first}", head, with_commas(rows), (2,))]
    untested = [isolated_name(k) for k, n in support.items() if not n]
    if untested:
        parts.append(paragraph(f"Not tested, without gold entities in the split: {enumeration(untested)}."))
    return parts


def difference_cells(d: dict[str, Any], missing: str = TOO_FEW) -> list[str]:
    """The cells of a difference in a table: points, interval, p, and p after Holm's correction."""
    interval = interval_in_points(d, missing)
    return [signed_points(d["difference"]), interval, p_cell(d.get("p")), p_cell(d.get("p_holm"))]


def detectable_cell(d: dict[str, Any]) -> str:
    """The minimal detectable difference in points, either way; empty for a score that is not tested.

    `none` if even a difference of 100 points would be missed, as with two seeds of a class with few entities.
    """
    if d.get("p_holm") is None:
        return EMPTY
    return f"±{100 * d['detectable']:.1f}" if d["detectable"] < 1 else "none"


def caveat(result: dict[str, Any]) -> str:
    """What the tests of single runs do not show, which depends on how many seeds were compared."""
    groups = result.get("groups")
    if not groups:
        return (
            "With one seed per experiment, these tests are about these checkpoints. They say nothing about the method: "
            "another seed changes every score too."
        )
    counts = {label: len(g["runs"]) for label, g in zip(experiment_names(groups), groups, strict=True)}
    if len(groups) == 1:
        return f"These runs are one experiment with {counts.popitem()[1]} seeds: they differ in their seed only."
    single = [isolated_name(label) for label, n in counts.items() if n == 1]
    about = "These tests are about single checkpoints. The experiments are compared over their seeds above."
    return about + (f" There is only one seed of {enumeration(single)}." if single else "")


def seed_table(result: dict[str, Any]) -> Part:
    """F1 of each experiment over its seeds: mean and standard deviation."""
    groups, support = result["groups"], result["support"]

    def mean(f1: dict[str, Any]) -> str:
        deviation = "" if f1["sd"] is None else f" ± {100 * f1['sd']:.1f}"
        return f"{100 * f1['mean']:.1f}{deviation}"

    titles = {"micro": sum(support.values()), "macro": "", **support}
    rows = [
        [title, entities, *(mean(g["f1"][title]) if entities != 0 else EMPTY for g in groups)]
        for title, entities in titles.items()
    ]
    labels = [
        label if [label] == g["runs"] else f"{label} ({', '.join(g['runs'])})"
        for label, g in zip(experiment_names(groups), groups, strict=True)
    ]
    return data_table("Mean F1 ± standard deviation over seeds", ["class", "gold entities", *labels], with_commas(rows))


def language_tables(result: dict[str, Any], compared: list[Comparison]) -> list[Part]:
    """F1 of each run by language, and how micro F1 of the others differs from that of the first."""
    about, runs = result["by_language"], result["runs"]
    parts = [heading("Languages")]
    for title, score in SCORES:
        rows = [
            [
                lang,
                of["sentences"],
                of["gold_entities"],
                *(score_cell(by_run[run], score) if of["gold_entities"] else EMPTY for run in runs),
            ]
            for (lang, of), by_run in zip(about.items(), result["languages"].values(), strict=True)
        ]
        head = ["language", "sentences", "gold entities", *runs]
        parts.append(data_table(f"{title.capitalize()} F1 by language", head, with_commas(rows)))
    if compared:
        parts.append(paragraph(BY_LANGUAGE))
    for c in compared:
        rows = [
            [lang, about[lang]["gold_entities"], verdict(d) or "not tested", *difference_cells(d)]
            for lang, d in c.languages.items()
            if d
        ]
        head = ["language", "gold entities", *DIFFERENCE]
        parts.append(data_table(f"{c.name} against {c.first}, micro F1 by language", head, with_commas(rows), (2,)))
    return parts


def own_score_table(runs: dict[str, Any]) -> list[Part]:
    """The overall scores of each run on all classes that it knows."""
    rows: list[list[Any]] = [
        ["classes", *(len(r["own"]["classes"]) for r in runs.values())],
        *([f"{title} F1", *(score_cell(r["own"]["overall"], key) for r in runs.values())] for title, key in SCORES),
        ["token accuracy", *(f"{100 * r['own']['overall']['accuracy']:.2f}" for r in runs.values())],
    ]
    return [
        heading("Each run on its own classes"),
        paragraph("Do not compare these scores between runs with other classes: fewer classes score higher."),
        data_table("Scores on all classes of each run", ["score", *runs], rows),
    ]
