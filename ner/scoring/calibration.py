"""Whether the score of an entity can be trusted: of those with a score of 0.9, nine in ten should be right.

The probability that a model gives to an entity is usually too high. Platt scaling (Platt 1999) corrects it: a logistic
regression of being right on the log-odds of that probability, fitted on the validation sentences. What is measured:

- Expected calibration error: the predicted entities in order of their scores, divided into BINS bins of equal size; the
  mean distance, over the entities, between a bin's mean score and its precision (Naeini et al. 2015).
- Brier score: the mean squared distance of the score from 1 for an entity that is right, from 0 for one that is not.
- Precision of the entities with at least a certain score, and their share of all predicted entities, the coverage.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

BINS = 15
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
LEAST = 20  # entities that are right, and that are wrong, for a calibration
CLOSEST = 1e-7  # how near to 0 and 1 a probability is taken to be


@dataclass(frozen=True)
class Calibration:
    """A score is the logistic function of slope * log-odds of the probability + intercept."""

    slope: float = 1.0
    intercept: float = 0.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.slope + self.intercept):
            raise ValueError(f"found {self}; expected two finite numbers")

    def scores(self, probabilities: np.ndarray) -> np.ndarray:
        """The scores for the probabilities of some entities, [entity]."""
        return 1 / (1 + np.exp(-self.slope * log_odds(probabilities) - self.intercept))


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)), finite for 0 and 1 too."""
    p = np.clip(probabilities, CLOSEST, 1 - CLOSEST)
    return np.log(p) - np.log1p(-p)


def fitted(probabilities: np.ndarray, right: np.ndarray) -> Calibration:
    """The calibration of the least log-loss for entities that are `right` or not, bool [entity].

    With fewer than LEAST entities of either sort it changes nothing. Slope and intercept are drawn to 1 and 0, but only
    as strongly as by a few entities: then the loss has a minimum wherever the entities are.
    """
    from scipy.optimize import minimize  # here, because the scores of a tagger do not need it

    if min(np.count_nonzero(right), np.count_nonzero(~right)) < LEAST:
        return Calibration()
    x, sign = log_odds(probabilities), np.where(right, 1.0, -1.0)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        slope, intercept = parameters
        margins = sign * (slope * x + intercept)
        wrong = -sign / (1 + np.exp(margins))  # the derivative of an entity's loss
        pull = parameters - (1.0, 0.0)
        total = np.logaddexp(0, -margins).sum() + (pull**2).sum() / 2
        return float(total), np.array([(wrong * x).sum(), wrong.sum()]) + pull

    slope, intercept = minimize(loss, (1.0, 0.0), jac=True, method="L-BFGS-B", bounds=[(0.01, None), (None, None)]).x
    return Calibration(round(float(slope), 6), round(float(intercept), 6))


def confidence(probabilities: np.ndarray, calibration: Calibration, right: np.ndarray) -> dict[str, Any] | None:
    """The record of how far the scores of some entities can be trusted; None without any.

    `before` is measured on the probabilities, and everything else on the scores that they become. A threshold that no
    entity reaches has no precision.
    """
    if not len(probabilities):
        return None
    scores = calibration.scores(probabilities)
    bins = bins_of(scores)
    size = np.bincount(bins)
    means = [np.bincount(bins, values) / size for values in (scores, right)]
    return {
        "entities": len(scores),
        "calibration": asdict(calibration),
        "before": {"ece": calibration_error(probabilities, right), "brier": brier(probabilities, right)},
        "after": {"ece": calibration_error(scores, right), "brier": brier(scores, right)},
        "thresholds": [threshold_record(scores, right, threshold) for threshold in THRESHOLDS],
        "bins": [
            {"score": float(s), "precision": float(p), "entities": int(n)} for s, p, n in zip(*means, size, strict=True)
        ],
    }


def bins_of(scores: np.ndarray) -> np.ndarray:
    """The bin of each entity, [entity]: bins of equal size, in the order of the scores.

    Equal scores share a bin, so that the bins do not depend on the order of the entities. Ties make bins unequal, or
    fewer.
    """
    parts = np.array_split(np.sort(scores), min(BINS, len(scores)))
    lowest = np.unique([part[0] for part in parts])
    return np.searchsorted(lowest, scores, side="right") - 1


def calibration_error(scores: np.ndarray, right: np.ndarray) -> float:
    """The expected calibration error, from 0 to 1."""
    return float(np.abs(np.bincount(bins_of(scores), scores - right)).sum() / len(scores))


def brier(scores: np.ndarray, right: np.ndarray) -> float:
    """The Brier score, from 0 to 1."""
    return float(((scores - right) ** 2).mean())


def threshold_record(scores: np.ndarray, right: np.ndarray, threshold: float) -> dict[str, float | None]:
    """Precision and coverage of the entities whose score is at least a threshold."""
    kept = scores >= threshold
    precision = float(right[kept].mean()) if kept.any() else None
    return {"threshold": threshold, "precision": precision, "coverage": float(kept.mean())}
