"""What a data set contains: counts, lengths, and the faults that mislead training or scoring."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ner.corpus.selection import contains, sentence_ids, token_keys, without_duplicates
from ner.corpus.sentences import Sentences
from ner.errors import printable
from ner.labels import classes_of, ranges, spans, surface_form, wrong_transitions
from ner.scoring.intervals import wilson_interval

QUANTILES = (0, 25, 50, 75, 95, 99, 100)
EXAMPLES = 3
REPEATED, CONFLICTING = "repeated: same tokens and tags", "conflicting: same tokens, different tags"
ILLEGAL, LEAK = "illegal transitions to I-", "leaks: sentences in {} and in {}"
UNBALANCED, AMBIGUOUS = "unbalanced brackets or quotes", "same text, several classes"
PAIRS = dict(zip("([{（［【《〈「『", ")]}）］】》〉」』", strict=True))  # noqa: RUF001
QUOTES = (*'"«»“”„', "``", "''")  # which opens and which closes depends on the language: they are counted
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
    of_splits, counts = splits.values(), [class_counts(s) for s in splits.values()]
    lines = [f"{'':<42}" + "".join(f"{name:>12}" for name in splits)]
    lines.append(row("sentences", [len(s) for s in of_splits]))
    lines.append(row("tokens", [len(s.words) for s in of_splits]))
    lines.append("\nentities")
    for name in classes_of({label for s in of_splits for label in s.names}):
        lines.append(row(f"  {name}", [count.get(name, 0) for count in counts]))
    lines.append(row("  all", [sum(count.values()) for count in counts]))
    lines.append(
        row("  sentences without entities", [int((~contains(s, classes_of(s.names))).sum()) for s in of_splits])
    )
    lines.append("\ntokens a sentence, quantiles")
    for q in QUANTILES:
        lines.append(row(f"  {q} %", [int(np.percentile(s.lengths, q)) for s in of_splits]))
    lines += ["\nfaults", *fault_lines(splits, findings)]
    if "test" in splits:
        lines.append(
            f"\nhow far off a recall of {RECALL} on the test split may be: half of Wilson's 95 % interval, in points"
        )
        for name, support in class_counts(splits["test"]).items():
            if support:
                low, high = wilson_interval(np.array(RECALL), np.array(support), Z)
                lines.append(f"  {printable(name):<40}{50 * (high - low):>12.1f}")
    return "\n".join(lines)


def fault_lines(splits: dict[str, Sentences], findings: list[Finding]) -> list[str]:
    """The lines on repeated, conflicting and leaked sentences, over all languages, and on the other findings."""
    number = Counter((f.fault, f.split) for f in findings)
    lines = [row(f"  {REPEATED}", [len(s) - len(without_duplicates(s)) for s in splits.values()])]
    lines.append(row(f"  {CONFLICTING}", [conflicting(s) for s in splits.values()]))
    for fault in (ILLEGAL, UNBALANCED, AMBIGUOUS):
        lines.append(row(f"  {fault}", [number[fault, name] for name in splits]))
        for f in [f for f in findings if f.fault == fault][:EXAMPLES]:
            lines.append(f"      e.g. {f.split} row {f.row} ({printable(f.lang)}): {printable(f.shown)}")
    for a, b in combinations(splits, 2):
        shared = pc.is_in(pc.unique(token_keys(splits[a])), value_set=token_keys(splits[b]))
        lines.append(f"  {LEAK.format(a, b)}: {pc.sum(shared).as_py() or 0}")
    return lines


def row(title: str, values: list[int]) -> str:
    """A line of a table: a title, then a column for each split."""
    return f"{printable(title):<42}" + "".join(f"{value:>12,}" for value in values)


def class_counts(sentences: Sentences) -> dict[str, int]:
    """Entities of each class."""
    classes = classes_of(sentences.names)
    entities = spans(sentences.tags, sentences.lengths)
    return dict(zip(classes, np.bincount(entities.class_index, minlength=len(classes)).tolist(), strict=True))


def conflicting(sentences: Sentences) -> int:
    """Distinct token sequences that occur with more than one tagging."""
    taggings = pc.value_counts(token_keys(without_duplicates(sentences))).field("counts")
    return int((taggings.to_numpy() > 1).sum())


def by_language(splits: dict[str, Sentences]) -> dict[str, dict[str, Sentences]]:
    """The sentences of each language in the splits that have some."""
    langs = {split: np.array(sentences.langs) for split, sentences in splits.items()}
    return {
        lang: {split: splits[split].select(np.flatnonzero(of == lang)) for split, of in langs.items() if lang in of}
        for lang in np.unique(np.concatenate(list(langs.values()))).tolist()
    }


def findings(lang: str, splits: dict[str, Sentences]) -> list[Finding]:
    """The faults of `splits`, which hold the sentences of one language: in another one, a word may mean something else.

    They are repeated, conflicting and leaked sentences, illegal transitions, entities with a bracket or quote that
    nothing closes, and entities whose text usually has another class.
    """
    return [*equal_sentences(lang, splits), *illegal_transitions(lang, splits), *odd_entities(lang, splits)]


def equal_sentences(lang: str, splits: dict[str, Sentences]) -> Iterator[Finding]:
    """Sentences with the tokens of an earlier one, or of one in a later split."""
    keys = {split: token_keys(sentences) for split, sentences in splits.items()}
    for place, (split, sentences) in enumerate(splits.items()):
        ids, rows = pa.array(sentence_ids(sentences)), np.arange(len(sentences))
        same, same_tokens = first_rows(ids, ids), first_rows(keys[split], keys[split])
        faults = [
            (REPEATED, same != rows, same, "as row"),
            (CONFLICTING, (same == rows) & (same_tokens != rows), same_tokens, "tokens of row"),
        ]
        for other in [*splits][place + 1 :]:
            first = first_rows(keys[split], keys[other])
            faults.append((LEAK.format(split, other), first >= 0, first, f"tokens of {other} row"))
        for fault, has_fault, first, relation in faults:
            for i, words in zip(rows[has_fault].tolist(), sentences.select(rows[has_fault]).token_lists(), strict=True):
                yield Finding(fault, split, lang, i, f"{relation} {first[i]}: {surface_form(words):.200}")


def illegal_transitions(lang: str, splits: dict[str, Sentences]) -> Iterator[Finding]:
    """Words whose I- tag continues no entity of its class."""
    for split, sentences in splits.items():
        rows = np.repeat(np.arange(len(sentences)), sentences.lengths)
        for j in np.flatnonzero(wrong_transitions(sentences.tags, sentences.lengths)).tolist():
            tag, word = sentences.names[sentences.tags[j]], sentences.words[j].as_py()
            yield Finding(ILLEGAL, split, lang, int(rows[j]), f"{tag} {word}")


def odd_entities(lang: str, splits: dict[str, Sentences]) -> Iterator[Finding]:
    """Entities with a bracket or quote that nothing closes, and those whose text usually has another class."""
    classes_by_surface: dict[str, Counter[str]] = {}
    for split, sentences in splits.items():
        for i, surface, name in entity_surfaces(sentences):
            classes_by_surface.setdefault(surface, Counter())[name] += 1
            if unbalanced(surface):
                yield Finding(UNBALANCED, split, lang, i, f"{name} {surface}")
    for split, sentences in splits.items():
        for i, surface, name in entity_surfaces(sentences):
            counts = classes_by_surface[surface]
            # Only the rarer classes are shown: they are mistakes more often than the usual one.
            if counts[name] < max(counts.values()):
                senses = ", ".join(f"{c} {n}" for c, n in counts.most_common())
                yield Finding(AMBIGUOUS, split, lang, i, f"{name} {surface} ({senses})")


def first_rows(keys: pa.Array, others: pa.Array) -> np.ndarray:
    """For each key, the index of the first equal one in `others`, -1 if there is none, as [key]."""
    return pc.index_in(keys, value_set=others).fill_null(-1).to_numpy()


def entity_surfaces(sentences: Sentences) -> Iterator[tuple[int, str, str]]:
    """Row, surface and class of each entity. A surface is its words joined by spaces."""
    classes, entities = classes_of(sentences.names), spans(sentences.tags, sentences.lengths)
    rows = np.repeat(np.arange(len(sentences)), sentences.lengths)[entities.start]
    sizes = entities.end - entities.start
    ends = np.cumsum(sizes)
    words = sentences.words.take(pa.array(ranges(entities.start, sizes))).to_pylist()  # most words are in no entity
    columns = (rows, ends - sizes, ends, entities.class_index)
    for i, start, end, index in zip(*(column.tolist() for column in columns), strict=True):
        yield i, surface_form(words[start:end]), classes[index]


def unbalanced(surface: str) -> bool:
    """True if a bracket is not closed, or closed by another one, or if the number of double quotes is odd."""
    waiting = []
    for character in surface:
        if character in PAIRS:
            waiting.append(PAIRS[character])
        elif character in PAIRS.values() and (not waiting or waiting.pop() != character):
            return True
    return bool(waiting) or sum(map(surface.count, QUOTES)) % 2 == 1
