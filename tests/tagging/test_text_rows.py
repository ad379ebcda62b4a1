"""Text in and tagged lines out, through files, pipes and the standard streams of a shell; and tables in."""

import csv
import datetime
import decimal
import io
import json
import os
import random
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT
from trained_runs import CPU

import inference
from ner.errors import InputError
from ner.tagging.output import Entity, output, skip_tagged
from ner.tagging.tagger import Tagger
from ner.tagging.text_rows import input_rows, row_count

# Copies lines as `inference.py` tags them, without the seconds that loading a model takes.
COPY = """
from ner.errors import run_script
from ner.tagging.output import output
from ner.tagging.text_rows import input_rows
def main(argv):
    with input_rows(None, argv[0]) as rows, output(argv[1] if argv[1:] else None) as file:
        for line, _ in rows:
            print(line, file=file, flush=True)
run_script(main)
"""
TEXT = "one\ntwo\u2028\nthree\n"


@pytest.mark.parametrize("text", ["a", "a\r", "a\n", "a\r\n\nb", "\n", "a\u2028\n\n"])
def test_a_text_has_the_lines_that_it_has_in_a_file(text, tmp_path):
    (tmp_path / "in.txt").write_bytes(text.encode())
    with input_rows(text, None) as rows, input_rows(None, str(tmp_path / "in.txt")) as rows_of_file:
        assert list(rows) == list(rows_of_file)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "out"),
    [
        ("COPY in", TEXT),
        ("PYTHONIOENCODING=ascii COPY - < in", TEXT),
        ("COPY in /dev/stdout >> log; cat log", f"before\n{TEXT}"),
        ("COPY in >(cat); wait", TEXT),
        ("mkfifo pipe; cat pipe & COPY in pipe; wait", TEXT),
        ("COPY in /dev/null; [ -c /dev/null ]", ""),
        ("COPY in out; cat out", TEXT),
        ("ln -s out link; COPY in link; [ -L link ] && cat out", TEXT),
    ],
)
def test_files_pipes_and_standard_streams(command, out, tmp_path):
    (tmp_path / "in").write_text("one\r\ntwo\u2028\nthree", encoding="utf-8")
    (tmp_path / "log").write_text("before\n")
    environment = os.environ | {"SCRIPT": COPY, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    environment["LC_ALL"] = "C"  # of any other, bash might say that this machine lacks it
    command = f'COPY() {{ "$PYTHON" -c "$SCRIPT" "$@"; }}; {command}'
    done = subprocess.run(["bash", "-c", command], capture_output=True, encoding="utf-8", env=environment, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, out, "")


@pytest.mark.parametrize("place", ["/dev/stdout", "/dev/null"])
def test_nothing_is_continued_in_what_is_no_file(place):
    with output(place, continues=True) as file:
        assert skip_tagged(file, iter([("a", {})]), lambda tagged: None) == 0


@pytest.mark.parametrize(
    ("stream", "words", "message"),
    [
        ("stdin", ("--input_file", "-"), "--input_file: standard input is closed"),
        ("stdout", ("--text", "a"), "--output_file: standard output is closed"),
    ],
)
def test_a_closed_stream_is_reported(stream, words, message, monkeypatch):
    with monkeypatch.context() as closed, pytest.raises(InputError, match=message):
        closed.setattr(sys, stream, None)
        inference.main(["--checkpoint", "none", *words])


@pytest.mark.slow
def test_names_from_a_checkpoint_do_not_reach_a_terminal_raw(quick_run, monkeypatch, capsys):
    text, odd = "a \x1b[31mstorm\x9b1m", "X\x1b]0;title\x07\n\u202e"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    entity = Entity(odd, "storm", 7, 12, 0.5)
    monkeypatch.setattr(Tagger, "tag", lambda tagger, texts: [[entity] for _ in texts])
    for words in (("--text", text), ("--input_file", "-")):
        inference.main(["--checkpoint", str(quick_run), *words, *CPU])
        shown = capsys.readouterr().out
        assert "storm" in shown and not set("\x07\x9b\u202e") & set(shown) and "\x1b]" not in shown
        assert "\x1b[31" not in shown
    assert json.loads(shown)["entities"][0]["score"] == 0.5


def rows_of(path: Path) -> list[tuple[str, dict]]:
    with input_rows(None, str(path), "body") as rows:
        return list(rows)


def test_csv_jsonl_and_parquet_give_the_same_rows(tmp_path):
    texts = ['say "hi", then\r\n\nleave\u2028', "", "tab\there", "a" * 300_000, "\ufeff\u00e9\x85 "]
    table = {"id": [str(i) for i in range(len(texts))], "body": texts, "": [" x"] * len(texts)}
    rows = [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]
    separated = (("t.csv", ",", "utf-8"), ("excel.csv", ";", "utf-8-sig"), ("t.TSV", "\t", "utf-8-sig"))
    for name, delimiter, encoding in separated:
        with open(tmp_path / name, "w", encoding=encoding, newline="") as file:
            writer = csv.DictWriter(file, table, delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)
            file.write("\r\n")
    lines = [json.dumps(row, ensure_ascii=i % 2 == 0) + "\r\n" * (i % 2) for i, row in enumerate(rows)]
    for name in ("t.jsonl", "t.ndjson"):
        (tmp_path / name).write_text("\n".join(lines), encoding="utf-8-sig", newline="")
    pq.write_table(pa.table(table), tmp_path / "t.parquet", row_group_size=2)
    expected = [(row["body"], {"id": row["id"], "": " x"}) for row in rows]
    for name in ("t.csv", "excel.csv", "t.TSV", "t.jsonl", "t.ndjson", "t.parquet"):
        assert rows_of(tmp_path / name) == expected, name
        assert row_count(None, str(tmp_path / name), "body") == len(texts)


def test_parquet_is_read_a_little_at_a_time(tmp_path):
    rng = random.Random(0)
    texts = [rng.randbytes(500).hex() for _ in range(20_000)]
    pq.write_table(pa.table({"body": texts}), tmp_path / "t.parquet", row_group_size=len(texts))
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    with input_rows(None, str(tmp_path / "t.parquet"), "body") as rows:
        arrow = max(pa.total_allocated_bytes() - before for _ in rows)
    _, python = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert arrow + python < os.path.getsize(tmp_path / "t.parquet") / 2


def test_damage_within_a_parquet_file_is_named(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"body": [f"text {i}" for i in range(1000)]}), path, use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[40:400] = bytes(360)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"t.parquet: cannot be read after row 0: "):
        rows_of(path)


