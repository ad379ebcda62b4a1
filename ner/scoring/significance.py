"""Is the difference between two runs, or two experiments, real? Intervals and tests on the same sentences. No torch.

Sentences with the same tokens form a cluster, and whole clusters are swapped or counted: copies of a sentence are no
independent evidence. `benchmarks/coverage.py` and `benchmarks/calibration.py` show how often the intervals cover, and
how often the tests call noise a difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from ner.scoring.intervals import LEVEL, influence
from ner.scoring.scores import divided, f1_scores

RANDOMISATION_ROUNDS = 10_000
SEED = 0
BLOCK = 200  # rounds whose weights are held at a time
MANY = 1e9  # degrees of freedom with which Student's t is the normal distribution


@dataclass(frozen=True)
class Difference:
    """F1 minus that of the first run or experiment, with its 95 % interval and its p value; fractions.

    `low`, `high` and `p` are NaN where nothing is known of how seeds vary.
    """

    difference: float
    low: float
    high: float
    p: float


def differences(first: np.ndarray, other: np.ndarray, rounds: int = RANDOMISATION_ROUNDS) -> list[Difference]:
    """Micro, macro and per-class differences of F1 between two runs' counts [cluster, class, 3].

    Intervals: the paired linearised variance of the difference and `one_disagreement`. p: approximate randomisation,
    two-sided, (hits + 1) / (rounds + 1) (Noreen 1989; Yeh 2000). Two runs with equal counts everywhere do not differ.
    """
    observed = f1_scores(other.sum(axis=0)) - f1_scores(first.sum(axis=0))
    changed = (first != other).any(axis=(1, 2))  # swapping the others changes nothing
    variance = ((influence(other) - influence(first)) ** 2).sum(axis=0) + one_disagreement((first + other) / 2)
    half = half_width(variance * changed.any(), MANY)

    moved = swapped_sums((other - first)[changed], rounds)
    shuffled = f1_scores(other.sum(axis=0) - moved) - f1_scores(first.sum(axis=0) + moved)
    hits = (np.abs(shuffled) >= np.abs(observed) - 1e-12).sum(axis=0)
    p = (hits + 1) / (rounds + 1)
    return [Difference(*map(float, each)) for each in zip(observed, observed - half, observed + half, p, strict=True)]


def half_width(variance: np.ndarray, degrees_of_freedom: np.ndarray | float) -> np.ndarray:
    return np.sqrt(variance) * stdtrit(degrees_of_freedom, (1 + LEVEL) / 2)


def one_disagreement(entities: np.ndarray) -> np.ndarray:
    """The squared change of each F1, [2 + class], if one gold entity were found that is missed.

    Added to the variance of a difference as one sentence more on which the runs disagree: without one, a class of ten
    entities that both runs tag alike would get an interval of no width. Agresti and Min (2005) add to McNemar's table
    for the same reason. `entities` are the mean counts of the runs, [cluster, class, 3].
    """
    counts = entities.sum(axis=0)
    size = counts @ np.array([2.0, 1.0, 1.0])
    f1 = f1_scores(counts)
    per_class = divided(2 - f1[2:], size)
    supported = counts[:, 0] + counts[:, 2] > 0
    macro = divided(np.sqrt((per_class[supported] ** 2).sum()), supported.sum())
    return np.concatenate([[divided(2 - f1[0], size.sum())], [macro], per_class]) ** 2


def swapped_sums(values: np.ndarray, rounds: int) -> np.ndarray:
    """Sums over random halves of the clusters, [round, class, 3], of values [cluster, class, 3]."""
    rng, size, parts = np.random.default_rng(SEED), len(values), []
    flat = values.reshape(size, int(np.prod(values.shape[1:])))
    for done in range(0, rounds, BLOCK):
        count = min(BLOCK, rounds - done)
        bits = np.unpackbits(np.frombuffer(rng.bytes(count * size // 8 + 1), dtype=np.uint8))[: count * size]
        parts.append(bits.reshape(count, size).astype(np.float64) @ flat)
    return np.concatenate(parts).reshape(rounds, *values.shape[1:])


def holm(p: Sequence[float]) -> list[float]:
    """p values adjusted for the size of their family (Holm 1979), in the order given."""
    order = np.argsort(p, kind="stable")
    scaled = np.array(p)[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted.tolist()


@dataclass(frozen=True)
class SeedScores:
    """F1 of an experiment over its seeds: mean and standard deviation (NaN with one seed) of micro F1, macro F1 and
    each class's F1, each [2 + class]."""

    means: np.ndarray
    deviations: np.ndarray


def seed_scores(runs: Sequence[np.ndarray]) -> SeedScores:
    """The F1 of an experiment from the counts [cluster, class, 3] of each seed."""
    f1 = np.stack([f1_scores(entities.sum(axis=0)) for entities in runs])
    return SeedScores(f1.mean(axis=0), f1.std(axis=0, ddof=1) if len(f1) > 1 else np.full(f1.shape[1], np.nan))


def seed_differences(first: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> list[Difference]:
    """Mean F1 over the other experiment's seeds minus that over the first's, for new seeds and new sentences.

    Each experiment has counts [cluster, class, 3] for each of its seeds. The variance has a part from seeds, the
    variance of the scores over seeds, and a part from sentences, that of the paired difference of mean scores. What
    seeds and sentences share is in both and is taken out once: the components of a model with crossed random effects,
    as in studies of several readers and cases (Obuchowski and Rockette 1995). Interval and p are those of Student's t
    with Satterthwaite's degrees of freedom. Both are NaN where an experiment has one seed.
    """
    groups = [np.stack(runs) for runs in (first, other)]  # [seed, cluster, class, 3]
    scores = [seed_scores(runs) for runs in groups]
    observed = scores[1].means - scores[0].means
    if min(map(len, groups)) < 2:
        return [Difference(float(d), *[float("nan")] * 3) for d in observed]
    values = [influence(runs) for runs in groups]  # [seed, cluster, score]
    means = [v.mean(axis=0) for v in values]
    shared = [((v - m) ** 2).sum(axis=(0, 1)) / (len(v) * (len(v) - 1)) for v, m in zip(values, means, strict=True)]
    # Seeds vary at least as much as they do sentence by sentence, however alike a few scores happen to be.
    seeds = [np.maximum(s.deviations**2 / len(g), x) for s, g, x in zip(scores, groups, shared, strict=True)]
    sentences = np.maximum(((means[1] - means[0]) ** 2).sum(axis=0) - sum(shared), 0)
    variance = sum(seeds) + sentences + one_disagreement(np.concatenate(groups).mean(axis=0))
    spread = sum(s**2 / (len(g) - 1) for s, g in zip(seeds, groups, strict=True))
    degrees_of_freedom = divided(variance**2, np.maximum(spread, variance**2 / MANY))
    half = half_width(variance, degrees_of_freedom)
    p = 2 * stdtr(degrees_of_freedom, -np.abs(divided(observed, np.sqrt(variance))))
    return [Difference(*map(float, each)) for each in zip(observed, observed - half, observed + half, p, strict=True)]
