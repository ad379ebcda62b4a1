"""What the numbers of a report say in words: verdicts, and the finding in a sentence.

A difference is only called one if its test shows it.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from ner.scoring.score_table import TOO_FEW
from ner.scoring.significance import ALPHA

SHOWN = ("higher", "lower")  # the verdicts that a difference is shown
ISOLATES = "\u2068", "\u2069"  # around a name in a sentence, which may run from right to left
EMPTY = "\u2013"  # a table cell without a value, as the F1 of a class without gold entities


@dataclass(frozen=True)
class Comparison:
    """How a run or an experiment differs from the first one: records of the differences of F1, as in `report.json`.

    A class or a language without gold entities has None. `seeds` are the numbers of seeds of the first experiment and
    of this one; none for runs. `languages` are the differences of micro F1 of runs over several languages.
    """

    name: str
    first: str
    micro: dict[str, Any]
    macro: dict[str, Any]
    per_class: dict[str, dict[str, Any] | None]
    seeds: tuple[int, ...] = ()
    languages: dict[str, dict[str, Any] | None] = field(default_factory=dict)


def isolated_name(text: str) -> str:
    """A name for use in a sentence, between marks by which the page sets it apart from the text around it."""
    return ISOLATES[0] + re.sub("[\u2066-\u2069]", "", text) + ISOLATES[1]


def run_comparisons(result: dict[str, Any]) -> list[Comparison]:
    """The runs against the first one."""
    by_language = result.get("by_language", {}).items()
    return [
        Comparison(run, result["first"], **each, languages={lang: of["differences"][run] for lang, of in by_language})
        for run, each in result["differences"].items()
    ]


def experiment_comparisons(result: dict[str, Any]) -> list[Comparison]:
    """The experiments against the first one, over their seeds; none if no experiment has several seeds."""
    groups = result.get("groups", [])
    names, seeds = experiment_names(groups), [len(group["runs"]) for group in groups]
    compared = []
    for name, count, group in list(zip(names, seeds, groups, strict=True))[1:]:
        d = group["difference"]
        per_class = {c: d.get(c) for c in result["classes"]}
        compared.append(Comparison(name, names[0], d["micro"], d["macro"], per_class, (seeds[0], count)))
    return compared


def experiment_names(groups: list[dict[str, Any]]) -> list[str]:
    """For each experiment, the part of its runs' names before their numbers if all runs of it share that part.

    If two experiments would then have the same name, they are `experiment 1`, `experiment 2` and so on.
    """
    stems = [{re.sub(r"[\W_]*(seed)?[\W_]*\d*$", "", run) for run in g["runs"]} for g in groups]
    names = [g["runs"][0] if len(g["runs"]) == 1 else next(iter(s)) for g, s in zip(groups, stems, strict=True)]
    if len(set(names)) < len(names) or not all(names) or any(len(s) > 1 for s in stems):
        return [f"experiment {k}" for k in range(1, len(groups) + 1)]
    return names


def verdict(d: dict[str, Any]) -> str:
    """The verdict on a difference record: `higher`, `lower`, `not shown`, `not after Holm`, or empty if not tested.

    `not after Holm` means that only the uncorrected interval or p shows the difference.
    """
    p, corrected = d.get("p"), d.get("p_holm")
    if p is None or corrected is None:
        return ""
    if corrected < ALPHA:
        return "higher" if d["difference"] > 0 else "lower"
    excludes_zero = d["low"] is not None and (d["low"] > 0 or d["high"] < 0)
    return "not after Holm" if corrected > p and (excludes_zero or p < ALPHA) else "not shown"


def finding(result: dict[str, Any]) -> list[str]:
    """The sentences for a reader in a hurry: a headline if there are several comparisons, then one for each."""
    compared = experiment_comparisons(result) or run_comparisons(result)
    if not compared:
        (only, run), *_ = result["runs"].items()
        micro_f1 = score_cell(run["overall"], "f1")
        return [f"Micro F1 of {isolated_name(only)} is {micro_f1}; no other run is compared with it."]
    sentences = [comparison_sentence(c) for c in compared]
    if len(compared) > 1:
        sentences.insert(0, headline(compared))
    if len(result.get("groups", [])) == 1:
        sentences.append("All runs are of one experiment: they differ in their seed only.")
    return sentences


def headline(compared: list[Comparison]) -> str:
    """For which of several comparisons micro F1 is higher, lower, or not shown to differ."""
    words = {"higher": "higher for", "lower": "lower for", "": "not tested for"}
    outcomes: dict[str, list[str]] = {}
    for c in compared:
        outcome = words.get(verdict(c.micro), "no difference shown for")
        outcomes.setdefault(outcome, []).append(isolated_name(c.name))
    listed = "; ".join(f"{outcome} {enumeration(names)}" for outcome, names in outcomes.items())
    return f"Micro F1 against {isolated_name(compared[0].first)}: {listed}."


def comparison_sentence(c: Comparison) -> str:
    """What a comparison shows in micro F1, and in which classes and languages."""
    other, first, micro = isolated_name(c.name), isolated_name(c.first), verdict(c.micro)
    tested = any(d and verdict(d) for d in c.per_class.values())
    ways, about = shown_ways(c.per_class, micro), difference_text(c.micro)
    who = other
    if micro in SHOWN:
        who, quiet = "it", "; no class shows a difference"
        text = f"{other} is {micro} than {first} in micro F1 ({about})"
    elif micro:
        quiet = ", nor in any class"
        text = f"no difference is shown in micro F1 between {other} and {first} ({about})"
    else:
        quiet = ""
        few = "with one seed " if c.seeds else ""
        text = f"micro F1 of {other} differs from that of {first} by {about}; {few}this is not tested"
    text += f"; by class, {who} is {ways}" if ways else quiet if tested else ""
    if c.seeds:
        counts = (f"{n} seed{'s' if n > 1 else ''} of {of}" for n, of in zip(c.seeds, (first, other), strict=True))
        return f"Over {' and '.join(counts)}, {text}."
    by_language = ""
    if any(c.languages.values()):
        ways = shown_ways(c.languages, micro)
        by_language = f" By language, {other} is {ways}." if ways else " No language shows a difference."
    return f"{text[0].upper()}{text[1:]}.{by_language}"


def shown_ways(records: dict[str, dict[str, Any] | None], first_way: str) -> str:
    """In which classes or languages a difference is shown, as in `lower in PER (-1.2 points) and higher in ...`.

    Those that differ the way `first_way` does come first. Empty if there are none.
    """
    ways = []
    for way in sorted(SHOWN, key=lambda way: way != first_way):
        names = [
            f"{isolated_name(k)} ({signed_points(d['difference'])} points)"
            for k, d in records.items()
            if d and verdict(d) == way
        ]
        ways += [f"{way} in {enumeration(names)}"] if names else []
    return " and ".join(ways)


def enumeration(items: list[str]) -> str:
    """The items as in `a, b and c`."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def difference_text(d: dict[str, Any]) -> str:
    """A difference with its interval and p, for use in a sentence; p is there twice if the correction changes it."""
    between = "no interval" if d["low"] is None else f"95 % interval {interval_in_points(d)}"
    texts = [f"{signed_points(d['difference'])} points", between]
    p, corrected = d.get("p"), d.get("p_holm")
    if p is not None and (corrected in (None, p) or p_equation(p) != p_equation(corrected)):
        texts.append(p_equation(p))
    if corrected not in (None, p):
        texts.append(f"{p_equation(corrected)} after Holm's correction")
    return ", ".join(texts)


