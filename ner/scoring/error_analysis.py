"""Where the errors of a run are: kinds of error, and confusion.

A predicted entity is correct if a gold entity has its borders and its class. The other predicted entities are paired
with the remaining gold entities, those with the largest overlap first. There are five kinds of error:

- type: same borders, another class;
- boundary: same class, other borders, with an overlap;
- both: another class and other borders, with an overlap;
- missed: a gold entity without a partner;
- spurious: a predicted entity without a partner.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ner.labels import flat_ids, spans

Entity = tuple[int, int, str]  # half-open token range within the sentence, and class
Error = tuple[str, Entity | None, Entity | None]  # kind, gold entity, predicted entity
KINDS = ("type", "boundary", "both", "missed", "spurious")


@dataclass(frozen=True)
class Entities:
    """The gold and the predicted entities of each sentence, restricted to some classes, and the errors among them."""

    gold: list[list[Entity]]
    predicted: list[list[Entity]]
    errors: list[list[Error]]


def entities_of(sentences: Sequence[Sequence[str]], classes: Sequence[str]) -> list[list[Entity]]:
    """The entities of each sentence's BIO tags, read as seqeval's default mode does; other classes count as `O`."""
    ids, lengths = flat_ids(sentences, classes)
    flat = spans(ids, lengths)
    starts = np.cumsum(lengths) - lengths
    sentence = np.repeat(np.arange(len(lengths)), lengths)[flat.start]
    first, last = (flat.start - starts[sentence]).tolist(), (flat.end - starts[sentence]).tolist()
    result: list[list[Entity]] = [[] for _ in sentences]
    for i, start, end, class_id in zip(sentence.tolist(), first, last, flat.class_index.tolist(), strict=True):
        result[i].append((start, end, classes[class_id]))
    return result


def errors(gold: list[Entity], predicted: list[Entity]) -> list[Error]:
    """The errors of a sentence. Each entity is in at most one of them.

    Wrong entities of both sides are paired: those that share most tokens first, and among equals those of one class.
    """
    if gold == predicted:  # most sentences
        return []
    correct = set(gold) & set(predicted)
    open_gold, open_predicted = ([e for e in side if e not in correct] for side in (gold, predicted))
    overlaps = [
        (shared, p[2] == g[2], g, p) for p in open_predicted for g in open_gold if (shared := overlap(g, p)) > 0
    ]
    paired: list[Error] = []
    for _, same_class, g, p in sorted(overlaps, key=lambda o: (-o[0], not o[1], o[2][0], o[3][0])):
        if g in open_gold and p in open_predicted:
            open_gold.remove(g)
            open_predicted.remove(p)
            paired.append(("type" if p[:2] == g[:2] else "boundary" if same_class else "both", g, p))
    return [*paired, *(("spurious", None, p) for p in open_predicted), *(("missed", g, None) for g in open_gold)]


def overlap(a: Entity, b: Entity) -> int:
    """Tokens that two entities share; at most 0 if they do not overlap."""
    return min(a[1], b[1]) - max(a[0], b[0])


def error_analysis(entities: Entities, classes: Sequence[str]) -> dict[str, Any]:
    """Kinds of error, and confusion."""
    kinds = [kind for wrong in entities.errors for kind, _, _ in wrong]
    return {"kinds": {kind: kinds.count(kind) for kind in KINDS}, "confusion": confusion(entities, classes)}


def confusion(entities: Entities, classes: Sequence[str]) -> list[list[int]]:
    """Counts of entities, with a row for each gold class and a column for each predicted class.

    Two more rows count predicted entities with other borders and spurious ones; two more columns count gold entities
    with other borders and missed ones. Correct entities are on the diagonal. A pair with other borders is counted on
    each side once: in the row of its gold class, and in the column of its predicted class.
    """
    index, size = {c: i for i, c in enumerate(classes)}, len(classes)
    table = np.zeros((size + 2, size + 2), dtype=int)
    for gold, predicted, wrong in zip(entities.gold, entities.predicted, entities.errors, strict=True):
        for _, _, class_name in set(gold) & set(predicted):
            table[index[class_name], index[class_name]] += 1
        for kind, g, p in wrong:
            if kind == "type" and g and p:
                table[index[g[2]], index[p[2]]] += 1
                continue
            if g:
                table[index[g[2]], size + (kind == "missed")] += 1
            if p:
                table[size + (kind == "spurious"), index[p[2]]] += 1
    return table.tolist()
