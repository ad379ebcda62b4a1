"""The corpus in the repository keeps what its README and its guide promise."""

from collections import Counter

import pytest

from ner.corpus.readers import read
from ner.encoder.word_splitter import word_offsets
from ner.labels import MULTINERD_CLASSES
from ner.scoring.scores import invalid_transitions

SPLITS = {"train": 886, "validation": 155, "test": 260}


@pytest.fixture(scope="module")
def splits():
    return {split: read("sample", ["en"], split) for split in SPLITS}


def entities(sentences) -> Counter:
    return Counter(tag[2:] for tags in sentences.tag_lists() for tag in tags if tag.startswith("B-"))


def test_sizes_and_lengths(splits):
    assert {name: len(s) for name, s in splits.items()} == SPLITS
    for sentences in splits.values():
        assert sentences.lengths.min() >= 5 and sentences.lengths.max() <= 45
        assert set(sentences.langs) == {"en"}


def test_every_class_has_entities_enough(splits):
    test, train = entities(splits["test"]), entities(splits["train"])
    assert all(test[t] >= 12 and train[t] >= 50 for t in MULTINERD_CLASSES)
    for frequent in ("PER", "LOC", "ORG"):
        assert all(train[frequent] > 2 * train[t] for t in MULTINERD_CLASSES if t not in ("PER", "LOC", "ORG"))
        assert train[frequent] > 3 * max(train["DIS"], train["ANIM"])


def test_about_one_sentence_in_ten_holds_no_entity(splits):
    tags = [tags for s in splits.values() for tags in s.tag_lists()]
    assert 0.08 < sum(set(t) == {"O"} for t in tags) / len(tags) < 0.12


def test_no_sentence_stands_twice_and_no_skeleton_more_than_twice(splits):
    sentences, skeletons = Counter(), Counter()
    for s in splits.values():
        for tokens, tags in zip(s.token_lists(), s.tag_lists(), strict=True):
            sentences[" ".join(tokens).lower()] += 1
            pairs = zip(tokens, tags, strict=True)
            skeletons[" ".join(t.lower() if tag == "O" else tag[2:] for t, tag in pairs if tag[0] != "I")] += 1
    assert max(sentences.values()) == 1
    assert max(skeletons.values()) <= 2


def test_the_tags_are_valid_and_the_tokens_are_the_splitters(splits):
    for s in splits.values():
        assert invalid_transitions(s.tags, s.lengths, s.names) == 0
        for tokens in s.token_lists():
            text = " ".join(tokens)
            assert len(word_offsets(text)) >= len(tokens)
            assert all(t.strip() == t and t for t in tokens)


def test_names_stand_in_several_senses(splits):
    senses: dict[str, set[str]] = {}
    for s in splits.values():
        for tokens, tags in zip(s.token_lists(), s.tag_lists(), strict=True):
            for token, tag in zip(tokens, tags, strict=True):
                if tag != "O":
                    senses.setdefault(token.lower(), set()).add(tag[2:])
    for name in ("jaguar", "turkey", "amazon", "mercury", "washington", "orange", "paris", "java"):
        assert len(senses[name]) >= 2, (name, senses[name])
