"""Decoding and the probabilities of entities, against all tag sequences of short sentences."""

from itertools import product

import numpy as np
import pytest

from ner.labels import label_names, spans, wrong_transitions
from ner.tagging import decoding
from ner.tagging.decoding import best_tags, entity_probabilities, independent_probabilities, viterbi

NAMES = label_names(["A", "B"])


def sequences(length: int) -> list[tuple[int, ...]]:
    """All valid sequences of label ids."""
    every = product(range(len(NAMES)), repeat=length)
    return [s for s in every if not wrong_transitions(np.array(s, dtype=int), np.array([length])).any()]


def weight(scores: np.ndarray, sequence: tuple[int, ...]) -> float:
    return float(scores[np.arange(len(scores)), list(sequence)].sum())


def entities(sequence: tuple[int, ...]) -> set[tuple[int, int, int]]:
    found = spans(np.array(sequence, dtype=int), np.array([len(sequence)]))
    return set(zip(found.start.tolist(), found.end.tolist(), found.class_index.tolist(), strict=True))


@pytest.mark.parametrize("seed", range(30))
def test_viterbi_finds_the_best_of_all_valid_sequences(seed):
    rng = np.random.default_rng(seed)
    scores = rng.normal(scale=3, size=(rng.integers(1, 6), len(NAMES)))
    best = max(sequences(len(scores)), key=lambda sequence: weight(scores, sequence))
    assert viterbi(scores).tolist() == list(best)


def test_sentences_are_decoded_each_by_itself():
    rng = np.random.default_rng(0)
    lengths = np.array([3, 0, 1, 5, 4, 2])
    scores = rng.normal(scale=3, size=(lengths.sum(), len(NAMES))).astype(np.float32)
    ids, free = best_tags(scores, lengths, constrained=True), best_tags(scores, lengths, constrained=False)
    assert free.tolist() == scores.argmax(axis=1).tolist()
    assert wrong_transitions(free, lengths).any() and not wrong_transitions(ids, lengths).any()
    starts = np.cumsum(lengths) - lengths
    for start, length in zip(starts, lengths, strict=True):
        if length:
            part = scores[start : start + length]
            assert weight(part, ids[start : start + length]) == pytest.approx(weight(part, viterbi(part)))


@pytest.mark.parametrize("seed", range(5))
def test_the_probability_of_an_entity_is_the_share_of_the_sequences_that_have_it(seed, monkeypatch):
    monkeypatch.setattr(decoding, "WORDS", 6)  # so that several blocks are needed
    rng = np.random.default_rng(seed)
    lengths = np.array([4, 1, 0, 5, 3])
    scores = rng.normal(scale=2, size=(lengths.sum(), len(NAMES)))
    expected, flat = [], []
    for start, length in zip(np.cumsum(lengths) - lengths, lengths, strict=True):
        every = sequences(length)
        weights = np.exp([weight(scores[start : start + length], s) for s in every])
        for entity in sorted(set().union(*map(entities, every)) if length else ()):
            has_it = np.array([entity in entities(s) for s in every])
            expected.append(weights[has_it].sum() / weights.sum())
            flat.append((start + entity[0], start + entity[1], entity[2]))
    start, end, class_index = map(np.array, zip(*flat, strict=True))
    found = entity_probabilities(scores, lengths, decoding.Spans(start, end, class_index))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_without_constraints_an_entity_is_as_probable_as_its_labels_and_its_end():
    rng = np.random.default_rng(1)
    lengths = np.array([3, 0, 4, 1])
    scores = rng.normal(scale=2, size=(lengths.sum(), len(NAMES)))
    ids = best_tags(scores, lengths, constrained=False)
    found = spans(ids, lengths)
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    ends = np.cumsum(lengths)
    for start, end, class_, probability in zip(
        found.start, found.end, found.class_index, independent_probabilities(scores, lengths, ids, found), strict=True
    ):
        goes_on = 0 if end in ends else p[end, 2 + 2 * class_]
        assert probability == pytest.approx(np.prod([p[t, ids[t]] for t in range(start, end)]) * (1 - goes_on))


def test_a_label_that_a_checkpoint_lacks_has_no_probability():
    scores = np.array([[0.0, 5.0, 1.0, -np.inf, -np.inf], [0.0, 1.0, 5.0, -np.inf, -np.inf]])
    certain = np.array([[-2000.0, -np.inf, 2000.0, -np.inf, -np.inf]])  # only a label that cannot begin a sentence
    span = decoding.Spans(np.array([0]), np.array([2]), np.array([0]))
    other = decoding.Spans(np.array([0]), np.array([1]), np.array([1]))
    assert entity_probabilities(scores, np.array([2]), span)[0] > 0.9
    assert entity_probabilities(scores, np.array([2]), other)[0] < 1e-200
    assert np.isfinite(entity_probabilities(certain, np.array([1]), other)).all()
    assert viterbi(certain).tolist() == [0]
