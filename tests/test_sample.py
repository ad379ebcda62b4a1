"""The corpus in the repository keeps what its README and its guide promise."""

from collections import Counter

import pytest
from conftest import read

from ner.corpus.audit import class_counts
from ner.labels import MULTINERD_CLASSES, wrong_transitions

SPLITS = {"train": 886, "validation": 155, "test": 260}


@pytest.fixture(scope="module")
def splits():
    return {split: read("sample", ["en"], split) for split in SPLITS}


@pytest.fixture(scope="module")
def sentences(splits) -> list[list[tuple[str, str]]]:
    """Tokens with their tags, of all splits."""
    columns = [pair for s in splits.values() for pair in zip(s.token_lists(), s.tag_lists(), strict=True)]
    return [list(zip(tokens, tags, strict=True)) for tokens, tags in columns]


def test_sizes_lengths_and_tags(splits):
    assert {name: len(s) for name, s in splits.items()} == SPLITS
    for s in splits.values():
        assert s.lengths.min() >= 5 and s.lengths.max() <= 45
        assert set(s.langs) == {"en"}
        assert not wrong_transitions(s.tags, s.lengths).any()
        assert all(token.strip() == token != "" for token in s.words.to_pylist())


def test_every_class_has_entities_enough(splits):
    train, test = class_counts(splits["train"]), class_counts(splits["test"])
    assert all(test[c] >= 14 and train[c] >= 55 for c in MULTINERD_CLASSES)


def test_no_sentence_occurs_twice_even_with_classes_in_the_place_of_entities(sentences):
    skeletons = Counter(
        " ".join(t.lower() if tag == "O" else tag[2:] for t, tag in s if tag[0] != "I") for s in sentences
    )
    assert len({" ".join(token for token, _ in s).lower() for s in sentences}) == len(sentences)
    assert max(skeletons.values()) == 1
