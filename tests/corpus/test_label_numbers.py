"""Numbers mean the names beside the data, and MultiNERD's only where nothing speaks against it."""

import pytest
from conftest import NAMES, read, write_jsonl, write_splits

from arguments import DataArguments
from data import training_data
from ner.errors import InputError

CONLL = ["O", *(f"{prefix}-{c}" for c in ("PER", "ORG", "LOC", "MISC") for prefix in "BI")]


@pytest.fixture
def conll(tmp_path):
    """CoNLL-2003 as data sets of the Hub have it: 7 is B-MISC there, and B-ANIM in MultiNERD."""
    for split in ("train", "val", "test"):
        rows = [
            {"id": str(i), "tokens": [split, f"German{i}"], "pos_tags": [21, 22], "ner_tags": [0, 7]} for i in (0, 1)
        ]
        write_jsonl(tmp_path / f"{split}/{split}_en.jsonl", rows)
    return tmp_path


def write_labels(folder, names):
    (folder / "labels.txt").write_text("\n".join(names) + "\n")


def test_names_beside_the_data_say_what_numbers_mean(conll, caplog):
    write_labels(conll, CONLL)
    prepared = training_data(DataArguments(dataset=str(conll)))
    assert prepared.train.tag_lists() == prepared.validation.tag_lists() == [["O", "B-MISC"]] * 2
    assert prepared.train.names == ["O", "B-MISC", "I-MISC"]
    assert "tags: numbers mean the 9 label names in" in caplog.text and "MultiNERD" not in caplog.text


def test_names_in_another_scheme_become_bio(conll):
    write_labels(conll, ["O", *(f"class-{i}" for i in range(6)), "art-film"])
    assert read(str(conll), ["en"], "train").tag_lists() == [["O", "B-art-film"]] * 2


@pytest.mark.parametrize(("number", "is_refused"), [(8, True), (9, False)])
def test_a_hundred_training_sentences_without_a_number_above_8_are_not_multinerds(tmp_path, number, is_refused, caplog):
    rows = [{"tokens": [f"w{i}", "x"], "ner_tags": [7, 8]} for i in range(99)]
    write_splits(tmp_path, train=rows, val=rows * 2)
    assert len(read(str(tmp_path), ["en"], "train")) == 99
    write_jsonl(tmp_path / "train/train_en.jsonl", [*rows, {"tokens": ["y"], "ner_tags": [number]}])
    if is_refused:
        with pytest.raises(
            InputError, match=r"train_en.jsonl: found no number above 8 .* 100 training.* to labels.txt"
        ):
            training_data(DataArguments(dataset=str(tmp_path)))
        write_labels(tmp_path, NAMES)
    assert training_data(DataArguments(dataset=str(tmp_path))).validation.tag_lists()[0] == ["B-ANIM", "I-ANIM"]
    said = [message for message in caplog.messages if message.startswith("tags: ")]
    taken_for = "tags: found numbers without label names beside the data; read as MultiNERD's"
    assert (said[-1] == taken_for) is not is_refused


def test_a_number_without_a_name_is_refused(conll):
    write_labels(conll, ["O", "B-PER"])
    with pytest.raises(InputError, match=r"train_en.jsonl:1: unknown tag 7; expected 0 to 1, those of the label"):
        read(str(conll), ["en"], "train")


def test_two_numbers_with_one_name_are_refused(conll):
    write_labels(conll, [*CONLL, "B-PER"])
    with pytest.raises(InputError, match=r"labels.txt: found 'B-PER' twice; expected a name for each number"):
        read(str(conll), ["en"], "train")


def test_names_of_numbers_may_stand_beside_a_file_or_in_the_data_sets_folder(tmp_path):
    names = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]  # 3 is B-ORG in MultiNERD
    for name in ("a/data/train.jsonl", "a/data/dev.jsonl", "b/other.jsonl"):
        write_jsonl(tmp_path / name, [{"tokens": [name], "ner_tags": [3]}])
    write_labels(tmp_path / "a/data", names)
    whole = training_data(DataArguments(dataset=str(tmp_path / "a")))
    assert whole.train.tag_lists() == whole.validation.tag_lists() == [["B-LOC"]]
    file = str(tmp_path / "b/other.jsonl")
    for dataset in ("a/data", "a/data/train.jsonl"):
        named = training_data(DataArguments(dataset=str(tmp_path / dataset), validation_file=file))
        assert named.validation.tag_lists() == [["B-LOC"]]


def test_numbers_in_one_file_and_names_in_another_are_refused(tmp_path):
    write_jsonl(tmp_path / "train/train_en.jsonl", [{"tokens": ["Oslo"], "ner_tags": [5]}])
    write_jsonl(tmp_path / "train/train_it.jsonl", [{"tokens": ["Roma"], "ner_tags": ["B-LOC"]}])
    with pytest.raises(InputError, match=r"train_it.jsonl: found tags of another kind than in .*train_en.jsonl; exp"):
        read(str(tmp_path), ["en", "it"], "train")
