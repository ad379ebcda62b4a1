"""From tags to counts to scores. NumPy only.

Counts are kept for each sentence and class, and every score follows from their sums. Precision, recall and F1 are
entity-level and equal seqeval's default mode.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ner.errors import printable
from ner.labels import continues, flat_ids, label_names, prefixes_and_types, spans, types_of

OVERALL = ("precision", "recall", "f1", "accuracy", "macro_f1")


@dataclass(frozen=True)
class Counts:
    """What the scores are made of, for each sentence.

    entities: true positives, false positives, false negatives, [sentence, class, 3].
    tokens: tokens, and those whose tag is right, [sentence, 2].
    wrong: tokens that are wrong once every other class's tags are turned into `O`, [sentence, class].
    """

    types: list[str]
    entities: np.ndarray
    tokens: np.ndarray
    wrong: np.ndarray


def counts(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Counts:
    """Counts for BIO tags, a list of label names for each sentence; any sequence of them, valid or not.

    Raises `ValueError` where gold and prediction differ in length or a tag is no BIO label.
    """
    types = types_of({tag for tags in (*gold, *predicted) for tag in tags})
    names = label_names(types)
    gold_ids, lengths = flat_ids(gold, names)
    predicted_ids, predicted_lengths = flat_ids(predicted, names)
    if not np.array_equal(lengths, predicted_lengths):
        raise ValueError("gold and predicted tags differ in number; expected a predicted tag for each gold tag")
    return counts_of_ids(gold_ids, predicted_ids, lengths, types)


def counts_of_ids(gold: np.ndarray, predicted: np.ndarray, lengths: np.ndarray, types: list[str]) -> Counts:
    """Counts for flat ids [token] into `label_names(types)`."""
    names = label_names(types)
    assert types == types_of(names), "types must stand in the order in which spans numbers them"
    sentences, classes = len(lengths), len(types)
    sentence = np.repeat(np.arange(sentences), lengths)

    def per_class(sentence: np.ndarray, kind: np.ndarray) -> np.ndarray:
        return np.bincount(sentence * classes + kind, minlength=sentences * classes).reshape(sentences, classes)

    g, p = spans(gold, lengths, names), spans(predicted, lengths, names)
    # Starts are unique, so an entity is right where the other side has the same start, end and type.
    _, in_g, in_p = np.intersect1d(g.start, p.start, assume_unique=True, return_indices=True)
    same = in_g[(g.end[in_g] == p.end[in_p]) & (g.type[in_g] == p.type[in_p])]
    right = per_class(sentence[g.start[same]], g.type[same])
    entities = np.stack(
        [right, per_class(sentence[p.start], p.type) - right, per_class(sentence[g.start], g.type) - right], axis=2
    )
    kind = prefixes_and_types(names)[1]
    error = gold != predicted
    gold_kind, predicted_kind, place = kind[gold[error]], kind[predicted[error]], sentence[error]
    of_gold, of_predicted = gold_kind >= 0, (predicted_kind >= 0) & (predicted_kind != gold_kind)
    wrong = per_class(place[of_gold], gold_kind[of_gold]) + per_class(place[of_predicted], predicted_kind[of_predicted])
    tokens = np.stack([lengths, lengths - np.bincount(place, minlength=sentences)], axis=1)
    return Counts(types, entities, tokens, wrong)


def divided(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, and 0 where b is 0 (as seqeval has it)."""
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b))), where=np.asarray(b) > 0)


