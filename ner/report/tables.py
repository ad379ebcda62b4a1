"""The texts and tables of a report, for Markdown and for the page alike. Rows are classes, columns are runs."""

from typing import Any

from ner.errors import InputError
from ner.report.findings import (
    EMPTY,
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
from ner.report.run_reader import Run
from ner.scoring.error_analysis import KINDS
from ner.scoring.score_table import TOO_FEW, is_calibrated

# A part of a report: what it is, and its content. `h2`, `p` and `lead` (a paragraph of the finding) have a text,
# `table` has what `table` returns, `picture` what `ner.report.pictures` draws. Whoever renders a part escapes its text.
Part = tuple[str, Any]
DIFFERENCE = ("verdict", "difference", "95 % interval", "p", "p (Holm)")  # columns of a table
SCORES = (("micro", "f1"), ("macro", "macro_f1"))
LEAST_SCORES = (0.5, 0.8, 0.9, 0.95, 0.99)  # of entities, in the table of confidence
MAX_CONFUSIONS = 6  # runs
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
KINDS_OF_ERROR = (
    "Type: the borders are right and the class is wrong. Boundary: the class is right and the entities only overlap. "
    "Both: class and borders are wrong, and the entities overlap. Missed and spurious: no entity on the other side is "
    "its partner. Each gold entity is in at most one error: in this table, in the confusions and in the sentences."
)
CONFUSION = (
    "Rows are gold classes, columns are predicted classes. Correct entities are on the diagonal, and errors of kind "
    "“type” are around it. “Other borders” counts the errors of kind “boundary” or “both”: each is in the row of its "
    "gold class and in the column of its predicted class."
)
CONFIDENCE = (
    "The score of an entity is the probability that it is right, calibrated on the validation split. The expected "
    "calibration error (ECE) is the mean distance, in points, between the scores in a bin of entities and the share of "
    "these that is right. The Brier score is the mean squared error of the scores. Under a least score are precision "
    "and, in brackets, coverage of the entities with at least that score, in percent. All classes of each run count."
)


def table(
    title: str,
    head: list[str],
    rows: list[list[Any]],
    words: tuple[int, ...] = (),
    shade: list[list[float]] | None = None,
) -> Part:
    """A table whose first column names its rows; `words` are the other columns that hold words, not numbers.

    Integers are shown as in `1,234`. `shade` is how dark each cell but the first of a row is, from 0 to 1.
    """
    texts = [[f"{value:,}" if isinstance(value, int) else value for value in row] for row in rows]
    return "table", {"title": title, "head": head, "rows": texts, "words": words, "shade": shade}


def opening(result: dict[str, Any]) -> list[Part]:
    """The finding, and how the runs differ apart from what the experiment varies."""
    parts = [("lead", text) for text in finding(result)]
    names = list(result["runs"])
    if len(names) < 2:
        return parts
    differing, agreeing, unrecorded = (result[key] for key in ("differing", "agreeing", "unrecorded"))
    missing = f" Not recorded for any run: {enumeration(unrecorded)}." if unrecorded else ""
    if not differing:
        return [*parts, ("p", f"All runs agree in {enumeration(agreeing)}.{missing}" if agreeing else UNKNOWN)]
    about = f"Note that the runs differ in more than the experiment: in {enumeration([d['what'] for d in differing])}."
    agree = f" They agree in {enumeration(agreeing)}." if agreeing else ""
    rows = [[d["what"], *(d["values"][run] or "not recorded" for run in names)] for d in differing]
    columns = tuple(range(1, len(names) + 1))
    title = "Other differences between the runs"
    return [*parts, ("p", about + agree + missing), table(title, ["recorded", *names], rows, columns)]


def tables(result: dict[str, Any]) -> list[Part]:
    """The parts after the opening: differences, then scores, then where the errors are."""
    experiments, single = experiment_comparisons(result), run_comparisons(result)
    which = "chosen" if "not_compared" in result else "shared"
    macro = MACRO.format(which=which)
    parts: list[Part] = []
    if experiments:
        parts += [("h2", "Differences over seeds"), ("p", OVER_SEEDS), ("p", macro)]
        parts += [part for c in experiments for part in difference_table(c, result["support"])]
    if "groups" in result:
        parts += [("h2", "F1 over seeds"), seed_table(result)]
    if single:
        parts += [("h2", "Differences of single runs" if experiments else "Differences"), ("p", SINGLE)]
        parts += [] if experiments else [("p", macro)]
        parts += [part for c in single for part in difference_table(c, result["support"])]
        parts.append(("p", caveat(result)))
    parts += [*f1_table(result, which), ("p", f"{macro} {update_text(result['runs'])}".strip())]
    if "languages" in result:
        parts += language_tables(result, single)
    return [*parts, *own_score_table(result["runs"]), *error_tables(result["errors"], result["classes"])]


def f1_table(result: dict[str, Any], which: str) -> list[Part]:
    """F1 of each run on the compared classes, which are the chosen or the shared ones."""
    runs, support = result["runs"], result["support"]
    rows = [
        ["micro", sum(support.values()), *(score_cell(r["overall"], "f1") for r in runs.values())],
        ["macro", "", *(score_cell(r["overall"], "macro_f1") for r in runs.values())],
    ]
    rows += [[c, n, *(score_cell(r["per_class"][c], "f1") for r in runs.values())] for c, n in support.items()]
    about = (
        f"F1 is in percent, entity-level, with 95 % intervals, on {classes_text(result)}. Every other tag counts "
        "as O, in the gold tags and in the predictions of every run. "
        f"{result['sentences']:,} test sentences were scored, {result['clusters']:,} of them distinct: "
        "for the intervals, copies of a sentence count as one."
    )
    head = ["class", "gold entities", *runs]
    return [("h2", "F1 of each run"), ("p", about), table(f"F1 on the {which} classes", head, rows)]


def classes_text(result: dict[str, Any]) -> str:
    """Which classes are compared, and which others the runs share if only some were chosen."""
    compared = ", ".join(map(isolated_name, result["classes"]))
    if "not_compared" not in result:
        return f"the classes that all runs know: {compared}"
    others = enumeration([isolated_name(c) for c in result["not_compared"]])
    return f"the chosen classes: {compared} (all runs also know {others})"


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
    seeds = min(c.seeds, default=0)
    missing = "one seed" if seeds == 1 else TOO_FEW
    records = {k: (support[k], d) for k, d in c.per_class.items() if d and support[k]}
    rows: list[list[Any]] = [
        ["micro", sum(support.values()), *difference_cells(c.micro, missing)],
        ["macro", "", *difference_cells(c.macro, missing, "described only")],
        *([k, entities, *difference_cells(d, missing)] for k, (entities, d) in records.items()),
    ]
    head = ["class", "gold entities", *DIFFERENCE]
    if seeds > 1:
        head.append("detectable")
        for row, d in zip(rows, (c.micro, c.macro, *(d for _, d in records.values())), strict=True):
            row.append(detectable_cell(d))
    parts = [table(f"{c.name} against {c.first}", head, rows, (2,))]
    if untested := [isolated_name(k) for k, n in support.items() if not n]:
        parts.append(("p", f"Not tested, without gold entities in the split: {enumeration(untested)}."))
    return parts


def difference_cells(d: dict[str, Any], missing: str = TOO_FEW, untested: str = "not tested") -> list[str]:
    """The cells of a difference in a table: verdict, points, interval, p, and p after Holm's correction."""
    p, corrected = p_cell(d.get("p")), p_cell(d.get("p_holm"))
    return [verdict(d) or untested, signed_points(d["difference"]), interval_in_points(d, missing), p, corrected]


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
    if len(groups) == 1:
        count = len(groups[0]["runs"])
        return f"These runs are one experiment with {count} seeds: they differ in their seed only."
    labels = zip(experiment_names(groups), groups, strict=True)
    single = [isolated_name(label) for label, group in labels if len(group["runs"]) == 1]
    about = "These tests are about single checkpoints. The experiments are compared over their seeds above."
    return about + (f" There is only one seed of {enumeration(single)}." if single else "")


def seed_table(result: dict[str, Any]) -> Part:
    """F1 of each experiment over its seeds: mean and standard deviation."""
    groups, support = result["groups"], result["support"]

    def mean(f1: dict[str, Any]) -> str:
        deviation = "" if f1["sd"] is None else f" ± {100 * f1['sd']:.1f}"
        return f"{100 * f1['mean']:.1f}{deviation}"

    rows = [
        [title, entities, *(mean(g["f1"][title]) if entities != 0 else EMPTY for g in groups)]
        for title, entities in {"micro": sum(support.values()), "macro": "", **support}.items()
    ]
    labels = [
        label if [label] == g["runs"] else f"{label} ({', '.join(g['runs'])})"
        for label, g in zip(experiment_names(groups), groups, strict=True)
    ]
    return table("Mean F1 ± standard deviation over seeds", ["class", "gold entities", *labels], rows)


def language_tables(result: dict[str, Any], compared: list[Comparison]) -> list[Part]:
    """F1 of each run by language, and how micro F1 of the others differs from that of the first."""
    about, runs = result["by_language"], result["runs"]
    entities = {lang: of["gold_entities"] for lang, of in about.items()}
    parts: list[Part] = [("h2", "Languages")]
    for name, score in SCORES:
        rows = [
            [lang, about[lang]["sentences"], entities[lang]]
            + [score_cell(by_run[run] if entities[lang] else None, score) for run in runs]
            for lang, by_run in result["languages"].items()
        ]
        head = ["language", "sentences", "gold entities", *runs]
        parts.append(table(f"{name.capitalize()} F1 by language", head, rows))
    if compared:
        parts.append(("p", BY_LANGUAGE))
    for c in compared:
        rows = [[lang, entities[lang], *difference_cells(d)] for lang, d in c.languages.items() if d]
        title = f"{c.name} against {c.first}, micro F1 by language"
        parts.append(table(title, ["language", "gold entities", *DIFFERENCE], rows, (2,)))
    return parts


def own_score_table(runs: dict[str, Any]) -> list[Part]:
    """The overall scores of each run on all classes that it knows."""
    own = [r["own"] for r in runs.values()]
    rows: list[list[Any]] = [
        ["classes", *(len(each["classes"]) for each in own)],
        *([f"{name} F1", *(score_cell(each["overall"], score) for each in own)] for name, score in SCORES),
        ["token accuracy", *(f"{100 * each['overall']['accuracy']:.2f}" for each in own)],
    ]
    about = "Do not compare these scores between runs with other classes: fewer classes score higher."
    title = "Scores on all classes of each run"
    return [("h2", "Each run on its own classes"), ("p", about), table(title, ["score", *runs], rows)]


def error_tables(errors: dict[str, Any], classes: list[str]) -> list[Part]:
    """Errors by kind, strict scores, F1 by surface form and by length, and confusion, with a column for each run."""
    per_run, runs = list(errors.values()), list(errors)
    strict = [
        ["micro F1, strict", *(f"{100 * e['strict']['f1']:.1f}" for e in per_run)],
        ["I- tags that continue no entity", *(e["invalid_transitions"]["count"] for e in per_run)],
        ["the same, in percent of entity tags", *(f"{100 * e['invalid_transitions']['share']:.2f}" for e in per_run)],
    ]
    parts = [
        ("h2", "Where the errors are"),
        ("p", KINDS_OF_ERROR),
        table("Errors by kind", ["kind", *runs], [[kind, *(e["kinds"][kind] for e in per_run)] for kind in KINDS]),
        table("Strict scoring (IOB2)", ["score", *runs], strict),
    ]
    if any(by_seen := [e["by_seen"] for e in per_run]):
        rows = [
            [form, *(f"{f1_cell(of[form])} ({of[form]['support']:,})" if of else "not recorded" for of in by_seen)]
            for form in ("seen", "unseen")
        ]
        title = "F1 by surface form, seen in training or not (gold entities)"
        parts.append(table(title, ["surface form", *runs], rows))
    for key, unit in (("by_entity_length", "entity"), ("by_sentence_length", "sentence")):
        rows = [
            [size_text(bins[0]), bins[0]["support"], *map(f1_cell, bins)]
            for bins in zip(*(e[key] for e in per_run), strict=True)
        ]
        parts.append(table(f"F1 by number of tokens in the {unit}", ["tokens", "gold entities", *runs], rows))
    return parts + confusion_tables(errors, classes)


def f1_cell(scores: dict[str, Any]) -> str:
    """F1 in percent of a part of the entities; empty if there are none."""
    return f"{100 * scores['f1']:.1f}" if scores["support"] else EMPTY


def size_text(size_bin: dict[str, Any]) -> str:
    """The sizes in a bin, as in `11 to 20`."""
    first, last = size_bin["from"], size_bin["to"]
    if last is None:
        return f"{first} or more"
    return str(first) if first == last else f"{first} to {last}"


def confusion_tables(errors: dict[str, Any], classes: list[str]) -> list[Part]:
    """A table for each run, for at most `MAX_CONFUSIONS`. Each cell is shaded by its share of the row."""
    parts: list[Part] = [("h2", "Confusion"), ("p", CONFUSION)]
    head, titles = ["gold", *classes, "other borders", "missed"], [*classes, "other borders", "spurious"]
    for run, e in list(errors.items())[:MAX_CONFUSIONS]:
        rows = [[title, *counts] for title, counts in zip(titles, e["confusion"], strict=True)]
        shade = [[round(n / max(sum(counts), 1), 3) for n in counts] for counts in e["confusion"]]
        parts.append(table(f"Confusion of {run}", head, rows, shade=shade))
    if len(errors) > MAX_CONFUSIONS:
        parts.append(("p", f"The confusions of {len(errors) - MAX_CONFUSIONS} more runs are in report.json."))
    return parts


def confidence_records(runs: list[Run]) -> dict[str, Any]:
    """The `confidence` of the `metrics.json` of each run that has it, by the run's name.

    Raises `InputError` where one is incomplete.
    """
    records = {run.name: run.metrics["confidence"] for run in runs if run.metrics.get("confidence")}
    for name, record in records.items():
        try:
            confidence_row(name, record), confidence_curves(record)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{name}: test/metrics.json: found an incomplete confidence ({error}); expected what inference.py "
                "writes; score the run again"
            ) from error
    return records


