"""What a data set contains: counts, lengths, and the faults that mislead training or scoring."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pyarrow as pa

from ner.corpus.sentences import Sentences
from ner.errors import printable
from ner.labels import classes_of, ranges, spans, surface_form
from ner.scoring.intervals import wilson_interval
from ner.scoring.scores import invalid_transitions

QUANTILES = (0, 25, 50, 75, 95, 99, 100)
EXAMPLES = 3
REPEATED = "repeated: same tokens and tags"
UNBALANCED, AMBIGUOUS = "unbalanced brackets or quotes", "surface of several classes"
PAIRS = {"(": ")", "[": "]", "{": "}"}
QUOTES = '"«»“”„'  # which opens and which closes depends on the language: they are counted
RECALL, Z = 0.8, 1.96  # the recall at which the Wilson interval is shown, and the normal quantile of 95 %


@dataclass(frozen=True)
class Finding:
    """A fault at a row of a split, counted from 0 over its sentences in that language; `shown` is the text."""

    fault: str
    split: str
    lang: str
    row: int
    shown: str


def audit(splits: dict[str, Sentences], findings: list[Finding]) -> str:
    """Tables over the splits as text: sizes, entities of each class, length quantiles, faults with examples."""
    lines = [f"{'':<42}" + "".join(f"{name:>12}" for name in splits)]
    lines.append(row("sentences", [len(s) for s in splits.values()]))
    lines.append(row("tokens", [len(s.words) for s in splits.values()]))
    counted = {name: class_counts(s) for name, s in splits.items()}
    lines.append("\nentities")
    for name in classes_of({label for s in splits.values() for label in s.names}):
        lines.append(row(f"  {name}", [counts.get(name, 0) for counts in counted.values()]))
    lines.append(row("  all", [sum(counts.values()) for counts in counted.values()]))
    lines.append(row("  sentences without one", [without_entity(s) for s in splits.values()]))
    lines.append("\ntokens a sentence, quantiles")
    for q in QUANTILES:
        lines.append(row(f"  {q} %", [int(np.percentile(s.lengths, q)) for s in splits.values()]))
    lines += ["\nfaults", *fault_lines(splits, findings)]
    if "test" in counted:
        lines.append(
            f"\nhalf-width of the 95 % Wilson interval for a recall of {RECALL} at the test support, in points"
        )
        for name, support in counted["test"].items():
            if support:
                lines.append(f"  {printable(name):<40}{100 * wilson_half_width(RECALL, support):>12.1f}")
    return "\n".join(lines)


def fault_lines(splits: dict[str, Sentences], findings: list[Finding]) -> list[str]:
    """The lines on repeated, doubled, conflicting and leaked sentences, wrong transitions, and findings."""
    lines = [row(f"  {REPEATED}", [sum(f.fault == REPEATED and f.split == name for f in findings) for name in splits])]
    for name, s in splits.items():
        if pattern := doubling(s):
            lines.append(f"  {name} looks doubled: {pattern}")
    lines.append(row("  conflicting: same tokens only", [conflicting(s) for s in splits.values()]))
    lines.append(
        row("  illegal transitions to I-", [invalid_transitions(s.tags, s.lengths, s.names) for s in splits.values()])
    )
    for fault in (UNBALANCED, AMBIGUOUS):
        of_fault = [f for f in findings if f.fault == fault]
        lines.append(row(f"  {fault}", [sum(f.split == name for f in of_fault) for name in splits]))
        lines += [
            f"      e.g. {f.split} row {f.row} ({printable(f.lang)}): {printable(f.shown)}" for f in of_fault[:EXAMPLES]
        ]
    for a, b in combinations(splits, 2):
        shared = len(sentence_set(splits[a]) & sentence_set(splits[b]))
        lines.append(f"  leaks: sentences in {a} and in {b}: {shared}")
    return lines


def row(title: str, values: list[int]) -> str:
    """A line of a table: a title, then a column for each split."""
    return f"{printable(title):<42}" + "".join(f"{value:>12,}" for value in values)


def class_counts(sentences: Sentences) -> dict[str, int]:
    """Entities of each class."""
    classes = classes_of(sentences.names)
    entities = spans(sentences.tags, sentences.lengths, sentences.names)
    return dict(zip(classes, np.bincount(entities.class_index, minlength=len(classes)).tolist(), strict=True))


def without_entity(sentences: Sentences) -> int:
    """Sentences whose tags are all `O`."""
    sentence = np.repeat(np.arange(len(sentences)), sentences.lengths)
    return int((np.bincount(sentence, weights=sentences.tags > 0, minlength=len(sentences)) == 0).sum())


def sentence_set(sentences: Sentences) -> set[tuple[str, ...]]:
    """The distinct sentences, each the tuple of its tokens."""
    return {tuple(tokens) for tokens in sentences.token_lists()}


def tagged(sentences: Sentences) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Tokens and label names of each sentence, to compare and count."""
    pairs = zip(sentences.token_lists(), sentences.tag_lists(), strict=True)
    return [(tuple(tokens), tuple(tags)) for tokens, tags in pairs]


