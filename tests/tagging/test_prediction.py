"""Tagging in batches: order restored, several at once, and what goes wrong in one of them."""

import threading

import numpy as np
import pytest
import torch

from ner.encoder.encoding import IGNORED, Encoded
from ner.tagging import prediction
from ner.tagging.prediction import Batching, batches, batching_for, word_logits

PAD = 0
LABELS = 5


def encoded(windows: int = 40) -> Encoded:
    """Windows of 1 to 30 positions, two thirds of them words."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 31, windows)
    labels = np.where(rng.random(lengths.sum()) < 2 / 3, 0, IGNORED).astype(np.int16)
    return Encoded(rng.integers(1, 1000, lengths.sum()).astype(np.int32), labels, lengths)


def logits_by_id(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
    assert input_ids.shape == attention_mask.shape and not input_ids[attention_mask == 0].any()
    return np.log(np.where(np.arange(LABELS) == input_ids[..., None] % LABELS, 0.6, 0.1)).astype(np.float32)


@pytest.mark.parametrize("positions", [1, 64, 10_000])
@pytest.mark.parametrize("at_once", [1, 3])
def test_each_word_has_its_own_label_and_probability(positions, at_once):
    inputs = encoded()
    predicted = word_logits(logits_by_id, LABELS, PAD, inputs, Batching(positions, at_once, 10**9), False)
    assert np.array_equal(predicted.argmax(axis=1), inputs.input_ids[inputs.labels != IGNORED] % LABELS)
    assert np.allclose(np.exp(predicted).max(axis=1), 0.6)


def test_batches_hold_the_positions_and_pairs_that_they_may():
    lengths = encoded(60).lengths
    by_length = np.argsort(-lengths, kind="stable")
    found = batches(by_length, lengths, positions=64, pairs=600)
    assert np.concatenate(found).tolist() == by_length.tolist()
    for rows in found:
        longest = lengths[rows[0]]
        assert len(rows) == 1 or (len(rows) * longest <= 64 and len(rows) * longest**2 <= 600)
    assert max(map(len, found)) > 10


def test_windows_whose_pairs_are_too_many_are_tagged_one_batch_at_a_time(monkeypatch):
    sizes, pool = [], prediction.ThreadPoolExecutor
    monkeypatch.setattr(prediction, "ThreadPoolExecutor", lambda size, **more: sizes.append(size) or pool(size, **more))
    for pairs in (600, 2000):  # two windows of 30 have 1,800
        word_logits(logits_by_id, LABELS, PAD, encoded(60), Batching(10_000, 2, pairs), False)
    assert sizes == [1, 2]


def test_two_batches_are_tagged_at_once():
    together = threading.Barrier(2, timeout=60)  # breaks, and raises, where one waits for the other to end

    def logits(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        together.wait()
        return logits_by_id(input_ids, attention_mask)

    word_logits(logits, LABELS, PAD, encoded(2), Batching(1, 2, 10**9), False)


def test_an_error_in_a_batch_is_raised_and_torch_keeps_its_threads(monkeypatch):
    numbers = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr(torch, "set_num_threads", numbers.append)

    def logits(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        raise ValueError("no such label")

    with pytest.raises(ValueError, match="no such label"):
        word_logits(logits, LABELS, PAD, encoded(), Batching(1, 2, 10**9), False)
    assert numbers[0] == 2 and numbers[-1] == 4


@pytest.mark.parametrize(("threads", "at_once"), [(1, 1), (2, 2), (6, 3), (7, 1), (16, 4)])
def test_batches_at_once_share_a_processors_threads_evenly(threads, at_once, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert batching_for(32, torch.device("cpu")) == Batching(1024, at_once, 32 * 512**2)
    assert batching_for(32, torch.device("cuda")) == Batching(512 * 32, 1, 32 * 512**2)


def test_a_number_of_threads_set_after_loading_stays(monkeypatch):
    numbers = []
    monkeypatch.setattr(torch, "set_num_threads", numbers.append)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    batching = batching_for(32, torch.device("cpu"))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    word_logits(logits_by_id, LABELS, PAD, encoded(), batching, False)
    assert set(numbers) == {1}
