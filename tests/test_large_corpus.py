"""The script that makes a large corpus from a small one."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, read

from benchmarks.corpus import LANGUAGES, write_corpus
from ner.corpus.sources import SAMPLE
from ner.labels import wrong_transitions


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    write_corpus([SAMPLE], folder, 4_000)
    return folder


def test_sizes_languages_and_tags_and_no_two_sentences_are_equal(large):
    distinct = set()
    for split, size in (("train", 400), ("validation", 50), ("test", 50)):
        for language in LANGUAGES:
            sentences = read(str(large), [language], split)
            assert len(sentences) == size and set(sentences.langs) == {language}
            assert not wrong_transitions(sentences.tags, sentences.lengths).any()
            distinct |= set(map(tuple, sentences.token_lists()))
    assert len(distinct) == 5_000


def test_lengths_and_entities_are_like_those_of_the_source(large):
    source, made = (read(str(folder), ["en"], "train") for folder in (SAMPLE, large))
    assert np.quantile(made.lengths, [0.1, 0.5, 0.9]) == pytest.approx(
        np.quantile(source.lengths, [0.1, 0.5, 0.9]), abs=2
    )
    assert (made.tags > 0).mean() == pytest.approx((source.tags > 0).mean(), rel=0.2)


def test_each_language_has_words_of_its_own_in_its_script(large):
    words = {
        language: {word for word in read(str(large), [language], "train").words.to_pylist() if word.isalpha()}
        for language in LANGUAGES
    }
    for language in LANGUAGES:
        others = set().union(*(words[other] for other in LANGUAGES if other != language))
        assert len(words[language] & others) < 0.2 * len(words[language])
    assert not any(letter.isascii() for word in words["ru"] for letter in word)
    assert all("\u4e00" <= letter <= "\u9fff" for word in words["zh"] for letter in word)


def test_the_same_command_makes_the_same_files(large, tmp_path):
    make = "import sys; from pathlib import Path; from benchmarks.corpus import write_corpus\n"
    make += "write_corpus([Path(sys.argv[1])], Path(sys.argv[2]), 4_000)"
    environment = os.environ | {"PYTHONHASHSEED": "1"}  # another order of the strings in a set
    subprocess.run([sys.executable, "-c", make, SAMPLE, tmp_path], cwd=ROOT, env=environment, check=True)
    for path in sorted(large.glob("*/*.jsonl")):
        assert (tmp_path / path.relative_to(large)).read_bytes() == path.read_bytes()
