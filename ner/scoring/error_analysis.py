"""Where a run's errors are: kinds of error, confusion, and F1 by length. NumPy only.

A predicted entity is right where a gold entity has its borders and type. The others are paired with the gold entities
that are left, largest overlap first: *type* (same borders), *boundary* (same type), *both* (another type and other
borders); a gold entity without a partner is *missed*, a predicted one *spurious*.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ner.labels import label_names, prefixes_and_types, spans, types_of
from ner.scoring.scores import invalid_transitions, precision_recall_f1

Entity = tuple[int, int, str]  # half-open token range within the sentence, and type
SizeOf = Callable[[Entity, int], int]  # of an entity and its sentence's position
KINDS = ("type", "boundary", "both", "missed", "spurious")
LENGTHS = ((1, 1), (2, 2), (3, 3), (4, None))  # tokens of an entity
SENTENCE_LENGTHS = ((1, 10), (11, 20), (21, 30), (31, None))
WORST = 50


@dataclass(frozen=True)
class Entities:
    """The entities of each sentence on the gold and on the predicted side, restricted to some classes."""

    gold: list[list[Entity]]
    predicted: list[list[Entity]]


def entities_of(sentences: Sequence[Sequence[str]], classes: Sequence[str]) -> list[list[Entity]]:
    """The entities of BIO tags in seqeval's default reading, every tag outside `classes` taken as `O`."""
    ids, lengths = known_ids(sentences, classes)
    found = spans(ids, lengths, label_names(classes))
    starts = np.cumsum(lengths) - lengths
    sentence = np.repeat(np.arange(len(lengths)), lengths)[found.start]
    first, last = (found.start - starts[sentence]).tolist(), (found.end - starts[sentence]).tolist()
    # `spans` numbers types in the order of `types_of`, which is that of the classes a checkpoint or data names.
    types = types_of(label_names(classes))
    result: list[list[Entity]] = [[] for _ in sentences]
    for i, start, end, kind in zip(sentence.tolist(), first, last, found.type.tolist(), strict=True):
        result[i].append((start, end, types[kind]))
    return result


