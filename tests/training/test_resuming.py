"""A run that is interrupted and resumed ends as the run that was not."""

import errno
import json
import os
import pkgutil
import shutil
from pathlib import Path

import pytest
from interrupted_runs import argv, interrupted, same_weights, state
from safetensors import SafetensorError

import train
from ner.encoder import precision
from ner.training import resuming

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(stopped_run, tmp_path_factory) -> Path:
    return shutil.copytree(stopped_run, tmp_path_factory.mktemp("runs") / "whole")


def test_early_stopping_is_as_patient_as_before(run, corpus, encoders, tmp_path):
    assert state(run)["global_step"] == 32
    last = ("--load_best_model_at_end", "false", "--bf16", "false")
    train.main(argv(corpus, encoders["bert"], tmp_path / "whole", *last))
    for steps in (16, 24, 32):  # 32: it had stopped already
        resumed = interrupted(tmp_path / "whole", tmp_path / str(steps), steps)
        train.main(argv(corpus, encoders["bert"], resumed, *last, "--resume_from_checkpoint", "true"))
        assert state(resumed)["global_step"] == 32
        assert same_weights(tmp_path / "whole", resumed)


def test_a_run_that_had_made_its_last_update_makes_no_more(corpus, encoders, tmp_path):
    more = ("--max_steps", 11, "--save_strategy", "steps", "--eval_strategy", "steps", "--save_steps", 1,
            "--eval_steps", 1, "--load_best_model_at_end", "false", "--early_stopping_patience", 99)  # fmt: skip
    train.main(argv(corpus, encoders["bert"], tmp_path / "whole", *more))
    resumed = interrupted(tmp_path / "whole", tmp_path / "resumed")
    train.main(argv(corpus, encoders["bert"], resumed, *more, "--resume_from_checkpoint", "true"))
    assert state(resumed)["global_step"] == 11 and same_weights(tmp_path / "whole", resumed)


def test_the_best_checkpoint_moves_with_the_run(run, corpus, encoders, tmp_path, monkeypatch, fails):
    moved = interrupted(run, tmp_path / "moved")
    assert state(moved / "checkpoint-32")["best_model_checkpoint"] == "whole/checkpoint-8"
    monkeypatch.chdir(tmp_path)
    resume = argv(corpus, encoders["bert"], "moved", "--resume_from_checkpoint", "true")
    train.main(resume)
    assert same_weights(run, moved) and same_weights(moved / "checkpoint-8", moved)
    shutil.rmtree(moved / "checkpoint-8")
    assert f"the best checkpoint so far, {moved / 'checkpoint-8'}, is not there" in fails(train.main, *resume)


def test_seconds_of_all_parts_are_counted(run, corpus, encoders, tmp_path):
    folder = interrupted(run, tmp_path / "run", 16)
    content = state(folder / "checkpoint-16")
    seconds = content["stateful_callbacks"]["RunRecord"]["args"]
    assert 0 < seconds["seconds"] < json.loads((run / "environment.json").read_text())["train_seconds"]
    seconds["seconds"] = 1000.0
    (folder / "checkpoint-16" / "trainer_state.json").write_text(json.dumps(content))
    train.main(argv(corpus, encoders["bert"], folder, "--resume_from_checkpoint", "true"))
    assert json.loads((folder / "environment.json").read_text())["train_seconds"] > 1000
    assert resuming.record_of(folder / "checkpoint-24")["seconds"] > 1000


def test_what_does_not_change_the_weights_may_differ(run, corpus, encoders, tmp_path, monkeypatch):
    """Other names of the same data and encoder, from another directory, and options of bookkeeping."""
    folder = interrupted(run, tmp_path / "run", 16)
    shutil.copytree(corpus, tmp_path / "copy")
    monkeypatch.chdir(tmp_path)
    encoder = os.path.relpath(encoders["bert"])
    more = ("--resume_from_checkpoint", "true", "--save_total_limit", 2, "--per_device_eval_batch_size", 5,
            "--logging_steps", 3, "--run_name", "again")  # fmt: skip
    train.main(argv("copy", encoder, folder, *more))
    assert same_weights(run, folder)
    assert [e["step"] for e in state(folder)["log_history"] if "grad_norm" in e] == [18, 21, 24, 27, 30]
    assert {p.name for p in folder.glob("checkpoint-*")} == {"checkpoint-8", "checkpoint-32"}


def test_the_precision_is_that_of_the_interrupted_run(run, corpus, encoders, tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda device: True)
    folder = interrupted(run, tmp_path / "run", 24)
    train.main(argv(corpus, encoders["bert"], folder, "--resume_from_checkpoint", "true"))
    assert same_weights(run, folder)
    assert json.loads((folder / "environment.json").read_text())["precision"] == "float32"
    more = ("--early_stopping_patience", "1", "--num_train_epochs", "2")
    train.main(argv(corpus, encoders["bert"], tmp_path / "whole", *more))
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda device: False)
    other = interrupted(tmp_path / "whole", tmp_path / "other", 8)
    train.main(argv(corpus, encoders["bert"], other, *more, "--resume_from_checkpoint", "true"))
    assert same_weights(tmp_path / "whole", other)
    assert json.loads((other / "environment.json").read_text())["precision"] == "bfloat16"


def test_a_persons_copies_are_neither_resumed_nor_removed(run, corpus, encoders, tmp_path):
    folder = interrupted(run, tmp_path / "run", 16)
    shutil.copytree(folder / "checkpoint-16", folder / "checkpoint-28-backup")
    (folder / "checkpoint-notes").mkdir()
    for kept in ("checkpoint-28-backup", "checkpoint-notes"):
        os.utime(folder / kept, (0, 0))  # Trainer would remove the oldest first
    more = ("--save_total_limit", 1, "--resume_from_checkpoint", "true")
    train.main(argv(corpus, encoders["bert"], folder, *more))
    assert same_weights(run, folder)
    left = {p.name for p in folder.glob("checkpoint-*")}
    assert left == {"checkpoint-8", "checkpoint-28-backup", "checkpoint-notes"}
    assert (folder / "checkpoint-28-backup" / "optimizer.pt").is_file()


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("torch.save", RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")),
        ("safetensors.torch.save_file", SafetensorError("Error while serializing: No space left on device")),
        ("transformers.PreTrainedTokenizerFast.save_pretrained", Exception("No space left on device (os error 28)")),
        ("transformers.TrainerState.save_to_json", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))),
    ],
)
def test_a_disk_that_fills_up_leaves_the_earlier_checkpoint(
    place, error, run, corpus, encoders, tmp_path, monkeypatch, fails
):
    folder = tmp_path / "run"
    module, _, name = place.rpartition(".")
    original = getattr(pkgutil.resolve_name(module), name)

    def full(*given, **named):
        path = next(Path(g) for g in given if isinstance(g, str | Path))
        if "checkpoint-16" not in str(path):
            return original(*given, **named)
        if place != "transformers.PreTrainedTokenizerFast.save_pretrained":
            path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(place, full)
    if place == "safetensors.torch.save_file":
        monkeypatch.setattr("transformers.modeling_utils.safe_save_file", full)
    message = fails(train.main, *argv(corpus, encoders["bert"], folder, "--bf16", "false"))
    assert f"{folder / 'checkpoint-16'}: cannot be saved: " in message and "--resume_from_checkpoint true" in message
    assert sorted(p.name for p in folder.iterdir()) == ["args.yaml", "checkpoint-8"]
    monkeypatch.undo()
    train.main(argv(corpus, encoders["bert"], folder, "--resume_from_checkpoint", "true"))
    assert same_weights(run, folder)