def precision_recall_f1(entities: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 of counts [..., 3], each [...]."""
    right, spurious, missed = np.moveaxis(np.asarray(entities, dtype=np.float64), -1, 0)
    precision, recall = divided(right, right + spurious), divided(right, right + missed)
    return precision, recall, divided(2 * precision * recall, precision + recall)


def f1_scores(entities: np.ndarray) -> np.ndarray:
    """Micro F1, macro F1, then each class's F1, [..., 2 + class], of summed counts [..., class, 3].

    Macro F1 is the mean over the classes with gold entities. seqeval's macro average differs where a class is only
    predicted: it counts that class as 0.
    """
    micro = precision_recall_f1(entities.sum(axis=-2))[2]
    per_class = precision_recall_f1(entities)[2]
    supported = entities[..., 0] + entities[..., 2] > 0
    macro = divided(np.where(supported, per_class, 0).sum(axis=-1), supported.sum(axis=-1))
    return np.concatenate([micro[..., None], macro[..., None], per_class], axis=-1)


def clusters(sentences: Sequence[Sequence[str]]) -> np.ndarray:
    """The cluster of each sentence, [sentence]: equal for equal tokens. Copies of a sentence are no new evidence."""
    index: dict[tuple[str, ...], int] = {}
    return np.array([index.setdefault(tuple(tokens), len(index)) for tokens in sentences], dtype=np.int64)


def cluster_sums(values: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Sums over the sentences of each cluster, [cluster, ...], of values [sentence, ...]."""
    sums = np.zeros((cluster.max() + 1 if len(cluster) else 0, *values.shape[1:]))
    np.add.at(sums, cluster, values)
    return sums


def clustered(counted: Counts, cluster: np.ndarray) -> Counts:
    """The counts with clusters in place of sentences."""
    parts = (cluster_sums(part, cluster) for part in (counted.entities, counted.tokens, counted.wrong))
    return Counts(counted.types, *parts)


def scores(counts: Counts) -> dict[str, Any]:
    """`overall` and `per_class` scores as plain floats; a class without gold support is None."""
    entities, tokens = counts.entities.sum(axis=0), counts.tokens.sum(axis=0)
    precision, recall, f1 = precision_recall_f1(entities)
    micro_precision, micro_recall, micro_f1 = precision_recall_f1(entities.sum(axis=0))
    jaccard = divided(entities[:, 0], entities.sum(axis=1))
    accuracy = divided(tokens[0] - counts.wrong.sum(axis=0), tokens[0])
    support = entities[:, 0] + entities[:, 2]
    per_class = {}
    for i, name in enumerate(counts.types):
        per_class[name] = None
        if support[i]:
            per_class[name] = {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "accuracy": float(accuracy[i]),
                "jaccard": float(jaccard[i]),
                "support": int(support[i]),
            }
    macro_f1, token_accuracy = f1_scores(entities)[1], divided(tokens[1], tokens[0])
    overall = (micro_precision, micro_recall, micro_f1, token_accuracy, macro_f1)
    return {"overall": dict(zip(OVERALL, map(float, overall), strict=True)), "per_class": per_class}


def invalid_transitions(ids: np.ndarray, lengths: np.ndarray, names: Sequence[str]) -> int:
    """How many `I-` tags neither follow a `B-` nor an `I-` of their type within the sentence."""
    return int(((prefixes_and_types(names)[0][ids] == 2) & ~continues(ids, lengths, names)).sum())


def table(metrics: dict[str, Any]) -> str:
    """The scores of a `metrics.json` as text, in percent, with F1's 95 % interval."""
    lines = [f"{'class':<8}{'precision':>10}{'recall':>9}{'F1':>8}{'95 % interval':>17}{'accuracy':>10}{'support':>9}"]

    def row(name: str, values: dict[str, float], interval: list[float] | None, support: int | str) -> str:
        precision, recall, f1, accuracy = (100 * values[score] for score in ("precision", "recall", "f1", "accuracy"))
        between = shown_interval(interval)
        name = printable(name)
        return f"{name:<8}{precision:>10.1f}{recall:>9.1f}{f1:>8.1f}{between:>17}{accuracy:>10.2f}{support:>9}"

    absent = [name for name, values in metrics["per_class"].items() if values is None]
    for name, values in metrics["per_class"].items():
        if values:
            lines.append(row(name, values, metrics["intervals"]["per_class"][name]["f1"], values["support"]))
    total = sum(values["support"] for values in metrics["per_class"].values() if values)
    lines.append(row("overall", metrics["overall"], metrics["intervals"]["overall"]["f1"], total))
    macro = shown_interval(metrics["intervals"]["overall"]["macro_f1"])
    lines.append(f"{'macro F1':<27}{100 * metrics['overall']['macro_f1']:>8.1f}{macro:>17}")
    if absent:
        lines.append(f"no entity in this split: {', '.join(map(printable, absent))}")
    return "\n".join(lines)


def shown_interval(interval: list[float] | None) -> str:
    """An interval in percent; `too few` where there is none, since there are too few entities for one."""
    return "too few" if interval is None else "[{:.1f}, {:.1f}]".format(*(100 * v for v in interval))
