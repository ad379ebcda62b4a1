"""What reaches a terminal: one line a message, without control characters, whatever names contain."""

import os
import subprocess
import sys
from dataclasses import replace
from unittest.mock import Mock

import pytest
from conftest import ROOT

from arguments import DataArguments
from data import evaluation_sentences
from ner.corpus.audit import Finding, audit
from ner.errors import nearest, printable


def test_similar_names_are_found_in_any_case_and_joiners_stay():
    assert nearest("per", ["PER", "LOC"]) == "; did you mean 'PER'?" and nearest("xyz", ["PER"]) == ""
    assert printable("a\u200cb\u200dc\u202e") == "a\u200cb\u200dc\ufffd"


def ended(code: str, output: int, **variables: str) -> subprocess.CompletedProcess:
    """A script with that code as its `main`, and a file descriptor as its standard output."""
    script = f"import logging\nfrom ner.errors import *\ndef main(argv):\n    {code}\n"
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
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
    ],
)
def test_messages_are_lines_that_a_terminal_can_show(code, status, message):
    done = ended(rf"print('caf\udcff', flush=True); {code}", subprocess.PIPE)
    assert (done.returncode, done.stdout, done.stderr) == (status, "caf\\udcff\n", message)


@pytest.mark.slow
@pytest.mark.parametrize("code", ["raise KeyError", "raise OSError('a library')", "raise RuntimeError('shapes')"])
def test_a_fault_of_ours_keeps_its_traceback(code):
    done = ended(code, subprocess.DEVNULL)
    assert done.returncode == 1 and "Traceback" in done.stderr


@pytest.mark.slow
def test_class_names_outside_ascii_are_printed_under_an_ascii_locale():
    done = ended(r"print('P\xcbR')", subprocess.PIPE, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (done.returncode, done.stdout) == (0, "PËR\n")


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")])
def test_exhausted_memory_is_a_message_with_a_remedy(error, fails):
    message = fails(Mock(side_effect=error))
    assert message.startswith("error: the memory is exhausted: ") and "--per_device_eval_batch_size" in message


@pytest.mark.slow
@pytest.mark.parametrize("code", ["print('a')", "print('a' * 100_000)"])
def test_a_pipe_whose_reader_has_gone_is_no_error(code):
    read, write = os.pipe()
    os.close(read)
    done = ended(code, write)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
def test_a_full_disk_under_standard_output_is_one_message():
    with open("/dev/full", "w") as full:
        done = ended("print('a')", full.fileno())
    assert (done.returncode, done.stderr) == (2, "error: a file or standard output: No space left on device\n")


def test_an_audit_shows_odd_names_as_one_line():
    sentences = evaluation_sentences(DataArguments(dataset="sample"), "validation")
    named = replace(sentences, names=[name.replace("PER", "P\x1b\nR") for name in sentences.names])
    fault = "same text, several classes"
    text = audit({"test": named}, [Finding(fault, "test", "en", 0, "a\x1b[31m\nb")])
    assert all(line.isprintable() for line in text.split("\n")) and "a\ufffd[31m\ufffdb" in text
