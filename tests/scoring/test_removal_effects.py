"""By simulation with known effects, and against SciPy and NumPy where they have the same test."""

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from ner.scoring.removal_design import balanced_triples
from ner.scoring.removal_effects import (
    Effects,
    confusion_rates,
    effects,
    effects_on_parts,
    equivalence_p,
    error_parts,
    family_wise_p,
    rank_correlation,
    successors,
    verdicts,
)

CLASSES = list("ABCDEFG")
# Six replicates of seven blocks of three, each with one more run that removes nothing.
REMOVED = np.array([[c in block for c in CLASSES] for r in range(6) for block in [*balanced_triples(CLASSES, r), []]])
STRATUM = np.repeat(np.arange(6), 8)
OFF = ~np.eye(7, dtype=bool)
SPREAD = np.geomspace(0.1, 3, 7)  # points


def scores(rng: np.random.Generator, effect: np.ndarray | float = 0.0, together: float = 0.0) -> np.ndarray:
    """F1 in points [run, class]; the classes of a run share `together` of their variance. Removed classes are NaN."""
    noise = np.sqrt(together) * rng.standard_normal((len(REMOVED), 1))
    noise = noise + np.sqrt(1 - together) * rng.standard_normal(REMOVED.shape)
    return np.where(REMOVED, np.nan, 80 + REMOVED @ (effect * np.ones((7, 7))) + SPREAD * noise)


def test_the_fit_is_numpys():
    values = scores(np.random.default_rng(0))
    found = effects(REMOVED, values, STRATUM)
    for y in range(7):
        kept, others = ~REMOVED[:, y], np.arange(7) != y
        design = np.column_stack([REMOVED[kept][:, others], STRATUM[kept, None] == np.arange(6)]).astype(float)
        coefficients, squares, *_ = np.linalg.lstsq(design, values[kept, y])
        variance = squares[0] / (len(design) - 12)
        assert found.effect[others, y] == pytest.approx(coefficients[:6])
        errors = np.sqrt(variance * np.diag(np.linalg.inv(design.T @ design)))
        assert found.standard_error[others, y] == pytest.approx(errors[:6])
        assert (found.degrees_of_freedom[y], found.spread[y]) == (len(design) - 12, pytest.approx(np.sqrt(variance)))


def test_one_class_removed_is_students_test():
    """The interval is Student's, and p is that of permuting which runs removed the class."""
    rng = np.random.default_rng(1)
    removed = np.array([[i < 6, False] for i in range(16)])
    values = np.column_stack([np.full(16, np.nan), rng.standard_normal(16) + 1.2 * removed[:, 0]])
    found, p = effects(removed, values), family_wise_p(removed, values)
    sides = values[:6, 1], values[6:, 1]
    interval = stats.ttest_ind(*sides).confidence_interval()
    assert (found.interval()[0][0, 1], found.interval()[1][0, 1]) == pytest.approx(tuple(interval))
    exact = stats.permutation_test(
        sides, lambda a, b, axis: np.abs(stats.ttest_ind(a, b, axis=axis).statistic),
        vectorized=True, n_resamples=np.inf, alternative="greater",
    )  # fmt: skip
    assert p[0, 1] == pytest.approx(exact.pvalue, abs=0.005)
    assert np.isnan(found.effect).tolist() == np.isnan(p).tolist() == [[True, False], [True, True]]


def test_known_effects_are_recovered_and_their_intervals_contain_them():
    rng, draws = np.random.default_rng(2), 300
    true = 2 * SPREAD * rng.standard_normal((7, 7))
    covered, found = [], np.zeros((7, 7))
    for _ in range(draws):
        estimates = effects(REMOVED, scores(rng, true, together=0.5))
        low, high = estimates.interval()
        covered.append(((low < true) & (true < high))[OFF])
        found += estimates.effect / draws
        mean_error = estimates.standard_error / np.sqrt(draws)
    assert 0.94 < np.mean(covered) < 0.96
    assert np.abs((found - true)[OFF] / mean_error[OFF]).max() < 4


@pytest.mark.parametrize("together", [0, 0.9])
@pytest.mark.parametrize("affected", [False, True])
def test_a_map_without_effects_has_a_finding_in_one_study_of_twenty(together, affected):
    """The same holds for the other pairs if classes A and B matter to C, and if strata differ."""
    rng, draws = np.random.default_rng(3), 300
    effect = np.zeros((7, 7))
    effect[:2, 2] = 3 * affected
    least = []
    for _ in range(draws):
        values = scores(rng, effect, together) + 5 * affected * STRATUM[:, None]
        p = family_wise_p(REMOVED, values, STRATUM if affected else None, rounds=199)
        least.append(p[OFF & (effect == 0)].min())
    assert 0.01 < np.mean(np.array(least) < 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)