def confidence_table(records: dict[str, Any]) -> list[Part]:
    """How far the scores of entities can be trusted; nothing without `records`."""
    if not records:
        return []
    head = ["run", "predicted entities", "ECE before", "ECE", "95 % interval", "Brier before", "Brier"]
    head += [f"score ≥ {least:g}" for least in LEAST_SCORES]
    rows = [confidence_row(name, record) for name, record in records.items()]
    title = "How far the scores can be trusted"
    return [("h2", "Scores of entities"), ("p", CONFIDENCE), table(title, head, rows)]


def confidence_row(name: str, record: dict[str, Any]) -> list[Any]:
    """The row of a run in the table of confidence."""
    before, after = record["before"], record["after"]
    low, high = after["ece_interval"]
    at = {each["threshold"]: each for each in record["thresholds"]}
    return [
        name,
        record["entities"],
        f"{100 * before['ece']:.1f}" if is_calibrated(record) else "not calibrated",
        f"{100 * after['ece']:.1f}",
        f"{100 * low:.1f} to {100 * high:.1f}",
        f"{before['brier']:.3f}",
        f"{after['brier']:.3f}",
        *(at_least(at.get(least)) for least in LEAST_SCORES),
    ]


def at_least(record: dict[str, Any] | None) -> str:
    """Precision and coverage above a least score; empty where no entity reaches it."""
    if record is None or record["precision"] is None:
        return EMPTY
    return f"{100 * record['precision']:.1f} ({100 * record['coverage']:.1f})"


def confidence_curves(record: dict[str, Any]) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """In percent: mean score and precision of each bin, and coverage and share of errors under each least score."""
    diagram = [(100 * each["score"], 100 * each["precision"]) for each in record["bins"]]
    return diagram, [(100 * coverage, 100 * risk) for coverage, risk in record["risk_coverage"]]
