"""Which class depends on which: the effect of removing a class from the training data on each class that stays.

Runs remove sets of classes (`removal_design`). The model is additive: a class's score in a run is the score with all
classes, plus an effect for each class that the run removed, plus what the seed does. If some classes matter only
together, their effects are averages over the sets, and the rest widens the intervals. Intervals and tests are about new
runs, scored on the same sentences.

Every matrix of effects has a row for each removed class X and a column for each measured class Y. It is NaN where
nothing can be said: on the diagonal, for a class without scores, and where the runs cannot tell an effect from others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr
from scipy.stats import rankdata

from ner.scoring.error_analysis import Entity, errors, overlap
from ner.scoring.removal_design import Fit, fits
from ner.scoring.scores import ratio
from ner.scoring.significance import ALPHA, RANDOMISATION_ROUNDS, SEED, half_width, holm

MARGIN = 1.0  # points of F1
OWN_PARTS = ("missed", "swapped", "borders")  # parts of a class's errors that name no other class
NOWHERE = "no mention"  # where a false alarm overlaps no gold entity


@dataclass(frozen=True)
class Effects:
    """Least-squares estimates, in the unit of the values.

    effect, standard_error: [removed class, measured class]
    spread: the residual standard deviation, [measured class]
    degrees_of_freedom: of the residuals, [measured class]
    """

    effect: np.ndarray
    standard_error: np.ndarray
    spread: np.ndarray
    degrees_of_freedom: np.ndarray

    def interval(self) -> tuple[np.ndarray, np.ndarray]:
        """The limits of the 95 % interval of each effect by Student's t, not corrected for the number of pairs."""
        half = half_width(self.standard_error**2, self.degrees_of_freedom)
        return self.effect - half, self.effect + half


def effects(removed: np.ndarray, values: np.ndarray, stratum: np.ndarray | None = None) -> Effects:
    """The effects of removing classes on values, with one fit for each class Y over the runs that keep Y.

    removed: True where the run removed the class, [run, class]
    values: of each class in each run, such as F1 in points, [run, class]; NaN where it was not measured; those of a
        removed class are ignored
    stratum: the group of each run, [run], if groups may differ for another reason, such as another machine
    """
    of_classes = fits(removed, ~removed & ~np.isnan(values), stratum)
    spread = np.array([fit.spread(values[fit.measured, y]) for y, fit in enumerate(of_classes)])
    error = spread * np.stack([fit.standard_errors for fit in of_classes], axis=1)
    effect = np.stack([values[fit.measured, y] @ fit.weights for y, fit in enumerate(of_classes)], axis=1)
    freedom = np.array([fit.degrees_of_freedom for fit in of_classes])
    return Effects(np.where(np.isnan(error), np.nan, effect), error, spread, freedom)


def family_wise_p(
    removed: np.ndarray, values: np.ndarray, stratum: np.ndarray | None = None, rounds: int = RANDOMISATION_ROUNDS
) -> np.ndarray:
    """p of each effect [removed class, measured class], corrected for all pairs. The arguments are those of `effects`.

    A permutation test with the largest |t| of the map (Westfall and Young 1993). If no removal affects Y, the runs of a
    stratum that keep Y can exchange its scores. Each round draws one permutation of all runs within strata, and Y's
    permutation has the same cycles without the runs that removed Y. All permutations of the runs that keep Y are then
    equally likely, so the test of Y alone is exact. Classes that stay in a run and in the next of its cycle move
    together, so part of their dependence is kept. The part that is lost makes p larger: for normal errors, the largest
    of independent |t| exceeds any limit at least as often as that of dependent ones (Royen 2014). t does not depend on
    the spread, so a class with large effects hardly changes the test of the others.
    """
    rng, groups = np.random.default_rng(SEED), np.zeros(len(removed)) if stratum is None else stratum
    order = np.tile(np.arange(len(removed)), (rounds, 1))
    for group in np.unique(groups):
        order[:, groups == group] = rng.permuted(order[:, groups == group], axis=1)
    observed, largest = [], np.zeros(rounds)
    for y, fit in enumerate(fits(removed, ~removed & ~np.isnan(values), stratum)):
        observed.append(np.abs(t_values(fit, values[fit.measured, y])))
        shuffled = np.abs(t_values(fit, values[successors(order, fit.measured), y]))
        largest = np.fmax(largest, np.fmax.reduce(shuffled, axis=1))
    t = np.stack(observed, axis=1)
    hits = rounds - np.searchsorted(np.sort(largest), t - 1e-6)
    return np.where(np.isnan(t), np.nan, (hits + 1) / (rounds + 1))


def t_values(fit: Fit, values: np.ndarray) -> np.ndarray:
    """Student's t [..., class] of the effects on values [..., measured run]; 0 if the values are all the same."""
    error = np.maximum(fit.spread(values)[..., None], 1e-6) * fit.standard_errors  # above errors of rounding
    return (values @ fit.weights) / error


