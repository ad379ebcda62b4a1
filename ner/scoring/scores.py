"""From tags to counts, and from counts to scores.

True positives, false positives and false negatives are counted for each sentence and class. Every score follows from
sums of these counts. Precision, recall and F1 are entity-level and equal seqeval's default mode.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ner.labels import class_indices, classes_of, flat_ids, spans, spans_in

OVERALL = ("precision", "recall", "f1", "accuracy", "macro_f1")


@dataclass(frozen=True)
class Counts:
    """The counts from which every score follows; a row is a sentence, or a cluster of equal sentences.

    entities: true positives, false positives and false negatives, [sentence, class, 3].
    tokens: all tokens, and those with the right tag, [sentence, 2].
    wrong_tokens: tokens with a wrong tag once the tags of all other classes are turned into `O`, [sentence, class].
    """

    classes: list[str]
    entities: np.ndarray
    tokens: np.ndarray
    wrong_tokens: np.ndarray


def counts_of_tags(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], classes: list[str] | None = None
) -> Counts:
    """Counts from BIO tags, one sequence of label names for each sentence. Invalid BIO sequences are allowed.

    With `classes`, a tag of any other class counts as `O`. Without, all classes of the tags are counted, and a tag that
    is not a BIO label raises `ValueError`. So do gold and predicted tags that differ in number.
    """
    classes = classes or classes_of({tag for tags in (*gold, *predicted) for tag in tags})
    gold_ids, lengths = flat_ids(gold, classes)
    predicted_ids, predicted_lengths = flat_ids(predicted, classes)
    if not np.array_equal(lengths, predicted_lengths):
        raise ValueError("gold and predicted tags differ in number; expected a predicted tag for each gold tag")
    return counts_of_ids(gold_ids, predicted_ids, lengths, classes)


def counts_of_ids(gold: np.ndarray, predicted: np.ndarray, lengths: np.ndarray, classes: list[str]) -> Counts:
    """Counts from flat label ids [token], which index `label_names(classes)`; `lengths` is [sentence]."""
    sentence_of_token = np.repeat(np.arange(len(lengths)), lengths)
    shape = len(lengths), len(classes)

    def count(sentences: np.ndarray, class_ids: np.ndarray) -> np.ndarray:
        cells = np.bincount(sentences * shape[1] + class_ids, minlength=shape[0] * shape[1])
        return cells.reshape(shape)  # [sentence, class]

    g, p = spans(gold, lengths), spans(predicted, lengths)
    correct = spans_in(g, p)
    tp = count(sentence_of_token[g.start[correct]], g.class_index[correct])
    fp = count(sentence_of_token[p.start], p.class_index) - tp
    fn = count(sentence_of_token[g.start], g.class_index) - tp

    wrong = gold != predicted
    sentences, gold_class, predicted_class = (
        sentence_of_token[wrong], class_indices(gold[wrong]), class_indices(predicted[wrong]),
    )  # fmt: skip
    # A wrong token is wrong for its gold class and for its predicted class, and once if they are the same.
    in_gold, in_predicted = gold_class >= 0, (predicted_class >= 0) & (predicted_class != gold_class)
    wrong_tokens = count(sentences[in_gold], gold_class[in_gold])
    wrong_tokens += count(sentences[in_predicted], predicted_class[in_predicted])
    tokens = np.stack([lengths, lengths - np.bincount(sentences, minlength=len(lengths))], axis=1)
    return Counts(classes, np.stack([tp, fp, fn], axis=2), tokens, wrong_tokens)


def ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b, and 0 where b is 0, as in seqeval."""
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b))), where=np.asarray(b) > 0)


def precision_recall_f1(entities: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1, each [...], of counts [..., 3]."""
    tp, fp, fn = np.moveaxis(np.asarray(entities, dtype=np.float64), -1, 0)
    precision, recall = ratio(tp, tp + fp), ratio(tp, tp + fn)
    return precision, recall, ratio(2 * precision * recall, precision + recall)


def gold_entities(entities: np.ndarray) -> np.ndarray:
    """The support: gold entities [...] of counts [..., 3]."""
    return entities[..., 0] + entities[..., 2]


def mean_over_supported(values: np.ndarray, supported: np.ndarray) -> np.ndarray:
    """The mean of values [..., class] over the classes that are supported, and 0 where none is."""
    return ratio(np.where(supported, values, 0).sum(axis=-1), supported.sum(axis=-1))


def f1_scores(entities: np.ndarray) -> np.ndarray:
    """Micro F1, macro F1, then the F1 of each class, [..., 2 + class], of summed counts [..., class, 3].

    Macro F1 is the mean over the classes with gold entities. seqeval's macro average also includes a class that is
    only predicted, with an F1 of 0.
    """
    micro = precision_recall_f1(entities.sum(axis=-2))[2]
    per_class = precision_recall_f1(entities)[2]
    macro = mean_over_supported(per_class, gold_entities(entities) > 0)
    return np.concatenate([micro[..., None], macro[..., None], per_class], axis=-1)


def cluster_ids(tokens: Sequence[Sequence[str]]) -> np.ndarray:
    """A number for each sentence, [sentence], that is the same for sentences with the same tokens.

    Copies of a sentence are not independent evidence, so intervals and tests count clusters, not sentences.
    """
    index: dict[tuple[str, ...], int] = {}
    return np.array([index.setdefault(tuple(words), len(index)) for words in tokens], dtype=np.int64)


def cluster_sums(values: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Sums [cluster, ...] of values [sentence, ...] over the sentences of each cluster."""
    sums = np.zeros((cluster.max() + 1 if len(cluster) else 0, *values.shape[1:]))
    np.add.at(sums, cluster, values)
    return sums


def counts_by_cluster(counts: Counts, cluster: np.ndarray) -> Counts:
    """The same counts with a row for each cluster instead of each sentence."""
    sums = (cluster_sums(values, cluster) for values in (counts.entities, counts.tokens, counts.wrong_tokens))
    return Counts(counts.classes, *sums)


def scores(counts: Counts) -> dict[str, Any]:
    """The `overall` and `per_class` scores as plain floats; a class without gold entities is None."""
    entities, tokens = counts.entities.sum(axis=0), counts.tokens.sum(axis=0)
    support = gold_entities(entities)
    columns = {
        **dict(zip(("precision", "recall", "f1"), precision_recall_f1(entities), strict=True)),
        "accuracy": ratio(tokens[0] - counts.wrong_tokens.sum(axis=0), tokens[0]),
        "jaccard": ratio(entities[:, 0], entities.sum(axis=1)),
        "support": support.astype(int),
    }
    per_class = {
        name: {score: values[i].item() for score, values in columns.items()} if support[i] else None
        for i, name in enumerate(counts.classes)
    }
    overall = (*precision_recall_f1(entities.sum(axis=0)), ratio(tokens[1], tokens[0]), f1_scores(entities)[1])
    return {"overall": dict(zip(OVERALL, map(float, overall), strict=True)), "per_class": per_class}