def p_equation(p: float) -> str:
    """As in `p = 0.012` or `p < 0.001`."""
    return f"p = {p_cell(p)}" if p >= 0.001 else f"p {p_cell(p)}"


def p_cell(p: float | None) -> str:
    """p with three decimals; empty if there is none."""
    if p is None:
        return ""
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def signed_points(fraction: float) -> str:
    """A fraction in points with its sign and one decimal; never `-0.0`."""
    return f"{round(100 * fraction, 1) + 0.0:+.1f}"


def interval_in_points(d: dict[str, Any], missing: str = TOO_FEW) -> str:
    """The interval of a difference in points, as in `-1.2 to 0.4`; `missing` if there is none."""
    if d["low"] is None or d["high"] is None:
        return missing
    return " to ".join(f"{round(100 * v, 1) + 0.0:.1f}" for v in (d["low"], d["high"]))


def score_interval(values: dict[str, Any], score: str) -> list[float] | None:
    """The interval of a score as fractions; None if there are too few entities for one."""
    return (values["intervals"] or {}).get(score)


def score_cell(values: dict[str, Any] | None, score: str) -> str:
    """A score in percent with its interval, as in `81.2 (79.4\u201383.0)`; empty without gold entities."""
    if values is None:
        return EMPTY
    interval = score_interval(values, score)
    between = TOO_FEW if interval is None else "\u2013".join(f"{100 * v:.1f}" for v in interval)
    return f"{100 * values[score]:.1f} ({between})"
