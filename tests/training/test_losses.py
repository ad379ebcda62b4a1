"""The losses of a training, against a slow computation by hand."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional

from ner.encoder.encoding import IGNORED, UNLABELLED
from ner.training.losses import CROSS_ENTROPY, crf_loss, log_partition, mean_loss

LABELS = torch.tensor([[IGNORED, 0, 1, 2], [IGNORED, 3, IGNORED, IGNORED], [IGNORED] * 4])


def logits(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(3).normal(size=shape))


def is_valid(ids: tuple[int, ...]) -> bool:
    return all(id_ == 0 or id_ % 2 or before in (id_, id_ - 1) for before, id_ in zip((0, *ids), ids, strict=False))


def each_sequence(scores: torch.Tensor) -> dict[tuple[int, ...], float]:
    """The score of every valid sequence of label ids, for scores [word, label]."""
    sequences = itertools.product(range(scores.shape[1]), repeat=len(scores))
    return {ids: sum(scores[word, id_].item() for word, id_ in enumerate(ids)) for ids in sequences if is_valid(ids)}


def test_the_crf_loss_is_the_probability_among_valid_sequences():
    """The second sentence begins with `I-`, and the class with which the first one ends does not go on there."""
    labels = torch.tensor([[IGNORED, 0, 1, 2], [2, 2, 0, 3], [IGNORED, 3, IGNORED, IGNORED], [IGNORED] * 4])
    meant = [(0, 1, 2), (1, 2, 0, 3), (3,)]
    scores = logits(4, 4, 5)
    expected = 0.0
    for sentence, ids, gold in zip(scores, labels, meant, strict=False):
        each = each_sequence(sentence[ids != IGNORED])
        expected += math.log(sum(map(math.exp, each.values()))) - each[gold]
    shifted = scores + torch.arange(4)[None, :, None]  # the same constant for each label of a word
    for outputs in ({"logits": scores}, {"logits": shifted}):
        for words in (None, 16, 1):
            found = crf_loss(outputs, labels, words, cross_entropy=0)
            assert found.item() == pytest.approx(expected / (words or 8), rel=1e-5)


def test_the_crf_loss_has_a_share_of_cross_entropy():
    outputs = {"logits": logits(3, 4, 5)}
    of_words = mean_loss(outputs, LABELS, label_smoothing=0).item()
    of_sequences = crf_loss(outputs, LABELS, cross_entropy=0).item()
    for weight in (CROSS_ENTROPY, 0.25):
        expected = (of_sequences + weight * of_words) / (1 + weight)
        assert crf_loss(outputs, LABELS, cross_entropy=weight).item() == pytest.approx(expected, rel=1e-5)
    assert crf_loss(outputs, LABELS) == crf_loss(outputs, LABELS, cross_entropy=CROSS_ENTROPY)


def test_a_gold_entity_that_begins_with_inside_counts_as_one_that_begins():
    scores = logits(1, 4, 5)
    pairs = [([0, 2, 2, 4], [0, 1, 2, 3]), ([2, 0, 4, 2], [1, 0, 3, 1]), ([2, 2, 3, 4], [1, 2, 3, 4])]
    for found, meant in pairs:
        losses = [crf_loss({"logits": scores}, torch.tensor([ids])) for ids in (found, meant)]
        assert losses[0] == losses[1]


PARTLY = torch.tensor([[IGNORED, UNLABELLED, 1, 2], [3, IGNORED, UNLABELLED, 4], [IGNORED, 1, UNLABELLED, UNLABELLED]])


def test_unlabelled_words_may_have_any_label_in_the_crf_loss():
    """An `I-` label after an unlabelled word begins an entity, as it does after the removed entity."""
    scores = logits(3, 4, 5).requires_grad_()
    expected, marginals = 0.0, []
    for sentence, ids in zip(scores.detach(), PARTLY, strict=True):
        gold = [{4: 3}.get(id_, id_) for id_ in ids[ids != IGNORED].tolist()]
        each = each_sequence(sentence[ids != IGNORED])
        right = {s for s in each if all(g in (UNLABELLED, id_) for g, id_ in zip(gold, s, strict=True))}
        total, of_right = sum(map(math.exp, each.values())), sum(math.exp(each[s]) for s in right)
        expected += math.log(total / of_right)
        for word, label in itertools.product(range(3), range(5)):
            of_label = {s: math.exp(score) for s, score in each.items() if s[word] == label}
            marginals.append(
                sum(of_label.values()) / total - sum(of_label[s] for s in right & of_label.keys()) / of_right
            )
    loss = crf_loss({"logits": scores}, PARTLY, cross_entropy=0)
    assert loss.item() == pytest.approx(expected / 9, rel=1e-5)
    (9 * loss).backward()
    assert scores.grad[PARTLY != IGNORED].flatten().tolist() == pytest.approx(marginals, abs=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.1])
def test_unlabelled_words_teach_nothing_and_count_in_the_mean(share):
    scores = logits(3, 4, 5).requires_grad_()
    labelled = (PARTLY != IGNORED) & (PARTLY != UNLABELLED)
    of_words = mean_loss({"logits": scores}, PARTLY, label_smoothing=share)
    expected = functional.cross_entropy(scores[labelled], PARTLY[labelled], reduction="sum", label_smoothing=share) / 9
    assert of_words.item() == pytest.approx(expected.item(), rel=1e-6)
    of_words.backward()
    assert not scores.grad[PARTLY == UNLABELLED].any() and scores.grad[labelled].all()
    of_sequences = crf_loss({"logits": scores}, PARTLY, cross_entropy=0)
    both = crf_loss({"logits": scores}, PARTLY.where(PARTLY != 4, 3), cross_entropy=0.5)
    of_words = mean_loss({"logits": scores}, PARTLY.where(PARTLY != 4, 3), label_smoothing=0)
    assert both.item() == pytest.approx((of_sequences + 0.5 * of_words).item() / 1.5, rel=1e-5)


def test_long_sentences_and_large_scores_leave_the_crf_loss_finite():
    scores = (100 * logits(2, 300, 31)).requires_grad_()
    labels = torch.zeros(2, 300, dtype=torch.long)
    labels[0, 5:9], labels[1] = torch.tensor([1, 2, UNLABELLED, 2]), UNLABELLED
    crf_loss({"logits": scores}, labels, cross_entropy=0).backward()
    assert scores.grad.isfinite().all() and not scores.grad[1].any()


def test_the_gradients_of_long_sentences_are_exact():
    """Against the forward algorithm in logarithms, in float64."""
    scores = (3 * logits(3, 400, 5)).requires_grad_()
    lengths, expected = [400, 0, 7], []
    for sentence, length in zip(scores, lengths, strict=True):
        ends = torch.tensor([0, 0, -torch.inf, 0, -torch.inf])
        for word in sentence[:length]:
            ends = word + ends
            total, classes = ends.logsumexp(0), ends[1:].view(2, 2).logsumexp(1)
            ends = torch.stack([total, total, classes[0], total, classes[1]])
        expected.append(ends[0])
    gradient = torch.autograd.grad(torch.stack(expected).sum(), scores)[0]
    found = log_partition(scores.float(), torch.tensor(lengths))
    assert found.tolist() == pytest.approx([each.item() for each in expected], rel=1e-6)
    assert torch.autograd.grad(found.sum(), scores)[0].flatten().tolist() == pytest.approx(
        gradient.flatten().tolist(), abs=2e-6
    )


@pytest.mark.parametrize("words", [7, 0, None])
@pytest.mark.parametrize("loss_of", [crf_loss, partial(mean_loss, label_smoothing=0.1)])
def test_a_batch_without_words_has_no_loss_but_a_gradient(loss_of, words):
    """Several processes can have one, and each needs gradients."""
    scores = logits(2, 4, 5).requires_grad_()
    loss = loss_of({"logits": scores}, torch.full((2, 4), IGNORED), words)
    loss.backward()
    assert loss == 0 and not scores.grad.any()
