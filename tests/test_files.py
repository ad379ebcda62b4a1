"""Files that are written whole or not at all, and places that cannot be written: one message that names them."""

import os
import random
import signal
import stat
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
from conftest import ROOT
from scored_runs import ROWS, sentences, with_noise, write_run

import report
from ner.files import whole_file, write_json, write_text, written_together
from ner.tagging.output import output


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
    os.mkfifo(tmp_path / "pipe")
    pipe = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with output(str(tmp_path / "pipe")) as file:
        file.write("é\udcff\n")
    assert os.read(pipe, 99) == b"\xc3\xa9\\udcff\n"
    os.close(pipe)


def test_a_new_file_has_the_usual_permissions_and_replaces_a_link_not_its_target(file, tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "out", "new")
    finally:
        os.umask(before)
    assert mode(tmp_path / "out") == 0o640
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "ahead").symlink_to("later")
    for name in ("link", "ahead"):
        write_text(tmp_path / name, name)
        assert not (tmp_path / name).is_symlink() and (tmp_path / name).read_text() == name
    assert file.read_text() == "mine" and sorted(os.listdir(tmp_path)) == ["ahead", "file", "link", "out"]


@pytest.mark.parametrize("permissions", [0o600, 0o755])
def test_a_replaced_file_keeps_its_permissions(permissions, file, tmp_path):
    file.chmod(permissions)
    with whole_file(file) as new:
        assert [mode(path) for path in tmp_path.iterdir()] == [permissions] * 2  # nobody else reads the new one either
        new.write("new")
    assert (file.read_text(), mode(file), os.listdir(tmp_path)) == ("new", permissions, ["file"])


def test_the_longest_name_can_be_written(tmp_path):
    for name in ("a" * 255, "é" * 127):
        write_text(tmp_path / name, name)
        assert (tmp_path / name).read_text() == name


def test_an_error_leaves_the_earlier_files_and_names_the_place(tmp_path):
    write_text(tmp_path / "a", "earlier")
    with pytest.raises(OSError) as error, written_together(tmp_path) as new:
        write_text(new / "a", "later")
        write_text(new / "none" / "b", "later")
    assert (error.value.filename or "").endswith("none/b")
    assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_text() == "earlier"


def test_a_report_replaces_only_a_report(tmp_path, fails, monkeypatch):
    run = write_run(tmp_path / "run", ROWS)
    for name in ("report.html", "report.md", "report.json"):
        folder = tmp_path / name
        folder.mkdir()
        (tmp_path / "target").write_text("{}")
        (folder / name).symlink_to(tmp_path / "target")
        message = fails(report.main, run, "--output_dir", folder)
        assert f"--output_dir: {folder} holds a {name} that report.py did not write" in message
        assert os.listdir(folder) == [name] and (tmp_path / "target").read_text() == "{}"
    out = tmp_path / "out"
    report.main([str(run), "--output_dir", str(out)])
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    other = write_run(tmp_path / "other", with_noise(sentences(random.Random(1)), 0.3, 1))
    monkeypatch.setattr("ner.report.page.html_page", Mock(side_effect=OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        report.main([str(other), "--output_dir", str(out)])
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    monkeypatch.undo()
    report.main([str(other), "--output_dir", str(out)])
    assert (out / "report.html").read_bytes() != before["report.html"]


WRITER = """
import signal, time
from ner.errors import run_script
from ner.files import whole_file
signal.signal(signal.SIGINT, signal.default_int_handler)  # pytest may run where it is ignored
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
    ("number", "status", "left"), [(signal.SIGTERM, 143, 0), (signal.SIGINT, 130, 0), (signal.SIGKILL, -9, 1)]
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
