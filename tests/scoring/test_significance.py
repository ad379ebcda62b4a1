import numpy as np
import pytest
from scipy import stats

from ner.scoring.scores import f1_scores
from ner.scoring.significance import (
    SeedComparison,
    differences,
    holm,
    one_disagreement,
    seed_comparison,
    seed_scores,
    swapped_sums,
)
from ner.study.plan import detectable


def counts_of(found: np.ndarray) -> np.ndarray:
    """Counts [sentence, class, count] of sentences with an entity each, which is found or missed."""
    return np.stack([found, 0 * found, ~found], axis=1)[:, None, :].astype(float)


def test_the_randomisation_agrees_with_the_exact_sign_test():
    # Each sentence holds one gold entity, which one side finds; F1 then orders the sides by hits, and swapping
    # sides is a fair coin for each sentence that differs: the sign test.
    first, other = np.zeros((40, 1, 3)), np.zeros((40, 1, 3))
    for i in range(40):
        first[i, 0] = (0, 1, 1) if i < 25 else (1, 0, 0)
        other[i, 0] = (1, 0, 0) if i < 25 else (0, 1, 1)
    exact = stats.binomtest(25, 40).pvalue
    assert differences(first, other, rounds=20_000)[0].p == pytest.approx(exact, abs=0.01)


def test_runs_that_do_not_differ_and_runs_that_always_do():
    first, other = np.zeros((40, 1, 3)), np.zeros((40, 1, 3))
    first[:, 0, 2] = other[:, 0, 0] = 1
    same = differences(first, first, rounds=99)[0]
    assert (same.difference, same.low, same.high, same.p) == (0, 0, 0, 1)
    always = differences(first, other, rounds=99)[0]
    assert always.p == 1 / 100 and always.high == 1  # no interval goes beyond what a difference of F1 can be


def test_the_paired_interval_has_the_width_of_the_normal():
    rng = np.random.default_rng(1)
    hits = rng.random((2, 3_000)) < [[0.8], [0.82]]
    first, other = (np.stack([h, ~h, ~h], axis=1)[:, None, :].astype(float) for h in hits)
    d = differences(first, other, rounds=10)[0]
    error = (hits[1].astype(float) - hits[0]).std() / np.sqrt(3_000)
    assert d.low == pytest.approx(d.difference - 1.96 * error, abs=0.003)
    assert d.high == pytest.approx(d.difference + 1.96 * error, abs=0.003)


def test_swapped_sums_take_each_cluster_half_of_the_time():
    sums = swapped_sums(np.ones((1_001, 2, 3)), 450)
    assert sums.shape == (450, 2, 3) and sums.mean() == pytest.approx(500.5, rel=0.01)
    assert len(np.unique(sums[:, 0, 0])) > 20
    assert swapped_sums(np.zeros((0, 2, 3)), 3).shape == (3, 2, 3)


def test_a_class_on_which_both_runs_agree_has_an_interval_all_the_same():
    """Ten entities without a disagreement do not show that there is never one."""
    first = np.zeros((60, 2, 3))
    first[:50, 0, 0] = first[50:, 1, 0] = 1
    other = first.copy()
    other[0, 0] = (0, 0, 1)
    agreed = differences(first, other, rounds=10)[3]
    assert agreed.low < -0.05 < 0 == agreed.difference < 0.05 < agreed.high


def seeds(rng: np.random.Generator, k: int, moves: float) -> list[np.ndarray]:
    """Counts of k seeds over 500 sentences, whose entities are found with a probability that the seed moves."""
    return [counts_of(rng.random(500) < np.clip(0.7 + moves * rng.standard_normal(), 0, 1)) for _ in range(k)]


def test_where_seeds_decide_the_interval_is_welchs():
    rng = np.random.default_rng(3)
    a, b = seeds(rng, 4, 0.15), seeds(rng, 6, 0.15)
    micro = seed_comparison(a, b).differences()[0]
    f1 = [np.array([f1_scores(run.sum(axis=0))[0] for run in group]) for group in (a, b)]
    welch = stats.ttest_ind(f1[1], f1[0], equal_var=False)
    low, high = welch.confidence_interval()
    assert micro.difference == pytest.approx(f1[1].mean() - f1[0].mean())
    assert (micro.low, micro.high) == pytest.approx((low, high), rel=0.05)
    assert micro.p == pytest.approx(welch.pvalue, rel=0.1)


def test_where_seeds_are_alike_the_interval_is_that_of_the_sentences():
    run, other = (seeds(np.random.default_rng(i), 1, 0)[0] for i in (4, 5))
    of_seeds = seed_comparison([run] * 3, [other] * 3).differences()[0]
    of_runs = differences(run, other, rounds=10)[0]
    assert (of_seeds.low, of_seeds.high) == pytest.approx((of_runs.low, of_runs.high), rel=1e-3)


