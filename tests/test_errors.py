"""What reaches a terminal: one line a message, without control characters, whatever names contain."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT

import hub
import report
from arguments import DataArguments
from data import read_split
from ner.corpus.audit import Finding, audit
from ner.scoring.intervals import intervals
from ner.scoring.score_table import score_table
from ner.scoring.scores import counts_of_tags, scores

SCRIPT = """
import logging, sys
from ner.errors import InputError, run_script
from ner.files import writing
def main(argv):
    logging.getLogger("ner").info("label %s", "B-\\x1b]0;title\\x07\\nerror: not so")
    print("caf\\udcff", flush=True)
    if argv:
        with writing("output"):
            open("\\x1b[31m/none")
    raise InputError("found B-\\x1b]0;title\\x07\\nerror: not so")
run_script(main)
"""


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("an OSError",)])
def test_messages_are_lines_that_a_terminal_can_show(words):
    command = [sys.executable, "-c", SCRIPT, *words]
    done = subprocess.run(command, capture_output=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == 2
    assert done.stdout == b"caf\\udcff\n"
    lines = done.stderr.decode().split("\n")
    assert lines[0] == "label B-\ufffd]0;title\ufffd error: not so"
    assert lines[1].startswith("error: ") and lines[2:] == [""] and "\x1b" not in lines[1]


def ended(code: str, output: int, **variables: str) -> subprocess.CompletedProcess:
    """A script with that code as its `main`, and a file descriptor as its standard output."""
    script = f"from ner.errors import InputError, run_script\ndef main(argv):\n    {code}\nrun_script(main)"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    environment |= {"PYTHONPATH": str(ROOT)} | variables
    command = [sys.executable, "-c", script]
    return subprocess.run(command, stdout=output, stderr=subprocess.PIPE, encoding="utf-8", env=environment)


FULL = "error: standard output: No space left on device; expected a place that can be written\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "variables", "message"),
    [
        ("print('a')", {}, FULL),
        ("print('a' * 100_000)", {}, FULL),
        ("print('a')", {"PYTHONUNBUFFERED": "1"}, FULL),
        ("print('a'); raise InputError('wrong')", {}, "error: wrong\n"),
    ],
)
def test_a_full_standard_output_is_one_message(code, variables, message):
    with open("/dev/full", "w") as full:
        done = ended(code, full.fileno(), **variables)
    assert (done.returncode, done.stderr) == (2, message)


@pytest.mark.slow
@pytest.mark.parametrize("code", ["print('a')", "print('a' * 100_000)"])
def test_a_pipe_whose_reader_has_gone_is_no_error(code):
    read, write = os.pipe()
    os.close(read)
    done = ended(code, write)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.slow
@pytest.mark.parametrize("code", ["open('nothing')", "open('nothing/new', 'w')"])
def test_a_fault_of_ours_keeps_its_traceback(code):
    done = ended(code, subprocess.DEVNULL)
    assert done.returncode == 1 and "Traceback" in done.stderr and "can be written" not in done.stderr


def test_tables_show_odd_names_as_one_line():
    odd = "B-X\x1b]0;t\x07\nY"
    counted = counts_of_tags([[odd, "O", "B-PER"]], [[odd, "O", "O"]])
    metrics = scores(counted) | {"intervals": intervals(counted)}
    metrics["per_class"]["Z\x9b\r"] = None
    shown = score_table(metrics)
    assert len(shown.split("\n")) == 1 + 2 + 2 + 1 and all(line.isprintable() for line in shown.split("\n"))
    sentences = read_split(DataArguments(dataset="sample"), "validation")
    named = type(sentences)(sentences.table, [name.replace("PER", "P\x1b\nR") for name in sentences.names])
    fault = "surface of several classes"
    text = audit({"test": named}, [Finding(fault, "test", "en", 0, "a\x1b[31m\nb")])
    assert all(line.isprintable() for line in text.split("\n")) and "a\ufffd[31m\ufffdb" in text


def test_empty_names_of_folders(fails):
    for main, *argv in ((report.main, ""), (hub.main, "card", ""), (hub.main, "onnx", "")):
        assert "found an empty name; expected a folder" in fails(main, *argv)
