"""Is the difference between two runs, or two experiments, real? Intervals and tests on the same sentences.

Sentences with the same tokens form a cluster. Clusters are swapped and counted as a whole, because copies of a sentence
are not independent evidence. `benchmarks/coverage.py` measures how often the intervals contain the true difference,
`benchmarks/calibration.py` how often the tests call noise a difference.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from ner.scoring.intervals import CONFIDENCE, influence
from ner.scoring.scores import f1_scores, gold_entities, ratio

RANDOMISATION_ROUNDS = 10_000
SEED = 0
BLOCK = 200  # rounds whose weights are in memory at a time
NORMAL = 1e9  # degrees of freedom for which Student's t is the normal distribution


@dataclass(frozen=True)
class Difference:
    """F1 minus the F1 of the first run or experiment, with its 95 % interval and p value; fractions, not percent.

    `low`, `high` and `p` are NaN if there is no second seed to show how seeds vary.
    """

    difference: float
    low: float
    high: float
    p: float


def differences(first: np.ndarray, other: np.ndarray, rounds: int = RANDOMISATION_ROUNDS) -> list[Difference]:
    """Differences of micro F1, macro F1 and the F1 of each class between two runs, from counts [cluster, class, 3].

    The intervals use the linearised variance of the paired difference, plus `one_disagreement`. The p values are those
    of two-sided approximate randomisation, (hits + 1) / (rounds + 1) (Noreen 1989; Yeh 2000). Two runs with the same
    counts everywhere do not differ: their interval has no width.
    """
    observed = f1_scores(other.sum(axis=0)) - f1_scores(first.sum(axis=0))
    changed = (first != other).any(axis=(1, 2))  # swapping the other clusters changes nothing
    variance = ((influence(other) - influence(first)) ** 2).sum(axis=0) + one_disagreement((first + other) / 2)
    half = half_width(variance * changed.any(), NORMAL)

    moved = swapped_sums((other - first)[changed], rounds)
    shuffled = f1_scores(other.sum(axis=0) - moved) - f1_scores(first.sum(axis=0) + moved)
    hits = (np.abs(shuffled) >= np.abs(observed) - 1e-12).sum(axis=0)
    p = (hits + 1) / (rounds + 1)
    return [Difference(*map(float, each)) for each in zip(observed, observed - half, observed + half, p, strict=True)]


def half_width(variance: np.ndarray, degrees_of_freedom: np.ndarray | float) -> np.ndarray:
    """Half the width of the 95 % interval by Student's t, of the shape of `variance`."""
    return np.sqrt(variance) * stdtrit(degrees_of_freedom, (1 + CONFIDENCE) / 2)


def one_disagreement(entities: np.ndarray) -> np.ndarray:
    """The squared change of each F1, [2 + class], if one missed gold entity were predicted correctly.

    It is added to the variance of a difference, as if the runs disagreed on one more sentence. Without it, a class of
    ten entities that both runs tag alike would get an interval of no width. Agresti and Min (2005) add to McNemar's
    table for the same reason. `entities` holds the mean counts of the runs, [cluster, class, 3].
    """
    counts = entities.sum(axis=0)
    size = counts @ np.array([2.0, 1.0, 1.0])
    f1 = f1_scores(counts)
    per_class = ratio(2 - f1[2:], size)
    supported = gold_entities(counts) > 0
    macro = ratio(np.sqrt((per_class[supported] ** 2).sum()), supported.sum())
    return np.concatenate([[ratio(2 - f1[0], size.sum())], [macro], per_class]) ** 2


def swapped_sums(values: np.ndarray, rounds: int) -> np.ndarray:
    """Sums [round, class, 3] of values [cluster, class, 3] over a random half of the clusters in each round."""
    rng, size, parts = np.random.default_rng(SEED), len(values), []
    flat = values.reshape(size, int(np.prod(values.shape[1:])))
    for done in range(0, rounds, BLOCK):
        count = min(BLOCK, rounds - done)
        bits = np.unpackbits(np.frombuffer(rng.bytes(count * size // 8 + 1), dtype=np.uint8))[: count * size]
        parts.append(bits.reshape(count, size).astype(np.float64) @ flat)
    return np.concatenate(parts).reshape(rounds, *values.shape[1:])


def holm(p: Sequence[float]) -> list[float]:
    """p values corrected for the size of their family (Holm 1979), in the order given."""
    order = np.argsort(p, kind="stable")
    scaled = np.array(p)[order] * np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return adjusted.tolist()


@dataclass(frozen=True)
class SeedScores:
    """Mean and standard deviation over the seeds of an experiment, each [2 + class]: micro F1, macro F1, each class.

    The standard deviations are NaN for one seed.
    """

    means: np.ndarray
    deviations: np.ndarray


def seed_scores(runs: Iterable[np.ndarray]) -> SeedScores:
    """The scores of an experiment from the counts [cluster, class, 3] of each of its seeds."""
    f1 = np.stack([f1_scores(entities.sum(axis=0)) for entities in runs])
    return SeedScores(f1.mean(axis=0), f1.std(axis=0, ddof=1) if len(f1) > 1 else np.full(f1.shape[1], np.nan))


def seed_differences(first: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> list[Difference]:
    """Mean F1 of the other experiment minus that of the first, for new seeds and new sentences.

    Each experiment is given as the counts [cluster, class, 3] of each of its seeds. The result is micro F1, macro F1,
    then each class. The variance has two parts:

    - from seeds: the variance of the scores over seeds;
    - from sentences: the variance of the paired difference of mean scores.

    What seeds and sentences share is in both parts and is subtracted once. These are the components of a model with
    crossed random effects, as in studies of several readers and cases (Obuchowski and Rockette 1995). Interval and p
    are those of Student's t with Satterthwaite's degrees of freedom. Both are NaN if an experiment has one seed.
    """
    groups = [np.stack(runs) for runs in (first, other)]  # [seed, cluster, class, 3]
    scores = [seed_scores(runs) for runs in groups]
    observed = scores[1].means - scores[0].means
    if min(map(len, groups)) < 2:
        return [Difference(float(d), *[float("nan")] * 3) for d in observed]
    values = [influence(runs) for runs in groups]  # [seed, cluster, score]
    means = [v.mean(axis=0) for v in values]
    shared = [((v - m) ** 2).sum(axis=(0, 1)) / (len(v) * (len(v) - 1)) for v, m in zip(values, means, strict=True)]
    # The scores of a few seeds may happen to be alike; seeds vary at least as much as they do sentence by sentence.
    seeds = [np.maximum(s.deviations**2 / len(g), x) for s, g, x in zip(scores, groups, shared, strict=True)]
    sentences = np.maximum(((means[1] - means[0]) ** 2).sum(axis=0) - sum(shared), 0)
    variance = sum(seeds) + sentences + one_disagreement(np.concatenate(groups).mean(axis=0))
    spread = sum(s**2 / (len(g) - 1) for s, g in zip(seeds, groups, strict=True))
    degrees_of_freedom = ratio(variance**2, np.maximum(spread, variance**2 / NORMAL))
    half = half_width(variance, degrees_of_freedom)
    p = 2 * stdtr(degrees_of_freedom, -np.abs(ratio(observed, np.sqrt(variance))))
    return [Difference(*map(float, each)) for each in zip(observed, observed - half, observed + half, p, strict=True)]
