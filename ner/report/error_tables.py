"""The tables of a report that show where the errors of the runs are."""

from typing import Any

from ner.report.text import EMPTY, Part, data_table, heading, paragraph, with_commas
from ner.scoring.error_analysis import KINDS

MAX_CONFUSIONS = 6  # runs
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


def error_tables(errors: dict[str, Any], classes: list[str]) -> list[Part]:
    """Errors by kind, strict scores, F1 by surface form and by length, and confusion, with a column for each run."""
    per_run, runs = list(errors.values()), list(errors)
    kinds = [[kind, *(e["kinds"][kind] for e in per_run)] for kind in KINDS]
    strict: list[list[Any]] = [
        ["micro F1, strict", *(f"{100 * e['strict']['f1']:.1f}" for e in per_run)],
        ["I- tags that continue no entity", *(e["invalid_transitions"]["count"] for e in per_run)],
        ["the same, in percent of entity tags", *(f"{100 * e['invalid_transitions']['share']:.2f}" for e in per_run)],
    ]
    parts = [
        heading("Where the errors are"),
        paragraph(KINDS_OF_ERROR),
        data_table("Errors by kind", ["kind", *runs], with_commas(kinds)),
        data_table("Strict scoring (IOB2)", ["score", *runs], with_commas(strict)),
    ]
    if any(e["by_seen"] for e in per_run):
        rows = [
            [surface, *(f1_cell((e["by_seen"] or {}).get(surface), with_support=True) for e in per_run)]
            for surface in ("seen", "unseen")
        ]
        title = "F1 by surface form, seen in training or not (gold entities)"
        parts.append(data_table(title, ["surface form", *runs], rows))
    for key, unit in (("by_entity_length", "entity"), ("by_sentence_length", "sentence")):
        rows = [
            [size_text(bins[0]), bins[0]["support"], *(f1_cell(each, with_support=False) for each in bins)]
            for bins in zip(*(e[key] for e in per_run), strict=True)
        ]
        head = ["tokens", "gold entities", *runs]
        parts.append(data_table(f"F1 by number of tokens in the {unit}", head, with_commas(rows)))
    return parts + confusion_tables(errors, classes)


def f1_cell(scores: dict[str, Any] | None, with_support: bool) -> str:
    """F1 in percent of a part of the entities, with their number if asked for."""
    if scores is None:
        return "not recorded"
    f1 = f"{100 * scores['f1']:.1f}" if scores["support"] else EMPTY
    return f"{f1} ({scores['support']:,})" if with_support else f1


def size_text(size_bin: dict[str, Any]) -> str:
    """The sizes in a bin, as in `11 to 20`."""
    first, last = size_bin["from"], size_bin["to"]
    if last is None:
        return f"{first} or more"
    return str(first) if first == last else f"{first} to {last}"


def confusion_tables(errors: dict[str, Any], classes: list[str]) -> list[Part]:
    """A table for each run, for at most `MAX_CONFUSIONS`. `shade` holds the share of its row that each cell has."""
    parts = [heading("Confusion"), paragraph(CONFUSION)]
    titles = [*classes, "other borders", "spurious"]
    for run, e in list(errors.items())[:MAX_CONFUSIONS]:
        rows = [[title, *counts] for title, counts in zip(titles, e["confusion"], strict=True)]
        table = data_table(f"Confusion of {run}", ["gold", *classes, "other borders", "missed"], with_commas(rows))
        table["shade"] = [[round(n / max(sum(counts), 1), 3) for n in counts] for counts in e["confusion"]]
        parts.append(table)
    if len(errors) > MAX_CONFUSIONS:
        parts.append(paragraph(f"The confusions of {len(errors) - MAX_CONFUSIONS} more runs are in report.json."))
    return parts
