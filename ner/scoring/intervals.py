"""95 % intervals of one run's scores: where the score over all sentences of this sort lies.

The unit is a cluster: a sentence with all its copies. docs/statistics.md explains the methods, and
`benchmarks/coverage.py` measures how often the intervals contain the true score.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ner.scoring.scores import Counts, counts_by_cluster, f1_scores, gold_entities, mean_over_supported, ratio, scores

CONFIDENCE = 0.95


def scores_and_intervals(counts: Counts, cluster: np.ndarray) -> dict[str, Any]:
    """`overall` and `per_class` scores, and `intervals`, of counts whose sentences belong to clusters [sentence]."""
    return scores(counts) | {"intervals": intervals(counts_by_cluster(counts, cluster))}


def scores_by_language(counts: Counts, cluster: np.ndarray, languages: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The number of `sentences` and of gold entities (`support`) in each language, and what `scores_and_intervals`
    gives for them, with the languages in alphabetical order; empty if there is only one.

    `cluster` and `languages` have the cluster and the language of each sentence, [sentence].
    """
    found = {}
    for language in sorted(set(languages)):
        rows = np.array([each == language for each in languages])
        part = Counts(counts.classes, counts.entities[rows], counts.tokens[rows], counts.wrong_tokens[rows])
        sizes = {"sentences": int(rows.sum()), "support": int(gold_entities(part.entities).sum())}
        found[language] = sizes | scores_and_intervals(part, cluster[rows])
    return found if len(found) > 1 else {}


def intervals(counts: Counts) -> dict[str, Any]:
    """[low, high] of each score as fractions, `overall` and `per_class`, from counts with a row for each cluster.

    The interval of a score is None if its entities are in fewer than two clusters: nothing then shows how sentences
    vary. A class without gold entities is None as a whole, as in `scores`.
    """
    tp, fp, fn = np.moveaxis(counts.entities.astype(np.float64), -1, 0)  # each [cluster, class]
    per_class = {
        "precision": proportion_interval(tp, tp + fp),
        "recall": proportion_interval(tp, tp + fn),
        "f1": f1_interval(tp, tp + fp + fn),
    }
    all_tp, all_fp, all_fn = (values.sum(axis=1) for values in (tp, fp, fn))
    overall = {
        "precision": proportion_interval(all_tp, all_tp + all_fp),
        "recall": proportion_interval(all_tp, all_tp + all_fn),
        "f1": f1_interval(all_tp, all_tp + all_fp + all_fn),
        "accuracy": proportion_interval(counts.tokens[:, 1], counts.tokens[:, 0]),
        "macro_f1": macro_f1_interval(counts.entities, per_class["f1"]),
    }
    supported = (tp + fn).sum(axis=0) > 0
    return {
        "overall": {score: low_and_high(values) for score, values in overall.items()},
        "per_class": {
            name: {score: low_and_high(values[i]) for score, values in per_class.items()} if supported[i] else None
            for i, name in enumerate(counts.classes)
        },
    }


def low_and_high(interval: np.ndarray) -> list[float] | None:
    """An interval [2] as plain floats; None if a limit is NaN."""
    return None if np.isnan(interval).any() else [float(v) for v in interval]


def proportion_interval(hits: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """Wilson's interval [..., 2] of sum(hits) / sum(trials), both [cluster, ...], with the quantile of Student's t.

    It is NaN if fewer than two clusters have trials.

    The effective number of trials (Korn and Graubard 1998) is the number of independent trials that would vary as much
    as the clusters do, and at most the actual number. If all trials have the same outcome, that variance is 0. The
    effective number is then the number of clusters of equal size that are worth as much as these unequal ones (Kish
    1965).
    """
    from scipy.special import stdtrit  # here, because a mistyped run is reported before SciPy is imported

    n, clusters = trials.sum(axis=0), (trials > 0).sum(axis=0)
    share = ratio(hits.sum(axis=0), n)
    between = ((hits - share * trials) ** 2).sum(axis=0) * ratio(clusters, (clusters - 1) * n**2)
    equal_clusters = ratio(n**2, (trials**2).sum(axis=0))
    effective = np.where(between > 0, np.minimum(ratio(share * (1 - share), between), n), equal_clusters)
    quantile = stdtrit(np.maximum(clusters - 1, 1), (1 + CONFIDENCE) / 2)
    return wilson_interval(share, np.where(clusters > 1, effective, np.nan), quantile)


def wilson_interval(share: np.ndarray, n: np.ndarray, quantile: np.ndarray | float) -> np.ndarray:
    """The interval [..., 2] of Wilson (1927) for a share of `n` trials, both [...]; NaN where `n` is NaN."""
    z2 = quantile**2 / n
    middle = (share + z2 / 2) / (1 + z2)
    half = np.sqrt(z2 * (share * (1 - share) + z2 / 4)) / (1 + z2)
    return np.clip(np.stack([middle - half, middle + half], axis=-1), 0, 1)


def f1_interval(tp: np.ndarray, union: np.ndarray) -> np.ndarray:
    """The interval of F1, [..., 2], from that of the Jaccard index; `union` is TP + FP + FN, both [cluster, ...]."""
    jaccard = proportion_interval(tp, union)
    return 2 * jaccard / (1 + jaccard)


def macro_f1_interval(entities: np.ndarray, class_intervals: np.ndarray) -> np.ndarray:
    """The interval [2] of macro F1, from counts [cluster, class, 3] and the intervals of the classes [class, 2].

    MOVER (Zou and Donner 2008) adds the squared distances between the F1 of the classes and their limits, weighted by
    the correlations between the classes. A class that has no interval could have any F1 from 0 to 1.
    """
    supported = gold_entities(entities).sum(axis=0) > 0
    if not supported.any():
        return np.full(2, np.nan)
    f1 = f1_scores(entities.sum(axis=0))[2:][supported]
    limits = np.where(np.isnan(class_intervals), [0, 1], class_intervals)[supported]
    influences = influence(entities)[:, 2:][:, supported]
    products = influences.T @ influences
    deviations = np.sqrt(np.diag(products))
    correlations = ratio(products, np.outer(deviations, deviations))
    np.fill_diagonal(correlations, 1)
    distances = np.abs(limits - f1[:, None]).T  # [limit, class]
    half = np.sqrt(np.maximum(np.einsum("lc,cd,ld->l", distances, correlations, distances), 0)) / len(f1)
    return np.clip(f1.mean() + half * [-1, 1], 0, 1)


def influence(entities: np.ndarray) -> np.ndarray:
    """How much each cluster moves micro F1, macro F1 and the F1 of each class, to first order.

    Takes counts [..., cluster, class, 3] and returns [..., cluster, 2 + class]. The influences on a score sum to 0 over
    the clusters. The sum of their squares is the variance of the score over samples of as many clusters (the
    linearisation of a ratio).
    """
    entities = np.asarray(entities, dtype=np.float64)
    tp, size = entities[..., 0], entities @ np.array([2.0, 1.0, 1.0])  # F1 is 2 TP / size, both summed

    def on_f1(tp: np.ndarray, size: np.ndarray) -> np.ndarray:
        total = size.sum(axis=-2, keepdims=True)
        return ratio(2 * tp - ratio(2 * tp.sum(axis=-2, keepdims=True), total) * size, total)

    per_class = on_f1(tp, size)
    micro = on_f1(tp.sum(axis=-1, keepdims=True), size.sum(axis=-1, keepdims=True))
    supported = gold_entities(entities).sum(axis=-2)[..., None, :] > 0
    macro = mean_over_supported(per_class, supported)
    return np.concatenate([micro, macro[..., None], per_class], axis=-1)
