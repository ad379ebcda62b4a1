"""Where the errors of a run are: kinds of error, confusion, and F1 by length.

A predicted entity is correct if a gold entity has its borders and its class. The other predicted entities are paired
with the remaining gold entities, those with the largest overlap first. There are five kinds of error:

- type: same borders, another class;
- boundary: same class, other borders, with an overlap;
- both: another class and other borders, with an overlap;
- missed: a gold entity without a partner;
- spurious: a predicted entity without a partner.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ner.labels import classes_of, label_names, prefixes_and_classes, spans, surface_form
from ner.scoring.scores import gold_entities, invalid_transitions, precision_recall_f1

Entity = tuple[int, int, str]  # half-open token range within the sentence, and class
Error = tuple[str, Entity | None, Entity | None]  # kind, gold entity, predicted entity
KINDS = ("type", "boundary", "both", "missed", "spurious")
ENTITY_LENGTHS = ((1, 1), (2, 2), (3, 3), (4, None))  # tokens, first and last of each bin
SENTENCE_LENGTHS = ((1, 10), (11, 20), (21, 30), (31, None))
WORST = 50  # sentences


@dataclass(frozen=True)
class Entities:
    """The gold and the predicted entities of each sentence, restricted to some classes."""

    gold: list[list[Entity]]
    predicted: list[list[Entity]]


def entities_of(sentences: Sequence[Sequence[str]], classes: Sequence[str]) -> list[list[Entity]]:
    """The entities of each sentence's BIO tags, read as seqeval's default mode does; other classes count as `O`."""
    ids, lengths = known_ids(sentences, classes)
    flat = spans(ids, lengths, label_names(classes))
    starts = np.cumsum(lengths) - lengths
    sentence = np.repeat(np.arange(len(lengths)), lengths)[flat.start]
    first, last = (flat.start - starts[sentence]).tolist(), (flat.end - starts[sentence]).tolist()
    ordered = classes_of(label_names(classes))  # `spans` numbers the classes in this order
    result: list[list[Entity]] = [[] for _ in sentences]
    for i, start, end, class_id in zip(sentence.tolist(), first, last, flat.class_index.tolist(), strict=True):
        result[i].append((start, end, ordered[class_id]))
    return result


def known_ids(sentences: Sequence[Sequence[str]], classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Flat ids [token] into `label_names(classes)`, 0 (`O`) for all other tags, and sentence lengths [sentence]."""
    index = {name: i for i, name in enumerate(label_names(classes))}
    ids = np.array([index.get(tag, 0) for tags in sentences for tag in tags], dtype=np.int64)
    return ids, np.array([len(tags) for tags in sentences], dtype=np.int64)


def errors(gold: list[Entity], predicted: list[Entity]) -> list[Error]:
    """The errors of a sentence. Each entity is in at most one of them.

    Wrong entities of both sides are paired: those that share most tokens first, and among equals those of one class.
    """
    if gold == predicted:  # most sentences
        return []
    correct = set(gold) & set(predicted)
    open_gold, open_predicted = ([e for e in side if e not in correct] for side in (gold, predicted))
    overlaps = [
        (min(p[1], g[1]) - max(p[0], g[0]), p[2] == g[2], g, p)
        for p in open_predicted
        for g in open_gold
        if min(p[1], g[1]) > max(p[0], g[0])
    ]
    paired: list[Error] = []
    for _, same_class, g, p in sorted(overlaps, key=lambda o: (-o[0], not o[1], o[2][0], o[3][0])):
        if g in open_gold and p in open_predicted:
            open_gold.remove(g)
            open_predicted.remove(p)
            paired.append(("type" if p[:2] == g[:2] else "boundary" if same_class else "both", g, p))
    return [*paired, *(("spurious", None, p) for p in open_predicted), *(("missed", g, None) for g in open_gold)]


def error_analysis(entities: Entities, predicted: list[list[str]], classes: Sequence[str]) -> dict[str, Any]:
    """Kinds of error, confusion, F1 by length and the worst sentences of a run; `predicted` are its tags.

    `worst_sentences` are positions of at most 50 sentences with errors, those with most errors first.
    """
    by_sentence = [errors(g, p) for g, p in zip(entities.gold, entities.predicted, strict=True)]
    lengths = [len(tags) for tags in predicted]
    with_errors = (i for i, each in enumerate(by_sentence) if each)
    return {
        "kinds": {kind: sum(error[0] == kind for each in by_sentence for error in each) for kind in KINDS},
        "confusion": confusion(entities, by_sentence, classes),
        "by_entity_length": scores_by_size(entities, ENTITY_LENGTHS, lambda entity, i: entity[1] - entity[0]),
        "by_sentence_length": scores_by_size(entities, SENTENCE_LENGTHS, lambda entity, i: lengths[i]),
        "invalid_transitions": invalid_transition_rate(predicted, classes),
        "worst_sentences": sorted(with_errors, key=lambda i: (-len(by_sentence[i]), i))[:WORST],
    }


