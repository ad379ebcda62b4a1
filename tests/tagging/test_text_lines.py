"""Text in and tagged lines out, through files, pipes and the standard streams of a shell."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from trained_runs import CPU, barely_trained

import inference
from ner.tagging.tagger import Entity, Tagger

# Copies lines as `inference.py` tags them, without the seconds that loading a model takes.
COPY = """
from ner.errors import run_script
from ner.tagging.text_lines import input_lines, output
def main(argv):
    with input_lines(None, argv[0]) as lines, output(argv[1] if argv[1:] else None) as file:
        for line in lines:
            print(line, file=file, flush=True)
run_script(main)
"""
TEXT = "one\ntwo\u2028\nthree\n"


@pytest.fixture(scope="module")
def run(corpus, encoders, tmp_path_factory) -> Path:
    return barely_trained(corpus, encoders["bert"], tmp_path_factory.mktemp("runs") / "tagger")


@pytest.mark.parametrize(
    ("command", "out", "message"),
    [
        ("COPY in", TEXT, ""),
        ("PYTHONIOENCODING=ascii COPY - < in", TEXT, ""),
        ("COPY in /dev/stdout >> log; cat log", f"before\n{TEXT}", ""),
        ("COPY in >(cat); wait", TEXT, ""),
        ("mkfifo pipe; cat pipe & COPY in pipe; wait", TEXT, ""),
        ("COPY in /dev/null; [ -c /dev/null ]", "", ""),
        ("COPY in out; cat out", TEXT, ""),
        ("ln -s out link; COPY in link; [ -L link ] && cat out", TEXT, ""),
        ("COPY in > /dev/full", "", "standard output: No space left on device"),
        ("COPY in .", "", ".: Is a directory"),
        ("COPY none", "", "none: No such file or directory"),
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


def test_names_from_a_checkpoint_do_not_reach_a_terminal_raw(run, monkeypatch, capsys):
    text, odd = "a \x1b[31mstorm\x9b1m", "X\x1b]0;title\x07\n\u202e"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    entity = Entity(odd, "storm", 7, 12, 0.5)
    monkeypatch.setattr(Tagger, "tag", lambda tagger, texts: [[entity] for _ in texts])
    for words in (("--text", text), ("--input_file", "-")):
        inference.main(["--checkpoint", str(run), *words, *CPU])
        shown = capsys.readouterr().out
        assert "storm" in shown and not set("\x07\x9b\u202e") & set(shown) and "\x1b]" not in shown
        assert "\x1b[31" not in shown
    assert json.loads(shown)["entities"][0]["score"] == 0.5
