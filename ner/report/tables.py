"""The texts and tables of a report, for Markdown and for the page alike."""

from typing import Any

from ner.report.findings import (
    class_names,
    enumeration,
    finding,
    interval_in_points,
    mean_cell,
    p_cell,
    points,
    score_cell,
    verdict,
    with_seeds,
)
from ner.report.run_reader import Run
from ner.scoring.error_analysis import KINDS
from ner.scoring.score_table import ABOUT_CONFIDENCE, CONFIDENCE, EMPTY, confidence_cells, percent

# A part of a report: what it is, and its content. `h2`, `p` and `lead` (a paragraph of the finding) have a text, `link`
# a text and an address, `table` what `table` returns, `picture` what `ner.report.pictures` draws. The template that
# renders a part escapes its text.
Part = tuple[str, Any]
DIFFERENCE = ("difference", "95 % interval", "verdict", "p", "p (Holm)")  # columns of a table
OTHER_DIFFERENCES, MOST_LISTED = "Other differences", 5  # the section of those that are too many for a sentence
VERDICTS = (
    "“Not shown” means not significant, which is not the same as equal. “Not after Holm” means that p is below 0.05, "
    "but not after Holm's correction: of many tests, some fall below by chance."
)
UNITS = (
    "Differences of F1 and their 95 % intervals are in points. The verdict follows from p after Holm's correction; the "
    "interval is not corrected. Macro F1, the mean over the classes with gold entities, is only described. "
    "docs/statistics.md explains the tests."
)
OVER_SEEDS = (
    "Runs that differ only in their seed are one experiment. Between experiments of several seeds, interval and p are "
    "for new seeds and new sentences; between two single runs, for new sentences only. One seed against several is not "
    "tested. “Detectable” is the smallest true difference that the test would detect in four of five tries."
)
SCORES = (
    "F1 is in percent, entity-level, with 95 % intervals, on the compared classes. Every other tag counts as O, in the "
    "gold tags and in the predictions of every run."
)
KINDS_OF_ERROR = (
    "Type: the borders are right and the class is wrong. Boundary: the class is right and the entities only overlap. "
    "Both: class and borders are wrong, and the entities overlap. Missed and spurious: no entity on the other side is "
    "its partner."
)
CONFUSION = (
    "Rows are gold classes, columns are predicted classes. “Other borders” counts the errors of kind “boundary” or "
    "“both”: each is in the row of its gold class and in the column of its predicted class. report.json has all runs."
)
CONFIDENCE_OF_RUNS = (
    f"{ABOUT_CONFIDENCE} All classes of a run count: do not compare runs that know different classes. "
    "docs/confidence.md explains this."
)


def table(
    title: str, head: list[str], rows: list[list[Any]], shade: list[list[float]] | None = None,
    opened: list[list[dict[str, Any] | None]] | None = None,
) -> Part:  # fmt: skip
    """A table whose first column names its rows; integers are shown as in `1,234`.

    `shade` is how dark each cell but the first of a row is, from -1 to 1, with a colour for either side. `opened` is
    what such a cell shows on the page when it is clicked: a title, lines, and mentions in their sentences.
    """
    texts = [[f"{value:,}" if isinstance(value, int) else value for value in row] for row in rows]
    return "table", {"title": title, "head": head, "rows": texts, "shade": shade, "opened": opened}


def opening(result: dict[str, Any]) -> list[Part]:
    """The finding, what the experiments and the scores are, and what else the runs record differently."""
    parts: list[Part] = [("lead", text) for text in finding(result)]
    copies = f" ({result['clusters']:,} distinct)" if result["clusters"] < result["sentences"] else ""
    scored = f"All scores are on the same {result['sentences']:,} {result['split']} sentences{copies}, with "
    about = [f"{scored}{sum(result['support'].values()):,} entities of {class_names(result['classes'])}."]
    if len(result["runs"]) > 1:
        for group in result["groups"]:
            trained = f"trained {group['trained']}; " if group["trained"] else ""
            parts.append(("p", f"{with_seeds(group)}: {trained}micro F1 {mean_cell(group['f1']['micro'])}."))
        if what := [d["what"] for d in result["differing"]]:
            listed = enumeration(what) if len(what) <= MOST_LISTED else f"{len(what)} recorded values"
            listed += f" (“{OTHER_DIFFERENCES}”, below)"
            about.append(f"Apart from masking, up-sampling and the seed, the runs differ in {listed}.")
        else:
            about.append("All other recorded values are the same.")
        if result["unrecorded"]:
            about.append(f"Not every run has {enumeration(result['unrecorded'])}.")
    return [*parts, ("p", " ".join(about))]


