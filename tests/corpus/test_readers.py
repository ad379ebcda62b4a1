import json
import re
import time

import pytest
from conftest import NAMES, row, write_jsonl

from ner.corpus.readers import FORMATS, Format, MissingSplitError, read
from ner.errors import InputError

GOOD = {"tokens": ["Rabies", "kills", "."], "ner_tags": [13, 0, 0], "lang": "en"}


def folder_with(tmp_path, content: bytes | str, name: str = "train/train_en.jsonl"):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tmp_path


def test_jsonl_with_numbers_has_multinerds_label_set(tmp_path):
    folder = folder_with(tmp_path, json.dumps(GOOD) + "\n\n" + json.dumps({"tokens": [], "ner_tags": []}))
    sentences = read(str(folder), ["en"], "train")
    assert sentences.names == NAMES
    assert sentences.token_lists() == [["Rabies", "kills", "."], []]
    assert sentences.tag_lists() == [["B-DIS", "O", "O"], []]
    assert sentences.langs == ["en", "en"]


def test_byte_order_mark_and_crlf_are_accepted_and_only_newline_ends_a_line(tmp_path):
    odd = {"tokens": ["a\u2028b", "\x85"], "ner_tags": [0, 1]}
    text = "\ufeff" + json.dumps(GOOD) + "\r\n" + json.dumps(odd, ensure_ascii=False) + "\r\n"
    sentences = read(str(folder_with(tmp_path, text)), ["en"], "train")
    assert sentences.token_lists()[1] == ["a\u2028b", "\x85"]


@pytest.mark.parametrize(
    "text",
    [
        "0\tIn\tO\n1\tNew\tB-LOC\n2\tYork\tI-LOC\n\n0\tHi\tO\n",
        "0\tIn\tO\tx\n1\tNew\tB-LOC\tx\n2\tYork\tI-LOC\tx\n\n\n0\tHi\tO\tx",
        "-DOCSTART-\tO\n\nIn\tO\nNew\tB-LOC\nYork\tI-LOC\n\nHi\tO\n",
        "-DOCSTART- O\n\nIn O\r\nNew B-LOC\r\nYork I-LOC\r\n \t\r\nHi O\r\n",
    ],
)
def test_tsv_in_multinerds_form_and_in_two_columns(tmp_path, text):
    sentences = read(str(folder_with(tmp_path, text, "train_en.tsv")), ["en"], "train")
    assert sentences.token_lists() == [["In", "New", "York"], ["Hi"]]
    assert sentences.tag_lists() == [["O", "B-LOC", "I-LOC"], ["O"]]
    assert sentences.names == ["O", "B-LOC", "I-LOC"]


def test_another_format_is_a_function_and_a_row_of_the_table(tmp_path, monkeypatch):
    def rows(path, language):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            pairs = [pair.split("/") for pair in line.split()]
            yield number, [token for token, _ in pairs], [tag for _, tag in pairs], language

    monkeypatch.setitem(FORMATS, ".slashes", Format(dict.fromkeys(("train", "validation"), "{}.slashes"), rows))
    folder = folder_with(tmp_path, "Oslo/B-LOC is/O\ncold/O\n", "en.slashes")
    sentences = read(str(folder), ["en"], "train")
    assert (sentences.token_lists(), sentences.tag_lists()) == ([["Oslo", "is"], ["cold"]], [["B-LOC", "O"], ["O"]])
    with pytest.raises(InputError, match=r"en.slashes:2: unknown tag 'PER'; expected O, or B- or I- with LOC"):
        read(str(folder_with(tmp_path, "Oslo/B-LOC\nis/PER\n", "en.slashes")), ["en"], "validation", ["LOC"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("train_en.tsv", "Oslo\tB-LOC \nfjord\t I-LOC\nPeru\tB-LOC\n.\tO \n"),
        ("train_en.tsv", "0\tOslo\tB-LOC\u00a0\tx\n1\tfjord\tI-LOC\tx\n2\tPeru\tB-LOC\tx\n3\t.\tO\tx\n"),
        ("train_en.tsv", "Oslo B-LOC \nfjord I-LOC\nPeru B-LOC\n. O\n"),
        (
            "train/train_en.jsonl",
            '{"tokens": ["Oslo", "fjord", "Peru", "."], "tags": ["B-LOC ", "\\tI-LOC", "B-LOC", " O"]}',
        ),
    ],
)
def test_white_space_around_a_tag_makes_no_class(tmp_path, name, text):
    sentences = read(str(folder_with(tmp_path, text, name)), ["en"], "train")
    assert sentences.names == ["O", "B-LOC", "I-LOC"]
    assert sentences.tag_lists() == [["B-LOC", "I-LOC", "B-LOC", "O"]]
    assert sentences.token_lists() == [["Oslo", "fjord", "Peru", "."]]
    read(str(tmp_path), ["en"], "train", ["LOC"])


def test_string_tags_make_the_label_set(tmp_path):
    rows = [{"tokens": ["a", "b"], "tags": ["I-MISC", "B-PER"]}, {"tokens": ["c"], "tags": ["O"]}]
    write_jsonl(tmp_path / "train" / "train_en.jsonl", rows)
    assert read(str(tmp_path), ["en"], "train").names == ["O", "B-PER", "I-PER", "B-MISC", "I-MISC"]


def test_several_languages_follow_each_other(tmp_path):
    for lang in ("de", "en"):
        write_jsonl(tmp_path / "train" / f"train_{lang}.jsonl", [{"tokens": [lang], "ner_tags": [0]}])
    sentences = read(str(tmp_path), ["en", "de"], "train")
    assert (sentences.token_lists(), sentences.langs) == ([["en"], ["de"]], ["en", "de"])


