"""Text in and tagged lines out: what is written where, with whose permissions, and what is left when it goes wrong."""

import io
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import ROOT
from trained_runs import CPU, barely_trained

import inference
from ner.errors import InputError, run_script
from ner.tagging import text_lines

pytestmark = pytest.mark.slow

WRITER = """
import signal, sys, time
from ner.errors import run_script
from ner.tagging.text_lines import output
signal.signal(signal.SIGINT, signal.default_int_handler)  # pytest may run where both are ignored, as under nohup
signal.signal(signal.SIGHUP, signal.SIG_DFL)
def main(argv):
    with output(argv[0]) as file:
        file.write("half")
        file.flush()
        print("ready", flush=True)
        time.sleep(600)
run_script(main)
"""


@pytest.fixture(scope="module")
def run(corpus, encoders, tmp_path_factory) -> Path:
    return barely_trained(corpus, encoders["bert"], tmp_path_factory.mktemp("runs") / "tagger")


def shell(command: str, run: Path, **more: object) -> subprocess.CompletedProcess:
    """`inference.py` in bash; `TAG` is replaced by it with the run's checkpoint."""
    tag = f"{sys.executable} {ROOT / 'inference.py'} --use_cpu true --bf16 false --checkpoint {run}"
    command = command.replace("TAG", tag)
    return subprocess.run(["bash", "-c", command], capture_output=True, encoding="utf-8", **more)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def written(path: Path, text: str = "new\n") -> None:
    with text_lines.output(str(path)) as file:
        file.write(text)


@pytest.mark.parametrize("permissions", [0o600, 0o640, 0o666, 0o755])
def test_a_replaced_file_keeps_its_permissions(permissions, tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_text("old")
    path.chmod(permissions)
    with text_lines.output(str(path)) as file:
        assert [mode(p) for p in tmp_path.iterdir() if p != path] == [0o600]  # nobody else reads it before it is whole
        file.write("new")
    assert (path.read_text(), mode(path)) == ("new", permissions)


def test_a_new_file_has_the_usual_permissions_and_a_link_stays_one(tmp_path):
    before = os.umask(0o027)
    try:
        written(tmp_path / "out.jsonl")
    finally:
        os.umask(before)
    assert mode(tmp_path / "out.jsonl") == 0o640
    (tmp_path / "link").symlink_to("out.jsonl")
    (tmp_path / "ahead").symlink_to("later.jsonl")
    for name in ("link", "ahead"):
        written(tmp_path / name, name)
        assert (tmp_path / name).is_symlink()
    assert (tmp_path / "out.jsonl").read_text() == "link" and (tmp_path / "later.jsonl").read_text() == "ahead"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ahead", "later.jsonl", "link", "out.jsonl"]


def test_scores_that_are_replaced_keep_their_permissions(run):
    inference.main(["--checkpoint", str(run), *CPU])
    (run / "test").chmod(0o700)
    (run / "test" / "predictions.jsonl").chmod(0o600)
    inference.main(["--checkpoint", str(run), *CPU])
    assert mode(run / "test") == 0o700
    assert mode(run / "test" / "predictions.jsonl") == 0o600


def test_the_longest_name_can_be_written(tmp_path):
    for name in ("a" * 255, "é" * 127):
        written(tmp_path / name)
        assert (tmp_path / name).read_text() == "new\n"


def writer(path: Path) -> subprocess.Popen:
    """A process that has begun to write the file."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, env=environment)
    assert process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_process_that_is_ended_leaves_nothing(number, status, tmp_path):
    (tmp_path / "out.jsonl").write_text("old")
    process = writer(tmp_path / "out.jsonl")
    process.send_signal(number)
    assert process.wait() == status
    assert [p.name for p in tmp_path.iterdir()] == ["out.jsonl"]
    assert (tmp_path / "out.jsonl").read_text() == "old"


def test_what_a_killed_process_leaves_is_replaced_by_the_next(tmp_path):
    path = tmp_path / "out.jsonl"
    for _ in range(2):
        process = writer(path)
        process.kill()
        process.wait()
    assert [p.name for p in tmp_path.iterdir()] == [".out.jsonl.unfinished-output"]
    written(path)
    assert path.read_text() == "new\n"
    assert [p.name for p in tmp_path.iterdir()] == ["out.jsonl"]


def test_two_processes_do_not_write_one_file(tmp_path):
    path = tmp_path / "out.jsonl"
    process = writer(path)
    try:
        with pytest.raises(InputError, match="another process writes"):
            written(path)
    finally:
        process.terminate()
        process.wait()
    written(path)
    assert path.read_text() == "new\n"


def test_what_is_not_ours_is_not_written(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / ".out.unfinished-output").symlink_to("mine")
    with pytest.raises(InputError, match="cannot be written"):
        written(tmp_path / "out")
    assert (tmp_path / "mine").read_text() == "mine"


def test_pipes_and_devices_are_written_as_they_are(tmp_path, capfd):
    os.mkfifo(tmp_path / "pipe")
    received = []
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe").read_text()))
    reader.start()
    written(tmp_path / "pipe")
    reader.join()
    read, write = os.pipe()
    written(f"/dev/fd/{write}")
    os.close(write)
    assert received == ["new\n"] and os.read(read, 99) == b"new\n"
    os.close(read)
    written("/dev/null")
    written("/dev/stderr")
    assert capfd.readouterr().err == "new\n"
    assert Path("/dev/null").is_char_device()
    with pytest.raises(InputError, match="/dev/fd/987 cannot be written"):
        written("/dev/fd/987")


def test_standard_streams_of_a_shell(run, tmp_path):
    done = shell(f"TAG --text rabies --output_file /dev/stdout >> {tmp_path / 'log'}", run)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["text"] for line in (tmp_path / "log").open()] == ["rabies"]
    done = shell("TAG --text rabies --output_file >(cat); wait", run)
    assert done.returncode == 0 and json.loads(done.stdout)["text"] == "rabies", done.stderr
    done = shell("TAG --input_file - <&-", run)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: --input_file -: standard input is closed")
    done = shell(f"TAG --input_file {run / 'args.yaml'} --output_file {tmp_path / 'out'} <&- >&-", run)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "out").read_text().splitlines()) == len((run / "args.yaml").read_text().splitlines())


def test_a_full_output_is_one_message(run):
    lines = "yes rabies | head -5000 | TAG --input_file -"
    for command, place in (
        (f"{lines} > /dev/full", "standard output"),
        (f"{lines} --output_file /dev/full", "/dev/full"),
    ):
        done = shell(command, run)
        message = f"error: {place}: No space left on device; expected a place that can be written"
        assert done.returncode == 2 and done.stdout == "", done.stderr
        assert done.stderr.splitlines()[-1] == message and "Error" not in done.stderr


@pytest.mark.parametrize("path", [None, "/dev/stdout", "/dev/fd/1"])
def test_a_closed_standard_output_is_said(path, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(InputError, match="standard output is closed"), text_lines.output(path):
        pass


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
