"""Numbers mean the names beside the data, and MultiNERD's only where nothing speaks against it."""

import json

import datasets
import pytest
import yaml
from conftest import NAMES, write_jsonl
from datasets.info import DatasetInfosDict
from reading import read

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


def info(names: list[str]) -> datasets.DatasetInfo:
    columns = {"tokens": datasets.Value("string"), "pos_tags": datasets.ClassLabel(names=["NN", "NNP"])}
    columns["ner_tags"] = datasets.ClassLabel(names=names)
    return datasets.DatasetInfo(features=datasets.Features({name: datasets.List(c) for name, c in columns.items()}))


def write_labels(folder, names):
    (folder / "labels.txt").write_text("\n".join(names) + "\n")


def write_info(folder, names):
    info(names).write_to_directory(folder)


def write_older_info(folder, names):
    class_label = {"num_classes": len(names), "names": names, "names_file": None, "id": None, "_type": "ClassLabel"}
    features = {"pos_tags": {"feature": {"names": ["NN"]}}, "ner_tags": {"feature": class_label, "_type": "Sequence"}}
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))


def write_card(folder, names):
    (folder / "README.md").write_text("# CoNLL\n")
    DatasetInfosDict({"default": info(names)}).write_to_directory(folder)


def write_older_card(folder, names):
    feature = {"name": "ner_tags", "sequence": {"class_label": {"names": {str(i): n for i, n in enumerate(names)}}}}
    header = yaml.safe_dump({"dataset_info": [{"config_name": "a", "features": [feature]}]}, sort_keys=False)
    (folder / "README.md").write_text(f"---\n{header}---\n\n# CoNLL\n")


@pytest.mark.parametrize("write", [write_labels, write_info, write_older_info, write_card, write_older_card])
def test_names_beside_the_data_say_what_numbers_mean(conll, write, caplog):
    write(conll, CONLL)
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
    write_jsonl(tmp_path / "val/val_en.jsonl", rows * 2)
    write_jsonl(tmp_path / "train/train_en.jsonl", rows)
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


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("labels.txt", "O\nB-PER\n", r"train_en.jsonl:1: unknown tag 7; expected 0 to 1, those of the label"),
        ("labels.txt", "O\n\nB-PER\n", r"labels.txt: found an empty label name, or one twice, in O, , B-PER"),
        ("labels.txt", "O\nO\n", r"labels.txt: found an empty label name, or one twice, in O, O"),
        ("dataset_info.json", "{", r"dataset_info.json: cannot be read"),
        ("README.md", "---\na: {ner_tags: {names: {~: O}}}\n---\n", r"README.md: cannot be read"),
        (
            "README.md",
            "---\na: {ner_tags: {names: [O]}}\nb: {ner_tags: {names: [P]}}\n---\n",
            r"README.md: found several",
        ),
    ],
)
def test_wrong_names_are_refused(conll, file, content, message):
    (conll / file).write_text(content)
    with pytest.raises(InputError, match=message):
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
