"""Raw text in and entities out, with the real command and a tiny trained checkpoint."""

import csv
import io
import json
import random
import re
import sys
from dataclasses import asdict
from html import unescape
from pathlib import Path

import pandas
import pytest
from conftest import WORDS
from trained_runs import CPU, predictions, tagged

import inference
from ner import Entity, Tagger
from ner.files import locked
from ner.labels import flat_ids, spans
from ner.tagging.output import marked_text

pytestmark = pytest.mark.slow


def texts() -> list[str]:
    rng = random.Random(9)
    odd = "北京|\u200b|\t|\u2028|\x85|😀|e\u0301|'s|.|  ".split("|")
    alphabet = [*WORDS, "Ada Moss", "Lake Inari", "rabies", *odd]
    lines = [" ".join(rng.choices(alphabet, k=rng.randint(1, 30))) for _ in range(300)]
    return ["", "   ", "a" * 3_000, *lines, " ".join(rng.choices(alphabet, k=3_000))]


def test_tagged_text_has_exact_offsets_and_keeps_lines_and_order(run, tmp_path, capsys):
    lines = texts()
    (tmp_path / "in.txt").write_bytes("\r\n".join(lines).encode())
    tagged_lines = tagged(capsys, "--checkpoint", run, "--input_file", tmp_path / "in.txt")
    assert [line["text"] for line in tagged_lines] == lines
    entities = [(line["text"], e) for line in tagged_lines for e in line["entities"]]
    assert len(entities) > 100
    for text, e in entities:
        assert list(e) == ["type", "text", "start", "end", "score"]
        assert text[e["start"] : e["end"]] == e["text"] and 0 < e["score"] <= 1
    assert tagged_lines[0]["entities"] == tagged_lines[1]["entities"] == []


def test_a_least_score_leaves_out_what_is_below(run, tmp_path, capsys):
    (tmp_path / "in.txt").write_text("\n".join(texts()), encoding="utf-8")
    tag = ("--checkpoint", run, "--input_file", tmp_path / "in.txt")
    every = tagged(capsys, *tag)
    middle = sorted(e["score"] for line in every for e in line["entities"])[100]
    kept = tagged(capsys, *tag, "--min_score", middle)
    assert [line["text"] for line in kept] == [line["text"] for line in every]
    assert [line["entities"] for line in kept] == [
        [e for e in line["entities"] if e["score"] >= middle] for line in every
    ]
    assert sum(len(line["entities"]) for line in kept) < sum(len(line["entities"]) for line in every)


def test_entities_are_marked_on_a_terminal():
    entity = {"type": "LOC", "start": 17, "end": 27, "score": 0.5}
    shown = marked_text("a \x1b[31mstorm hit Lake Inari.", [entity])
    assert "\x1b[31m" not in shown and "[Lake Inari]" in shown
    assert shown.splitlines()[1].split()[:3] == ["LOC", "Lake", "Inari"]
    assert "no entity" in marked_text("nothing", [])


def test_three_lines_of_python_tag_as_the_command_does(run, capsys):
    lines = ["a storm hit Lake Inari.", "", "nothing"]
    with pytest.raises(TypeError, match="expected a list of texts"):
        Tagger.load(run).tag(lines[0])
    expected = [tagged(capsys, "--checkpoint", run, "--text", line)[0]["entities"] if line else [] for line in lines]
    tagger = Tagger.load(run, precision="float32")
    found = tagger.tag(lines)
    assert tagger.tag(pandas.Series(lines, index=range(len(lines), 0, -1))) == found
    assert len(tagger.tag([f"\ud83d {lines[0]}"])) == 1  # half an emoji
    assert [[asdict(entity) for entity in entities] for entities in found] == expected
    assert found[0][0] == Entity("LOC", "Lake Inari", 12, 22, expected[0][0]["score"])