def confusion(entities: Entities, by_sentence: list[list[Error]], classes: Sequence[str]) -> list[list[int]]:
    """Counts of entities, with a row for each gold class and a column for each predicted class.

    Two more rows count predicted entities with other borders and spurious ones; two more columns count gold entities
    with other borders and missed ones. Correct entities are on the diagonal. A pair with other borders is counted on
    each side once: in the row of its gold class, and in the column of its predicted class.
    """
    index, size = {c: i for i, c in enumerate(classes)}, len(classes)
    table = np.zeros((size + 2, size + 2), dtype=int)
    for gold, predicted, wrong in zip(entities.gold, entities.predicted, by_sentence, strict=True):
        for g in set(gold) & set(predicted):
            table[index[g[2]], index[g[2]]] += 1
        for kind, gold_entity, predicted_entity in wrong:
            row = index[gold_entity[2]] if gold_entity else None
            column = index[predicted_entity[2]] if predicted_entity else None
            if kind == "type":
                table[row, column] += 1
                continue
            if row is not None:
                table[row, size + (kind == "missed")] += 1
            if column is not None:
                table[size + (kind == "spurious"), column] += 1
    return table.tolist()


def scores_by_size(
    entities: Entities, bins: Sequence[tuple[int, int | None]], size: Callable[[Entity, int], int]
) -> list[dict[str, Any]]:
    """Scores of the entities whose size is in each bin, first and last included.

    `size` is a function of an entity and its sentence's position.
    """

    def bin_of(entity: Entity, i: int) -> int:
        return next(k for k, (_, last) in enumerate(bins) if last is None or size(entity, i) <= last)

    parts = scores_of_parts(entities, len(bins), bin_of)
    return [{"from": first, "to": last} | scores for (first, last), scores in zip(bins, parts, strict=True)]


def scores_by_seen(
    entities: Entities, tokens: list[list[str]], seen: set[tuple[str, str]] | None
) -> dict[str, dict[str, float]] | None:
    """Scores of the entities whose class and surface form occur in the training data (`seen`), and of the others.

    None if `seen` is not known.
    """
    if seen is None:
        return None

    def is_unseen(entity: Entity, i: int) -> int:
        start, end, class_name = entity
        return int((class_name, surface_form(tokens[i][start:end])) not in seen)

    return dict(zip(("seen", "unseen"), scores_of_parts(entities, 2, is_unseen), strict=True))


def scores_of_parts(entities: Entities, parts: int, part_of: Callable[[Entity, int], int]) -> list[dict[str, float]]:
    """Precision, recall, F1 and support of each part of the entities.

    `part_of` gives the part of an entity from the entity and its sentence's position.
    """
    counts = np.zeros((parts, 3), dtype=int)
    for i, (gold, predicted) in enumerate(zip(entities.gold, entities.predicted, strict=True)):
        correct = set(gold) & set(predicted)
        for members, column in ((correct, 0), (set(predicted) - correct, 1), (set(gold) - correct, 2)):
            for entity in members:
                counts[part_of(entity, i), column] += 1
    rows = zip(*precision_recall_f1(counts), gold_entities(counts), strict=True)
    return [
        {"precision": float(precision), "recall": float(recall), "f1": float(f1), "support": int(support)}
        for precision, recall, f1, support in rows
    ]


def strict_scores(entities: Entities, gold: list[list[str]], predicted: list[list[str]]) -> dict[str, float]:
    """Micro precision, recall and F1 in seqeval's strict mode (IOB2), in which an entity must begin with a `B-` tag.

    `gold` and `predicted` are the tags of the sentences.
    """
    tp = fp = fn = 0
    for gold_side, predicted_side, gold_tags, predicted_tags in zip(
        entities.gold, entities.predicted, gold, predicted, strict=True
    ):
        g = {e for e in gold_side if gold_tags[e[0]][0] == "B"}
        p = {e for e in predicted_side if predicted_tags[e[0]][0] == "B"}
        tp, fp, fn = tp + len(g & p), fp + len(p - g), fn + len(g - p)
    scores = precision_recall_f1(np.array([tp, fp, fn]))
    return {name: float(score) for name, score in zip(("precision", "recall", "f1"), scores, strict=True)}


def invalid_transition_rate(predicted: list[list[str]], classes: Sequence[str]) -> dict[str, float]:
    """How many predicted `I-` tags continue no entity (`count`), and their share of all entity tags (`share`)."""
    names = label_names(classes)
    ids, lengths = known_ids(predicted, classes)
    count = invalid_transitions(ids, lengths, names)
    entity_tags = int((prefixes_and_classes(names)[0][ids] > 0).sum())
    return {"count": count, "share": count / entity_tags if entity_tags else 0.0}