def tables(result: dict[str, Any]) -> list[Part]:
    """The parts after the opening: differences, then scores, where the errors are, and how else the runs differ."""
    first, *others = result["groups"]
    seeds = any(len(group["runs"]) > 1 for group in result["groups"])
    parts: list[Part] = []
    if others:
        parts += [("h2", "Differences"), *(difference_table(first, other, result["support"]) for other in others)]
        parts += [("p", VERDICTS), ("p", f"{UNITS} {OVER_SEEDS}" if seeds else UNITS)]
    parts += [("h2", "F1"), *f1_tables(result, seeds), own_score_table(result["runs"]), ("p", SCORES)]
    if "by_language" in result:
        parts += language_tables(result)
    parts += error_tables(result)
    if result["differing"]:
        rows = [[d["what"], *d["values"].values()] for d in result["differing"]]
        title = "What the runs record differently, apart from masking, up-sampling and the seed"
        parts += [("h2", OTHER_DIFFERENCES), table(title, ["recorded", *result["runs"]], rows)]
    return parts


def difference_table(first: dict[str, Any], other: dict[str, Any], support: dict[str, int]) -> Part:
    """Verdict, difference, interval and p of each F1; over several seeds, the minimal detectable difference as well."""
    differences = {title: d for title, d in other["difference"].items() if d}
    entities: dict[str, Any] = {"micro": sum(support.values()), "macro": ""} | support
    seeds = any(d["detectable"] for d in differences.values())
    head = ["class", *DIFFERENCE, *["detectable"] * seeds, "gold entities"]
    rows = [
        [title, *difference_cells(d), *([detectable_cell(d)] if seeds else []), entities[title]]
        for title, d in differences.items()
    ]
    return table(f"{other['name']} against {first['name']}", head, rows)


def difference_cells(d: dict[str, Any]) -> list[str]:
    """The cells of a difference in a table: points, interval, verdict, p, and p after Holm's correction."""
    untested = "not tested" if d["p"] is None else "described only"
    p, corrected = p_cell(d["p"]), p_cell(d.get("p_holm"))
    return [points(d["difference"], sign="+"), interval_in_points(d), verdict(d) or untested, p, corrected]


def detectable_cell(d: dict[str, Any]) -> str:
    """The minimal detectable difference in points, either way; empty for a score that is not tested.

    `none` if even a difference of 100 points would be missed, as with two seeds of a class with few entities.
    """
    if d.get("p_holm") is None:
        return EMPTY
    return f"±{points(d['detectable'])}" if d["detectable"] < 1 else "none"


def f1_tables(result: dict[str, Any], seeds: bool) -> list[Part]:
    """F1 of each experiment over its seeds, if some have several, and of each run, on the compared classes."""
    groups, runs = result["groups"], result["runs"]
    entities = {"micro": sum(result["support"].values()), "macro": "", **result["support"]}
    parts = []
    if seeds:
        rows = [
            [title, *(mean_cell(g["f1"][title]) if n != 0 else EMPTY for g in groups), n]
            for title, n in entities.items()
        ]
        parts = [
            table("Mean F1 ± standard deviation over seeds", ["class", *map(with_seeds, groups), "gold entities"], rows)
        ]
    rows = [[title, *(score_cell(*f1_of(r, title)) for r in runs.values()), n] for title, n in entities.items()]
    return [*parts, table("F1 of each run on the compared classes", ["class", *runs, "gold entities"], rows)]


