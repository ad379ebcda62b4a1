"""From a data set's name to sentences, whatever the format of its files."""

import json

import pytest
from conftest import read, row, write_jsonl

from ner.corpus.readers import read_whole
from ner.corpus.sources import Source
from ner.errors import InputError
from ner.hub_files import MissingFileError

GOOD = {"tokens": ["Rabies", "kills", "."], "ner_tags": [13, 0, 0], "lang": "en"}


def folder_with(tmp_path, content: bytes | str, name: str = "train/train_en.jsonl") -> str:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(tmp_path)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [("a\tO\n\nb\tO\nc\tPER\n", 4, "unknown tag 'PER'"), ("a\tO\n# note\nb\tPER\n", 3, "unknown tag 'PER'")],
)
def test_a_wrong_tsv_line_is_named(tmp_path, text, line, message):
    with pytest.raises(InputError, match=rf"train_en\.tsv:{line}: .*{message}"):
        read(folder_with(tmp_path, text, "train_en.tsv"), ["en"], "train", known_classes=["LOC"])


def test_a_column_of_many_words_is_not_taken_for_tags(tmp_path):
    text = "".join(f"w{i}\tB-PER\tlemma{i}\n" for i in range(40_000))
    with pytest.raises(InputError, match=r"train_en\.tsv:1: unknown tag 'lemma0'; .* their column \(--tag_column\)"):
        read(folder_with(tmp_path, text, "train_en.tsv"), ["en"], "train")


def test_columns_after_the_tag_of_multinerds_original_release_are_not_read(tmp_path):
    text = "0\t-DOCSTART-\tO\n\n0\tIn\tO\n1\tNew\tB-LOC\tbn:1\tQ1\n2\tYork\tI-LOC\tB-2\n\n0\t-DOCSTART-\tO\n0\tHi\tO\n"
    result = read(folder_with(tmp_path, text, "train_en.tsv"), ["en"], "train")
    assert result.token_lists() == [["In", "New", "York"], ["Hi"]]
    assert result.tag_lists() == [["O", "B-LOC", "I-LOC"], ["O"]]


def test_unusable_files(tmp_path):
    with pytest.raises(MissingFileError, match=r"no file for the train split in the language en; .* train_en\.jsonl"):
        read(str(tmp_path), ["en"], "train")
    with pytest.raises(InputError, match=r"train_en.jsonl: found no sentence"):
        read(folder_with(tmp_path, " \n\n"), ["en"], "train")
    with pytest.raises(InputError, match=r"train_en.jsonl:2: found bytes that are not UTF-8"):
        read(folder_with(tmp_path, json.dumps(GOOD).encode() + b'\n{"tokens": ["\xff"]}'), ["en"], "train")
    with pytest.raises(InputError, match=r"test_en.tsv: found no sentence"):
        read(folder_with(tmp_path, "-DOCSTART- O\n", "test_en.tsv"), ["en"], "test")


@pytest.mark.parametrize("name", ["no/such/place", "my--model", "foo.", "~nosuch/x", "a/b/c", "x" * 300])
def test_odd_names_are_no_data_sets(name):
    with pytest.raises(InputError, match=r"found no file or folder .* expected `sample`, a file, a folder, or a Hub"):
        read(name, ["en"], "train")


@pytest.mark.parametrize(
    ("name", "said"), [("Babelscape/multinerd", "offline mode is enabled.*HF_HUB_OFFLINE"), ("conll2003", "Offline")]
)
def test_no_network_names_the_ways_to_go_on(name, said):
    with pytest.raises(InputError, match=rf"{said}.*; (or )?name --dataset sample, or a local file or folder"):
        read(name, ["en"], "train")


def test_fingerprints_tell_tokens_tags_and_borders_apart(tmp_path):
    variants = [
        [row(["a", "b"], ["O", "B-PER"]), row(["c"], ["O"])],
        [row(["a", "x"], ["O", "B-PER"]), row(["c"], ["O"])],
        [row(["a", "b"], ["O", "B-LOC"]), row(["c"], ["O"])],
        [row(["a"], ["O"]), row(["b", "c"], ["B-PER", "O"])],
        [{"tokens": ["a", "b"], "tags": ["O", "B-PER"]}, {"tokens": ["c"], "tags": ["O"]}],
    ]
    seen = []
    for i, lines in enumerate(variants):
        write_jsonl(tmp_path / str(i) / "train/train_en.jsonl", lines)
        seen.append(read(str(tmp_path / str(i)), ["en"], "train").fingerprint())
    (tmp_path / "tsv").mkdir()
    (tmp_path / "tsv" / "train_en.tsv").write_text("0\ta\tO\n1\tb\tB-PER\n\n0\tc\tO\n")  # MultiNERD's original release
    seen.append(read(str(tmp_path / "tsv"), ["en"], "train").fingerprint())
    assert len(set(seen)) == 4 and seen[0] == seen[4] == seen[5]  # however the labels are numbered


def test_the_export_of_an_annotation_tool_is_a_split(tmp_path):
    place = tmp_path / "train" / "train_en.jsonl"
    place.parent.mkdir()
    place.write_text('{"text": "Rabies kills bats.", "label": [[0, 6, "DIS"], [14, 15, "ANIM"]]}\n')
    with pytest.raises(InputError, match=r"1 of 2 spans .*train_en.jsonl:1: 'a' \(14 to 15, ANIM\) cuts a word"):
        read_whole(Source(str(tmp_path)), "train")
    found = read_whole(Source(str(tmp_path), misaligned="skip"), "train").sentences
    assert found.token_lists() == [["Rabies", "kills", "bats", "."]]
    assert found.tag_lists() == [["B-DIS", "O", "O", "O"]]
