"""What stands in a data set: counts, lengths, and the faults that mislead training or scoring."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ner.corpus.readers import Sentences
from ner.errors import printable
from ner.labels import spans, surface_form, types_of
from ner.scoring.intervals import wilson_interval
from ner.scoring.scores import invalid_transitions

QUANTILES = (0, 25, 50, 75, 95, 99, 100)
EXAMPLES = 3
PAIRS = {"(": ")", "[": "]", "{": "}"}
QUOTES = '"«»“”„'  # which opens and which closes depends on the language: they are counted
RECALL, Z = 0.8, 1.96  # the recall at which the Wilson interval is shown, and the normal quantile of 95 %


@dataclass(frozen=True)
class Finding:
    """A fault at a row of a split, with the words that show it."""

    fault: str
    split: str
    row: int
    shown: str


def audit(splits: dict[str, Sentences], findings: list[Finding]) -> str:
    """Tables over the splits as text: sizes, entities by class, length quantiles, faults with examples."""
    names = list(splits)
    lines = [f"{'':<42}" + "".join(f"{name:>12}" for name in names)]
    lines.append(row("sentences", [len(s) for s in splits.values()]))
    lines.append(row("tokens", [len(s.words) for s in splits.values()]))
    lines.append("\nentities")
    counted = {name: class_counts(s) for name, s in splits.items()}
    for entity_type in types_of({label for s in splits.values() for label in s.names}):
        lines.append(row(f"  {entity_type}", [counted[name].get(entity_type, 0) for name in names]))
    lines.append(row("  all", [sum(counted[name].values()) for name in names]))
    lines.append(row("  sentences without one", [without_entity(s) for s in splits.values()]))
    lines.append("\ntokens a sentence, quantiles")
    for q in QUANTILES:
        lines.append(row(f"  {q} %", [int(np.percentile(s.lengths, q)) for s in splits.values()]))
    lines.append("\nfaults")
    lines.append(row("  repeated: same tokens and tags", [repeated(s) for s in splits.values()]))
    for name, s in splits.items():
        if pattern := doubling(s):
            lines.append(f"  {name} looks doubled: {pattern}")
    lines.append(row("  conflicting: same tokens only", [conflicting(s) for s in splits.values()]))
    lines.append(
        row("  illegal transitions to I-", [invalid_transitions(s.tags, s.lengths, s.names) for s in splits.values()])
    )
    for fault in ("unbalanced brackets or quotes", "surface of several classes"):
        of_fault = [f for f in findings if f.fault == fault]
        lines.append(row(f"  {fault}", [sum(f.split == name for f in of_fault) for name in names]))
        lines += [f"      e.g. {f.split} row {f.row}: {printable(f.shown)}" for f in of_fault[:EXAMPLES]]
    for a, b in combinations(names, 2):
        shared = len(sentence_set(splits[a]) & sentence_set(splits[b]))
        lines.append(f"  leaks: sentences in {a} and in {b}: {shared}")
    if "test" in counted:
        lines.append(
            f"\nhalf-width of the 95 % Wilson interval for a recall of {RECALL} at the test support, in points"
        )
        for entity_type, support in counted["test"].items():
            if support:
                lines.append(f"  {printable(entity_type):<40}{100 * wilson_half_width(RECALL, support):>12.1f}")
    return "\n".join(lines)


def row(title: str, values: list[int]) -> str:
    return f"{printable(title):<42}" + "".join(f"{value:>12,}" for value in values)


def class_counts(sentences: Sentences) -> dict[str, int]:
    """Entities of each class."""
    types = types_of(sentences.names)
    found = spans(sentences.tags, sentences.lengths, sentences.names)
    return dict(zip(types, np.bincount(found.type, minlength=len(types)).tolist(), strict=True))


def without_entity(sentences: Sentences) -> int:
    sentence = np.repeat(np.arange(len(sentences)), sentences.lengths)
    return int((np.bincount(sentence, weights=sentences.tags > 0, minlength=len(sentences)) == 0).sum())


def sentence_set(sentences: Sentences) -> set[tuple[str, ...]]:
    return {tuple(tokens) for tokens in sentences.token_lists()}


def tagged(sentences: Sentences) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    pairs = zip(sentences.token_lists(), sentences.tag_lists(), strict=True)
    return [(tuple(tokens), tuple(tags)) for tokens, tags in pairs]


def repeated(sentences: Sentences) -> int:
    """Sentences that an earlier one equals in tokens and tags."""
    return len(sentences) - len(set(tagged(sentences)))


def doubling(sentences: Sentences) -> str | None:
    """How a file was doubled, or None: its second half repeats the first, or each row stands twice in a row.

    A data set whose files were matched twice when it was loaded looks like this.
    """
    rows = tagged(sentences)
    half, odd = divmod(len(rows), 2)
    if odd or not half:
        return None
    if rows[:half] == rows[half:]:
        return f"rows {half} to {len(rows) - 1} repeat rows 0 to {half - 1}"
    if rows[::2] == rows[1::2]:
        return "each row stands twice in a row"
    if set(Counter(rows).values()) == {2}:
        return "each row stands twice"
    return None


def conflicting(sentences: Sentences) -> int:
    """Distinct token sequences that stand with more than one tagging."""
    taggings = Counter(tokens for tokens, _ in set(tagged(sentences)))
    return sum(count > 1 for count in taggings.values())


def findings(splits: dict[str, Sentences]) -> list[Finding]:
    """Entities with a bracket or quote that nothing closes, and surfaces that stand under several classes."""
    found, classes_of = [], {}
    for name, sentences in splits.items():
        for i, surface, entity_type in entity_surfaces(sentences):
            classes_of.setdefault(surface, Counter())[entity_type] += 1
            if unbalanced(surface):
                found.append(Finding("unbalanced brackets or quotes", name, i, f"{entity_type} {surface}"))
    for name, sentences in splits.items():
        for i, surface, entity_type in entity_surfaces(sentences):
            classes = classes_of[surface]
            # The rarer senses are shown: one of them is a slip more often than the usual one.
            if len(classes) > 1 and classes[entity_type] < max(classes.values()):
                senses = ", ".join(f"{c} {n}" for c, n in classes.most_common())
                found.append(Finding("surface of several classes", name, i, f"{entity_type} {surface} ({senses})"))
    return found


def entity_surfaces(sentences: Sentences) -> Iterator[tuple[int, str, str]]:
    """Row, surface and type of each entity."""
    types, words = types_of(sentences.names), sentences.words.to_pylist()
    found = spans(sentences.tags, sentences.lengths, sentences.names)
    rows = np.repeat(np.arange(len(sentences)), sentences.lengths)[found.start]
    for i, start, end, kind in zip(rows, found.start, found.end, found.type, strict=True):
        yield int(i), surface_form(words[start:end]), types[kind]


def unbalanced(surface: str) -> bool:
    """True where a bracket is closed by none or by another, or the number of double quotes is odd."""
    waiting = []
    for character in surface:
        if character in PAIRS:
            waiting.append(PAIRS[character])
        elif character in PAIRS.values() and (not waiting or waiting.pop() != character):
            return True
    quotes = sum(surface.count(quote) for quote in (*QUOTES, "``", "''"))
    return bool(waiting) or quotes % 2 == 1


def wilson_half_width(share: float, n: int) -> float:
    """Half the width of the 95 % score interval of a share in n trials (Wilson 1927)."""
    low, high = wilson_interval(np.array(share), np.array(n), Z)
    return float(high - low) / 2