def test_tagging_tokens_joined_by_spaces_agrees_with_tagging_tokens(run, capsys, tmp_path):
    inference.main(["--checkpoint", str(run), *CPU])
    lines = predictions(run / "test")
    (tmp_path / "in.txt").write_text("".join(" ".join(line["tokens"]) + "\n" for line in lines))
    tagged_lines = tagged(capsys, "--checkpoint", run, "--input_file", tmp_path / "in.txt")
    classes = ["PER", "ORG", "LOC", "ANIM", "DIS"]
    for tagged_line, line in zip(tagged_lines, lines, strict=True):
        expected = spans(*flat_ids([line["predicted"]], classes))
        texts = [" ".join(line["tokens"][a:b]) for a, b in zip(expected.start, expected.end, strict=True)]
        assert [e["text"] for e in tagged_line["entities"]] == texts


def write_csv(path: Path, texts: list[str]) -> Path:
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "body"], *enumerate(texts)])
    return path


def test_a_table_keeps_its_other_columns_and_tags_as_lines_do(run, tmp_path, capsys):
    lines = texts()
    table = write_csv(tmp_path / "mails.csv", lines)
    (tmp_path / "in.txt").write_text("\n".join(lines), encoding="utf-8")
    expected = tagged(capsys, "--checkpoint", run, "--input_file", tmp_path / "in.txt")
    found = tagged(capsys, "--checkpoint", run, "--input_file", table, "--text_column", "body")
    assert found == [line | {"id": str(i)} for i, line in enumerate(expected)]
    assert list(found[0]) == ["text", "entities", "id"]


def test_a_bar_is_drawn_on_a_terminal_only(run, tmp_path, capsys, monkeypatch):
    (tmp_path / "in.txt").write_text("a storm hit Bergen\n" * 40)
    tag = ["--checkpoint", str(run), "--output_file", str(tmp_path / "out"), *CPU, "--input_file"]

    def drawn(path: str, *options: str) -> bool:
        capsys.readouterr()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a storm hit Bergen\n")))
        monkeypatch.setattr(sys.stdin, "isatty", lambda: typed, raising=False)
        inference.main([*tag, path, *options])
        return " rows/s" in capsys.readouterr().err

    typed = False
    file = str(tmp_path / "in.txt")
    assert not drawn(file)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert drawn(file) and drawn("-") and not drawn(file, "--disable_tqdm", "true")
    typed = True
    assert drawn(file) and not drawn("-")


def test_a_page_has_the_text_and_its_entities(run, tmp_path, capsys):
    lines = ["<script>alert('x')</script> & storm hit Bergen", "", 'Ada Moss "left" Lake Inari.\nand']
    table = write_csv(tmp_path / "<b>.csv", lines)
    tag = ("--checkpoint", run, "--input_file", table, "--text_column", "body")
    expected = tagged(capsys, *tag)
    assert tagged(capsys, *tag, "--html", tmp_path / "page.html") == []
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    paragraphs = re.findall(r'<li><small>id: [^<]*</small><p class="text" dir="auto">(.*?)</p>', page, re.DOTALL)
    marks = [re.findall(r"<mark [^>]*>(.*?) <small>(.*?) (.*?)</small></mark>", p) for p in paragraphs]
    assert [[(name, unescape(text), score) for text, name, score in some] for some in marks] == [
        [(e["type"], e["text"], f"{e['score']:.2f}") for e in line["entities"]] for line in expected
    ]
    assert any(marks)
    assert [unescape(re.sub("<[^>]*>", "", re.sub(" <small>.*?</small>", "", p))) for p in paragraphs] == lines
    assert "<b>" not in page and "<script" not in page and "http" not in page


