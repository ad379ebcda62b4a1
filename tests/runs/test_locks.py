"""No two programs write into one run folder at once, and a killed one leaves no lock."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from trained_runs import CPU, OVER, argv, content

import hub
import inference
import train
from ner.runs import folder
from ner.runs.folder import LOCK, locked

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(masked_run, tmp_path_factory) -> Path:
    return shutil.copytree(masked_run, tmp_path_factory.mktemp("runs") / "masked")


def test_a_folder_in_use_is_refused_at_once(run, corpus, encoders, fails):
    before = content(run)
    scoring = ("--checkpoint", run, *CPU)
    with locked(run):
        assert "another program trains, scores or exports" in fails(train.main, *argv(corpus, encoders["bert"], run))
        assert "another program" in fails(inference.main, *scoring)
        assert "another program" in fails(hub.main, "onnx", run)
        assert "another program" in fails(hub.main, "push", run, "--repo_id", "a/b")
        inference.main([*map(str, scoring), "--text", "Rabies."])  # reads only
    assert content(run) == before
    with locked(run, shared=True):
        assert "another program" in fails(train.main, *argv(corpus, encoders["bert"], run, *OVER))
        inference.main(list(map(str, scoring)))
        assert (run / LOCK).exists()
    assert not (run / LOCK).exists()


def test_two_trainings_that_start_together_make_one_run(corpus, encoders, tmp_path):
    command = [sys.executable, ROOT / "train.py", *argv(corpus, encoders["bert"], tmp_path / "new" / "run")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    both = [subprocess.Popen(command, stdout=-1, stderr=-1, encoding="utf-8", env=environment) for _ in range(2)]
    ended = [(process.communicate(), process.returncode) for process in both]
    (_, won), ((out, err), lost) = sorted(ended, key=lambda end: end[1])
    assert (won, lost) == (0, 2) and out == ""
    assert "another program" in err or "holds a run" in err  # the second came while it trained, or just after
    assert "Traceback" not in err and (tmp_path / "new" / "run" / "README.md").is_file()


def test_a_killed_program_leaves_no_lock(corpus, encoders, tmp_path):
    hold = "import sys, time; from pathlib import Path; from ner.runs.folder import locked\n"
    hold += "with locked(Path(sys.argv[1])): print('locked', flush=True); time.sleep(600)"
    holder = subprocess.Popen([sys.executable, "-c", hold, tmp_path / "run"], cwd=ROOT, stdout=-1)
    assert holder.stdout.readline() == b"locked\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "run" / LOCK).exists()
    train.main(argv(corpus, encoders["bert"], tmp_path / "run", "--max_steps", "1"))
    assert not (tmp_path / "run" / LOCK).exists()


def test_a_lock_file_that_its_holder_removed_locks_nothing(tmp_path, monkeypatch):
    """Between another program's opening of the file and its lock."""
    opened, real = [], os.open

    def open_late(path, *args):
        descriptor = real(path, *args)
        opened.append(descriptor)
        if len(opened) == 1:
            os.unlink(path)
        return descriptor

    monkeypatch.setattr(os, "open", open_late)
    with locked(tmp_path):
        assert len(opened) == 2 and (tmp_path / LOCK).exists()


def test_a_file_system_without_locks_is_warned_about(tmp_path, monkeypatch, caplog):
    def refuses(*args):
        raise OSError(folder.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(folder.fcntl, "flock", refuses)
    with locked(tmp_path):
        assert "cannot be locked on this file system" in caplog.text
