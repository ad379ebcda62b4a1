"""Where a training may write: a new folder, or an unfinished run; and only one training at a time."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from trained_runs import argv

from ner.errors import InputError
from ner.runs.folder import LOCK, locked_run, require_trainable, training_in

ARGS = {"dataset": "sample", "model_checkpoint": "encoder", "masked_training": False, "output_dir": "run"}


def write(folder: Path, *names: str) -> Path:
    """Files of the given names. `args.yaml` is that of a run."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(yaml.safe_dump(ARGS) if name == "args.yaml" else "mine")
    return folder


@pytest.mark.parametrize(
    ("names", "resumes"),
    [
        ([], False),
        ([LOCK, "data/findings.jsonl", ".DS_Store"], False),
        (["args.yaml"], False),  # a run without a checkpoint begins again, whether it is to be resumed or not
        (["args.yaml", "checkpoint-8/model.safetensors", "config.json"], False),  # and so if its only one is not whole
        (["args.yaml"], True),
        (["args.yaml", "checkpoint-8/trainer_state.json"], True),
        (["args.yaml", "README.md", "checkpoint-8/trainer_state.json"], True),  # killed before its last file
    ],
)
def test_a_new_folder_and_an_unfinished_run_can_be_trained_in(names, resumes, tmp_path):
    require_trainable(write(tmp_path / "run", *names), resumes)


@pytest.mark.parametrize(
    ("names", "resumes", "message"),
    [
        (["args.yaml", "manifest.json"], False, "holds a finished run, which training never changes"),
        (
            ["args.yaml", "manifest.json", "checkpoint-8/trainer_state.json"],
            True,
            "new run from it: --model_checkpoint ",
        ),
        (["args.yaml", "checkpoint-8/trainer_state.json"], False, "unfinished run; continue it with --resume_from_ch"),
        (["README.md"], False, "holds README.md, which no run wrote"),
        ([".unfinished-tagged.jsonl"], False, "holds .unfinished-tagged.jsonl, which no run wrote"),
        (["checkpoint-8/trainer_state.json"], True, "holds checkpoint-8, which no run wrote"),
        ([], True, "found no run in"),
    ],
)
def test_every_other_folder_is_refused(names, resumes, message, tmp_path):
    with pytest.raises(InputError, match=message):
        require_trainable(write(tmp_path / "run", *names), resumes)


@pytest.mark.parametrize("part", ["onnx", "checkpoint-8"])
def test_a_part_of_a_finished_run_is_refused(part, tmp_path):
    run = write(tmp_path / "run", "args.yaml", "manifest.json", f"{part}/args.yaml")
    with pytest.raises(InputError, match="run holds a finished run, which training never changes"):
        require_trainable(run / part, resumes=False)


def test_a_place_that_cannot_be_a_folder_is_refused(tmp_path):
    write(tmp_path, "file")
    for run in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(InputError, match=r"file is not a folder that can be written"):
            require_trainable(run, False)


@pytest.mark.slow
def test_a_folder_is_locked_for_one_training_and_until_its_holder_ends(tmp_path):
    hold = "import sys, time; from pathlib import Path; from ner.runs.folder import locked_run\n"
    hold += "with locked_run(Path(sys.argv[1])): print('locked', flush=True); time.sleep(600)"
    holder = subprocess.Popen([sys.executable, "-c", hold, tmp_path / "run"], cwd=ROOT, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"locked\n"
    try:
        with pytest.raises(InputError, match="another training writes there"), locked_run(tmp_path / "run"):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with locked_run(tmp_path / "run"):
        assert (tmp_path / "run" / LOCK).exists()
    assert not (tmp_path / "run" / LOCK).exists()


def test_a_folder_that_only_the_first_machine_has_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("accelerate.utils.gather_object", lambda seen: [*seen, False])
    with pytest.raises(InputError, match="not on a disk that all processes share"), training_in(tmp_path / "run"):
        pass


@pytest.mark.slow
def test_of_several_processes_all_learn_of_a_refusal(corpus, encoders, tmp_path, in_two_processes):
    with locked_run(tmp_path / "run"):
        done = in_two_processes("train.py", *argv(corpus, encoders["bert"], tmp_path / "run"))
    assert done.returncode != 0 and done.stderr.count("error: ") == 1 and "another training" in done.stderr


def test_a_drive_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "exists", lambda path, **_: False)
    with pytest.raises(InputError, match="is not a folder that can be written"):
        require_trainable(tmp_path / "run", False)
