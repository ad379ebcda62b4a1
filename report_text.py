"""A report's tables and words, once, for Markdown and for HTML.

A part is a dictionary of plain text: `heading`, `paragraph`, `data_table` or `picture`. Whoever renders it escapes it.
"""

from pathlib import Path
from typing import Any

from error_analysis import KINDS
from errors import printable

LEVEL = 0.05
Part = dict[str, Any]


def heading(text: str) -> Part:
    return {"kind": "h2", "text": text}


def paragraph(text: str) -> Part:
    return {"kind": "p", "text": text}


def data_table(title: str, head: list[str], rows: list[list[Any]]) -> Part:
    return {"kind": "table", "title": title, "head": head, "rows": rows}


def picture(title: str, path: Path) -> Part:
    return {"kind": "picture", "title": title, "path": path}


def tables(result: dict[str, Any]) -> list[Part]:
    """The parts of a `report.json` in the order of reading: the answer, its limits, then where the errors are."""
    first, classes, runs = result["first"], result["classes"], result["runs"]
    parts = [
        paragraph(
            f"Compared on the classes that all runs know: {', '.join(classes)}. Every other tag counts as O, on both "
            f"sides and for every run. {result['sentences']:,} test sentences, {result['clusters']:,} of them "
            "distinct: copies of a sentence are drawn and swapped together. F1 in percent, entity-level, with 95 % "
            "intervals."
        ),
        data_table(
            "F1 on the shared classes",
            ["run", "updates", "micro F1", "macro F1", *classes],
            [[name, updates(r), *f1_cells(r, classes)] for name, r in runs.items()],
        ),
    ]
    if result["differences"]:
        parts += [
            heading(f"Differences to {first}"),
            paragraph(
                "Difference of F1 in points, its paired 95 % interval, and p by paired approximate "
                "randomisation. Micro F1 is the primary test, corrected by Holm's method over the runs; the classes "
                "with gold entities are a second family, over classes and runs. The corrected p decides the words, "
                "while each interval stands for itself and is not corrected."
            ),
            *(difference_table(name, first, each) for name, each in result["differences"].items()),
            paragraph(caveat(result)),
        ]
    if "groups" in result:
        parts += over_seeds(result["groups"])
    if "languages" in result:
        rows = [
            [lang, name, spread(scores, "f1"), spread(scores, "macro_f1")]
            for lang, by_run in result["languages"].items()
            for name, scores in by_run.items()
        ]
        parts += [heading("Languages"), data_table("F1 by language", ["language", "run", "micro F1", "macro F1"], rows)]
    return parts + own_scores(runs) + where_the_errors_are(result["errors"])


def difference_table(name: str, first: str, each: dict[str, Any]) -> Part:
    micro = each["micro"]
    rows = [["micro", verdict(micro, micro["p_holm"]), p_cell(micro["p"]), p_cell(micro["p_holm"])]]
    rows.append(["macro", interval(each["macro"]), p_cell(each["macro"]["p"]), ""])
    rows += [
        [c, verdict(d, d["p_holm"]), p_cell(d["p"]), p_cell(d["p_holm"])] for c, d in each["per_class"].items() if d
    ]
    return data_table(f"{name} against {first}", ["", "difference of F1", "p", "p (Holm)"], rows)


def verdict(d: dict[str, float], p: float) -> str:
    """What the numbers say, in words: nothing is called a difference without its test."""
    numbers = f"{100 * d['difference']:+.1f} [{100 * d['low']:.1f}, {100 * d['high']:.1f}]"
    if p >= LEVEL:
        return f"no difference shown: {numbers}"
    return f"{'higher' if d['difference'] > 0 else 'lower'}: {numbers}"


def caveat(result: dict[str, Any]) -> str:
    groups = result.get("groups", [])
    if len(groups) < 2 or min(len(g["runs"]) for g in groups) == 1:
        return (
            "With one seed, this is about these checkpoints. It says nothing of the method: another seed moves every "
            "score as well."
        )
    return "The tests above are about these checkpoints; the experiments are compared over their seeds below."


def over_seeds(groups: list[dict[str, Any]]) -> list[Part]:
    """Experiments side by side: mean and standard deviation of F1, and the difference to the first one."""
    titles = list(groups[0]["f1"])

    def mean(f1: dict[str, float | None]) -> str:
        deviation = "" if f1["sd"] is None else f" ± {100 * f1['sd']:.1f}"
        return f"{100 * f1['mean']:.1f}{deviation}"

    def against(d: dict[str, float] | None) -> str:
        if d is None:
            return ""
        return interval(d) + (f", p {p_cell(d.get('p_holm', d['p']))}" if d["p"] is not None else "")

    parts = [
        heading("Over seeds"),
        paragraph(
            "Runs whose recorded arguments differ in seed and output folder only are one experiment. Mean ± standard "
            "deviation of F1, then the difference of the mean to the first experiment's, with a 95 % interval and p "
            "by Student's t for new seeds and new sentences (none where an experiment has one seed). p is corrected by "
            "Holm's method: micro F1 over the experiments, and the classes over classes and experiments."
        ),
        data_table(
            "Mean F1 over seeds",
            ["experiment", "runs", *titles],
            [[k, ", ".join(g["runs"]), *(mean(g["f1"][t]) for t in titles)] for k, g in enumerate(groups, 1)],
        ),
    ]
    if len(groups) > 1:
        rows = [[k, *(against(g["difference"].get(t)) for t in titles)] for k, g in enumerate(groups, 1) if k > 1]
        parts.append(data_table("Difference to experiment 1", ["experiment", *titles], rows))
    return parts