def successors(order: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The next kept run in the cycle of each kept run, [round, kept run], of permutations `order` [round, run]."""
    after = order[:, kept]
    rows, columns = np.nonzero(~kept[after])
    while len(rows):
        after[rows, columns] = order[rows, after[rows, columns]]
        still = ~kept[after[rows, columns]]
        rows, columns = rows[still], columns[still]
    return after


def equivalence_p(estimates: Effects) -> np.ndarray:
    """p of each effect being within the margin, by two one-sided t tests (TOST, Schuirmann 1987) and Holm's method.

    It is corrected for all pairs because readers look through the whole map. Of 210 effects as large as the margin, ten
    would be called smaller without a correction.
    """
    t = (MARGIN - np.abs(estimates.effect)) / estimates.standard_error
    p = stdtr(estimates.degrees_of_freedom, -t)
    p[~np.isnan(p)] = holm(p[~np.isnan(p)].tolist())
    return p


def verdicts(effect: np.ndarray, p: np.ndarray, equivalence: np.ndarray) -> np.ndarray:
    """A word for each pair, str of the shape of all arguments; an empty one where the effect is NaN.

    `family_wise_p` below 5 % makes an effect "lower" or "higher", `equivalence_p` below 5 % makes it "within ±1"
    point, which need not be zero, and anything else is "not shown".
    """
    conditions = [np.isnan(effect), (p < ALPHA) & (effect < 0), p < ALPHA, equivalence < ALPHA]
    return np.select(conditions, ["", "lower", "higher", "within ±1"], "not shown")


def error_parts(
    gold: Sequence[list[Entity]], predicted: Sequence[list[Entity]], classes: Sequence[str]
) -> dict[str, dict[str, int]]:
    """The errors of a run for each class Y, in parts that add up to its missed gold and its wrong predicted entities.

    `gold` has the entities of all classes in each sentence, also of those that the run removed. Partners are those of
    `error_analysis.errors`.

    - missed: a gold Y without a partner
    - swapped: a gold Y whose partner has another class
    - borders: a gold Y and a predicted Y with other borders that are partners count as two errors; a predicted Y
      without a partner that overlaps a gold Y counts as one
    - X, for each other class: a false alarm, a wrong predicted Y on a mention of X (its partner, or without one the
      gold entity with the largest overlap)
    - no mention: a predicted Y that overlaps no gold entity
    """
    parts = {y: dict.fromkeys((*OWN_PARTS, NOWHERE, *(x for x in classes if x != y)), 0) for y in classes}
    for gold_entities, predicted_entities in zip(gold, predicted, strict=True):
        for kind, g, p in errors(gold_entities, predicted_entities):
            if g:
                parts[g[2]]["missed" if not p else "borders" if kind == "boundary" else "swapped"] += 1
            if p:
                on = g or max(gold_entities, key=lambda e: overlap(e, p), default=None)
                where = NOWHERE if on is None or overlap(on, p) <= 0 else "borders" if on[2] == p[2] else on[2]
                parts[p[2]][where] += 1
    return parts


def effects_on_parts(
    removed: np.ndarray,
    parts: Sequence[Mapping[str, Mapping[str, int]]],
    support: Mapping[str, int],
    stratum: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """The effects on the parts of the errors, per 100 gold entities of Y, from the `error_parts` of each run; each
    [removed class, measured class].

    False alarms have three parts: those on mentions of the removed class X, on those of other classes, and those on
    no mention. The effects on all parts add up to the effect on the errors. `support` has the gold entities of each
    class, whose order is that of the columns of `removed`.
    """
    classes = list(support)

    def rate(part: str) -> np.ndarray:  # [run, measured class]
        return np.array([[100 * run[y].get(part, 0) / (support[y] or np.nan) for y in classes] for run in parts])

    found = {part: effects(removed, rate(part), stratum).effect for part in (*OWN_PARTS, NOWHERE)}
    on_mentions = [rate(x) for x in classes]
    on_removed = np.stack([effects(removed, on, stratum).effect[x] for x, on in enumerate(on_mentions)])
    on_all = effects(removed, sum(on_mentions, np.zeros(removed.shape)), stratum).effect
    return found | {"removed class": on_removed, "other classes": on_all - on_removed}


def confusion_rates(parts: Sequence[Mapping[str, Mapping[str, int]]], support: Mapping[str, int]) -> np.ndarray:
    """How often X is taken for Y or Y for X, per 100 gold entities of Y, [class X, class Y], mean over runs.

    `parts` has the `error_parts` of runs without removals. A class without gold entities has a column of NaN. The
    diagonal has no meaning.
    """
    alarms = np.array([[[run[y].get(x, 0) for y in support] for x in support] for run in parts]).mean(axis=0)
    return 100 * (alarms + alarms.T) / np.array([size or np.nan for size in support.values()])


def rank_correlation(first: np.ndarray, second: np.ndarray, rounds: int = RANDOMISATION_ROUNDS) -> tuple[float, float]:
    """Spearman's correlation of two matrices [class X, class Y] off the diagonal, and its two-sided p.

    The cells of a matrix are not independent, so the test permutes the classes of `first`, rows and columns together
    (Mantel 1967). Cells of `second` that are NaN are left out. Classes whose whole column is NaN change places only
    with each other.
    """
    known = ~np.isnan(second)
    measured, size = known.any(axis=0), len(first)
    compared = ~np.eye(size, dtype=bool) & measured
    ranks = np.zeros(first.shape)
    ranks[compared] = rankdata(first[compared])
    rng, order = np.random.default_rng(SEED), np.tile(np.arange(size), (rounds + 1, 1))  # the first is the observed
    for group in (measured, ~measured):
        order[1:, group] = rng.permuted(order[1:, group], axis=1)
    rows, columns = np.nonzero(known)
    cells, target = ranks[order[:, rows], order[:, columns]], rankdata(second[known])
    cells, target = cells - cells.mean(axis=1, keepdims=True), target - target.mean()
    correlations = ratio(cells @ target, np.sqrt((cells**2).sum(axis=1) * (target**2).sum()))
    hits = (np.abs(correlations[1:]) >= np.abs(correlations[0]) - 1e-9).sum()
    return float(correlations[0]), float((hits + 1) / (rounds + 1))
