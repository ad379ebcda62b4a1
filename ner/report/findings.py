"""What a report's numbers say, in words: verdicts, and the finding in a sentence. Nothing differs without its test."""

import re
from dataclasses import dataclass
from typing import Any

LEVEL = 0.05
SHOWN = ("higher", "lower")
ISOLATES = "\u2068", "\u2069"  # around a name in a sentence: it may run from right to left


@dataclass(frozen=True)
class Comparison:
    """A run or an experiment against the first one: its differences of micro F1, macro F1 and each class's F1.

    A class without gold entities has none. `seeds` counts those of the first and of the other experiment.
    """

    name: str
    first: str
    micro: dict[str, Any]
    macro: dict[str, Any]
    classes: dict[str, dict[str, Any] | None]
    seeds: tuple[int, int] | None = None


def name(text: str) -> str:
    """A name in a sentence, marked so that the page can set it apart from the text around it."""
    return ISOLATES[0] + re.sub("[\u2066-\u2069]", "", text) + ISOLATES[1]


def by_run(result: dict[str, Any]) -> list[Comparison]:
    return [
        Comparison(other, result["first"], each["micro"], each["macro"], each["per_class"])
        for other, each in result["differences"].items()
    ]


def by_experiment(result: dict[str, Any]) -> list[Comparison]:
    """The experiments against the first one over their seeds; none where no experiment has several."""
    groups = result.get("groups", [])
    names = experiment_names(groups)
    return [
        Comparison(
            other,
            names[0],
            each["difference"]["micro"],
            each["difference"]["macro"],
            {c: each["difference"].get(c) for c in result["classes"]},
            (len(groups[0]["runs"]), len(each["runs"])),
        )
        for other, each in zip(names[1:], groups[1:], strict=True)
    ]


def experiment_names(groups: list[dict[str, Any]]) -> list[str]:
    """What the names of an experiment's runs have in common before their numbers, else `experiment 1` and so on."""
    stems = [{re.sub(r"[\W_]*(seed)?[\W_]*\d*$", "", run) for run in g["runs"]} for g in groups]
    names = [g["runs"][0] if len(g["runs"]) == 1 else next(iter(s)) for g, s in zip(groups, stems, strict=True)]
    if len(set(names)) < len(names) or not all(names) or any(len(s) > 1 for s in stems):
        return [f"experiment {k}" for k in range(1, len(groups) + 1)]
    return names


def verdict(d: dict[str, Any]) -> str:
    """`higher`, `lower`, `not shown`, `not after Holm` (only the uncorrected numbers show it), or nothing untested."""
    p, adjusted = d.get("p"), d.get("p_holm")
    if p is None or adjusted is None:
        return ""
    if adjusted < LEVEL:
        return "higher" if d["difference"] > 0 else "lower"
    excludes_zero = d["low"] is not None and (d["low"] > 0 or d["high"] < 0)
    return "not after Holm" if adjusted > p and (excludes_zero or p < LEVEL) else "not shown"


def is_shown(d: dict[str, Any]) -> bool:
    return verdict(d) in SHOWN


def finding(result: dict[str, Any]) -> list[str]:
    """The sentences that a reader in a hurry needs: the answer, and if there are several comparisons one for each."""
    compared = by_experiment(result) or by_run(result)
    if not compared:
        (only, run), *_ = result["runs"].items()
        return [f"Micro F1 of {name(only)} is {scored(run['overall'], 'f1')}; no other run is compared with it."]
    sentences = [sentence(c) for c in compared]
    if len(compared) > 1:
        sentences.insert(0, headline(compared))
    if len(result.get("groups", [])) == 1:
        sentences.append("All runs are of one experiment: what differs between them is the seed's.")
    return sentences


def headline(compared: list[Comparison]) -> str:
    """How many of several comparisons came out which way."""
    said = {"higher": "higher for", "lower": "lower for", "": "not tested for"}
    outcomes: dict[str, list[str]] = {}
    for c in compared:
        outcomes.setdefault(said.get(verdict(c.micro), "no difference shown for"), []).append(name(c.name))
    listed = "; ".join(f"{outcome} {enumerated(names)}" for outcome, names in outcomes.items())
    return f"Micro F1 against {name(compared[0].first)}: {listed}."


def sentence(c: Comparison) -> str:
    found, first, micro = name(c.name), name(c.first), verdict(c.micro)
    tested = any(d and verdict(d) for d in c.classes.values())
    said = {
        way: enumerated([f"{name(k)} ({points(d)})" for k, d in c.classes.items() if d and verdict(d) == way])
        for way in sorted(SHOWN, key=lambda way: way != micro)
    }
    ways = " and ".join(f"{way} in {classes}" for way, classes in said.items() if classes)
    if micro in SHOWN:
        text = f"{found} is {micro} than {first} in micro F1 ({numbers(c.micro)})"
        text += f"; by class, it is {ways}" if ways else "; no class shows a difference" if tested else ""
    elif micro:
        text = f"no difference is shown in micro F1 between {found} and {first} ({numbers(c.micro)})"
        text += f"; by class, {found} is {ways}" if ways else ", nor in any class" if tested else ""
    else:
        few = "with one seed " if c.seeds else ""
        text = f"micro F1 of {found} differs from that of {first} by {numbers(c.micro)}; {few}this is not tested"
        text += f"; by class, {found} is {ways}" if ways else ""
    if c.seeds:
        counts = (f"{n} seed{'s' if n > 1 else ''} of {of}" for n, of in zip(c.seeds, (first, found), strict=True))
        return f"Over {' and '.join(counts)}, {text}."
    return f"{text[0].upper()}{text[1:]}."


def enumerated(items: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def numbers(d: dict[str, Any]) -> str:
    """A difference with its interval and p, for a sentence."""
    between = "no interval" if d["low"] is None else f"95 % interval {bounds(d)}"
    return ", ".join([points(d), between, *p_words(d)])


def points(d: dict[str, Any]) -> str:
    return f"{signed(d['difference'])} points"


def p_words(d: dict[str, Any]) -> list[str]:
    p, adjusted = d.get("p"), d.get("p_holm")
    if p is None:
        return []
    if adjusted is None or adjusted == p:
        return [p_equals(p)]
    after = f"{p_equals(adjusted)} after Holm's correction"
    return [after] if p_equals(p) == p_equals(adjusted) else [p_equals(p), after]


def p_equals(p: float) -> str:
    return f"p = {p_cell(p)}" if p >= 0.001 else "p < 0.001"


def p_cell(p: float | None) -> str:
    if p is None:
        return ""
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def signed(fraction: float) -> str:
    return f"{round(100 * fraction, 1) + 0.0:+.1f}"


def bounds(d: dict[str, Any], missing: str = "too few") -> str:
    """The interval of a difference in points."""
    if d["low"] is None or d["high"] is None:
        return missing
    return " to ".join(f"{round(100 * v, 1) + 0.0:.1f}" for v in (d["low"], d["high"]))


def interval_of(values: dict[str, Any], score: str) -> list[float] | None:
    """A score's interval; None where there are too few entities for one."""
    return (values["intervals"] or {}).get(score)


def scored(values: dict[str, Any], score: str) -> str:
    """A score in percent with its interval."""
    interval = interval_of(values, score)
    between = "too few" if interval is None else "\u2013".join(f"{100 * v:.1f}" for v in interval)
    return f"{100 * values[score]:.1f} ({between})"
