"""The corpus in the repository keeps what its README and its guide promise."""

from collections import Counter

import pytest
from reading import read

from ner.corpus.audit import class_counts
from ner.labels import MULTINERD_CLASSES, wrong_transitions
from ner.word_splitter import word_offsets

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


def test_every_class_has_entities_enough(splits):
    train, test = class_counts(splits["train"]), class_counts(splits["test"])
    assert all(test[c] >= 14 and train[c] >= 55 for c in MULTINERD_CLASSES)
    for frequent in ("PER", "LOC", "ORG"):
        assert all(train[frequent] > 2 * train[c] for c in MULTINERD_CLASSES if c not in ("PER", "LOC", "ORG"))
        assert train[frequent] > 3 * max(train["DIS"], train["ANIM"])


def test_about_one_sentence_in_ten_has_no_entity(sentences):
    assert 0.08 < sum(all(tag == "O" for _, tag in s) for s in sentences) / len(sentences) < 0.12


def test_no_sentence_occurs_twice_even_with_classes_in_the_place_of_entities(sentences):
    skeletons = Counter(
        " ".join(t.lower() if tag == "O" else tag[2:] for t, tag in s if tag[0] != "I") for s in sentences
    )
    assert len({" ".join(token for token, _ in s).lower() for s in sentences}) == len(sentences)
    assert max(skeletons.values()) == 1


def test_the_tokens_are_the_splitters(sentences):
    for s in sentences:
        text = " ".join(token for token, _ in s)
        ends, place = {end for _, end in word_offsets(text)}, 0
        for token, _ in s:
            place = text.index(token, place) + len(token)
            assert place in ends
        assert all(token.strip() == token and token for token, _ in s)


def test_names_occur_in_several_senses(sentences):
    senses: dict[str, set[str]] = {}
    for token, tag in (pair for s in sentences for pair in s if pair[1] != "O"):
        senses.setdefault(token.lower(), set()).add(tag[2:])
    for name in ("jaguar", "turkey", "amazon", "mercury", "washington", "orange", "paris", "java"):
        assert len(senses[name]) >= 2, (name, senses[name])
