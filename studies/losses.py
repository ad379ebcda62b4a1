"""Losses that `studies.levers` compares with cross-entropy. Each is a function that transformers' Trainer calls."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch.nn import functional

from ner.encoder.encoding import IGNORED
from ner.training.losses import crf_loss, per_word


def focal(counts: np.ndarray, strength: float) -> Callable[..., torch.Tensor]:
    """Cross-entropy times (1 - p)**strength, for the probability p of the right label (Lin et al. 2017)."""

    def each(logits: torch.Tensor, gold: torch.Tensor) -> torch.Tensor:
        losses = functional.cross_entropy(logits, gold, reduction="none")
        return losses * (1 - torch.exp(-losses)) ** strength

    return partial(over_words, each)


def weighted(counts: np.ndarray, strength: float) -> Callable[..., torch.Tensor]:
    """Cross-entropy in which a label counts by the inverse square root of its frequency, at most `strength` times as
    much as the most frequent label of an entity."""
    counts = np.maximum(counts, 1)
    weights = np.minimum(np.sqrt(counts[1:].max() / counts), strength)
    weights[0] = 1
    weights = torch.tensor(weights, dtype=torch.float32)
    return partial(
        over_words,
        lambda logits, gold: functional.cross_entropy(logits, gold, weights.to(logits.device), reduction="none"),
    )


def adjusted(counts: np.ndarray, strength: float) -> Callable[..., torch.Tensor]:
    """Cross-entropy of logits plus `strength` times the logarithm of a label's frequency (Menon et al. 2021)."""
    counts = np.maximum(counts, 1)
    shift = torch.tensor(strength * np.log(counts / counts.sum()), dtype=torch.float32)
    return partial(
        over_words,
        lambda logits, gold: functional.cross_entropy(logits + shift.to(logits.device), gold, reduction="none"),
    )


def crf(counts: np.ndarray, strength: float) -> Callable[..., torch.Tensor]:
    """The CRF loss with another weight of the cross-entropy than that of `train.py`."""
    return partial(crf_loss, cross_entropy=strength)


def over_words(
    each: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], outputs: dict[str, torch.Tensor], labels: torch.Tensor,
    num_items_in_batch: torch.Tensor | int | None = None,
) -> torch.Tensor:  # fmt: skip
    """The mean over words of the losses that `each` gives for logits [word, label] and label ids [word]."""
    words = labels != IGNORED
    total = each(outputs["logits"][words].float(), labels[words]).sum()
    return per_word(total, labels, num_items_in_batch)


LOSSES = {"focal": focal, "weighted": weighted, "adjusted": adjusted, "crf": crf}
