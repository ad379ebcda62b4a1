"""95 % intervals of scores: against SciPy, and on counts that a reader can check by eye."""

import math

import numpy as np
import pytest
from scipy import stats

from ner.scoring.intervals import influence, intervals, proportion_interval, scores_and_intervals
from ner.scoring.score_table import score_table
from ner.scoring.scores import Counts, cluster_ids, counts_by_cluster, counts_of_tags, f1_scores, scores


def of_class(right: list[int], spurious: list[int], missed: list[int]) -> Counts:
    """Counts of one class, a cluster for each place."""
    entities = np.array([right, spurious, missed]).T[:, None, :]
    return Counts(["X"], entities, np.ones((len(right), 2), dtype=int), np.zeros((len(right), 1), dtype=int))


def test_intervals_of_many_sentences_are_those_of_the_binomial():
    # Each sentence holds one entity, found with probability 0.8.
    hits = np.random.default_rng(0).random(2_000) < 0.8
    gold, predicted = [["B-X"]] * 2_000, [["B-X" if hit else "O"] for hit in hits]
    limits, exchanged = intervals(counts_of_tags(gold, predicted)), intervals(counts_of_tags(predicted, gold))
    low, high = limits["overall"]["recall"]
    half_width = 1.96 * math.sqrt(hits.mean() * (1 - hits.mean()) / 2_000)
    assert low == pytest.approx(hits.mean() - half_width, abs=0.002)
    assert high == pytest.approx(hits.mean() + half_width, abs=0.002)
    assert limits["per_class"]["X"]["recall"] == [low, high] == exchanged["per_class"]["X"]["precision"]
    assert exchanged["overall"]["precision"] == [low, high] == exchanged["overall"]["accuracy"]
    assert exchanged["overall"]["recall"] != [low, high] != limits["overall"]["precision"]
    of_f1 = [(each["overall"]["f1"], each["per_class"]["X"]["f1"]) for each in (limits, exchanged)]
    assert of_f1[0] == of_f1[1]  # in F1, a spurious entity counts as a missed one does


@pytest.mark.parametrize(("hits", "n"), [(0, 81), (7, 10), (10, 10), (199, 200)])
def test_single_entities_have_wilsons_interval_with_the_quantile_of_t(hits, n):
    low, high = proportion_interval(np.arange(n) < hits, np.ones(n))
    expected = stats.binomtest(hits, n).proportion_ci(2 * stats.norm.cdf(stats.t.ppf(0.975, n - 1)) - 1, "wilson")
    # The variance between sentences is estimated, by a divisor of one less: n / (n - 1) times that of the binomial.
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.16 / n)


def test_entities_that_come_in_bunches_are_less_evidence():
    alone = proportion_interval(np.arange(100) < 60, np.ones(100))
    bunches = proportion_interval(4 * (np.arange(25) < 15), np.full(25, 4))
    assert np.ptp(bunches) > 1.8 * np.ptp(alone)


def test_equal_gold_and_prediction_of_few_entities_do_not_give_zero_to_one():
    low, high = intervals(of_class([1] * 20 + [0] * 500, [0] * 520, [0] * 520))["per_class"]["X"]["f1"]
    assert 0.85 < low < 0.95 and high == 1


def test_without_errors_unequal_sentences_are_worth_fewer_equal_ones():
    entities = np.array([3, 1, 1, 1])  # three equal ones: 6 ** 2 / (9 + 1 + 1 + 1)
    low = 3 / (3 + stats.t.ppf(0.975, 3) ** 2)
    assert proportion_interval(entities, entities) == pytest.approx([low, 1])


def test_two_sentences_are_enough_and_a_class_without_gold_entities_has_no_interval():
    limits = intervals(counts_of_tags([["B-X"], ["B-X"], ["O"]], [["B-X"], ["O"], ["B-Y"]]))["per_class"]
    low, high = limits["X"]["recall"]
    assert 0 < low < 0.5 < high < 1 and limits["Y"] is None


