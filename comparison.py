"""Is the difference between two runs real? Paired intervals and tests on the same sentences. NumPy only.

Sentences with the same tokens form a cluster, and whole clusters are drawn or swapped: copies of a sentence are no
independent evidence.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from metrics import Counts, divided, percentiles, precision_recall_f1

BOOTSTRAP_ROUNDS = 1_000
RANDOMISATION_ROUNDS = 10_000
SEED = 0
BLOCK = 200  # rounds whose weights are held at a time


@dataclass(frozen=True)
class Difference:
    """F1 of a run minus that of the first run, with its paired 95 % interval and its p value; fractions."""

    difference: float
    low: float
    high: float
    p: float


def clusters(sentences: Sequence[Sequence[str]]) -> np.ndarray:
    """The cluster of each sentence, [sentence]: equal for equal tokens."""
    index: dict[tuple[str, ...], int] = {}
    return np.array([index.setdefault(tuple(tokens), len(index)) for tokens in sentences], dtype=np.int64)


def cluster_sums(entities: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Counts of each cluster, [cluster, ...], from those of each sentence, [sentence, ...]."""
    sums = np.zeros((cluster.max() + 1 if len(cluster) else 0, *entities.shape[1:]))
    np.add.at(sums, cluster, entities)
    return sums


def clustered(counted: Counts, cluster: np.ndarray) -> Counts:
    """The counts with clusters in place of sentences."""
    parts = (cluster_sums(part, cluster) for part in (counted.entities, counted.tokens, counted.wrong))
    return Counts(counted.types, *parts)


def f1_scores(entities: np.ndarray) -> np.ndarray:
    """Micro F1, macro F1, then each class's F1, [..., 2 + class], of counts [..., class, 3].

    Macro F1 is the mean over the classes with gold support in the counts.
    """
    micro = precision_recall_f1(entities.sum(axis=-2))[2]
    per_class = precision_recall_f1(entities)[2]
    supported = entities[..., 0] + entities[..., 2] > 0
    macro = divided(np.where(supported, per_class, 0).sum(axis=-1), supported.sum(axis=-1))
    return np.concatenate([micro[..., None], macro[..., None], per_class], axis=-1)


def differences(
    first: np.ndarray, other: np.ndarray, bootstrap: int = BOOTSTRAP_ROUNDS, randomisation: int = RANDOMISATION_ROUNDS
) -> list[Difference]:
    """Micro, macro and per-class differences of F1 between two runs' counts [cluster, class, 3].

    Intervals: paired percentile bootstrap (Efron and Tibshirani 1993). p: approximate randomisation, two-sided,
    (hits + 1) / (rounds + 1) (Noreen 1989; Yeh 2000).
    """
    observed = f1_scores(other.sum(axis=0)) - f1_scores(first.sum(axis=0))
    both = np.stack([first, other])  # [2, cluster, class, 3]

    drawn = rounds_of(draws(len(first)), both, bootstrap)  # [round, 2, class, 3]
    spread = f1_scores(drawn[:, 1]) - f1_scores(drawn[:, 0])

    changed = (first != other).any(axis=(1, 2))  # swapping the others changes nothing
    moved = rounds_of(swaps(int(changed.sum())), (other - first)[None, changed], randomisation)[:, 0]
    shuffled = f1_scores(other.sum(axis=0) - moved) - f1_scores(first.sum(axis=0) + moved)
    hits = (np.abs(shuffled) >= np.abs(observed) - 1e-12).sum(axis=0)
    p = (hits + 1) / (randomisation + 1)
    return [Difference(float(observed[i]), *percentiles(spread[:, i]), float(p[i])) for i in range(len(observed))]


Weights = Callable[[np.random.Generator, int], np.ndarray]


def draws(size: int) -> Weights:
    """How often each cluster is drawn in resamples of as many clusters: [round, cluster]."""

    def weights(rng: np.random.Generator, rounds: int) -> np.ndarray:
        picked = rng.integers(size, size=(rounds, size)) + size * np.arange(rounds)[:, None]
        return np.bincount(picked.ravel(), minlength=rounds * size).reshape(rounds, size)

    return weights


