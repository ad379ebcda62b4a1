"""Which classes each run of a study removes, and what such a study can find.

Each run removes several classes at once, and a least-squares fit tells their effects apart (`removal_effects`). This
needs far fewer runs than removing one class at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil, comb, sqrt

import numpy as np
from scipy.special import nctdtrinc, stdtrit

from ner.errors import InputError
from ner.scoring.significance import ALPHA, POWER

SEARCHED_SETS, STEPS = 25_000, 5_000  # bounds of the search for a block design; it takes at most seconds


def balanced_blocks(classes: Sequence[str], size: int, replicate: int = 0) -> list[list[str]]:
    """Sets of `size` classes to remove: each class is in equally many sets, and so is each pair of classes.

    They are the blocks of a balanced incomplete block design, the smallest that the search finds. Replicates after the
    first exchange the classes, so that other sets are removed.

    Raises `InputError`, which names sizes that work, if no design is found that is at most as large as that of all
    pairs.
    """
    count = len(classes)
    blocks = smallest_design(count, size)
    if blocks is None:
        nearest = sorted(range(2, count // 2 + 1), key=lambda other: abs(other - size))
        known = [str(other) for other in nearest if other != size and smallest_design(count, other)][:3]
        remedy = f"remove {' or '.join(known)} at a time" if known else "such a design needs at least 4 classes"
        raise InputError(f"found no balanced design that removes {size} of {count} classes at a time; {remedy}")
    order = np.random.default_rng(replicate).permutation(count) if replicate else np.arange(count)
    return [[name for name, place in zip(classes, order.tolist(), strict=True) if place in block] for block in blocks]


def smallest_design(count: int, size: int) -> list[frozenset[int]] | None:
    """The blocks of the smallest balanced design that `circular_design` finds for `count` places, if any."""
    if not 2 <= size <= count // 2 or comb(count, size) > SEARCHED_SETS:
        return None
    found = [circular_design(count, size, circle) for circle in (count, count - 1)]
    return min((blocks for blocks in found if blocks), key=len, default=None)


def circular_design(count: int, size: int, circle: int) -> list[frozenset[int]] | None:
    """Blocks of a balanced design that stays the same when the first `circle` of `count` places are turned.

    All sets are divided into families that turning makes of one set. The design is a choice of families, possibly
    repeated, that contain the first place together with each other place equally often (Bose 1939; Colbourn and
    Dinitz, *Handbook of Combinatorial Designs*, 2007). None if the search finds no such choice.
    """
    families, known = [], set()
    for chosen in combinations(range(count), size):
        if frozenset(chosen) not in known:
            turns = [frozenset((p + n) % circle if p < circle else p for p in chosen) for n in range(circle)]
            families.append(list(dict.fromkeys(turns)))
            known.update(turns)
    others = [*range(1, circle // 2 + 1), *range(circle, count)]  # turning makes all other pairs of these
    table = np.array([[sum({0, other} <= block for block in family) for other in others] for family in families])
    for together in range(1, size * (size - 1) // 2 + 1):  # the last has as many blocks as there are pairs
        if together * (count - 1) % (size - 1) == 0 == together * count * (count - 1) % (size * (size - 1)):
            chosen_rows = rows_with_sum(table, np.full(len(others), together), [STEPS])
            if chosen_rows is not None:
                return [block for row in chosen_rows for block in families[row]]
    return None


def rows_with_sum(table: np.ndarray, wanted: np.ndarray, steps: list[int]) -> list[int] | None:
    """Rows of `table`, possibly repeated, with the sum `wanted`; None if there are none or `steps[0]` runs out.

    Depth first: the next row has something of the first column that is still wanted.
    """
    if not wanted.any():
        return []
    for row in np.flatnonzero((table <= wanted).all(axis=1) & (table[:, np.argmax(wanted > 0)] > 0)).tolist():
        steps[0] -= 1
        if steps[0] < 0:
            return None
        rest = rows_with_sum(table, wanted - table[row], steps)
        if rest is not None:
            return [row, *rest]
    return None


@dataclass(frozen=True)
class Fit:
    """The least-squares fit of a measured class: an intercept for each stratum, an effect for each removed class.

    measured: True for the runs that measure the class, [run]
    weights: `values @ weights` are the effects, [measured run, class]; NaN if the runs cannot tell it from others
    basis: an orthonormal basis of what the fit explains, [measured run, rank]
    """

    measured: np.ndarray
    weights: np.ndarray
    basis: np.ndarray

    @property
    def degrees_of_freedom(self) -> int:
        """Those of the residuals."""
        return self.basis.shape[0] - self.basis.shape[1]

    @property
    def standard_errors(self) -> np.ndarray:
        """The standard error of each effect [class], in residual standard deviations."""
        return np.sqrt((self.weights**2).sum(axis=0))

    def spread(self, values: np.ndarray) -> np.ndarray:
        """The residual standard deviation [...] of values [..., measured run]; NaN without degrees of freedom."""
        squares = ((values - values @ self.basis @ self.basis.T) ** 2).sum(axis=-1)
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
        left, sizes, right = np.linalg.svd(design[runs], full_matrices=False)
        rank = int((sizes > 1e-9).sum())
        basis, right = left[:, :rank], right[:rank, : removed.shape[1]]
        estimable = (right**2).sum(axis=0) > 1 - 1e-6  # the rows of the design span the axis of this class
        result.append(Fit(runs, np.where(estimable, basis @ (right / sizes[:rank, None]), np.nan), basis))
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