def test_entities_of_one_sentence_give_no_interval_and_the_table_says_so():
    counted = counts_of_tags([["B-PER", "O"], ["B-LOC"], ["B-LOC"]], [["B-PER", "O"], ["B-LOC"], ["O"]])
    limits = intervals(counted)
    assert limits["per_class"]["PER"] == {"precision": None, "recall": None, "f1": None}
    assert limits["overall"]["macro_f1"][0] < 5 / 6 - 1 / 2  # the F1 of PER could be 0
    line = next(
        text for text in score_table(scores(counted) | {"intervals": limits}).splitlines() if text.startswith("PER")
    )
    assert "too few" in line and "100.0" in line


def test_sentences_that_vary_less_than_chance_are_no_more_evidence_than_their_entities():
    hits = np.array([1] * 18 + [2, 0])  # of two entities in each sentence
    expected = stats.binomtest(20, 40).proportion_ci(2 * stats.norm.cdf(stats.t.ppf(0.975, 19)) - 1, "wilson")
    assert tuple(proportion_interval(hits, np.full(20, 2))) == pytest.approx((expected.low, expected.high))


def test_copies_of_sentences_are_no_evidence():
    gold = [["B-PER", "O"], ["B-PER"], ["B-PER", "B-LOC"], ["B-LOC"]]
    predicted = [["B-PER", "O"], ["O"], ["B-PER", "O"], ["B-LOC"]]
    tokens = [[f"{i}.{j}" for j in range(len(tags))] for i, tags in enumerate(gold)]
    once, often = (
        scores_and_intervals(counts_of_tags(gold * n, predicted * n), cluster_ids(tokens * n))["intervals"]
        for n in (1, 5)
    )
    for score in ("precision", "recall", "f1", "accuracy", "macro_f1"):  # five times the evidence: 0.45 of the width
        assert np.ptp(often["overall"][score]) > 0.9 * np.ptp(once["overall"][score])


def test_macro_f1_of_one_class_has_that_classes_interval():
    counted = of_class([1] * 30 + [0] * 10, [0] * 35 + [1] * 5, [0] * 30 + [1] * 10)
    limits = intervals(counted)
    assert limits["overall"]["macro_f1"] == pytest.approx(limits["per_class"]["X"]["f1"])


def test_macro_f1_of_two_like_independent_classes_is_narrower_by_the_root_of_two():
    rng = np.random.default_rng(0)
    hits = rng.random((2, 400)) < 0.7
    entities = np.zeros((800, 2, 3))
    for k in (0, 1):
        entities[400 * k : 400 * k + 400, k, 0] = hits[k]
        entities[400 * k : 400 * k + 400, k, 2] = ~hits[k]
    limits = intervals(Counts(["X", "Y"], entities, np.ones((800, 2)), np.zeros((800, 2))))
    widths = [np.ptp(limits["per_class"][c]["f1"]) for c in "XY"]
    assert np.ptp(limits["overall"]["macro_f1"]) == pytest.approx(np.mean(widths) / math.sqrt(2), rel=0.03)


def test_macro_f1_of_classes_that_are_right_or_wrong_together_has_their_interval():
    hits = np.random.default_rng(0).random(400) < 0.7
    entities = np.stack([hits, np.zeros(400), ~hits], axis=1)[:, None].repeat(2, axis=1)
    limits = intervals(Counts(["X", "Y"], entities, np.ones((400, 2)), np.zeros((400, 2))))
    assert limits["overall"]["macro_f1"] == pytest.approx(limits["per_class"]["X"]["f1"])


def test_influence_is_the_derivative_of_each_f1():
    rng = np.random.default_rng(1)
    entities = rng.integers(0, 4, (30, 3, 3)).astype(float)
    influences = influence(entities)
    assert influences.sum(axis=0) == pytest.approx(np.zeros(5), abs=1e-12)
    for cluster in (0, 7):
        weights = np.ones((30, 1, 1))
        weights[cluster] += 1e-6
        slope = (f1_scores((weights * entities).sum(axis=0)) - f1_scores(entities.sum(axis=0))) / 1e-6
        assert slope == pytest.approx(influences[cluster], abs=1e-5)


def test_clusters_are_sentences_with_the_same_tokens():
    cluster = cluster_ids([["a", "b"], ["a"], ["a", "b"], ["ab"]])
    assert cluster.tolist() == [0, 1, 0, 2]
    assert counts_by_cluster(of_class([1, 2, 3, 4], [0] * 4, [0] * 4), cluster).entities[:, 0, 0].tolist() == [4, 2, 4]
