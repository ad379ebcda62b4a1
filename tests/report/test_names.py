"""Names of runs and classes in the report, whatever characters they have."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from scored_runs import report_of, sentences, with_noise, write_run

import report

pytestmark = pytest.mark.slow


def test_names_are_the_shortest_suffixes_that_differ(tmp_path):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    folders = [write_run(tmp_path / parent / "run", rows) for parent in ("x", "y")]
    assert list(report_of(tmp_path, *folders)["runs"]) == ["x/run", "y/run"]


def test_names_from_files_are_no_markup(tmp_path):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    odd = [r | {s: [t.replace("PER", "<b>|x") for t in r[s]] for s in ("gold", "predicted")} for r in rows]
    report_of(tmp_path, write_run(tmp_path / "a", odd), write_run(tmp_path / "b", odd))
    text, page = ((tmp_path / "out" / name).read_text() for name in ("report.md", "report.html"))
    assert "&lt;b&gt;\\|x" in text and "&lt;b&gt;|x" in page and "<b>" not in text + page


def test_names_of_run_folders_inject_nothing_and_may_be_no_utf8(tmp_path):
    rows = with_noise(sentences(random.Random(0)), 0.3, 1)
    names = (b"a\r# Heading", b"![x](data:b", b"c](d\x1b]0;t\x07", b"t\xff", b"t\xfe", "\u2028e\u202e".encode())
    folders = [write_run(Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)), rows) for name in names]
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/out\xff"))
    done = subprocess.run([sys.executable, report.__file__, *folders, "--output_dir", odd], capture_output=True)
    assert done.returncode == 0, done.stderr
    text = (odd / "report.md").read_bytes().decode("utf-8")
    for shown in (text, done.stdout.decode("utf-8")):
        assert all(line.isprintable() for line in shown.split("\n"))
        assert "\n# Heading" not in shown and "t\\\\xff" in shown and "t\\\\xfe" in shown
        assert "!\\[x\\](data:b" in shown
    assert set(json.loads((odd / "report.json").read_text())["runs"]) >= {"a\r# Heading", "t\\xff", "t\\xfe"}
