"""JSONL: MultiNERD's is read at once, other lines one by one, and the wrong one is named."""

import json
import random
import re
import string

import pytest
from conftest import NAMES, write_jsonl
from reading import read

from ner.corpus import readers
from ner.corpus.sources import Source
from ner.corpus.tagged_records import multinerd_table
from ner.errors import InputError

LISTS = "expected lists, of strings in tokens, and of label names or of numbers in ner_tags; fix the record"
TWO_COLUMNS = "found tokens, ner_tags, tags; expected exactly one of tags, ner_tags, labels among them; name the column"
NOT_JSON = "cannot be read as JSON: "
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


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("escaped", [True, False])
@pytest.mark.parametrize("end", ["\n", "\r\n\r\n", "\n\n \n"])
def test_both_ways_give_the_rows_of_the_file(tmp_path, escaped, end, at_once, monkeypatch):
    monkeypatch.setattr(readers, "records" if at_once else "multinerd_table", lambda *arguments: None)
    written = random_rows(200)
    path = write_jsonl(tmp_path / "train/train_en.jsonl", [])
    path.write_bytes(b"\xef\xbb\xbf" + end.join(json.dumps(row, ensure_ascii=escaped) for row in written).encode())
    assert multinerd_table(path, Source(str(tmp_path))) is not None
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
        ('{"tokens": ["a"], "ner_tags": [null]}', LISTS),
        ('{"tokens": [1], "ner_tags": [0]}', LISTS),
        ('{"tokens": [null], "ner_tags": [0]}', LISTS),
        ('{"tokens": "a", "ner_tags": [0]}', LISTS),
        ('{"tokens": ["a"], "ner_tags": [0], "id": 1}', "found numbers in ner_tags and the key 'id'"),
        ('{"tokens": ["a"], "ner_tags": [0], "lang": 3}', "found 3 in lang; expected a language code"),
        ('{"tokens": ["\\ud800"], "ner_tags": [0]}', LISTS),
        ('{"ner_tags": [0]}', "tokens"),
        ('{"tokens": ["a"], "ner_tags": null}', LISTS),
        ("null", "found no JSON object"),
        ("{'tokens'", NOT_JSON),
        ('{"tokens": ["a"], "ner_tags": [0]}\x00', NOT_JSON),
        ('{"tokens": ["a"], "ner_tags": [0]} {"tokens": ["b"], "ner_tags": [0]}', NOT_JSON + "Extra data"),
        ('{"tokens": ["a"],\n"ner_tags": [0]}', NOT_JSON),
        ('{"tokens": ["a"], "ner_tags": [0], "tokens": ["b"]}', NOT_JSON + "the key 'tokens' is there twice"),
        ('{"tokens": ["a"], "ner_tags": [0], "ner_tags": null}', NOT_JSON + "the key 'ner_tags' is there twice"),
        ('{"tokens": ["a"], "ner_tags": [0], "n\\u0065r_tags": [1]}', NOT_JSON + "the key 'ner_tags' is there twice"),
        ('{"tokens": ["a"], "ner_tags": [0], "lang": "en", "lang": "de"}', NOT_JSON + "the key 'lang' is there twice"),
        ('{"tokens": ["a"], "ner_tags": [7], "tags": ["B-MISC"]}', TWO_COLUMNS),
        ('{"tokens": ' + "[" * 100_000, NOT_JSON + "maximum recursion depth"),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 100])
def test_a_wrong_line_is_named(tmp_path, wrong, message, before):
    path = write_jsonl(tmp_path / "train/train_en.jsonl", [])
    path.write_text("\n".join([*[GOOD] * before, wrong, *[GOOD] * 20]) + "\n")
    with pytest.raises(InputError, match=rf"train_en\.jsonl:{before + 1}: .*{re.escape(message)}"):
        read(str(tmp_path), ["en"], "train")


def test_numbers_after_names_are_named_with_their_line(tmp_path):
    names = [{"tokens": ["a"], "tags": ["O"]}] * 30
    both, other = "found both numbers and label names", "label names or of numbers in tags"
    for rows, line, message in (([json.loads(GOOD)], 1, both), ([*names, json.loads(GOOD)], 31, other)):
        write_jsonl(tmp_path / "train/train_de.jsonl", names)
        write_jsonl(tmp_path / "train/train_en.jsonl", rows)
        with pytest.raises(InputError, match=rf"train_en\.jsonl:{line}: .*{message}"):
            read(str(tmp_path), ["de", "en"], "train")
