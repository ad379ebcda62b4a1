import numpy as np
import pytest
from scipy import stats

from comparison import cluster_sums, clusters, differences, draws, f1_scores, holm, rounds_of, swaps


def test_clusters_are_sentences_with_the_same_tokens():
    cluster = clusters([["a", "b"], ["a"], ["a", "b"], ["ab"]])
    assert cluster.tolist() == [0, 1, 0, 2]
    sums = cluster_sums(np.ones((4, 1, 3)), cluster)
    assert sums[:, 0, 0].tolist() == [2, 1, 1]


def test_a_run_and_its_copy_do_not_differ():
    counts = np.random.default_rng(0).integers(0, 3, (50, 4, 3))
    for d in differences(counts, counts, bootstrap=100, randomisation=100):
        assert (d.difference, d.low, d.high, d.p) == (0, 0, 0, 1)


def test_f1_scores_by_eye():
    # Two classes: one right of two predicted and two gold; and nothing right of one predicted, no gold.
    assert f1_scores(np.array([[1, 1, 1], [0, 1, 0]])).tolist() == [0.4, 0.5, 0.5, 0.0]


def test_the_randomisation_agrees_with_the_exact_sign_test():
    # Each sentence holds one gold entity, which one side finds; F1 then orders the sides by hits, and swapping
    # sides is a fair coin for each sentence that differs: the sign test.
    first, other = np.zeros((40, 1, 3)), np.zeros((40, 1, 3))
    for i in range(40):
        first[i, 0] = (0, 1, 1) if i < 25 else (1, 0, 0)
        other[i, 0] = (1, 0, 0) if i < 25 else (0, 1, 1)
    exact = stats.binomtest(25, 40).pvalue
    assert differences(first, other, randomisation=20_000)[0].p == pytest.approx(exact, abs=0.01)


def test_the_paired_interval_has_the_width_of_the_normal():
    rng = np.random.default_rng(1)
    hits = rng.random((2, 3_000)) < [[0.8], [0.82]]
    first, other = (np.stack([h, ~h, ~h], axis=1)[:, None, :].astype(float) for h in hits)
    d = differences(first, other, randomisation=10)[0]
    error = (hits[1].astype(float) - hits[0]).std() / np.sqrt(3_000)
    assert d.low == pytest.approx(d.difference - 1.96 * error, abs=0.003)
    assert d.high == pytest.approx(d.difference + 1.96 * error, abs=0.003)


def test_draws_and_swaps():
    rng = np.random.default_rng(0)
    assert (draws(30)(rng, 50).sum(axis=1) == 30).all()
    bits = swaps(1_001)(rng, 50)
    assert bits.shape == (50, 1_001) and 0.48 < bits.mean() < 0.52 and set(np.unique(bits)) == {0, 1}
    assert swaps(0)(rng, 3).shape == (3, 0)
    counts = rng.integers(0, 5, (2, 30, 4, 3))
    assert rounds_of(draws(30), counts, 450).shape == (450, 2, 4, 3)


def test_holm_agrees_with_values_worked_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1, 1]
    assert holm([]) == []