def own_scores(runs: dict[str, Any]) -> list[Part]:
    head = ["run", "classes", "micro F1", "macro F1", "token accuracy"]
    rows = [
        [name, len(r["own"]["classes"]), *f1_cells(r["own"], []), f"{100 * r['own']['overall']['accuracy']:.2f}"]
        for name, r in runs.items()
    ]
    return [
        heading("Each run on its own classes"),
        paragraph("Not to be compared with each other where the classes differ: fewer classes score higher."),
        data_table("Scores on all classes of each run", head, rows),
    ]


def where_the_errors_are(errors: dict[str, Any]) -> list[Part]:
    """Tables over runs: kinds of error, strict against default scoring, F1 by length."""
    kinds = [[name, *(f"{e['kinds'][kind]:,}" for kind in KINDS)] for name, e in errors.items()]
    strict = [
        [name, f"{100 * e['strict']['f1']:.1f}", f"{e['invalid_transitions']['count']:,}",
         f"{100 * e['invalid_transitions']['share']:.2f}"]
        for name, e in errors.items()
    ]  # fmt: skip
    parts = [
        heading("Where the errors are"),
        paragraph(
            "Type: the borders of a gold entity with another class. Boundary: its class with borders that overlap. "
            "Both: overlap, another class. Entities that overlap most are paired first; a gold entity that is left is "
            "missed, a predicted one that is left spurious."
        ),
        data_table("Errors by kind", ["run", *KINDS], kinds),
        data_table(
            "Strict scoring (IOB2), and I- tags that continue nothing",
            ["run", "micro F1, strict", "invalid", "percent of entity tags"],
            strict,
        ),
    ]
    seen = {name: e["by_seen"] for name, e in errors.items() if e["by_seen"]}
    if seen:
        rows = [
            [name, *(f"{100 * s[k]['f1']:.1f} ({s[k]['support']:,})" for k in ("seen", "unseen"))]
            for name, s in seen.items()
        ]
        head = ["run", "seen", "unseen"]
        parts.append(data_table("F1 by surface form, seen or not in training (gold entities)", head, rows))
    for key, title in (("by_entity_length", "entity"), ("by_sentence_length", "sentence")):
        bins = next(iter(errors.values()))[key]
        head = ["run", *(f"{size(b)} ({b['support']:,})" for b in bins)]
        rows = [[name, *(f"{100 * b['f1']:.1f}" if b["support"] else "" for b in e[key])] for name, e in errors.items()]
        parts.append(data_table(f"F1 by tokens of the {title} (gold entities)", head, rows))
    return parts


def size(b: dict[str, Any]) -> str:
    if b["to"] is None:
        return f"{b['from']} or more"
    return str(b["from"]) if b["from"] == b["to"] else f"{b['from']} to {b['to']}"


def updates(run: dict[str, Any]) -> str:
    return "" if run["update_steps"] is None else f"{run['update_steps']:,}"


def f1_cells(run: dict[str, Any], classes: list[str]) -> list[str]:
    cells = [spread(run["overall"], "f1"), spread(run["overall"], "macro_f1")]
    return cells + ["" if run["per_class"][c] is None else spread(run["per_class"][c], "f1") for c in classes]


def spread(values: dict[str, Any], score: str) -> str:
    if values["intervals"][score] is None:
        return f"{100 * values[score]:.1f} (too few)"
    low, high = (100 * v for v in values["intervals"][score])
    return f"{100 * values[score]:.1f} ({low:.1f}-{high:.1f})"


def interval(d: dict[str, float]) -> str:
    if d["low"] is None:
        return f"{100 * d['difference']:+.1f}"
    return f"{100 * d['difference']:+.1f} ({100 * d['low']:.1f} to {100 * d['high']:.1f})"


def p_cell(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def markdown(parts: list[Part]) -> str:
    """The parts for a README; pictures are named relative to the report's folder."""
    lines = ["# Comparison of runs"]
    for part in parts:
        if part["kind"] == "h2":
            lines.append(f"## {cell(part['text'])}")
        elif part["kind"] == "p":
            lines.append(cell(part["text"]))
        elif part["kind"] == "picture":
            lines.append(f"![{cell(part['title'])}]({part['path'].name})")
        else:
            rows = [part["head"], ["---"] * len(part["head"]), *part["rows"]]
            shown = ["| " + " | ".join(cell(v) for v in row) + " |" for row in rows]
            lines += [f"**{cell(part['title'])}**", "\n".join(shown)]
    return "\n\n".join(lines) + "\n"


def cell(value: Any) -> str:
    """A value from a file, so that neither Markdown nor HTML takes it for markup."""
    text = printable(" ".join(str(value).split()))
    return "".join(f"\\{c}" if c in "\\`*|<[]" else c for c in text)