def f1_of(scores: dict[str, Any], title: str) -> tuple[float | None, list[float] | None]:
    """Micro F1, macro F1 or the F1 of a class, and its interval; None for a class without gold entities."""
    if name := {"micro": "f1", "macro": "macro_f1"}.get(title):
        return scores["overall"][name], scores["intervals"]["overall"][name]
    values, intervals = scores["per_class"][title], scores["intervals"]["per_class"][title]
    return (values["f1"], intervals["f1"]) if values else (None, None)


def own_score_table(runs: dict[str, Any]) -> Part:
    """The overall scores of each run on all classes that it knows."""
    own = [r["own"] for r in runs.values()]
    rows: list[list[Any]] = [
        ["classes", *(len(each["classes"]) for each in own)],
        *([f"{title} F1", *(score_cell(*f1_of(each, title)) for each in own)] for title in ("micro", "macro")),
        ["token accuracy", *(percent(each["overall"]["accuracy"], 2) for each in own)],
        ["updates", *(r["update_steps"] or EMPTY for r in runs.values())],
    ]
    title = "Each run on all classes that it knows: fewer classes score higher, so do not compare these"
    return table(title, ["score", *runs], rows)


def language_tables(result: dict[str, Any]) -> list[Part]:
    """Micro F1 of each run by language, and how that of the other experiments differs from that of the first."""
    about, (first, *others) = result["by_language"], result["groups"]
    head = ["language", *result["runs"], "gold entities", "sentences"]
    rows = [
        [lang, *(score_cell(*f1_of(each, "micro")) if n else EMPTY for each in of["runs"].values()), n, of["sentences"]]
        for lang, of in about.items()
        for n in [of["gold_entities"]]
    ]
    parts = [("h2", "Languages"), table("Micro F1 by language", head, rows)]
    for k, other in enumerate(others):
        tested = {lang: of for lang, of in about.items() if of["gold_entities"]}
        rows = [[lang, *difference_cells(of["differences"][k]), of["gold_entities"]] for lang, of in tested.items()]
        title = f"{other['name']} against {first['name']}, micro F1 by language"
        parts.append(table(title, ["language", *DIFFERENCE, "gold entities"], rows))
    return parts


def error_tables(result: dict[str, Any]) -> list[Part]:
    """Errors by kind with a column for each run, and confusion."""
    errors = result["errors"]
    kinds = [[kind, *(e["kinds"][kind] for e in errors.values())] for kind in KINDS]
    return [
        ("h2", "Where the errors are"), table("Errors by kind", ["kind", *errors], kinds), ("p", KINDS_OF_ERROR),
        ("h2", "Confusion"), *confusion_tables(result), ("p", CONFUSION),
    ]  # fmt: skip


def first_runs(result: dict[str, Any]) -> list[str]:
    """The names of the first run of each experiment."""
    return [group["runs"][0] for group in result["groups"]]


def confusion_tables(result: dict[str, Any]) -> list[Part]:
    """A table for the first run of each experiment. A cell is shaded by its share of the row."""
    classes = result["classes"]
    head, titles = ["gold", *classes, "other borders", "missed"], [*classes, "other borders", "spurious"]
    parts = []
    for run in first_runs(result):
        confusion = result["errors"][run]["confusion"]
        rows = [[title, *counts] for title, counts in zip(titles, confusion, strict=True)]
        shade = [[n / max(sum(counts), 1) for n in counts] for counts in confusion]
        parts.append(table(f"Confusion of {run}", head, rows, shade))
    return parts


def confidence_table(runs: list[Run]) -> list[Part]:
    """How far the scores of entities can be trusted, for the runs that record it; nothing if none does."""
    rows = [[run.name, *confidence_cells(record)] for run in runs if (record := run.metrics.get("confidence"))]
    shown = table("How far the scores can be trusted", ["run", *CONFIDENCE], rows)
    return [("h2", "Scores of entities"), shown, ("p", CONFIDENCE_OF_RUNS)] if rows else []
