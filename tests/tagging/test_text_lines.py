"""Text in and tagged lines out, through files, pipes and the standard streams of a shell."""

import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from trained_runs import CPU, barely_trained

import inference
from ner.errors import run_script

# Copies lines as `inference.py` tags them, without the seconds that loading a model takes.
COPY = """
from ner.errors import run_script
from ner.files import writing
from ner.tagging.text_lines import blocks, input_lines, output
def main(argv):
    with input_lines(None, argv[0]) as lines, output(argv[1] if argv[1:] else None) as file:
        for block in blocks(lines, 2):
            with writing(argv[1] if argv[1:] else "standard output"):
                print(*block, sep="\\n", file=file, flush=True)
run_script(main)
"""
TEXT = "one\ntwo\u2028\nthree\n"
CLOSED = "standard output is closed; expected it open, or --output_file with a file's name"


@pytest.fixture(scope="module")
def run(corpus, encoders, tmp_path_factory) -> Path:
    return barely_trained(corpus, encoders["bert"], tmp_path_factory.mktemp("runs") / "tagger")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_scores_that_are_replaced_keep_their_permissions(run):
    inference.main(["--checkpoint", str(run), *CPU])
    (run / "test").chmod(0o700)
    (run / "test" / "predictions.jsonl").chmod(0o600)
    inference.main(["--checkpoint", str(run), *CPU])
    assert mode(run / "test") == 0o700
    assert mode(run / "test" / "predictions.jsonl") == 0o600


@pytest.mark.parametrize(
    ("command", "out", "message"),
    [
        ("COPY in", TEXT, ""),
        ("PYTHONIOENCODING=ascii COPY - < in", TEXT, ""),
        ("COPY in /dev/stdout >> log; cat log", f"before\n{TEXT}", ""),
        ("COPY in /dev/fd/3 3>> log; cat log", f"before\n{TEXT}", ""),
        ("COPY in /dev/stderr 2>&1", TEXT, ""),
        ("COPY in >(cat); wait", TEXT, ""),
        ("mkfifo pipe; cat pipe & COPY in pipe; wait", TEXT, ""),
        ("COPY in /dev/null; [ -c /dev/null ]", "", ""),
        ("COPY in out <&- >&-; cat out", TEXT, ""),
        ("COPY - <&-", "", "--input_file -: standard input is closed; expected lines there, or a file's name"),
        ("COPY in >&-", "", CLOSED),
        ("COPY in /dev/stdout >&-", "", CLOSED),
        ("COPY in > /dev/full", "", "standard output: No space left on device; expected a place that can be written"),
        ("COPY in /dev/full", "", "/dev/full: No space left on device; expected a place that can be written"),
        ("COPY in /dev/fd/987", "", "/dev/fd/987: Bad file descriptor; expected a place that can be written"),
        ("COPY none", "", "--input_file: none cannot be read: No such file or directory"),
    ],
)
def test_files_pipes_and_standard_streams(command, out, message, tmp_path):
    (tmp_path / "in").write_text("one\r\ntwo\u2028\nthree")
    (tmp_path / "log").write_text("before\n")
    environment = os.environ | {"SCRIPT": COPY, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    command = f'COPY() {{ "$PYTHON" -c "$SCRIPT" "$@"; }}; {command}'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert (done.stdout, done.stderr) == (out, f"error: {message}\n" if message else "")
    assert done.returncode == (2 if message else 0)


def test_a_full_output_of_tags_is_one_message(run, fails):
    message = fails(inference.main, "--checkpoint", run, "--text", "rabies", "--output_file", "/dev/full", *CPU)
    assert message == "error: /dev/full: No space left on device; expected a place that can be written\n"


def test_lines_before_a_wrong_one_are_written(run, tmp_path, capsys, monkeypatch):
    source = tmp_path / "in.txt"
    source.write_bytes(b"one\n" * 3_000 + b"\xff\nmore\n")
    tag = ["script", "--checkpoint", str(run), "--input_file", str(source), *CPU]
    monkeypatch.setattr(sys, "argv", tag)
    with pytest.raises(SystemExit) as stop:
        run_script(inference.main)
    printed = capsys.readouterr()
    assert stop.value.code == 2
    assert [json.loads(line)["text"] for line in printed.out.splitlines()] == ["one"] * 3_000
    assert f"{source}:3001: found bytes that are not UTF-8" in printed.err


def test_names_from_a_checkpoint_do_not_reach_a_terminal_raw(run, monkeypatch, capsys):
    text, odd = "a \x1b[31mstorm\x9b1m", "X\x1b]0;title\x07\n\u202e"
    monkeypatch.setattr(inference, "is_terminal", lambda stream: True)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    entity = {"type": odd, "text": "storm", "start": 7, "end": 12, "score": 0.5}
    monkeypatch.setattr(inference, "tag_texts", lambda texts, tagger: [[entity] for _ in texts])
    for words in (("--text", text), ("--input_file", "-")):
        inference.main(["--checkpoint", str(run), *words, *CPU])
        shown = capsys.readouterr().out
        assert "storm" in shown and not set("\x07\x9b\u202e") & set(shown) and "\x1b]" not in shown
        assert "\x1b[31" not in shown
    assert json.loads(shown) == {"text": text, "entities": [entity]}