def test_values_that_json_does_not_have(tmp_path):
    day, time = datetime.date(2026, 1, 2), datetime.datetime(2026, 1, 2, 3, 4, 5)
    lists = pa.array([[float("nan"), 1.5], None])
    table = {"body": pa.array(["a", None]).dictionary_encode(), "day": [day, None], "time": [time, None], "list": lists,
             "price": [decimal.Decimal("1.50"), None]}  # fmt: skip
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    values = {"day": "2026-01-02", "time": "2026-01-02 03:04:05", "list": [None, 1.5], "price": "1.50"}
    assert rows_of(tmp_path / "t.parquet") == [("a", values), ("", dict.fromkeys(values))]
    (tmp_path / "t.jsonl").write_text('{"body": null, "x": [NaN, -Infinity, 0.1]}\n')
    assert rows_of(tmp_path / "t.jsonl") == [("", {"x": [None, None, 0.1]})]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", 'body,b\n"a\nb",1\n\nx\n', "t.csv:5: found 1 fields; expected 2, as in the first row"),
        ("t.csv", 'body,b\nx,1\n"y,1\nz,1\n', "t.csv:4: cannot be read: unexpected end of data; expected CSV"),
        ("t.csv", 'body,b\n"x" y,1\n', "t.csv:2: cannot be read: "),
        ("t.csv", b"body,b\nx,1\n\xff,1\n", "t.csv:3: found bytes that are not UTF-8"),
        ("t.csv", "", "t.csv:1: found no column 'body'; expected a row with the names of the columns first"),
        ("t.csv", "body,text\n", "t.csv:1: tagged text would have the key 'text' twice; .*; rename one"),
        ("t.csv", "entities,body\n", "t.csv:1: tagged text would have the key 'entities' twice"),
        ("t.csv", "id;body,b\n7;a,1\n", "t.csv:1: found no column 'body'; expected one of 'id;body', 'b'"),
        ("t.csv", "id;body\n7;a;b\n", "t.csv:2: found 3 fields; expected 2"),
        ("t.tsv", "id\tbodi\n", "t.tsv:1: found no column 'body'; expected one of 'id', 'bodi'; did you mean 'bodi'"),
        ("t.parquet", b"PAR1" + b"\xff" * 20 + b"\x08\0\0\0PAR1", "t.parquet: is not a complete Parquet file: "),
        ("t.jsonl", "[" * 100_000, "t.jsonl:1: found no JSON: .*; expected an object in each line"),
        ("t.jsonl", '{"body": "x"}\n{"body"\n', "t.jsonl:2: found no JSON: .*; expected an object in each line"),
        ("t.jsonl", '\n["x"]\n', r't.jsonl:2: found \["x"\]; expected an object'),
        ("t.jsonl", "null\n", "t.jsonl:1: found null; expected an object"),
        ("t.jsonl", '{"body": "x"}\n{"bdy": "x"}\n', "t.jsonl:2: found no column 'body'; .*did you mean 'bdy'"),
        ("t.jsonl", '{"body": 7}\n', "t.jsonl:1: found 7 in the column 'body'; expected text, or null"),
        ("t.parquet", {"bodi": ["x"]}, "t.parquet: found no column 'body'; .*did you mean 'bodi'"),
        ("t.parquet", {"body": [b"x"]}, "t.parquet:1: found b'x' in the column 'body'; expected text"),
    ],
)
def test_a_wrong_table_is_refused_with_its_place(name, content, message, tmp_path):
    if isinstance(content, dict):
        pq.write_table(pa.table(content), tmp_path / name)
    else:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError, match=message):
        rows_of(tmp_path / name)


def test_a_stream_by_its_name_is_not_read_twice(monkeypatch):
    monkeypatch.setattr(os.path, "isfile", lambda path: True)
    assert row_count(None, "/dev/stdin") is None and row_count(None, "-") is None
