"""Where an interrupted training goes on: after an epoch, within one, and before a save that was interrupted."""

import shutil
import subprocess
from pathlib import Path

import pytest
from trained_runs import argv, differ_by, read_json

import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(upsampled_run, tmp_path_factory) -> Path:
    return shutil.copytree(upsampled_run, tmp_path_factory.mktemp("runs") / "b")


def test_resuming_gives_the_same_weights(run, corpus, encoders, tmp_path, fails):
    first = min(run.glob("checkpoint-*"), key=lambda p: int(p.name.split("-")[1]))
    options = ("--masked_training", "true", "--upsample", "true", "--resume_from_checkpoint")
    message = fails(train.main, *argv(corpus, encoders["bert"], tmp_path / "new", *options, "true"))
    assert "found no checkpoint-N" in message
    subprocess.run(["cp", "-r", first, tmp_path], check=True)
    message = fails(train.main, *argv(corpus, encoders["bert"], tmp_path, "--resume_from_checkpoint", "true"))
    assert "--masked_training False instead of True, --upsample False instead of True" in message
    train.main(argv(corpus, encoders["bert"], tmp_path, *options, "true"))
    assert differ_by(run, tmp_path) == 0
    assert (tmp_path / "validation" / "predictions.jsonl").read_bytes() == (
        run / "validation" / "predictions.jsonl"
    ).read_bytes()


@pytest.mark.parametrize("sampling", ["group_by_length", "random"])
def test_resuming_within_an_epoch_gives_the_same_weights(sampling, corpus, encoders, tmp_path):
    options = ("--train_sampling_strategy", sampling, "--num_train_epochs", 2, "--load_best_model_at_end", "false",
               "--eval_strategy", "no", "--save_strategy", "steps", "--save_steps", 11)  # fmt: skip
    train.main(argv(corpus, encoders["bert"], tmp_path / "whole", *options))
    checkpoint = tmp_path / "whole" / "checkpoint-11"
    assert read_json(checkpoint / "trainer_state.json")["epoch"] == 1 + 3 / 8
    options = (*options, "--resume_from_checkpoint", checkpoint)
    train.main(argv(corpus, encoders["bert"], tmp_path / "resumed", *options))
    assert differ_by(tmp_path / "whole", tmp_path / "resumed") == 0


def test_an_interrupted_save_is_passed_over(run, corpus, encoders, tmp_path):
    first, *_, last = sorted(run.glob("checkpoint-*"), key=lambda p: int(p.name.split("-")[1]))
    shutil.copytree(first, tmp_path / first.name)
    shutil.copytree(last, tmp_path / last.name, ignore=lambda *_: ["trainer_state.json", "optimizer.pt"])
    options = train.parse(argv(corpus, encoders["bert"], tmp_path, "--resume_from_checkpoint", "true"), "").training
    assert train.checkpoint_to_resume(options) == str(tmp_path / first.name)
