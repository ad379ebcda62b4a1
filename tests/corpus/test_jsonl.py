"""JSONL: all lines are read at once, and the wrong one is named."""

import json
import random
import re
import string

import pytest
from conftest import NAMES, read, write_jsonl

from ner.errors import InputError

LISTS = "expected a record with lists, of strings in tokens, and of label names or of numbers in ner_tags; fix the"
NULL = "found null instead of a list, or within one, in {}; fix the record"
TWO_COLUMNS = "found tokens, ner_tags, tags; expected tokens, and exactly one of tags, ner_tags, labels; name the"
GOOD = '{"tokens": ["Rabies", "kills", "."], "ner_tags": [13, 0, 0], "lang": "en"}'


def random_rows(count: int) -> list[dict]:
    """Rows with empty sentences and tokens, and characters that JSON escapes or UTF-8 writes with up to four bytes."""
    rng = random.Random(0)
    alphabet = string.ascii_letters + '"\\/{}[]:,\t\x7f\x00éß北🦇\u2028\x85'
    made = []
    for i in range(count):
        tokens = ["".join(rng.choices(alphabet, k=rng.randint(0, 6))) for _ in range(rng.choice((0, 1, 5, 20)))]
        row = {"tokens": tokens, "ner_tags": [rng.randint(0, 30) for _ in tokens]}
        made.append(row | ({"lang": rng.choice(("en", "de"))} if i % 3 else {}))
    return made


@pytest.mark.parametrize("escaped", [True, False])
@pytest.mark.parametrize("end", ["\n", "\r\n\r\n", "\n\n \n"])
def test_the_rows_of_the_file_are_read(tmp_path, escaped, end):
    written = random_rows(200)
    path = write_jsonl(tmp_path / "train/train_en.jsonl", [])
    path.write_bytes(b"\xef\xbb\xbf" + end.join(json.dumps(row, ensure_ascii=escaped) for row in written).encode())
    result = read(str(tmp_path), ["en"], "train")
    assert result.names == NAMES
    assert result.token_lists() == [row["tokens"] for row in written]
    assert result.tags.tolist() == [tag for row in written for tag in row["ner_tags"]]
    assert result.lengths.tolist() == [len(row["tokens"]) for row in written]
    assert result.langs == [row.get("lang", "en") for row in written]
    assert not result.words.null_count


def test_names_make_one_label_set(tmp_path):
    tags = [["O", "B-LOC"], ["I-LOC"], [], ["\tB-ANIM\u00a0"], ["O"]] * 40
    write_jsonl(tmp_path / "train/train_en.jsonl", [{"tokens": ["x"] * len(t), "tags": t} for t in tags])
    result = read(str(tmp_path), ["en"], "train")
    assert result.tag_lists() == [[tag.strip() for tag in t] for t in tags]
    assert result.names == ["O", "B-LOC", "I-LOC", "B-ANIM", "I-ANIM"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ('{"tokens": ["a"], "ner_tags": [0, 0]}', "found 1 tokens and 2 tags"),
        ('{"tokens": ["a"], "ner_tags": [31]}', "unknown tag 31; expected 0 to 30"),
        ('{"tokens": ["a", "b"], "ner_tags": [0, -1]}', "unknown tag -1; expected 0 to 30"),
        ('{"tokens": ["a"], "ner_tags": [true]}', LISTS),
        ('{"tokens": ["a"], "ner_tags": [null]}', NULL.format("ner_tags")),
        ('{"tokens": [1], "ner_tags": [0]}', LISTS),
        ('{"tokens": [null], "ner_tags": [0]}', NULL.format("tokens")),
        ('{"tokens": "a", "ner_tags": [0]}', LISTS),
        ('{"tokens": ["a"], "ner_tags": [0], "lang": 3}', "Column(/lang) changed from string to number; expected"),
        ('{"tokens": ["\\ud800"], "ner_tags": [0]}', LISTS),
        ('{"ner_tags": [0]}', NULL.format("tokens")),
        ('{"tokens": ["a"], "ner_tags": null}', NULL.format("ner_tags")),
        ("null", NULL.format("tokens")),
        ("[]", "Column() changed from object to array; " + LISTS),
        ("{'tokens'", "Missing a name for object member.; " + LISTS),
        ('{"tokens": ["a"], "ner_tags": [0], "tokens": ["b"]}', "Column(/tokens) was specified twice"),
        ('{"tokens": ["a"], "ner_tags": [0], "ner_tags": null}', "Column(/ner_tags) was specified twice"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, wrong, message):
    """After more than a megabyte, which Arrow by itself would read in blocks."""
    path = write_jsonl(tmp_path / "train/train_en.jsonl", [])
    path.write_text("\n".join([*[GOOD.replace("Rabies", "R" * 10_000)] * 120, wrong, *[GOOD] * 20]) + "\n")
    with pytest.raises(InputError, match=rf"train_en\.jsonl:121: .*{re.escape(message)}"):
        read(str(tmp_path), ["en"], "train")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ('{"tokens": ["a"], "ner_tags": [0], "id": 1}', ": found numbers in ner_tags and the key 'id'"),
        ('{"tokens": ["a"], "ner_tags": [7], "tags": ["B-MISC"]}', ":1: " + TWO_COLUMNS),
        ('{"ner_tags": [0]}', ":1: found ner_tags; expected tokens, and exactly one of"),
        ("null", ":1: found no JSON object"),
        ("{'tokens'", ":1: cannot be read as JSON: "),
        ('{"tokens": ["a"],\n"ner_tags": [0]}', ":1: cannot be read as JSON: "),
    ],
)
def test_the_first_line_shows_the_keys(tmp_path, wrong, message):
    write_jsonl(tmp_path / "train/train_en.jsonl", []).write_text(f"{wrong}\n{GOOD}\n")
    with pytest.raises(InputError, match=rf"train_en\.jsonl{re.escape(message)}"):
        read(str(tmp_path), ["en"], "train")


@pytest.mark.parametrize(("more", "records", "lines"), [(f"{GOOD} {GOOD}", 3, 2), (GOOD.replace(", ", ",\n"), 2, 8)])
def test_a_record_is_a_line(tmp_path, more, records, lines):
    write_jsonl(tmp_path / "train/train_en.jsonl", []).write_text(f"{GOOD}\n{more}\n")
    with pytest.raises(InputError, match=rf"train_en\.jsonl: found {records} records in {lines} lines"):
        read(str(tmp_path), ["en"], "train")


def test_numbers_after_names_are_named_with_their_line(tmp_path):
    rows = [{"tokens": ["a"], "tags": []}, {"tokens": ["a"], "tags": ["O"]}, {"tokens": ["a"], "tags": [0]}]
    write_jsonl(tmp_path / "train/train_en.jsonl", rows)
    with pytest.raises(InputError, match=r"train_en\.jsonl:3: .*Column\(/tags/\[\]\) changed from string to number; "):
        read(str(tmp_path), ["en"], "train")
