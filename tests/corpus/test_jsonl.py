"""JSONL: many lines at once give what reading line by line gives, mistakes included."""

import json
import random
import string

import pytest
from conftest import write_jsonl

from ner.corpus import jsonl, rows
from ner.corpus.jsonl import numbered_rows, whole_lines
from ner.corpus.readers import read
from ner.errors import InputError

GOOD = '{"tokens": ["Rabies", "kills", "."], "ner_tags": [13, 0, 0], "lang": "en"}'


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of a few rows and lines, so that small files have many."""
    monkeypatch.setattr(rows, "ROWS", 7)
    monkeypatch.setattr(jsonl, "BYTES", 500)


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
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_blocks_give_the_rows_of_the_file(tmp_path, small_blocks, escaped, end):
    written = random_rows(200)
    path = write_jsonl(tmp_path / "train/train_en.jsonl", [])
    path.write_bytes(b"\xef\xbb\xbf" + end.join(json.dumps(row, ensure_ascii=escaped) for row in written).encode())
    result = read(str(tmp_path), ["en"], "train")
    assert result.token_lists() == [row["tokens"] for row in written]
    assert result.tags.tolist() == [tag for row in written for tag in row["ner_tags"]]
    assert result.lengths.tolist() == [len(row["tokens"]) for row in written]
    assert result.langs == [row.get("lang", "en") for row in written]
    assert all(column.num_chunks == 1 and column.null_count == 0 for column in result.table.columns)


def test_names_in_blocks_make_one_label_set(tmp_path, small_blocks):
    tags = [["O", "B-LOC"], ["I-LOC"], [], ["B-ANIM "], ["O"]] * 40
    write_jsonl(tmp_path / "train/train_en.jsonl", [{"tokens": ["x"] * len(t), "tags": t} for t in tags])
    result = read(str(tmp_path), ["en"], "train")
    assert result.tag_lists() == [[tag.strip() for tag in t] for t in tags]
    assert result.names == ["O", "B-LOC", "I-LOC", "B-ANIM", "I-ANIM"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ('{"tokens": ["a"], "ner_tags": [0, 0]}', "found 1 tokens and 2 tags"),
        ('{"tokens": ["a"], "ner_tags": [31]}', "the tag number 31; expected 0 to 30"),
        ('{"tokens": ["a", "b"], "ner_tags": [0, -1]}', "the tag number -1; expected 0 to 30"),
        ('{"tokens": ["a"], "ner_tags": [99999]}', "the tag number 99999; expected 0 to 30"),
        ('{"tokens": ["a"], "ner_tags": [true]}', "tags of mixed types"),
        ('{"tokens": ["a"], "ner_tags": [1.0]}', "tags of mixed types"),
        ('{"tokens": ["a"], "ner_tags": [null]}', "tags of mixed types"),
        ('{"tokens": ["a"], "ner_tags": ["O"]}', "tags of mixed types"),
        ('{"tokens": ["a"], "tags": ["O"]}', "tags of mixed types"),
        ('{"tokens": [1], "ner_tags": [0]}', "tokens of strings"),
        ('{"tokens": [null], "ner_tags": [0]}', "tokens of strings"),
        ('{"tokens": "a", "ner_tags": [0]}', "expected lists"),
        ('{"tokens": ["a"], "ner_tags": [0], "lang": 3}', "found the language 3"),
        ('{"tokens": ["a"], "ner_tags": [0], "lang": null}', "found the language None"),
        ('{"tokens": ["\\ud800"], "ner_tags": [0]}', "half a surrogate pair"),
        ('{"tokens": ["a"], "ner_tags": [0], "lang": "\\ud800"}', "half a surrogate pair"),
        ('{"ner_tags": [0]}', "no key 'tokens'"),
        ("{}", "no key 'tokens'"),
        ('{"tokens": ["a"]}', "no key 'ner_tags' or 'tags'"),
        ('{"tokens": ["a"], "ner_tags": null}', "no key 'ner_tags' or 'tags'"),
        ("[1]", "found list"),
        ("null", "found NoneType"),
        ("{'tokens'", "found no JSON"),
        ('{"tokens": ["a"], "ner_tags": [01]}', "found no JSON"),
        ('{"tokens": ["a"], "ner_tags": [0]}\x00', "found no JSON"),
        ('{"tokens": ["a"], "ner_tags": [0]},', "found no JSON"),
        ('{"tokens": ["a\tb"], "ner_tags": [0]}', "found no JSON"),
        ('{"tokens": ["a"], "ner_tags": [0]} {"tokens": ["b"], "ner_tags": [0]}', "found no JSON"),
        ('{"tokens": ["a"], "ner_tags": [0]}{"tokens": ["b"],\n"ner_tags": [0]}', "found no JSON"),
        ('{"tokens": ["a"],\n"ner_tags": [0]}', "found no JSON"),
        ('{"tokens": ["a"], "ner_tags": [0], "x": NaN, "y": [}', "found no JSON"),
        ('{"tokens": ["a"], "ner_tags": [' + "9" * 5_000 + "]}", "found no JSON"),
        ('{"tokens": ["a"], "ner_tags": [0], "x": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ("[" * 100_000, "(found no JSON|nested too deeply)"),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 100])
def test_a_wrong_line_is_named_as_when_reading_line_by_line(
    tmp_path, small_blocks, monkeypatch, wrong, message, before
):
    path = write_jsonl(tmp_path / "train/train_en.jsonl", [])
    path.write_text("\n".join([*[GOOD] * before, wrong, *[GOOD] * 20]) + "\n")
    number = before + (2 if before == 0 and '["O"]' in wrong else 1)  # then the numbers of the next line are wrong
    with pytest.raises(InputError, match=rf"train_en\.jsonl:{number}: .*{message}") as found:
        read(str(tmp_path), ["en"], "train")
    monkeypatch.setattr(jsonl, "numbered_rows", lambda lines, language: None)
    with pytest.raises(InputError) as expected:
        read(str(tmp_path), ["en"], "train")
    assert str(found.value) == str(expected.value)


def test_numbers_after_names_are_named_with_their_line(tmp_path, small_blocks):
    write_jsonl(tmp_path / "train/train_de.jsonl", [{"tokens": ["a"], "tags": ["O"]}] * 30)
    empty = {"tokens": [], "ner_tags": []}
    write_jsonl(tmp_path / "train/train_en.jsonl", [empty] * 40 + [json.loads(GOOD)] * 40)
    with pytest.raises(InputError, match=r"train_en\.jsonl:41: found tags of mixed types"):
        read(str(tmp_path), ["de", "en"], "train")


@pytest.mark.parametrize(
    ("line", "taken"),
    [
        (GOOD, True),
        ('{"tokens": ["null"], "ner_tags": [0], "lang": "de"}', True),
        ('{"ner_tags" : [ ],"tokens":[]}', True),
        ('{"tokens": ["a"], "ner_tags": [0], "tokens": ["b"]}', False),  # Python takes the last one
        ('{"tokens": ["a"], "ner_tags": [0], "id": 3}', False),
        (' {"tokens": ["a"], "ner_tags": [0]}', False),
    ],
)
def test_which_lines_are_taken_at_once(tmp_path, line, taken):
    assert (numbered_rows((line + "\n").encode(), "xx") is not None) == taken
    write_jsonl(tmp_path / "train/train_xx.jsonl", []).write_text(line + "\n")
    row = json.loads(line)
    result = read(str(tmp_path), ["xx"], "train")
    assert (result.token_lists(), result.langs) == ([row["tokens"]], [row.get("lang", "xx")])


def test_whole_lines_lose_nothing(small_blocks):
    for content in (b"", b"\n", b"a" * 2_000, (b"b" * 90 + b"\n") * 30, b"\n" * 1_200 + b"c"):
        blocks = list(whole_lines(content))
        assert b"".join(blocks) == content
        assert all(block.endswith(b"\n") for block in blocks[:-1])