def test_each_pair_gets_the_word_that_its_tests_allow():
    effect = np.zeros((7, 7))
    effect[0, 3], effect[5, 6] = -4 * SPREAD[3], 4 * SPREAD[6]
    values = scores(np.random.default_rng(5), effect)
    estimates = effects(REMOVED, values)
    words = verdicts(estimates.effect, family_wise_p(REMOVED, values), equivalence_p(estimates))
    assert np.argwhere(words == "lower").tolist() == [[0, 3]]
    assert np.argwhere(words == "higher").tolist() == [[5, 6]]
    assert set(words[1:, 0]) == {"within ±1"}  # a spread of 0.1 points
    assert set(words[:5, 6]) == {"not shown"}  # a spread of 3 points
    assert set(np.diag(words)) == {""}


@pytest.mark.parametrize("kept", [[True, True, False, True], [False, True, False, True]])
def test_the_permutations_of_the_runs_that_keep_a_class_are_equally_likely(kept):
    """Each permutation of the kept runs comes from equally many of all 24 permutations."""
    after = successors(np.array(list(permutations(range(4)))), np.array(kept))
    different, times = np.unique(after, axis=0, return_counts=True)
    runs = np.flatnonzero(kept)
    assert sorted(map(tuple, different.tolist())) == sorted(permutations(runs.tolist()))
    assert len(set(times.tolist())) == 1


def test_scores_that_never_change_are_no_finding():
    values = np.where(REMOVED, np.nan, 70.1)
    p, estimates = family_wise_p(REMOVED, values, rounds=99), effects(REMOVED, values)
    assert (p[OFF] == 1).all() and np.abs(estimates.effect[OFF]).max() < 1e-9


def test_equivalence_is_two_one_sided_tests_by_holms_method():
    effect, error = np.array([[np.nan, 0.2], [-0.6, np.nan]]), np.array([[np.nan, 0.3], [0.1, np.nan]])
    p = equivalence_p(Effects(effect, error, np.ones(2), np.array([20, 30])))
    pairs = [(0.2, 0.3, 30), (-0.6, 0.1, 20)]
    one_sided = [max(stats.t.sf((e + 1) / s, freedom), stats.t.cdf((e - 1) / s, freedom)) for e, s, freedom in pairs]
    assert one_sided[1] < one_sided[0] and p[1, 0] == pytest.approx(2 * one_sided[1])
    assert p[0, 1] == pytest.approx(one_sided[0])
    assert np.isnan(np.diag(p)).all()


def test_effects_as_large_as_the_margin_are_called_none_in_one_study_of_twenty():
    rng, draws = np.random.default_rng(5), 400
    true = np.where(rng.random((7, 7)) < 0.5, 1, -1)
    wrong = [np.nanmin(equivalence_p(effects(REMOVED, scores(rng, true)))) < 0.05 for _ in range(draws)]
    assert np.mean(wrong) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws)


def test_parts_of_errors_by_eye():
    gold = [[(0, 4, "A"), (5, 7, "B"), (8, 9, "C"), (10, 11, "B")], [(0, 1, "A"), (2, 3, "B")], []]
    predicted = [
        [(0, 3, "B"), (3, 4, "C"), (5, 6, "B"), (6, 7, "B"), (8, 9, "B")],  # two on A; B's border and another half; C
        [(0, 1, "A")],  # B is missed, as is one above
        [(2, 3, "C")],
    ]
    zero = {"missed": 0, "swapped": 0, "borders": 0, "no mention": 0}
    assert error_parts(gold, predicted, "ABC") == {
        "A": zero | {"swapped": 1, "B": 0, "C": 0},
        "B": zero | {"missed": 2, "borders": 2 + 1, "A": 1, "C": 1},
        "C": zero | {"swapped": 1, "no mention": 1, "A": 1, "B": 0},
    }


def random_entities(rng: np.random.Generator, classes: str) -> list[list[tuple[int, int, str]]]:
    borders = [np.unique(rng.integers(0, 15, 8)).tolist() for _ in range(60)]
    return [[(a, b, str(rng.choice(list(classes)))) for a, b in zip(cut[::2], cut[1::2], strict=False)]
            for cut in borders]  # fmt: skip


