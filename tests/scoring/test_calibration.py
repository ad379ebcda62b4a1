"""Calibration: fitted and measured as scikit-learn does, and on scores whose quality is known."""

import json

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss

from ner.scoring.calibration import BINS, Calibration, calibration_error, confidence, fitted, log_odds


def drawn(size: int, seed: int, slope: float = 1.0, intercept: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities whose scores under a calibration are exactly those of being right."""
    rng = np.random.default_rng(seed)
    probabilities = rng.beta(4, 1, size)
    return probabilities, rng.random(size) < Calibration(slope, intercept).scores(probabilities)


def test_the_fit_is_a_logistic_regression():
    probabilities, right = drawn(3000, 0, 0.6, -0.8)
    found = fitted(probabilities, right)
    assert found.slope == pytest.approx(0.6, abs=0.1) and found.intercept == pytest.approx(-0.8, abs=0.15)
    oracle = LogisticRegression(C=np.inf).fit(log_odds(probabilities)[:, None], right)
    assert found.slope == pytest.approx(oracle.coef_[0, 0], abs=0.005)
    assert found.intercept == pytest.approx(oracle.intercept_[0], abs=0.005)


def test_a_few_entities_change_nothing_and_the_order_stays():
    for right in ([], [True, True], [False, False], [False, True, False], [True] * 500 + [False] * 19):
        assert fitted(np.linspace(0.5, 0.99, len(right)), np.array(right, dtype=bool)) == Calibration()
    always_wrong = fitted(np.linspace(0.5, 1, 500), np.linspace(0.5, 1, 500) < 0.7)
    assert always_wrong.slope >= 0.01 and np.isfinite(always_wrong.intercept)
    assert np.isfinite(Calibration(2.0, 1.0).scores(np.array([0.0, 1.0]))).all()
    with pytest.raises(ValueError, match="expected two finite numbers"):
        Calibration(np.nan)


def test_measures_equal_those_of_scikit_learn():
    probabilities, right = drawn(30 * BINS, 1, 0.5)
    true, mean = calibration_curve(right, probabilities, n_bins=BINS, strategy="quantile")
    record = confidence(probabilities, Calibration(), right)
    np.testing.assert_allclose([b["precision"] for b in record["bins"]], true)
    np.testing.assert_allclose([b["score"] for b in record["bins"]], mean)
    assert record["before"]["ece"] == pytest.approx(np.abs(true - mean).mean()) == record["after"]["ece"]
    assert record["after"]["brier"] == pytest.approx(brier_score_loss(right, probabilities))


def test_calibration_mends_scores_that_are_too_high():
    probabilities, right = drawn(20_000, 2, 0.5, -0.5)
    calibration = fitted(probabilities, right)
    held_out, held_out_right = drawn(20_000, 3, 0.5, -0.5)
    record = confidence(held_out, calibration, held_out_right)
    assert record["before"]["ece"] > 0.1 and record["after"]["ece"] < 0.02
    assert record["after"]["brier"] < record["before"]["brier"]
    for each in record["thresholds"]:
        scores = calibration.scores(held_out)
        kept = scores >= each["threshold"]
        assert each["coverage"] == pytest.approx(kept.mean())
        if kept.sum() > 500:
            assert each["precision"] == pytest.approx(scores[kept].mean(), abs=0.03)
    assert json.loads(json.dumps(record)) == record


def test_the_order_of_the_entities_changes_nothing():
    """Not even of those with equal scores."""
    rng = np.random.default_rng(6)
    probabilities = rng.integers(1, 10, 200) / 10
    right = rng.random(200) < probabilities
    first = confidence(probabilities, Calibration(), right)
    assert sum(each["entities"] for each in first["bins"]) == 200
    for order in (np.argsort(right), np.argsort(~right), rng.permutation(200)):
        other = confidence(probabilities[order], Calibration(), right[order])
        for part in ("before", "after"):
            assert other[part].keys() == first[part].keys()
            for key in first[part]:
                assert other[part][key] == pytest.approx(first[part][key])
        assert [each["entities"] for each in other["bins"]] == [each["entities"] for each in first["bins"]]
        for key in ("score", "precision"):
            assert [each[key] for each in other["bins"]] == pytest.approx([each[key] for each in first["bins"]])


def test_few_or_no_entities_are_recorded_too():
    assert confidence(np.array([]), Calibration(), np.array([], dtype=bool)) is None
    record = confidence(np.array([0.4]), Calibration(), np.array([True]))
    assert record["thresholds"][0] == {"threshold": 0.5, "precision": None, "coverage": 0.0}
    assert record["after"]["ece"] == calibration_error(np.array([0.4]), np.array([True])) == pytest.approx(0.6)