def swaps(size: int) -> Weights:
    """Which clusters change sides: 0 or 1 with equal probability, [round, cluster]."""

    def weights(rng: np.random.Generator, rounds: int) -> np.ndarray:
        bits = np.frombuffer(rng.bytes(rounds * size // 8 + 1), dtype=np.uint8)
        return np.unpackbits(bits)[: rounds * size].reshape(rounds, size)

    return weights


def rounds_of(weights: Weights, counts: np.ndarray, rounds: int, seed: int = SEED) -> np.ndarray:
    """Weighted sums over clusters in each round, [round, run, class, 3], of counts [run, cluster, class, 3]."""
    runs, size, *rest = counts.shape
    flat = np.moveaxis(counts, 1, 0).reshape(size, runs * int(np.prod(rest)))
    rng = np.random.default_rng(seed)
    parts = [weights(rng, min(BLOCK, rounds - done)).astype(np.float64) @ flat for done in range(0, rounds, BLOCK)]
    return np.concatenate(parts).reshape(rounds, runs, *rest)


def holm(p: Sequence[float]) -> list[float]:
    """p values adjusted for the size of their family (Holm 1979), in the order given."""
    order = np.argsort(p, kind="stable")
    scaled = np.array(p)[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted.tolist()


@dataclass(frozen=True)
class GroupDifference:
    """F1 over the seeds of two experiments: the second's mean and standard deviation for micro, macro and each
    class, and its mean minus the first's."""

    means: np.ndarray
    deviations: np.ndarray
    differences: list[Difference]


def group_difference(
    first: Sequence[np.ndarray], other: Sequence[np.ndarray], rounds: int = BOOTSTRAP_ROUNDS
) -> GroupDifference:
    """Compares two experiments, each with counts [cluster, class, 3] for each of its seeds.

    The interval draws seeds and, the same for all, clusters with replacement; with a handful of seeds it is
    approximate, and too narrow rather than too wide. p is the exact permutation test over the seeds' labels.
    """
    drawn = f1_scores(rounds_of(draws(len(first[0])), np.stack([*first, *other]), rounds))  # [round, run, score]
    rng = np.random.default_rng(SEED + 1)
    means = []
    for runs in (drawn[:, : len(first)], drawn[:, len(first) :]):
        seeds = rng.integers(runs.shape[1], size=runs.shape[:2])
        means.append(np.take_along_axis(runs, seeds[:, :, None], axis=1).mean(axis=1))
    spread = means[1] - means[0]
    a, b = (np.stack([f1_scores(sums.sum(axis=0)) for sums in group]) for group in (first, other))
    p = permutation_p(a, b)
    observed = b.mean(axis=0) - a.mean(axis=0)
    return GroupDifference(
        b.mean(axis=0),
        b.std(axis=0, ddof=1) if len(b) > 1 else np.full(b.shape[1], np.nan),
        [Difference(float(observed[i]), *percentiles(spread[:, i]), float(p[i])) for i in range(len(observed))],
    )


def permutation_p(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Two-sided p of the difference of means [score] between scores [seed, score], over all divisions of the seeds
    (Fisher 1935; all of them for up to ten seeds a group, otherwise 10,000 at random)."""
    pooled, size = np.concatenate([a, b]), len(a)
    observed = np.abs(b.mean(axis=0) - a.mean(axis=0))
    rng = np.random.default_rng(SEED)
    if size <= 10 and len(b) <= 10:
        picks = np.array(list(combinations(range(len(pooled)), size)))
    else:
        picks = np.stack([np.arange(size), *(rng.permutation(len(pooled))[:size] for _ in range(RANDOMISATION_ROUNDS))])
    first = pooled[picks].sum(axis=1)
    second = pooled.sum(axis=0) - first
    return (np.abs(second / len(b) - first / size) >= observed - 1e-12).mean(axis=0)