def known_ids(sentences: Sequence[Sequence[str]], classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Flat ids [token] into `label_names(classes)`, other tags as `O`, and lengths [sentence]."""
    index = {name: i for i, name in enumerate(label_names(classes))}
    ids = np.array([index.get(tag, 0) for tags in sentences for tag in tags], dtype=np.int64)
    return ids, np.array([len(tags) for tags in sentences], dtype=np.int64)


def errors(gold: list[Entity], predicted: list[Entity]) -> list[tuple[str, Entity | None, Entity | None]]:
    """The errors of a sentence as (kind, gold entity, predicted entity), each entity in one error at most once.

    Wrong entities of both sides are paired, those that share most tokens first, at a tie those of one class.
    """
    right = set(gold) & set(predicted)
    open_gold, open_predicted = ([e for e in side if e not in right] for side in (gold, predicted))
    overlaps = [
        (min(p[1], g[1]) - max(p[0], g[0]), p[2] == g[2], g, p)
        for p in open_predicted
        for g in open_gold
        if min(p[1], g[1]) > max(p[0], g[0])
    ]
    found: list[tuple[str, Entity | None, Entity | None]] = []
    for _, same_class, g, p in sorted(overlaps, key=lambda o: (-o[0], not o[1], o[2][0], o[3][0])):
        if g in open_gold and p in open_predicted:
            open_gold.remove(g)
            open_predicted.remove(p)
            found.append(("type" if p[:2] == g[:2] else "boundary" if same_class else "both", g, p))
    found += [("spurious", None, p) for p in open_predicted]
    return found + [("missed", g, None) for g in open_gold]


def analysis(both: Entities, predicted: list[list[str]], classes: Sequence[str]) -> dict[str, Any]:
    """Kinds of error, confusion, F1 by length and the worst sentences of one run with the tags `predicted`.

    `confusion` counts the same errors by class, see there.
    """
    found = [errors(g, p) for g, p in zip(both.gold, both.predicted, strict=True)]
    lengths = [len(tags) for tags in predicted]
    return {
        "kinds": {kind: sum(e[0] == kind for sentence in found for e in sentence) for kind in KINDS},
        "confusion": confusion(both, found, classes),
        "by_entity_length": by_bins(both, LENGTHS, lambda entity, i: entity[1] - entity[0]),
        "by_sentence_length": by_bins(both, SENTENCE_LENGTHS, lambda entity, i: lengths[i]),
        "invalid_transitions": invalid_rate(predicted, classes),
        "worst_sentences": sorted((i for i, e in enumerate(found) if e), key=lambda i: (-len(found[i]), i))[:WORST],
    }


def confusion(
    both: Entities, found: list[list[tuple[str, Entity | None, Entity | None]]], classes: Sequence[str]
) -> list[list[int]]:
    """Counts, [gold class + other borders + spurious, predicted class + other borders + missed], of the errors `found`.

    Entities with the borders of a gold one are in the class columns, right ones on the diagonal. A pair with other
    borders is counted once on each side: in its gold row, and in its predicted column.
    """
    index, size = {c: i for i, c in enumerate(classes)}, len(classes)
    table = np.zeros((size + 2, size + 2), dtype=int)
    for gold, predicted, wrong in zip(both.gold, both.predicted, found, strict=True):
        for g in set(gold) & set(predicted):
            table[index[g[2]], index[g[2]]] += 1
        for kind, g, p in wrong:
            if kind == "type":
                table[index[g[2]], index[p[2]]] += 1
                continue
            if g is not None:
                table[index[g[2]], size + (kind == "missed")] += 1
            if p is not None:
                table[size + (kind == "spurious"), index[p[2]]] += 1
    return table.tolist()


def by_bins(both: Entities, bins: Sequence[tuple[int, int | None]], size: SizeOf) -> list[dict[str, Any]]:
    """Scores over the entities whose size falls into each bin (first, last), both included."""

    def bin_of(entity: Entity, i: int) -> int:
        return next(k for k, (_, last) in enumerate(bins) if last is None or size(entity, i) <= last)

    found = scores_by(both, len(bins), bin_of)
    return [{"from": first, "to": last} | values for (first, last), values in zip(bins, found, strict=True)]


def by_seen(
    both: Entities, tokens: list[list[str]], seen: set[tuple[str, str]] | None
) -> dict[str, dict[str, float]] | None:
    """Scores over entities whose class and surface form stood in the training data, and over the others."""
    if seen is None:
        return None

    def is_new(entity: Entity, i: int) -> int:
        start, end, kind = entity
        surface = " ".join(" ".join(tokens[i][start:end]).split())
        return int((kind, surface) not in seen)

    return dict(zip(("seen", "unseen"), scores_by(both, 2, is_new), strict=True))


def scores_by(both: Entities, parts: int, part_of: SizeOf) -> list[dict[str, float]]:
    """Precision, recall, F1 and support of each part, into which `part_of` puts the entities of both sides."""
    counted = np.zeros((parts, 3), dtype=int)
    for i, (gold, predicted) in enumerate(zip(both.gold, both.predicted, strict=True)):
        right = set(gold) & set(predicted)
        for entities, column in ((right, 0), (set(predicted) - right, 1), (set(gold) - right, 2)):
            for entity in entities:
                counted[part_of(entity, i), column] += 1
    scores = zip(*precision_recall_f1(counted), counted[:, 0] + counted[:, 2], strict=True)
    return [
        {"precision": float(p), "recall": float(r), "f1": float(f1), "support": int(support)}
        for p, r, f1, support in scores
    ]


def strict_scores(both: Entities, gold: list[list[str]], predicted: list[list[str]]) -> dict[str, float]:
    """Micro precision, recall and F1 in seqeval's strict mode (IOB2): an entity must begin with a `B-` tag."""
    right = golds = guesses = 0
    for gold_entities, predicted_entities, gold_tags, tags in zip(
        both.gold, both.predicted, gold, predicted, strict=True
    ):
        g = {e for e in gold_entities if gold_tags[e[0]][0] == "B"}
        p = {e for e in predicted_entities if tags[e[0]][0] == "B"}
        right, golds, guesses = right + len(g & p), golds + len(g), guesses + len(p)
    scores = precision_recall_f1(np.array([right, guesses - right, golds - right]))
    return {name: float(score) for name, score in zip(("precision", "recall", "f1"), scores, strict=True)}


def invalid_rate(predicted: list[list[str]], classes: Sequence[str]) -> dict[str, float]:
    """How many predicted `I-` tags follow nothing that they continue, and their share of all entity tags."""
    names = label_names(classes)
    ids, lengths = known_ids(predicted, classes)
    count = invalid_transitions(ids, lengths, names)
    tags = int((prefixes_and_types(names)[0][ids] > 0).sum())
    return {"count": count, "share": count / tags if tags else 0.0}
