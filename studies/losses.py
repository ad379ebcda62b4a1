"""Losses that `studies.levers` compares with cross-entropy. Each is a function that transformers' Trainer calls."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch.nn import functional

from ner.model.encoding import IGNORED
from ner.model.trainer import per_word


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
    return partial(over_words, lambda logits, gold: functional.cross_entropy(logits, gold, weights, reduction="none"))


def adjusted(counts: np.ndarray, strength: float) -> Callable[..., torch.Tensor]:
    """Cross-entropy of logits plus `strength` times the logarithm of a label's frequency (Menon et al. 2021)."""
    counts = np.maximum(counts, 1)
    shift = torch.tensor(strength * np.log(counts / counts.sum()), dtype=torch.float32)
    return partial(over_words, lambda logits, gold: functional.cross_entropy(logits + shift, gold, reduction="none"))


def over_words(
    each: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], outputs: dict[str, torch.Tensor], labels: torch.Tensor,
    num_items_in_batch: torch.Tensor | int | None = None,
) -> torch.Tensor:  # fmt: skip
    """The mean over words of the losses that `each` gives for logits [word, label] and label ids [word]."""
    words = labels != IGNORED
    total = each(outputs["logits"][words].float(), labels[words]).sum()
    return per_word(total, labels, num_items_in_batch)


def crf(counts: np.ndarray, strength: float) -> Callable[..., torch.Tensor]:
    """The negative log-probability of the gold tags among all valid sequences, as `ner.model.decoding` has it.

    A linear-chain CRF (Lafferty et al. 2001) whose transitions are not learned: each is allowed or not. The partition
    function comes from the forward algorithm over all sentences of a batch at once.
    """

    def loss(
        outputs: dict[str, torch.Tensor], labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        words = labels != IGNORED
        logits = outputs["logits"][words].float()
        count = words.sum(1)
        place = (words.cumsum(1) - 1)[words]
        row = torch.arange(len(labels), device=labels.device)[:, None].expand_as(labels)[words]
        scores = logits.new_zeros(len(labels), int(count.max()), logits.shape[1])
        scores[row, place] = functional.log_softmax(logits, dim=1)
        gold = labels[words]
        previous = torch.cat([gold.new_zeros(1), gold[:-1]]).where(place > 0, 0)
        wrong = (gold > 0) & (gold % 2 == 0) & (previous != gold) & (previous != gold - 1)
        gold = torch.where(wrong, gold - 1, gold)  # an entity of the data that begins with I-
        total = log_partition(scores, count).sum() - scores[row, place, gold].sum()
        return per_word(total, labels, num_items_in_batch)

    return loss


def log_partition(scores: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """The log of the summed exponentials of all valid sequences' scores; [sentence], for [sentence, word, label]."""
    outside, begin, inside = scores[..., :1], scores[..., 1::2], scores[..., 2::2]
    whole, open_ = torch.logsumexp(torch.cat([outside[:, 0], begin[:, 0]], 1), 1), begin[:, 0]
    wholes = [whole]
    for word in range(1, scores.shape[1]):
        begins = begin[:, word] + whole[:, None]
        open_ = torch.logaddexp(begins, inside[:, word] + open_)
        whole = torch.logsumexp(torch.cat([outside[:, word] + whole[:, None], open_], 1), 1)
        wholes.append(whole)
    return torch.stack(wholes, 1)[torch.arange(len(lengths)), lengths - 1]


def rdrop(counts: np.ndarray, strength: float) -> Callable[..., torch.Tensor]:
    """Cross-entropy plus `strength` times how far two passes with other dropout differ (R-Drop, Liang et al. 2021).

    A batch has each row twice: its second half repeats the first one.
    """

    def loss(
        outputs: dict[str, torch.Tensor], labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        words = labels != IGNORED
        logs = functional.log_softmax(outputs["logits"][words].float(), dim=1)
        total = functional.nll_loss(logs, labels[words], reduction="sum")
        half = len(logs) // 2
        if torch.equal(labels[: len(labels) // 2], labels[(len(labels) + 1) // 2 :]):  # not so in an evaluation
            p, q = logs[:half], logs[half:]
            total = total + strength * ((p.exp() - q.exp()) * (p - q)).sum() / 2
        return per_word(total, labels, num_items_in_batch)

    return loss


LOSSES = {"rdrop": rdrop, "focal": focal, "weighted": weighted, "adjusted": adjusted, "crf": crf}
