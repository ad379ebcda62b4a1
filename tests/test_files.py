"""Places that cannot be written: one message that names them, wherever a script writes."""

import errno
import os
import random
from pathlib import Path

import pytest
from scored_runs import sentences, with_noise, write_run

import data
import report
from ner.errors import InputError
from ner.files import write_json, write_text, writing
from ner.runs.folder import locked, publish


@pytest.fixture
def file(tmp_path) -> Path:
    (tmp_path / "file").write_text("mine")
    return tmp_path / "file"


def test_the_message_names_the_place_that_the_system_refuses(file, tmp_path):
    with pytest.raises(InputError) as error:
        write_text(file / "new", "text")
    assert str(error.value) == f"{file / 'new'}: Not a directory; expected a place that can be written"
    with pytest.raises(InputError, match=f"{tmp_path}: Is a directory"):
        write_json(tmp_path, {})
    with pytest.raises(InputError, match="place: No space left on device"), writing("place"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_other_errors_pass():
    for error in (BrokenPipeError, KeyError, InputError):
        with pytest.raises(error), writing("place"):
            raise error


def test_half_a_surrogate_pair_is_written_as_its_escape(tmp_path):
    write_text(tmp_path / "new", "é\udcff\n")
    assert (tmp_path / "new").read_bytes() == b"\xc3\xa9\\udcff\n"


def test_folders_that_cannot_be_made(file, tmp_path, fails):
    run = write_run(tmp_path / "run", with_noise(sentences(random.Random(0)), 0.3, 1))
    message = f"error: {file / 'new'}: Not a directory; expected a place that can be written\n"
    assert fails(report.main, run, "--output_dir", file / "new") == message
    message = f"error: {file / 'data'}: Not a directory; expected a place that can be written\n"
    assert fails(data.main, "--dataset", "sample", "--output_dir", file) == message
    with pytest.raises(InputError, match="Not a directory"), locked(file / "run"):
        pass
    with pytest.raises(InputError, match="No such file"):
        publish(tmp_path, replaces=False)
    assert file.read_text() == "mine"
