import numpy as np
import pytest

from ner.labels import MULTINERD_CLASSES, classes_of, flat_ids, label_names, lookup_table, spans, tag_lists


def test_multinerds_numbers():
    names = label_names(MULTINERD_CLASSES)
    assert len(names) == 31
    assert {names[i]: i for i in (0, 1, 2, 3, 13, 29, 30)} == {
        "O": 0, "B-PER": 1, "I-PER": 2, "B-ORG": 3, "B-DIS": 13, "B-VEHI": 29, "I-VEHI": 30,
    }  # fmt: skip


def test_classes_are_in_multinerds_order_and_then_by_alphabet():
    assert classes_of(["I-MISC", "B-LOC", "O", "B-PER", "B-ABC"]) == ["PER", "LOC", "ABC", "MISC"]
    for wrong in ("PER", "B-", "X-PER", "b-PER", "", "LABEL_0"):
        with pytest.raises(ValueError, match="expected O, B-CLASS or I-CLASS"):
            classes_of([wrong])


def test_a_lookup_table_maps_by_name_and_masks_what_the_target_lacks():
    table = lookup_table(["O", "B-PER", "I-PER", "B-ORG", "I-ORG"], ["I-ORG", "O", "B-ORG"])
    assert table.tolist() == [1, 1, 1, 2, 0]


def test_spans_are_half_open_and_end_with_their_sentence():
    tags = [["B-PER", "I-PER"], [], ["I-PER", "B-PER", "I-LOC", "O"], ["I-LOC", "B-DIS"]]
    ids, lengths = flat_ids(tags, ["PER", "LOC"])
    entities = spans(ids, lengths)
    assert list(zip(entities.start, entities.end, entities.class_index, strict=True)) == [
        (0, 2, 0), (2, 3, 0), (3, 4, 0), (4, 5, 1), (6, 7, 1),
    ]  # fmt: skip


def test_lists_and_flat_ids_are_each_others_reverse():
    sentences = [["O", "B-PER"], [], ["I-PER"]]
    ids, lengths = flat_ids(sentences, ["PER"])
    assert tag_lists(ids, lengths, label_names(["PER"])) == sentences
    assert len(spans(np.array([], dtype=int), np.array([0, 0])).start) == 0
