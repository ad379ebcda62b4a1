"""Files that are written whole or not at all, and places that cannot be written: one message that names them."""

import os
import random
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from scored_runs import sentences, with_noise, write_run

import data
import report
from ner.files import whole_file, write_json, write_text


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def file(tmp_path) -> Path:
    (tmp_path / "file").write_text("mine")
    return tmp_path / "file"


def test_an_error_names_the_place_that_the_system_refuses(file, tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (file / "new", tmp_path / "none" / "new", tmp_path / "folder"):
        with pytest.raises(OSError) as error:
            write_json(path, {})
        assert error.value.filename == str(path)
    with pytest.raises(OSError) as error, whole_file(file):
        raise OSError(28, "No space left on device")
    assert (error.value.filename, file.read_text()) == (str(file), "mine")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_half_a_surrogate_pair_is_written_as_its_escape(tmp_path):
    write_text(tmp_path / "new", "é\udcff\n")
    assert (tmp_path / "new").read_bytes() == b"\xc3\xa9\\udcff\n"


def test_folders_that_cannot_be_made(file, tmp_path, fails):
    run = write_run(tmp_path / "run", with_noise(sentences(random.Random(0)), 0.3, 1))
    assert fails(report.main, run, "--output_dir", file / "new") == f"error: {file / 'new'}: Not a directory\n"
    message = f"error: {file / 'data'}: Not a directory\n"
    assert fails(data.main, "--dataset", "sample", "--output_dir", file) == message
    assert file.read_text() == "mine"


@pytest.mark.parametrize("permissions", [0o600, 0o755])
def test_a_replaced_file_keeps_its_permissions(permissions, file, tmp_path):
    file.chmod(permissions)
    with whole_file(file) as new:
        assert [mode(p) for p in tmp_path.iterdir()] == [permissions] * 2  # nobody else reads the new one either
        new.write("new")
        assert file.read_text() == "mine"
    assert (file.read_text(), mode(file), os.listdir(tmp_path)) == ("new", permissions, ["file"])


def test_a_new_file_has_the_usual_permissions_and_a_link_stays_one(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "out", "new")
    finally:
        os.umask(before)
    assert mode(tmp_path / "out") == 0o640
    (tmp_path / "link").symlink_to("out")
    (tmp_path / "ahead").symlink_to("later")
    for name in ("link", "ahead"):
        write_text(tmp_path / name, name)
        assert (tmp_path / name).is_symlink()
    assert (tmp_path / "out").read_text() == "link" and (tmp_path / "later").read_text() == "ahead"
    assert sorted(os.listdir(tmp_path)) == ["ahead", "later", "link", "out"]


def test_the_longest_name_can_be_written(tmp_path):
    for name in ("a" * 255, "é" * 127):
        write_text(tmp_path / name, name)
        assert (tmp_path / name).read_text() == name


def test_an_error_leaves_the_old_file(file, tmp_path):
    with pytest.raises(KeyError), whole_file(file) as new:
        new.write("half")
        raise KeyError
    assert (file.read_text(), os.listdir(tmp_path)) == ("mine", ["file"])


WRITER = """
import signal, time
from ner.errors import run_script
from ner.files import whole_file
signal.signal(signal.SIGINT, signal.default_int_handler)  # pytest may run where both are ignored, as under nohup
signal.signal(signal.SIGHUP, signal.SIG_DFL)
def main(argv):
    with whole_file(argv[0]) as file:
        file.write("half")
        file.flush()
        print("ready", flush=True)
        time.sleep(600)
run_script(main)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status", "left"),
    [(signal.SIGTERM, 143, 0), (signal.SIGHUP, 129, 0), (signal.SIGINT, 130, 0), (signal.SIGKILL, -9, 1)],
)
def test_a_process_that_is_ended_leaves_the_old_file(number, status, left, file, tmp_path):
    command, environment = [sys.executable, "-c", WRITER, str(file)], os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait() == status
    assert file.read_text() == "mine" and len(os.listdir(tmp_path)) == 1 + left
    write_text(file, "new")  # what a killed process left is in nobody's way
    assert file.read_text() == "new"
