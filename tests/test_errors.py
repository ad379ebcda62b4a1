"""What reaches a terminal: one line a message, without control characters, whatever names contain."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT

from arguments import DataArguments
from data import read_split
from ner.corpus.audit import Finding, audit
from ner.scoring.intervals import intervals
from ner.scoring.score_table import score_table
from ner.scoring.scores import counts_of_tags, scores


def ended(code: str, output: int, **variables: str) -> subprocess.CompletedProcess:
    """A script with that code as its `main`, and a file descriptor as its standard output."""
    script = f"import logging\nfrom ner.errors import InputError, run_script\ndef main(argv):\n    {code}\n"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    environment |= {"PYTHONPATH": str(ROOT)} | variables
    command = [sys.executable, "-c", f"{script}run_script(main)"]
    return subprocess.run(command, stdout=output, stderr=subprocess.PIPE, encoding="utf-8", env=environment)


ODD, SHOWN = r"B-\x1b]0;title\x07\nerror: not so", "B-\ufffd]0;title\ufffd error: not so"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        (f"logging.getLogger('ner').info('label %s', '{ODD}')", 0, f"label {SHOWN}\n"),
        (f"raise InputError('found {ODD}')", 2, f"error: found {SHOWN}\n"),
        (r"open('\x1b[31m')", 2, "error: \ufffd[31m: No such file or directory\n"),
        ("open('nothing/new', 'w')", 2, "error: nothing/new: No such file or directory\n"),
    ],
)
def test_messages_are_lines_that_a_terminal_can_show(code, status, message):
    done = ended(rf"print('caf\udcff', flush=True); {code}", subprocess.PIPE)
    assert (done.returncode, done.stdout, done.stderr) == (status, "caf\\udcff\n", message)


@pytest.mark.slow
@pytest.mark.parametrize("code", ["raise KeyError", "raise OSError('a library')"])
def test_a_fault_of_ours_keeps_its_traceback(code):
    done = ended(code, subprocess.DEVNULL)
    assert done.returncode == 1 and "Traceback" in done.stderr


FULL = "error: standard output: No space left on device\n"


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


def test_tables_show_odd_names_as_one_line():
    odd = "B-X\x1b]0;t\x07\nY"
    counted = counts_of_tags([[odd, "O", "B-PER"]], [[odd, "O", "O"]])
    metrics = scores(counted) | {"intervals": intervals(counted)}
    metrics["per_class"]["Z\x9b\r"] = None
    shown = score_table(metrics)
    assert len(shown.split("\n")) == 1 + 2 + 2 + 1 and all(line.isprintable() for line in shown.split("\n"))
    sentences = read_split(DataArguments(dataset="sample"), "validation")
    named = type(sentences)(sentences.table, [name.replace("PER", "P\x1b\nR") for name in sentences.names])
    fault = "same text, several classes"
    text = audit({"test": named}, [Finding(fault, "test", "en", 0, "a\x1b[31m\nb")])
    assert all(line.isprintable() for line in text.split("\n")) and "a\ufffd[31m\ufffdb" in text
