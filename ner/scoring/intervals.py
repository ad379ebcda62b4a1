"""95 % intervals of one run's scores, for other sentences of the same kind. NumPy, and SciPy's t distribution.

The unit is a cluster: a sentence with all its copies. Precision, recall and accuracy are proportions, and so is
TP / (TP + FP + FN), the Jaccard index J, of which F1 = 2 J / (1 + J) is a monotone function. Each gets the score
interval of Wilson (1927) with the effective sample size of Korn and Graubard (1998): entities of one sentence are less
evidence than as many apart, and a class in few sentences gets the wider quantile of Student's t. Macro F1 combines
the intervals of its classes (MOVER, Zou and Donner 2008). `benchmarks/coverage.py` shows how often they cover.
"""

from typing import Any

import numpy as np
from scipy.special import stdtrit

from ner.scoring.scores import Counts, divided, f1_scores

LEVEL = 0.95


def intervals(counts: Counts) -> dict[str, Any]:
    """[low, high] of each score as fractions, `overall` and `per_class`, from the counts of each cluster.

    None replaces the interval of a score whose entities are in fewer than two clusters: there is no evidence of how
    sentences vary. A class without gold entities is None as a whole, as in `metrics.scores`.
    """
    right, spurious, missed = np.moveaxis(counts.entities.astype(np.float64), -1, 0)  # each [cluster, class]
    per_class = {
        "precision": proportion_interval(right, right + spurious),
        "recall": proportion_interval(right, right + missed),
        "f1": f1_interval(right, right + spurious + missed),
    }
    total, total_spurious, total_missed = (part.sum(axis=1) for part in (right, spurious, missed))
    overall = {
        "precision": proportion_interval(total, total + total_spurious),
        "recall": proportion_interval(total, total + total_missed),
        "f1": f1_interval(total, total + total_spurious + total_missed),
        "accuracy": proportion_interval(counts.tokens[:, 1], counts.tokens[:, 0]),
        "macro_f1": macro_f1_interval(counts.entities, per_class["f1"]),
    }
    supported = (right + missed).sum(axis=0) > 0
    return {
        "overall": {score: plain(values) for score, values in overall.items()},
        "per_class": {
            name: {score: plain(values[i]) for score, values in per_class.items()} if supported[i] else None
            for i, name in enumerate(counts.types)
        },
    }


def plain(interval: np.ndarray) -> list[float] | None:
    return None if np.isnan(interval).any() else [float(v) for v in interval]


def proportion_interval(hits: np.ndarray, trials: np.ndarray) -> np.ndarray:
    """Interval of sum(hits) / sum(trials), both [cluster, ...], as [..., 2]; NaN without trials in two clusters.

    The effective number of trials is that of independent ones with the variance between the clusters, and at most all.
    Where all trials agree there is no such variance: it is then the number of equal clusters that are worth as much as
    the unequal ones (Kish 1965).
    """
    n, clusters = trials.sum(axis=0), (trials > 0).sum(axis=0)
    share = divided(hits.sum(axis=0), n)
    between = ((hits - share * trials) ** 2).sum(axis=0) * divided(clusters, (clusters - 1) * n**2)
    equal_clusters = divided(n**2, (trials**2).sum(axis=0))
    effective = np.where(between > 0, np.minimum(divided(share * (1 - share), between), n), equal_clusters)
    quantile = stdtrit(np.maximum(clusters - 1, 1), (1 + LEVEL) / 2)
    return wilson(share, np.where(clusters > 1, effective, np.nan), quantile)


def wilson(share: np.ndarray, n: np.ndarray, quantile: np.ndarray) -> np.ndarray:
    """Wilson's interval of a share in `n` trials, [..., 2]; NaN where `n` is."""
    z2 = quantile**2 / n
    middle = (share + z2 / 2) / (1 + z2)
    half = np.sqrt(z2 * (share * (1 - share) + z2 / 4)) / (1 + z2)
    return np.clip(np.stack([middle - half, middle + half], axis=-1), 0, 1)


def f1_interval(right: np.ndarray, union: np.ndarray) -> np.ndarray:
    """The interval of F1, [..., 2], from that of the Jaccard index of `right` and `union` entities [cluster, ...]."""
    jaccard = proportion_interval(right, union)
    return 2 * jaccard / (1 + jaccard)


def macro_f1_interval(entities: np.ndarray, class_intervals: np.ndarray) -> np.ndarray:
    """The interval of mean F1 over the classes with gold entities, [2], from those of the classes, [class, 2].

    MOVER adds the squared distances of the classes' limits, with the correlations between classes. A class without an
    interval of its own may have any F1.
    """
    supported = entities[:, :, [0, 2]].sum(axis=(0, 2)) > 0
    if not supported.any():
        return np.full(2, np.nan)
    f1 = f1_scores(entities.sum(axis=0))[2:][supported]
    known = np.where(np.isnan(class_intervals), [0, 1], class_intervals)[supported]
    values = influence(entities)[:, 2:][:, supported]
    products = values.T @ values
    deviations = np.sqrt(np.diag(products))
    correlations = divided(products, np.outer(deviations, deviations))
    np.fill_diagonal(correlations, 1)
    distances = np.abs(known - f1[:, None]).T  # [limit, class]
    half = np.sqrt(np.maximum(np.einsum("lc,cd,ld->l", distances, correlations, distances), 0)) / len(f1)
    return np.clip(f1.mean() + half * [-1, 1], 0, 1)


def influence(entities: np.ndarray) -> np.ndarray:
    """How much each cluster moves micro F1, macro F1 and each class's F1, to first order: [..., cluster, 2 + class].

    From counts [..., cluster, class, 3]. The values of a score sum to 0 over the clusters, and the sum of their squares
    is the variance of the score over samples of as many clusters (the linearisation of a ratio).
    """
    entities = np.asarray(entities, dtype=np.float64)
    right, size = entities[..., 0], entities @ np.array([2.0, 1.0, 1.0])  # F1 is 2 right / size, both summed

    def of_ratio(right: np.ndarray, size: np.ndarray) -> np.ndarray:
        total = size.sum(axis=-2, keepdims=True)
        return divided(2 * right - divided(2 * right.sum(axis=-2, keepdims=True), total) * size, total)

    per_class = of_ratio(right, size)
    micro = of_ratio(right.sum(axis=-1, keepdims=True), size.sum(axis=-1, keepdims=True))
    supported = entities[..., [0, 2]].sum(axis=(-3, -1))[..., None, :] > 0
    macro = divided((per_class * supported).sum(axis=-1), supported.sum(axis=-1))
    return np.concatenate([micro, macro[..., None], per_class], axis=-1)
