"""What stands in a data set: counts, lengths, and the faults that mislead training or scoring."""

from itertools import combinations

import numpy as np

from labels import spans, types_of
from metrics import invalid_transitions
from sources import Sentences

QUANTILES = (0, 25, 50, 75, 95, 99, 100)


def audit(splits: dict[str, Sentences]) -> str:
    """Tables over the splits as text: sizes, entities by class, length quantiles, faults."""
    names = list(splits)
    head = f"{'':<34}" + "".join(f"{name:>12}" for name in names)
    lines = [head, row("sentences", [len(s) for s in splits.values()])]
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
    lines.append(row("  conflicting: same tokens only", [conflicting(s) for s in splits.values()]))
    lines.append(
        row("  illegal transitions to I-", [invalid_transitions(s.tags, s.lengths, s.names) for s in splits.values()])
    )
    for a, b in combinations(names, 2):
        shared = len(sentence_set(splits[a]) & sentence_set(splits[b]))
        lines.append(f"  leaks: sentences in {a} and in {b}: {shared}")
    return "\n".join(lines)


def row(title: str, values: list[int]) -> str:
    return f"{title:<34}" + "".join(f"{value:>12,}" for value in values)


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


def repeated(sentences: Sentences) -> int:
    """Sentences that an earlier one equals in tokens and tags."""
    return len(sentences) - len(tagged_set(sentences))


def conflicting(sentences: Sentences) -> int:
    """Distinct token sequences that stand with more than one tagging."""
    taggings: dict[tuple[str, ...], int] = {}
    for tokens, _ in tagged_set(sentences):
        taggings[tokens] = taggings.get(tokens, 0) + 1
    return sum(count > 1 for count in taggings.values())


def tagged_set(sentences: Sentences) -> set[tuple[tuple[str, ...], tuple[str, ...]]]:
    return {
        (tuple(tokens), tuple(tags))
        for tokens, tags in zip(sentences.token_lists(), sentences.tag_lists(), strict=True)
    }