def test_seeds_vary_at_least_as_their_sentences_do():
    misses = np.arange(500) // 50  # each seed misses other sentences, and all have the same F1
    runs = [counts_of(misses != k) for k in range(10)]
    compared = seed_comparison(runs[:5], runs[5:])
    assert (compared.seeds == compared.least).all() and (compared.seeds > 0).all()


def test_what_seeds_and_sentences_share_counts_once():
    rng = np.random.default_rng(9)
    groups = [(seeds(rng, 5, 0), seeds(rng, 5, 0)) for _ in range(100)]
    compared = [seed_comparison(*pair) for pair in groups]
    assert all((each.sentences > 0).all() for each in compared)
    expected = np.sqrt(np.mean([each.variance(each.seeds)[0][0] for each in compared]))
    assert expected == pytest.approx(np.std([each.observed[0] for each in compared]), rel=0.25)
    f1 = [f1_scores(run.sum(axis=0))[0] for pair in groups for group in pair for run in group]
    assert np.mean([each.least[:, 0] for each in compared]) == pytest.approx(np.var(f1) / 5, rel=0.15)


def test_one_disagreement_is_a_missed_entity_that_is_found():
    counts = np.array([[60, 10, 12], [30, 4, 9], [0, 3, 0], [1, 0, 0]])
    for k in (0, 1):
        better = counts.copy()
        better[k] += (1, 0, -1)
        change = (f1_scores(better) - f1_scores(counts))[[0, 2 + k]]
        assert np.sqrt(one_disagreement(counts[None]))[[0, 2 + k]] == pytest.approx(change, rel=0.02)
    # Macro F1 is the mean over the three classes that have gold entities. Their disagreements are independent.
    of_macro, *of_classes = one_disagreement(counts[None])[1:]
    assert of_macro == pytest.approx((of_classes[0] + of_classes[1] + of_classes[3]) / 3**2)


def test_with_one_seed_nothing_is_known_of_other_seeds():
    rng = np.random.default_rng(6)
    comparison = seed_comparison(seeds(rng, 1, 0.1), seeds(rng, 3, 0.1))
    difference = comparison.differences()[0]
    assert not np.isnan(difference.difference)
    assert np.isnan([difference.low, difference.high, difference.p]).all()
    assert np.isnan(seed_scores(seeds(rng, 1, 0.1))[1]).all()
    assert np.isnan(comparison.detectable(np.full(3, 0.05))).all()
    assert seed_comparison(seeds(rng, 2, 0.1), seeds(rng, 3, 0.1)).differences()[0].p < 1


def test_holm_agrees_with_values_worked_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1, 1]
    assert holm([]) == []


@pytest.mark.parametrize("tests", [1, 15])
@pytest.mark.parametrize("k", [2, 5])
def test_a_detectable_difference_is_found_by_welchs_test_four_times_of_five(k, tests):
    """Where seeds decide, the test is Welch's."""
    least = detectable(1.0, k, tests)
    rng = np.random.default_rng(7)
    first, other = (mean + rng.standard_normal((k, 20_000)) for mean in (0, least))
    found = stats.ttest_ind(other, first, equal_var=False).pvalue < 0.05 / tests
    assert found.mean() == pytest.approx(0.8, abs=0.02)


def test_a_detectable_difference_over_sentences_alone_is_that_of_the_normal():
    nothing, sizes = np.zeros((2, 1)), np.full((2, 1), 5)
    comparison = SeedComparison(np.zeros(1), nothing, nothing, np.array([1e-4]), sizes)
    difference = comparison.detectable(np.array([0.05]))[0]
    assert difference == pytest.approx((stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * 0.01, rel=0.02)


def test_tries_with_the_detectable_difference_find_it_four_times_of_five():
    """From counts: seeds and sentences are drawn anew, and the whole test is made again."""
    rng = np.random.default_rng(8)

    def experiment(true: float) -> list[np.ndarray]:
        chances = np.clip(true + 0.01 * rng.standard_normal(5), 0, 1)
        return [counts_of(rng.random(1_000) < chance) for chance in chances]

    def truth(difference: float) -> float:  # F1 = 2 r / (1 + r) for a recall r, at a precision of 1
        f1 = 2 * 0.7 / 1.7 + difference
        return f1 / (2 - f1)

    least = np.median([seed_comparison(experiment(0.7), experiment(0.7)).detectable(np.full(3, 0.05))[0]
                       for _ in range(40)])  # fmt: skip
    found = [seed_comparison(experiment(0.7), experiment(truth(least))).differences()[0].p < 0.05 for _ in range(400)]
    assert 0.7 < np.mean(found) < 0.9
