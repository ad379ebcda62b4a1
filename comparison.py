"""Is the difference between two runs real? Paired intervals and tests on the same sentences. NumPy only.

Sentences with the same tokens form a cluster, and whole clusters are drawn or swapped: copies of a sentence are no
independent evidence.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from metrics import divided, percentiles, precision_recall_f1

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
    """Counts of each cluster, [cluster, class, 3], from those of each sentence, [sentence, class, 3]."""
    sums = np.zeros((cluster.max() + 1 if len(cluster) else 0, *entities.shape[1:]))
    np.add.at(sums, cluster, entities)
    return sums


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
