"""What the numbers of a report say in words: verdicts, and the finding in a sentence.

A difference is only called one if its test shows it. A difference record is one of `report.json`.
"""

from typing import Any

from ner.scoring.score_table import TOO_FEW
from ner.scoring.significance import ALPHA

SHOWN = ("higher", "lower")  # the verdicts that a difference is shown
EMPTY = "\u2013"  # a table cell without a value, as the F1 of a class without gold entities


def verdict(d: dict[str, Any]) -> str:
    """The verdict on a difference record: `higher`, `lower`, `not shown`, `not after Holm`, or empty if not tested.

    `not after Holm` means that only the uncorrected interval or p shows the difference.
    """
    p, corrected = d["p"], d.get("p_holm")
    if p is None or corrected is None:
        return ""
    if corrected < ALPHA:
        return "higher" if d["difference"] > 0 else "lower"
    excludes_zero = d["low"] > 0 or d["high"] < 0
    return "not after Holm" if corrected > p and (excludes_zero or p < ALPHA) else "not shown"


def finding(result: dict[str, Any]) -> list[str]:
    """The sentences for a reader in a hurry: a headline if there are several comparisons, then one for each."""
    first, *others = result["groups"]
    if not others:
        return [f"Micro F1 of {with_seeds(first)} is {mean_cell(first['f1']['micro'])}; nothing is compared with it."]
    sentences = []
    for k, other in enumerate(others):
        languages = {lang: of["differences"][k] for lang, of in result.get("by_language", {}).items()}
        sentences.append(comparison_sentence(first, other, languages))
    return [headline(first, others), *sentences] if len(others) > 1 else sentences


def with_seeds(group: dict[str, Any]) -> str:
    """The name of an experiment and its number of seeds, if there are several."""
    seeds = len(group["runs"])
    return f"{group['name']} ({seeds} seeds)" if seeds > 1 else group["name"]


def headline(first: dict[str, Any], others: list[dict[str, Any]]) -> str:
    """For which of several experiments micro F1 is higher, lower, or not shown to differ."""
    words = {"higher": "higher for", "lower": "lower for", "": "not tested for"}
    outcomes: dict[str, list[str]] = {}
    for other in others:
        outcome = words.get(verdict(other["difference"]["micro"]), "no difference shown for")
        outcomes.setdefault(outcome, []).append(other["name"])
    listed = "; ".join(f"{outcome} {enumeration(names)}" for outcome, names in outcomes.items())
    return f"Micro F1 against {first['name']}: {listed}."


def comparison_sentence(
    first: dict[str, Any], other: dict[str, Any], languages: dict[str, dict[str, Any] | None]
) -> str:
    """What the comparison of an experiment with the first one shows in micro F1, and in which classes and languages."""
    micro, name = other["difference"]["micro"], other["name"]
    classes = {c: d for c, d in other["difference"].items() if c not in ("micro", "macro")}
    way, about = verdict(micro), difference_text(micro)
    if way in SHOWN:
        text = f"{with_seeds(other)} is {way} than {with_seeds(first)} in micro F1 ({about})"
    elif way:
        text = f"No difference is shown between {with_seeds(other)} and {with_seeds(first)} in micro F1 ({about})"
    else:
        pair = f"{with_seeds(other)} minus {with_seeds(first)}"
        return f"Micro F1 of {pair}: {about}. One seed is too few to test this."
    ways = shown_ways(classes)
    text += f"; by class, {name} is {ways}." if ways else "; no class shows a difference."
    if any(languages.values()):
        ways = shown_ways(languages)
        text += f" By language, {name} is {ways}." if ways else " No language shows a difference."
    return text


def shown_ways(records: dict[str, dict[str, Any] | None]) -> str:
    """In which classes or languages a difference is shown, as in `lower in PER (-1.2 points) and higher in ...`.

    Empty if there are none.
    """
    ways = []
    for way in SHOWN:
        shown = {name: d for name, d in records.items() if d and verdict(d) == way}
        names = [f"{name} ({signed_points(d['difference'])} points)" for name, d in shown.items()]
        ways += [f"{way} in {enumeration(names)}"] if names else []
    return " and ".join(ways)


def enumeration(items: list[str]) -> str:
    """The items as in `a, b and c`."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def difference_text(d: dict[str, Any]) -> str:
    """A difference with its interval and p, if it has them, for use in a sentence."""
    text = f"{signed_points(d['difference'])} points"
    if d["p"] is None:
        return text
    equation = f"{'' if d['p'] == d['p_holm'] else 'corrected '}p = {p_cell(d['p_holm'])}".replace("= <", "<")
    return f"{text}, 95 % interval {interval_in_points(d)}, {equation}"


def p_cell(p: float | None) -> str:
    """p with three decimals; empty if there is none."""
    if p is None:
        return ""
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def signed_points(fraction: float) -> str:
    """A fraction in points with its sign and one decimal; never `-0.0`."""
    return f"{round(100 * fraction, 1) + 0.0:+.1f}"


def interval_in_points(d: dict[str, Any]) -> str:
    """The interval of a difference in points, as in `-1.2 to 0.4`."""
    if d["low"] is None:
        return "one seed"
    return " to ".join(f"{round(100 * v, 1) + 0.0:.1f}" for v in (d["low"], d["high"]))


def mean_cell(f1: dict[str, Any]) -> str:
    """Mean F1 in percent and its standard deviation, if there are several seeds."""
    return f"{100 * f1['mean']:.1f}" + ("" if f1["sd"] is None else f" ± {100 * f1['sd']:.1f}")


def score_cell(values: dict[str, Any] | None, score: str) -> str:
    """A score in percent with its interval, as in `81.2 (79.4\u201383.0)`; empty without gold entities."""
    if values is None:
        return EMPTY
    interval = values["intervals"][score]
    between = TOO_FEW if interval is None else "\u2013".join(f"{100 * v:.1f}" for v in interval)
    return f"{100 * values[score]:.1f} ({between})"
