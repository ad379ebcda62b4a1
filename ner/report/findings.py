"""What the numbers of a report say in words: verdicts, and the finding in a sentence.

A difference is only called one if its test shows it. A difference record is one of `report.json`.
"""

from typing import Any

from ner.scoring.score_table import EMPTY, interval_text, percent
from ner.scoring.significance import ALPHA

SHOWN = ("higher", "lower")  # the verdicts that a difference is shown
MOST_CLASSES = 8  # that a sentence names
ONE_SEED = ", but with one seed each, this is about two checkpoints, not about the method"


def verdict(d: dict[str, Any]) -> str:
    """The verdict on a difference record: `higher`, `lower`, `not shown`, `not after Holm`, or empty if not tested.

    `not after Holm` means that only the uncorrected p shows the difference.
    """
    p, corrected = d["p"], d.get("p_holm")
    if corrected is None:
        return ""
    if corrected < ALPHA:
        return "higher" if d["difference"] > 0 else "lower"
    return "not after Holm" if p < ALPHA else "not shown"


def finding(result: dict[str, Any]) -> list[str]:
    """The sentences for a reader in a hurry: one for each comparison with the first experiment."""
    first, *others = result["groups"]
    if not others:
        return [f"Micro F1 of {with_seeds(first)} is {mean_cell(first['f1']['micro'])}; nothing is compared with it."]
    sentences = []
    for k, other in enumerate(others):
        languages = {lang: of["differences"][k] for lang, of in result.get("by_language", {}).items()}
        sentences.append(comparison_sentence(first, other, languages))
    return sentences


def with_seeds(group: dict[str, Any]) -> str:
    """The name of an experiment and its number of seeds, if there are several."""
    seeds = len(group["runs"])
    return f"{group['name']} ({seeds} seeds)" if seeds > 1 else group["name"]


def comparison_sentence(
    first: dict[str, Any], other: dict[str, Any], languages: dict[str, dict[str, Any] | None]
) -> str:
    """What the comparison of an experiment with the first one shows in micro F1, and in which classes and languages."""
    micro, name = other["difference"]["micro"], other["name"]
    classes = {c: d for c, d in other["difference"].items() if c not in ("micro", "macro")}
    way, about = verdict(micro), difference_text(micro)
    note = ONE_SEED if len(first["runs"]) == len(other["runs"]) == 1 else ""
    if way in SHOWN:
        text = f"{with_seeds(other)} is {way} than {with_seeds(first)} in micro F1 ({about}){note}"
    elif way:
        text = f"No difference is shown between {with_seeds(other)} and {with_seeds(first)} in micro F1 ({about}){note}"
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
        names = [f"{name} ({points(d['difference'], sign='+')} points)" for name, d in shown.items()]
        ways += [f"{way} in {enumeration(names)}"] if names else []
    return " and ".join(ways)


def enumeration(items: list[str]) -> str:
    """The items as in `a, b and c`."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def class_names(classes: list[str]) -> str:
    """The classes for use in a sentence: their names, or their number if there are many."""
    return enumeration(classes) if len(classes) <= MOST_CLASSES else f"{len(classes)} classes"


def difference_text(d: dict[str, Any]) -> str:
    """A difference with its interval and p, if it has them, for use in a sentence."""
    text = f"{points(d['difference'], sign='+')} points"
    if d["p"] is None:
        return text
    corrected = "" if d["p"] == d["p_holm"] else "corrected "
    return f"{text}, 95 % interval {interval_in_points(d)}, {corrected}{p_equation(d['p_holm'])}"


def p_cell(p: float | None) -> str:
    """p with three decimals; empty if there is none."""
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def p_equation(p: float) -> str:
    """p for use in a sentence."""
    return f"p = {p_cell(p)}".replace("= <", "<")


def points(fraction: float, sign: str = "") -> str:
    """A fraction in points with one decimal, or as many as show that it is not 0; never `-0.0`.

    `sign` is `+` to show that of a positive number, too.
    """
    value = round(100 * fraction, 9) + 0.0  # what is below is an error of floating-point numbers
    decimals = 1
    while value and not round(value, decimals):
        decimals += 1
    return f"{value:{sign}.{decimals}f}"


def interval_in_points(d: dict[str, Any]) -> str:
    """The interval of a difference in points, as in `-1.2 to 0.4`."""
    if d["low"] is None:
        return "one seed"
    return " to ".join(points(v) for v in (d["low"], d["high"]))


def mean_cell(f1: dict[str, Any]) -> str:
    """Mean F1 in percent and its standard deviation, if there are several seeds."""
    return percent(f1["mean"]) + ("" if f1["sd"] is None else f" ± {percent(f1['sd'])}")


def score_cell(score: float | None, interval: list[float] | None) -> str:
    """A score in percent with its interval, as in `81.2 (79.4 to 83.0)`; empty without gold entities."""
    return EMPTY if score is None else f"{percent(score)} ({interval_text(interval)})"
