"""Large files: read in blocks, they give what reading line by line gives, mistakes included."""

import json
import random
import string

import pytest
from conftest import write_jsonl

from ner.corpus import collector, json_blocks, readers, sentences
from ner.corpus.json_blocks import numbered_rows, whole_lines
from ner.corpus.readers import read
from ner.errors import InputError

GOOD = '{"tokens": ["Rabies", "kills", "."], "ner_tags": [13, 0, 0], "lang": "en"}'


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of a few rows and lines, so that small files have many."""
    monkeypatch.setattr(collector, "ROWS", 7)
    monkeypatch.setattr(json_blocks, "BYTES", 500)


def rows_of(count: int) -> list[dict]:
    """Rows with empty sentences and tokens, and characters that JSON escapes or UTF-8 writes with up to four bytes."""
    rng = random.Random(0)
    alphabet = string.ascii_letters + '"\\/{}[]:,\t\x7f\x00éß北🦇\u2028\x85'
    rows = []
    for i in range(count):
        tokens = ["".join(rng.choices(alphabet, k=rng.randint(0, 6))) for _ in range(rng.choice((0, 1, 5, 20)))]
        row = {"tokens": tokens, "ner_tags": [rng.randint(0, 30) for _ in tokens]}
        rows.append(row | ({"lang": rng.choice(("en", "de"))} if i % 3 else {}))
    return rows


@pytest.mark.parametrize("escaped", [True, False])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_blocks_give_the_rows_of_the_file(tmp_path, small_blocks, escaped, end):
    rows = rows_of(200)
    path = tmp_path / "train" / "train_en.jsonl"
    path.parent.mkdir()
    path.write_bytes(end.join(json.dumps(row, ensure_ascii=escaped) for row in rows).encode())
    result = read(str(tmp_path), ["en"], "train")
    assert result.token_lists() == [row["tokens"] for row in rows]
    assert result.tags.tolist() == [tag for row in rows for tag in row["ner_tags"]]
    assert result.lengths.tolist() == [len(row["tokens"]) for row in rows]
    assert result.langs == [row.get("lang", "en") for row in rows]
    assert all(column.num_chunks == 1 and column.null_count == 0 for column in result.table.columns)


def test_names_in_blocks_make_one_label_set(tmp_path, small_blocks):
    tags = [["O", "B-LOC"], ["I-LOC"], [], ["B-ANIM "], ["O"]] * 40
    write_jsonl(tmp_path / "train/train_en.jsonl", [{"tokens": ["x"] * len(t), "tags": t} for t in tags])
    result = read(str(tmp_path), ["en"], "train")
    assert result.tag_lists() == [[tag.strip() for tag in t] for t in tags]
    assert result.names == ["O", "B-LOC", "I-LOC", "B-ANIM", "I-ANIM"]


@pytest.mark.parametrize(
    "wrong",
    [
        '{"tokens": ["a"], "ner_tags": [0, 0]}',
        '{"tokens": ["a"], "ner_tags": [31]}',
        '{"tokens": ["a"], "ner_tags": [-1]}',
        '{"tokens": ["a"], "ner_tags": [99999]}',
        '{"tokens": ["a"], "ner_tags": [1.0]}',
        '{"tokens": ["a"], "ner_tags": [null]}',
        '{"tokens": ["a"], "ner_tags": null}',
        '{"tokens": [null], "ner_tags": [0]}',
        '{"tokens": [1], "ner_tags": [0]}',
        '{"tokens": ["a"], "ner_tags": [0], "lang": null}',
        '{"tokens": ["a"], "ner_tags": ["O"]}',
        '{"tokens": ["a"], "tags": ["O"]}',
        '{"tokens": ["\\ud800"], "ner_tags": [0]}',
        '{"tokens": ["a"], "ner_tags": [0]} {"tokens": ["b"], "ner_tags": [0]}',
        '{"tokens": ["a"], "ner_tags": [0]}{"tokens": ["b"],\n"ner_tags": [0]}',
        '{"tokens": ["a"],\n"ner_tags": [0]}',
        '{"tokens": ["a\tb"], "ner_tags": [0]}',
        '{"tokens": ["a"], "ner_tags": [01]}',
        '{"tokens": ["a"], "ner_tags": [0]}\x00',
        '{"tokens": ["a"], "ner_tags": [0]},',
        '{"tokens": ["a"], "ner_tags": [0], "x": NaN, "y": [}',
        '{"tokens": ["a"], "ner_tags": [0], "x": ' + "[" * 100_000 + "]" * 100_000 + "}",
        "{}",
        "null",
    ],
)
@pytest.mark.parametrize("before", [0, 1, 100])
def test_a_wrong_line_is_named_as_when_reading_line_by_line(tmp_path, small_blocks, monkeypatch, wrong, before):
    path = tmp_path / "train" / "train_en.jsonl"
    path.parent.mkdir()
    path.write_text("\n".join([*[GOOD] * before, wrong, *[GOOD] * 20]) + "\n")
    with pytest.raises(InputError) as found:
        read(str(tmp_path), ["en"], "train")
    monkeypatch.setattr(readers, "numbered_rows", lambda lines, language: None)
    with pytest.raises(InputError) as expected:
        read(str(tmp_path), ["en"], "train")
    assert str(found.value) == str(expected.value)
    first = before == 0 and '["O"]' in wrong  # then the numbers of the next line are the mistake
    assert f"train_en.jsonl:{before + 1 + first}: " in str(found.value)


def test_numbers_after_names_are_named_with_their_line(tmp_path, small_blocks):
    write_jsonl(tmp_path / "train/train_de.jsonl", [{"tokens": ["a"], "tags": ["O"]}] * 30)
    empty = {"tokens": [], "ner_tags": []}
    write_jsonl(tmp_path / "train/train_en.jsonl", [empty] * 40 + [json.loads(GOOD)] * 40)
    with pytest.raises(InputError, match=r"train_en\.jsonl:41: found tags of other types"):
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
    block = numbered_rows((line + "\n").encode(), "xx")
    assert (block is not None) == taken
    write_jsonl(tmp_path / "train/train_xx.jsonl", [])
    (tmp_path / "train/train_xx.jsonl").write_text(line + "\n")
    row = json.loads(line)
    result = read(str(tmp_path), ["xx"], "train")
    assert (result.token_lists(), result.langs) == ([row["tokens"]], [row.get("lang", "xx")])


def test_whole_lines_lose_nothing(small_blocks):
    for content in (b"", b"\n", b"a" * 2_000, (b"b" * 90 + b"\n") * 30, b"\n" * 1_200 + b"c"):
        blocks = list(whole_lines(content))
        assert b"".join(blocks) == content
        assert all(block.endswith(b"\n") for block in blocks[:-1])


def test_more_text_than_a_column_holds_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(collector, "LARGEST_OFFSET", 1_000)
    for language, count in (("de", 70), ("en", 80)):  # of eleven bytes each
        write_jsonl(tmp_path / f"train/train_{language}.jsonl", [json.loads(GOOD)] * count)
    assert len(read(str(tmp_path), ["en"], "train")) == 80
    with pytest.raises(InputError, match=r"train_en\.jsonl:1: found more than 1,000 bytes of tokens in one split"):
        read(str(tmp_path), ["de", "en"], "train")


def test_more_tokens_than_a_column_holds_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(sentences, "LARGEST_OFFSET", 10)
    write_jsonl(tmp_path / "train/train_en.jsonl", [json.loads(GOOD)] * 4)
    rows = read(str(tmp_path), ["en"], "train")
    with pytest.raises(InputError, match=r"found 12 tokens or sub-tokens in the rows of a split; expected at most 10"):
        rows.with_names(["O"])
