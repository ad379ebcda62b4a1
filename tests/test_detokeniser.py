"""Sentences as people write them, for the measurement of raw text."""

import pytest

from benchmarks.detokeniser import joined, written
from benchmarks.raw_text import f1, spans

SENTENCES = [
    ("en", "Anna 's dogs , Ben and Rex ( both old ) , ate .", "Anna's dogs, Ben and Rex (both old), ate."),
    ("en", 'She said : " I do n\'t know " .', 'She said: "I don\'t know".'),
    ("en", "a 2 - 1 win in the 1990 s - her first", "a 2-1 win in the 1990s - her first"),
    ("en", "$ 5 , US $ 1,500 and 20 % of £ 3", "$5, US$1,500 and 20% of £3"),
    ("en", "a 23-year - old and / or 18 + person", "a 23-year-old and/or 18+ person"),
    ("en", "the players ' tour was ' great ' .", "the players' tour was 'great'."),
    ("en", "Hart ’s book of “ odd ” [ sic ] things", "Hart’s book of “odd” [sic] things"),
    ("en", '30 " km north of " Rex " ; " Ben " too', '30" km north of "Rex"; "Ben" too'),
    ("it", "L' acqua dell' isola v ' era negli anni ' 70 .", "L'acqua dell'isola v'era negli anni '70."),
    ("it", "un po' di pane di O ' Neal , il 3 - 0", "un po' di pane di O'Neal, il 3-0"),
    ("it", "« Anna » dista 5 ° , la Rus ' di Kiev no", "«Anna» dista 5°, la Rus' di Kiev no"),
]


@pytest.mark.parametrize(("lang", "sentence", "text"), SENTENCES)
def test_a_sentence_is_written_as_people_do_and_its_offsets_lead_back(lang, sentence, text):
    tokens = sentence.split(" ")
    assert written(tokens, lang)[0] == text
    for found, offsets in (written(tokens, lang), joined(tokens)):
        assert [found[start:end] for start, end in offsets] == tokens
    assert joined(tokens)[0] == sentence


def test_entities_become_spans_of_the_text():
    text, offsets = written("Anna 's dog saw New York .".split(), "en")
    found = spans(offsets, [(0, 1, "PER"), (4, 6, "LOC")])
    assert {(text[start:end], class_) for start, end, class_ in found} == {("Anna", "PER"), ("New York", "LOC")}
    assert f1([found], [found]) == 100
    assert f1([found], [{(0, 6, "PER"), (15, 23, "LOC")}]) == 50  # Anna's is another span
