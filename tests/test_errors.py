"""What reaches a terminal: one line a message, without control characters, whatever names contain."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from unittest.mock import Mock

import pytest
from conftest import ROOT

from arguments import DataArguments
from data import read_split
from ner.corpus.audit import Finding, audit
from ner.errors import is_exhausted, nearest, printable


def test_similar_names_are_found_in_any_case_and_joiners_stay():
    assert nearest("per", ["PER", "LOC"]) == "; did you mean 'PER'?" and nearest("xyz", ["PER"]) == ""
    assert printable("a\u200cb\u200dc\u202e") == "a\u200cb\u200dc\ufffd"


def ended(code: str, output: int, **variables: str) -> subprocess.CompletedProcess:
    """A script with that code as its `main`, and a file descriptor as its standard output."""
    script = f"import logging\nfrom ner.errors import *\ndef main(argv):\n    {code}\n"
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


@pytest.mark.slow
def test_class_names_outside_ascii_are_printed_under_an_ascii_locale():
    done = ended(r"print('P\xcbR')", subprocess.PIPE, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (done.returncode, done.stdout) == (0, "PËR\n")


FULL = "error: standard output: No space left on device\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "variables", "message"),
    [
        ("print('a')", {}, FULL),
        ("print('a' * 100_000)", {}, FULL),
        ("print('a')", {"PYTHONUNBUFFERED": "1"}, FULL),
        ("CommandParser().parse_args(['--help'])", {"PYTHONUNBUFFERED": "1"}, FULL),
        ("print('a'); raise InputError('wrong')", {}, "error: wrong\n"),
    ],
)
def test_a_full_standard_output_is_one_message(code, variables, message):
    with open("/dev/full", "w") as full:
        done = ended(code, full.fileno(), **variables)
    assert (done.returncode, done.stderr) == (2, message)


@pytest.mark.slow
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_the_disk_takes_a_part_of_is_no_success(unbuffered, tmp_path):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))"
    with open(tmp_path / "out", "w") as out:
        done = ended(f"{limit}; print('a' * 100_000, end='')", out.fileno(), PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stderr) == (2, "error: standard output: File too large\n")


@pytest.mark.slow
@pytest.mark.parametrize("script", ["train", "inference", "data", "report", "hub", "study"])
def test_ctrl_c_while_a_script_imports_its_libraries_is_no_traceback(script, tmp_path):
    """Each library here is a file that presses Ctrl-C."""
    for name in ("torch", "accelerate", "numpy", "pyarrow", "huggingface_hub"):
        (tmp_path / f"{name}.py").write_text(
            "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nraise ImportError"
        )
    done = subprocess.run(
        [sys.executable, ROOT / f"{script}.py", "--help"], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # pytest may run where it is ignored
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


EXHAUSTED = [
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8"),
    RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("Invalid buffer size: 18.00 GiB"),  # on Apple's GPUs
]


@pytest.mark.parametrize("error", EXHAUSTED)
def test_exhausted_memory_is_a_message_with_a_remedy(error, fails):
    message = fails(Mock(side_effect=error))
    assert message.startswith("error: the memory is exhausted: ") and "--per_device_eval_batch_size" in message


def test_other_errors_are_not_taken_for_exhausted_memory():
    assert not is_exhausted(RuntimeError("shapes")) and not is_exhausted(KeyError("out of memory"))


@pytest.mark.slow
@pytest.mark.parametrize("code", ["print('a')", "print('a' * 100_000)"])
def test_a_pipe_whose_reader_has_gone_is_no_error(code):
    read, write = os.pipe()
    os.close(read)
    done = ended(code, write)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_audit_shows_odd_names_as_one_line():
    sentences = read_split(DataArguments(dataset="sample"), "validation")
    named = replace(sentences, names=[name.replace("PER", "P\x1b\nR") for name in sentences.names])
    fault = "same text, several classes"
    text = audit({"test": named}, [Finding(fault, "test", "en", 0, "a\x1b[31m\nb")])
    assert all(line.isprintable() for line in text.split("\n")) and "a\ufffd[31m\ufffdb" in text


@pytest.mark.slow
def test_a_script_runs_where_the_system_has_no_hangup():
    """As on Windows."""
    script = (
        "import signal; del signal.SIGHUP\nfrom ner.errors import run_script\nrun_script(lambda argv: print('done'))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, encoding="utf-8", cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
