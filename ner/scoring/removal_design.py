"""Which classes each run of a study removes, and what such a study can detect.

Each run removes up to three classes, and a least-squares fit tells their effects apart (`removal_effects`). This needs
far fewer runs than removing one class at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from scipy.special import nctdtrinc, stdtrit

from ner.scoring.significance import ALPHA, POWER


def balanced_triples(classes: Sequence[str], replicate: int = 0) -> list[list[str]]:
    """Sets of at most three classes to remove: each pair of classes is in exactly one of them.

    They are a Steiner triple system. For a number of classes without one here, it is that of a few more classes, which
    are then left out: some sets have two classes or one. Replicates after the first exchange the classes, so that other
    sets are removed.
    """
    order = np.random.default_rng(replicate).permutation(len(classes)) if replicate else np.arange(len(classes))
    places = dict(zip(order.tolist(), range(len(classes)), strict=True))
    sets = [sorted(places[place] for place in triple if place in places) for triple in triple_system(len(classes))]
    return [[classes[i] for i in each] for each in sets if each]


def triple_system(count: int) -> list[list[int]]:
    """A cyclic Steiner triple system of the smallest size that has one and is at least `count` (Peltesohn 1939)."""
    size = next(size for size in range(max(7, count), count + 8) if size % 6 in (1, 3) and size != 9)
    third = [size // 3] if size % 3 == 0 else []  # the distance within the triples that turn into themselves
    blocks = [
        [(place + turn) % size for place in (0, a, a + b)]
        for a, b in difference_triples(size, [n for n in range(1, size // 2 + 1) if n not in third]) or ()
        for turn in range(size)
    ]
    return blocks + [[turn, turn + distance, turn + 2 * distance] for distance in third for turn in range(distance)]


def difference_triples(size: int, differences: list[int]) -> list[tuple[int, int]] | None:
    """Pairs (a, b) such that their a, b and a + b are all `differences`, each once; None if the search finds none.

    On a circle of `size` places, a + b is measured the shorter way round. The search is depth first.
    """
    if not differences:
        return []
    a, *rest = differences
    for b in rest:
        left = [n for n in rest if n not in (b, min(a + b, size - a - b))]
        if len(left) == len(rest) - 2 and (pairs := difference_triples(size, left)) is not None:
            return [(a, b), *pairs]
    return None


@dataclass(frozen=True)
class Fit:
    """The least-squares fit of a measured class: an intercept for each stratum, an effect for each removed class.

    measured: True for the runs that measure the class, [run]
    weights: `values @ weights` are the effects, [measured run, class]; NaN if the runs cannot tell it from others
    projection: `values @ projection` is what the fit explains, [measured run, measured run]
    """

    measured: np.ndarray
    weights: np.ndarray
    projection: np.ndarray

    @property
    def degrees_of_freedom(self) -> int:
        """Those of the residuals."""
        return len(self.projection) - round(np.trace(self.projection))

    @property
    def standard_errors(self) -> np.ndarray:
        """The standard error of each effect [class], in residual standard deviations."""
        return np.sqrt((self.weights**2).sum(axis=0))

    def spread(self, values: np.ndarray) -> np.ndarray:
        """The residual standard deviation [...] of values [..., measured run]; NaN without degrees of freedom."""
        squares = ((values - values @ self.projection) ** 2).sum(axis=-1)
        return np.sqrt(squares / (self.degrees_of_freedom or np.nan))


def fits(removed: np.ndarray, measured: np.ndarray, stratum: np.ndarray | None = None) -> list[Fit]:
    """The fit of each class.

    removed: True where the run removes the class, [run, class]
    measured: True where the run measures the class, [run, class]: `~removed` when planning
    stratum: the group of each run, [run], if groups may differ for another reason, such as another machine
    """
    groups = np.zeros(len(removed)) if stratum is None else stratum
    design = np.concatenate([removed, groups[:, None] == np.unique(groups)], axis=1).astype(np.float64)
    result = []
    for runs in measured.T:
        inverse = np.linalg.pinv(design[runs], rtol=1e-9)
        estimable = np.diag(inverse @ design[runs]) > 1 - 1e-6  # the rows of the design span the axis of this class
        weights = np.where(estimable, inverse.T, np.nan)[:, : removed.shape[1]]
        result.append(Fit(runs, weights, design[runs] @ inverse))
    return result


def one_at_a_time_runs(standard_error: float, classes: int) -> int:
    """The runs that would give this standard error (in residual standard deviations) if each removed one class.

    Each class is removed in n runs, and sqrt(classes) * n runs remove none, which is the best division when all are
    compared with one control (Dunnett 1955).
    """
    return ceil((1 + sqrt(classes)) ** 2 / standard_error**2)


def detectable_effect(standard_error: float, degrees_of_freedom: float, pairs: int) -> float:
    """The true effect, in the unit of `standard_error`, that 4 of 5 studies find.

    The test is Student's t at 5 % over all pairs, by Bonferroni's method. `removal_effects.family_wise_p` finds
    slightly smaller effects.
    """
    critical = stdtrit(degrees_of_freedom, 1 - ALPHA / pairs / 2)
    return float(standard_error * nctdtrinc(degrees_of_freedom, 1 - POWER, critical))