def test_an_interrupted_output_is_continued_to_the_same_bytes(run, tmp_path, monkeypatch, fails):
    monkeypatch.setattr(inference, "LINES", 64)
    table, out, page = write_csv(tmp_path / "t.csv", texts()), tmp_path / "out.jsonl", tmp_path / "page.html"
    tag = [str(a) for a in ("--checkpoint", run, "--input_file", table, "--text_column", "body", *CPU)]
    whole = tmp_path / "whole.jsonl"
    inference.main([*tag, "--output_file", str(whole), "--html", str(tmp_path / "whole.html")])
    every, calls = Tagger.tag, []

    def until_stopped(tagger: Tagger, lines: list[str]):
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(len(lines))
        return every(tagger, lines)

    to = (*tag, "--output_file", str(out), "--html", str(page))
    with monkeypatch.context() as patched:
        patched.setattr(Tagger, "tag", until_stopped)
        with pytest.raises(KeyboardInterrupt):
            inference.main([*to])
    kept = tmp_path / ".unfinished-out.jsonl"
    content = kept.read_bytes()
    assert content == b"".join(whole.read_bytes().splitlines(keepends=True)[: 64 * 3])
    assert not out.exists() and not page.exists()

    assert "was interrupted" in fails(inference.main, *to)
    shorter = str(write_csv(tmp_path / "short.csv", texts()[:40]))
    others = str(write_csv(tmp_path / "others.csv", texts()[1:]))
    for path, line in ((others, 1), (shorter, 41)):
        message = fails(inference.main, *to, "--input_file", path, "--continue", "true")
        assert f"{kept}:{line}: its text is not that of this row of the input" in message
    for damage, found in ((b"{]\n", "cannot be read"), (b"3\n", "its text"), (b"{}\n", "its text")):
        kept.write_bytes(damage)
        assert f"{kept}:1: {found}" in fails(inference.main, *to, "--continue", "true")
    kept.write_bytes(content)
    with locked(tmp_path / f"{kept.name}.lock", ""):
        assert f"{out}: another process writes it" in fails(inference.main, *to, "--continue", "true")
    assert kept.read_bytes() == content
    kept.write_bytes(content + b'{"text": "half')  # as a power cut leaves it
    inference.main([*to, "--continue", "true"])
    assert out.read_bytes() == whole.read_bytes() and not list(tmp_path.glob(f"{kept.name}*"))
    assert page.read_bytes() == (tmp_path / "whole.html").read_bytes()


def test_the_output_file_is_written_with_care(run, tmp_path, capsys, fails):
    (tmp_path / "in.txt").write_text("a storm hit Bergen\n")
    (tmp_path / "in.txt.partial").write_text("mine")
    tag = ("--checkpoint", run, "--input_file", tmp_path / "in.txt", "--output_file")
    assert "Is a directory" in fails(inference.main, *tag, tmp_path)
    assert f"{tmp_path / 'none/out'}: No such file" in fails(inference.main, *tag, tmp_path / "none" / "out")
    assert tagged(capsys, *tag, tmp_path / "in.txt") == []  # in place: read whole before it is replaced
    assert json.loads((tmp_path / "in.txt").read_text())["text"] == "a storm hit Bergen"
    assert (tmp_path / "in.txt.partial").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.txt", "in.txt.partial"]


def test_long_rows_are_tagged_a_few_at_a_time(run, tmp_path, capsys, monkeypatch):
    (tmp_path / "in.txt").write_text("\n".join(texts()), encoding="utf-8")
    tag = ("--checkpoint", run, "--input_file", tmp_path / "in.txt")
    every, sizes = Tagger.tag, []

    def measured(tagger: Tagger, part: list[str]):
        sizes.append(sum(map(len, part[:-1])))
        return every(tagger, part)

    def found() -> list:
        return [[line["text"], *((e["type"], e["start"], e["end"]) for e in line["entities"])]
                for line in tagged(capsys, *tag)]  # fmt: skip

    expected = found()
    monkeypatch.setattr("ner.tagging.text_rows.CHARACTERS", 1_000)
    monkeypatch.setattr(Tagger, "tag", measured)
    assert found() == expected and len(sizes) > 10 and max(sizes) <= 1_000