def doubling(sentences: Sentences) -> str | None:
    """How a file was doubled, or None: its second half repeats the first, or each row occurs twice.

    A data set whose files were matched twice when it was loaded looks like this.
    """
    rows = tagged(sentences)
    half, odd = divmod(len(rows), 2)
    if odd or not half:
        return None
    if rows[:half] == rows[half:]:
        return f"rows {half} to {len(rows) - 1} repeat rows 0 to {half - 1}"
    if rows[::2] == rows[1::2]:
        return "each row is followed by its copy"
    if set(Counter(rows).values()) == {2}:
        return "each row occurs twice"
    return None


def conflicting(sentences: Sentences) -> int:
    """Distinct token sequences that occur with more than one tagging."""
    taggings = Counter(tokens for tokens, _ in set(tagged(sentences)))
    return sum(count > 1 for count in taggings.values())


def by_language(splits: dict[str, Sentences]) -> dict[str, dict[str, Sentences]]:
    """The sentences of each language in the splits that have some."""
    langs = {split: np.array(sentences.langs) for split, sentences in splits.items()}
    return {
        lang: {split: splits[split].select(np.flatnonzero(of == lang)) for split, of in langs.items() if lang in of}
        for lang in np.unique(np.concatenate(list(langs.values()))).tolist()
    }


def findings(lang: str, splits: dict[str, Sentences]) -> list[Finding]:
    """Repeated sentences, entities with a bracket or quote that nothing closes, and those whose text mostly has another
    class, in the sentences of one language: the same word can be another in another language."""
    result: list[Finding] = []
    classes_by_surface: dict[str, Counter[str]] = {}
    for split, sentences in splits.items():
        first_row: dict[tuple, int] = {}
        for i, sentence in enumerate(tagged(sentences)):
            if first_row.setdefault(sentence, i) != i:
                result.append(Finding(REPEATED, split, lang, i, f"as row {first_row[sentence]}"))
        for i, surface, name in entity_surfaces(sentences):
            classes_by_surface.setdefault(surface, Counter())[name] += 1
            if unbalanced(surface):
                result.append(Finding(UNBALANCED, split, lang, i, f"{name} {surface}"))
    for split, sentences in splits.items():
        for i, surface, name in entity_surfaces(sentences):
            counts = classes_by_surface[surface]
            # Only the rarer classes are shown: they are mistakes more often than the usual one.
            if len(counts) > 1 and counts[name] < max(counts.values()):
                senses = ", ".join(f"{c} {n}" for c, n in counts.most_common())
                result.append(Finding(AMBIGUOUS, split, lang, i, f"{name} {surface} ({senses})"))
    return result


def entity_surfaces(sentences: Sentences) -> Iterator[tuple[int, str, str]]:
    """Row, surface and class of each entity. A surface is its words joined by spaces."""
    classes, entities = classes_of(sentences.names), spans(sentences.tags, sentences.lengths, sentences.names)
    rows = np.repeat(np.arange(len(sentences)), sentences.lengths)[entities.start].tolist()
    sizes = entities.end - entities.start
    ends = np.cumsum(sizes)
    places = pa.array(ranges(entities.start, sizes))  # those of entities alone: most words are in none
    words = sentences.words.take(places).to_pylist()
    for i, start, end, index in zip(
        rows, (ends - sizes).tolist(), ends.tolist(), entities.class_index.tolist(), strict=True
    ):
        yield i, surface_form(words[start:end]), classes[index]


def unbalanced(surface: str) -> bool:
    """True if a bracket is not closed, or closed by another one, or if the number of double quotes is odd."""
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