@pytest.mark.parametrize(
    ("second_line", "message"),
    [
        ('{"tokens": ["a"], "ner_tags": [0, 0]}', "found 1 tokens and 2 tags"),
        ('{"tokens": ["a"], "ner_tags": [31]}', "the tag number 31; expected 0 to 30"),
        ('{"tokens": ["a", "b"], "ner_tags": [0, -1]}', "the tag number -1; expected 0 to 30"),
        ('{"tokens": ["a"], "ner_tags": [true]}', "tags of other types"),
        ('{"tokens": ["a"], "ner_tags": [1.0]}', "tags of other types"),
        ('{"tokens": ["a"], "tags": ["O"]}', "tags of other types"),
        ('{"tokens": [1], "ner_tags": [0]}', "tokens of strings"),
        ('{"tokens": "a", "ner_tags": [0]}', "expected lists"),
        ('{"tokens": ["\\ud800"], "ner_tags": [0]}', "half a surrogate pair"),
        ('{"tokens": ["a"], "ner_tags": [0], "lang": 3}', "found the language 3"),
        ('{"tokens": ["a"], "ner_tags": [0], "lang": "\\ud800"}', "half a surrogate pair"),
        ('{"tokens": ["a"], "ner_tags": [' + "9" * 5_000 + "]}", "found no JSON"),
        ('{"ner_tags": [0]}', "no key 'tokens'"),
        ('{"tokens": ["a"]}', "no key 'ner_tags' or 'tags'"),
        ("[1]", "found list"),
        ("{'tokens'", "found no JSON"),
        ("[" * 100_000, "(found no JSON|nested too deeply)"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, second_line, message):
    folder = folder_with(tmp_path, json.dumps(GOOD) + "\n" + second_line + "\n")
    with pytest.raises(InputError, match=rf"train_en\.jsonl:2: .*{message}"):
        read(str(folder), ["en"], "train")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a\tO\nb\tPER\n", 2, "unknown tag 'PER'"),
        ("a\tO\nb\tB-\n", 2, "unknown tag 'B-'"),
        ("a\tO\nb\tB- \n", 2, "unknown tag 'B- '"),
        ("a\tO\n\nb\n", 3, "found 1 columns"),
        ("a\tO\nb\tx\ty\tz\n", 2, "found 4 columns"),
    ],
)
def test_a_wrong_tsv_line_is_named(tmp_path, text, line, message):
    with pytest.raises(InputError, match=rf"train_en\.tsv:{line}: .*{message}"):
        read(str(folder_with(tmp_path, text, "train_en.tsv")), ["en"], "train")


def test_a_tag_that_training_does_not_know_is_named(tmp_path):
    write_jsonl(tmp_path / "val" / "val_en.jsonl", [{"tokens": ["a"], "tags": ["B-PERS"]}])
    with pytest.raises(InputError, match=r"val_en.jsonl:1: unknown tag 'B-PERS'; expected .* PER, LOC"):
        read(str(tmp_path), ["en"], "validation", known_classes=["PER", "LOC"])
    assert read(str(tmp_path), ["en"], "validation").names == ["O", "B-PERS", "I-PERS"]


def test_unusable_files(tmp_path):
    with pytest.raises(MissingSplitError, match=re.escape("neither train/train_en.jsonl nor train_en.tsv")):
        read(str(tmp_path), ["en"], "train")
    with pytest.raises(InputError, match=r"train_en.jsonl: the file is empty"):
        read(str(folder_with(tmp_path, " \n\n")), ["en"], "train")
    with pytest.raises(InputError, match=r"train_en.jsonl:2: found bytes that are not UTF-8"):
        read(str(folder_with(tmp_path, json.dumps(GOOD).encode() + b'\n{"tokens": ["\xff"]}')), ["en"], "train")
    with pytest.raises(InputError, match="found no folder 'no/such/place'; expected `sample`, a folder, or a Hub id"):
        read("no/such/place", ["en"], "train")
    with pytest.raises(InputError, match="numbers its labels in another order"):
        read("tner/multinerd", ["en"], "train")


def test_no_network_names_the_ways_to_go_on():
    start = time.time()
    with pytest.raises(InputError, match=r"no network, and not cached; name --dataset sample, or a local folder"):
        read("Babelscape/multinerd", ["en"], "train")
    assert time.time() - start < 5


def test_fingerprints_tell_tokens_tags_and_borders_apart(tmp_path):
    base = [row(["a", "b"], ["O", "B-PER"]), row(["c"], ["O"])]
    others = [
        [row(["a", "x"], ["O", "B-PER"]), row(["c"], ["O"])],
        [row(["a", "b"], ["O", "B-LOC"]), row(["c"], ["O"])],
        [row(["a"], ["O"]), row(["b", "c"], ["B-PER", "O"])],
    ]
    seen = set()
    for i, rows in enumerate([base, *others]):
        write_jsonl(tmp_path / str(i) / "train" / "train_en.jsonl", rows)
        seen.add(read(str(tmp_path / str(i)), ["en"], "train").fingerprint())
    assert len(seen) == 4
    assert read(str(tmp_path / "0"), ["en"], "train").fingerprint() in seen


@pytest.mark.parametrize("name", ["my--model", "foo.", "~nosuch/x", "a/b/c", "x" * 300])
def test_odd_names_are_no_data_sets(name):
    with pytest.raises(InputError, match="found no folder"):
        read(name, ["en"], "train")