def test_the_parts_add_up_to_the_errors_and_so_do_the_effects_on_them():
    rng = np.random.default_rng(6)
    gold = random_entities(rng, "ABCDEFG")
    support = {c: sum(e[2] == c for entities in gold for e in entities) for c in CLASSES}
    runs, wrong = [], np.zeros(REMOVED.shape)
    for i, removed in enumerate(REMOVED):
        predicted = random_entities(rng, "".join(c for c, gone in zip(CLASSES, removed, strict=True) if not gone))
        predicted = [g if rng.random() < 0.4 else p for g, p in zip(gold, predicted, strict=True)]
        runs.append(error_parts(gold, predicted, CLASSES))
        for y, name in enumerate(CLASSES):
            different = [set(g) ^ set(p) for g, p in zip(gold, predicted, strict=True)]
            wrong[i, y] = sum(e[2] == name for entities in different for e in entities)
            assert sum(runs[-1][name].values()) == wrong[i, y]
    parts = effects_on_parts(REMOVED, runs, support)
    whole = effects(REMOVED, 100 * wrong / np.array(list(support.values())))
    assert list(parts) == ["missed", "swapped", "borders", "no mention", "removed class", "other classes"]
    assert sum(parts.values())[OFF] == pytest.approx(whole.effect[OFF])
    on_a = effects(REMOVED, np.array([[100 * run[y].get("A", 0) / support[y] for y in CLASSES] for run in runs]))
    assert parts["removed class"][0, 1:] == pytest.approx(on_a.effect[0, 1:])


def test_confusion_is_that_of_both_directions_for_each_hundred_of_the_measured_class():
    run = {"A": {"missed": 3, "B": 2}, "B": {"missed": 1, "A": 4}}
    other = {"A": {"missed": 3, "B": 0}, "B": {"missed": 1, "A": 0}}
    assert confusion_rates([run, other], {"A": 50, "B": 200}).tolist() == [[0, 1.5], [6, 0]]
    assert np.isnan(confusion_rates([run, other], {"A": 50, "B": 0})[:, 1]).all()


def test_a_class_without_scores_or_runs_has_no_effects():
    values = scores(np.random.default_rng(9))
    values[:, 2] = np.nan
    few = np.arange(len(REMOVED)) % 8 == 7  # these remove nothing
    for estimates, nothing in ((effects(REMOVED, values), [2]), (effects(REMOVED[few], values[few]), range(7))):
        assert np.isnan(estimates.effect[:, nothing]).all() and np.isnan(estimates.standard_error[:, nothing]).all()
    assert not np.isnan(effects(REMOVED, values).effect[[0, 1, 3], [1, 0, 4]]).any()
    words = verdicts(*[np.full((2, 2), np.nan)] * 3)
    assert set(words.ravel()) == {""} and np.isnan(family_wise_p(REMOVED, values, rounds=9)[:, 2]).all()


def test_the_rank_correlation_is_spearmans_over_the_measured_columns():
    rng = np.random.default_rng(7)
    first = rng.integers(0, 9, (7, 7)).astype(float)
    second = np.where(OFF & (np.arange(7) != 4), first + 3 * rng.standard_normal((7, 7)), np.nan)
    known = ~np.isnan(second)
    correlation, p = rank_correlation(first, second, rounds=999)
    assert correlation == pytest.approx(stats.spearmanr(first[known], second[known]).statistic)
    assert p < 0.01
    assert rank_correlation(first, -second, rounds=999) == pytest.approx((-correlation, p))


def test_matrices_whose_rows_and_columns_vary_together_by_chance_are_a_finding_in_one_case_of_twenty():
    """A test that takes the cells for independent finds far more."""
    rng, draws = np.random.default_rng(8), 400
    found, naive = [], []
    for _ in range(draws):
        first, second = (m + 3 * rng.standard_normal((7, 1)) + 3 * rng.standard_normal((1, 7))
                         for m in rng.standard_normal((2, 7, 7)))  # fmt: skip
        found.append(rank_correlation(first, np.where(OFF, second, np.nan), rounds=199)[1] < 0.05)
        naive.append(stats.spearmanr(first[OFF], second[OFF]).pvalue < 0.05)
    assert 0.02 < np.mean(found) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / draws) < 0.2 < np.mean(naive)
