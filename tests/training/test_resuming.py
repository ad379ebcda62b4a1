"""A run that is interrupted and resumed ends as the run that was not, and nothing else is resumed."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
import torch
from trained_runs import argv as plain_argv
from trained_runs import differ_by, interrupted, read_json
from transformers import PreTrainedTokenizerFast

import train
from ner.errors import InputError
from ner.training.resuming import checkpoint_to_resume, record_of, require_same

RESUME = ("--resume_from_checkpoint", "true")
# `best` is the first epoch's checkpoint, since the loss falls: three evaluations without a better one end the run.
WORSE = ("--num_train_epochs", "9", "--metric_for_best_model", "loss", "--greater_is_better", "true",
         "--early_stopping_patience", "3")  # fmt: skip

pytestmark = pytest.mark.slow


def argv(corpus: Path, encoder: Path, run: Path | str, *more: object) -> list[str]:
    return plain_argv(corpus, encoder, run, *WORSE, *more)


def state(folder: Path) -> dict:
    return read_json(folder / "trainer_state.json")


@pytest.fixture(scope="module")
def run(corpus, encoders, tmp_path_factory) -> Path:
    """Stopped early after the updates 8, 16, 24 and 32; the best checkpoint is the first, and the path relative."""
    folder = tmp_path_factory.mktemp("resuming")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        train.main(argv(corpus, encoders["bert"], "whole"))
    return folder / "whole"


@pytest.mark.parametrize("sampling", ["group_by_length", "random"])
def test_resuming_within_an_epoch_gives_the_same_weights_and_predictions(sampling, corpus, encoders, tmp_path):
    options = ("--train_sampling_strategy", sampling, "--num_train_epochs", 2, "--load_best_model_at_end", "false",
               "--eval_strategy", "no", "--save_strategy", "steps", "--save_steps", 11, "--upsample", "true",
               "--masked_training", "true", "--word_dropout", "0.2")  # fmt: skip
    train.main(plain_argv(corpus, encoders["bert"], tmp_path / "whole", *options))
    assert read_json(tmp_path / "whole" / "checkpoint-11" / "trainer_state.json")["epoch"] % 1
    resumed = interrupted(tmp_path / "whole", tmp_path / "resumed", 11)
    train.main(plain_argv(corpus, encoders["bert"], resumed, *options, *RESUME))
    assert differ_by(tmp_path / "whole", resumed) == 0
    files = [folder / "validation" / "predictions.jsonl" for folder in (tmp_path / "whole", resumed)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_run_without_a_whole_checkpoint_begins_again(run, corpus, encoders, tmp_path, caplog):
    folder = interrupted(run, tmp_path / "run", 8)
    (folder / "checkpoint-8" / "trainer_state.json").unlink()  # killed while it saved
    for place in ("test", "scores/other-test-0"):  # of weights that no longer exist
        (folder / place).mkdir(parents=True)
        (folder / place / "metrics.json").write_text("{}")
        (folder / place / "mine.txt").write_text("a file of the run's owner")
    train.main(argv(corpus, encoders["bert"], folder, *RESUME))
    assert "no whole checkpoint yet, so the training begins again" in caplog.text
    assert differ_by(run, folder) == 0
    assert [path.name for path in folder.rglob("*") if path.parent.name in ("test", "other-test-0")] == ["mine.txt"] * 2


def test_early_stopping_is_as_patient_as_before(run, corpus, encoders, tmp_path):
    assert state(run)["global_step"] == 32
    last = ("--load_best_model_at_end", "false")
    train.main(argv(corpus, encoders["bert"], tmp_path / "whole", *last))
    for steps in (16, 32):  # 32: it had stopped already
        resumed = interrupted(tmp_path / "whole", tmp_path / str(steps), steps)
        shutil.rmtree(resumed / "checkpoint-8")  # the best one, which is not used at the end
        train.main(argv(corpus, encoders["bert"], resumed, *last, *RESUME))
        assert state(resumed)["global_step"] == 32
        assert differ_by(tmp_path / "whole", resumed) == 0


def test_a_run_that_had_made_its_last_update_makes_no_more(corpus, encoders, tmp_path):
    more = ("--max_steps", 11, "--save_strategy", "steps", "--eval_strategy", "steps", "--save_steps", 1,
            "--eval_steps", 1, "--load_best_model_at_end", "false", "--early_stopping_patience", 99)  # fmt: skip
    train.main(argv(corpus, encoders["bert"], tmp_path / "whole", *more))
    resumed = interrupted(tmp_path / "whole", tmp_path / "resumed")
    train.main(argv(corpus, encoders["bert"], resumed, *more, *RESUME))
    assert state(resumed)["global_step"] == 11 and differ_by(tmp_path / "whole", resumed) == 0


def test_the_best_checkpoint_moves_with_the_run(run, corpus, encoders, tmp_path, monkeypatch, fails):
    moved = interrupted(run, tmp_path / "moved")
    assert state(moved / "checkpoint-32")["best_model_checkpoint"] == "whole/checkpoint-8"
    monkeypatch.chdir(tmp_path)
    gone = shutil.copytree(moved, tmp_path / "gone")
    train.main(argv(corpus, encoders["bert"], "moved", *RESUME))
    assert differ_by(run, moved) == 0 and differ_by(moved / "checkpoint-8", moved) == 0
    shutil.rmtree(gone / "checkpoint-8")
    message = fails(train.main, *argv(corpus, encoders["bert"], "gone", *RESUME))
    assert "gone/checkpoint-8: has no model.safetensors; expected the run's best checkpoint" in message


def test_what_does_not_change_the_weights_may_differ_and_the_seconds_of_all_parts_are_counted(run, corpus, tmp_path):
    """Another name of the same data, an encoder that is gone, and options of bookkeeping."""
    folder = interrupted(run, tmp_path / "run", 16)
    shutil.copytree(corpus, tmp_path / "copy")
    content = state(folder / "checkpoint-16")
    record = content["stateful_callbacks"]["RunRecord"]["args"]
    assert 0 < record["seconds"] < record_of(run / "checkpoint-32")["seconds"]
    record["seconds"], record["facts"]["--model_checkpoint"] = 1000.0, os.path.abspath("gone")
    (folder / "checkpoint-16" / "trainer_state.json").write_text(json.dumps(content))
    more = ("--save_total_limit", 2, "--per_device_eval_batch_size", 5, "--logging_steps", 1, "--run_name", "again")
    train.main(argv(tmp_path / "copy", "gone", folder, *more, *RESUME))
    assert differ_by(run, folder) == 0
    assert {p.name for p in folder.glob("checkpoint-*")} == {"checkpoint-8", "checkpoint-32"}
    assert read_json(folder / "environment.json")["train_seconds"] > 1000
    assert record_of(folder / "checkpoint-32")["seconds"] > 1000
    assert record_of(folder / "checkpoint-32")["facts"]["--model_checkpoint"] == os.path.abspath("gone")


def test_a_batch_may_be_divided_as_after_exhausted_memory(still, corpus, tmp_path, fails):
    options = ("--num_train_epochs", 2, "--save_strategy", "steps", "--save_steps", 11, "--eval_strategy", "no",
               "--load_best_model_at_end", "false")  # fmt: skip
    train.main(plain_argv(corpus, still, tmp_path / "whole", *options))
    resumed = interrupted(tmp_path / "whole", tmp_path / "resumed", 11)
    half = ("--per_device_train_batch_size", 8, *RESUME)
    with pytest.raises(InputError, match="found processes 2 instead of 1, sentences per update 32 instead of 16"):
        require_same(resumed / "checkpoint-11", record_of(resumed / "checkpoint-11")["facts"] | {"processes": 2})
    message = fails(train.main, *plain_argv(corpus, still, resumed, *options, *half))
    assert "found sentences per update 8 instead of 16; expected the same" in message
    train.main(plain_argv(corpus, still, resumed, *options, *half, "--gradient_accumulation_steps", 2))
    assert differ_by(tmp_path / "whole", resumed) < 1e-3  # with batches of 15, it is 0.1


def test_a_disk_that_fills_up_leaves_the_earlier_checkpoint(run, corpus, encoders, tmp_path, monkeypatch, fails):
    folder = interrupted(run, tmp_path / "run", 8)
    original = PreTrainedTokenizerFast.save_pretrained

    def full(tokenizer, place, *given, **named):
        if "checkpoint-16" in str(place):
            raise Exception("No space left on device (os error 28)")
        return original(tokenizer, place, *given, **named)

    monkeypatch.setattr(PreTrainedTokenizerFast, "save_pretrained", full)
    message = fails(train.main, *argv(corpus, encoders["bert"], folder, *RESUME))
    assert f"{folder / 'checkpoint-16'}: cannot be saved: " in message and "--resume_from_checkpoint true" in message
    monkeypatch.undo()
    train.main(argv(corpus, encoders["bert"], folder, *RESUME))
    assert differ_by(run, folder) == 0


def test_other_options_are_refused_by_name(run, corpus, encoders, tmp_path, fails):
    folder = interrupted(run, tmp_path / "run", 8)
    changed = {
        "learning_rate": ("1e-3", "0.001 instead of 0.01"), "max_train_sentences": ("50", "50 instead of None"),
        "optim": ("sgd", "sgd instead of None"), "num_train_epochs": ("10", "10.0 instead of 9.0"),
        "masked_training": ("true", "True instead of False"), "ignore_data_skip": ("true", "True instead of None"),
        "bf16": ("true", "True instead of False"), "model_checkpoint": ("other", "other instead of "),
    }  # fmt: skip
    options = [word for name, (value, _) in changed.items() for word in (f"--{name}", value)]
    message = fails(train.main, *argv(corpus, encoders["bert"], folder, *options, *RESUME))
    assert "is of another training: found " in message and "; expected the same" in message
    assert [name for name, (_, expected) in changed.items() if f"--{name} {expected}" not in message] == []
    assert sorted(p.name for p in folder.iterdir()) == ["args.yaml", "checkpoint-8"]


def test_other_data_under_the_same_name_are_refused(run, corpus, encoders, tmp_path, fails):
    folder, data = interrupted(run, tmp_path / "run", 8), shutil.copytree(corpus, tmp_path / "data")
    for split, name in (("val", "validation"), ("train", "training")):
        file = data / split / f"{split}_en.jsonl"
        first, *others = file.read_text().splitlines()
        file.write_text("\n".join([first.replace('"tokens": ["', '"tokens": ["x'), *others]) + "\n")
        assert f"found {name} data " in fails(train.main, *argv(data, encoders["bert"], folder, *RESUME))


def test_no_code_of_a_damaged_state_is_run(run, corpus, encoders, tmp_path, fails):
    class Harmful:
        def __reduce__(self):
            return Path.touch, (tmp_path / "harmed",)

    folder = interrupted(run, tmp_path / "run", 8)
    resume = argv(corpus, encoders["bert"], folder, *RESUME)
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        state = folder / "checkpoint-8" / name
        whole = state.read_bytes()
        torch.save(Harmful(), state)
        assert "checkpoint-8 cannot be continued: found a damaged pickle; " in fails(train.main, *resume)
        assert not (tmp_path / "harmed").exists()
        state.write_bytes(whole[: len(whole) // 2])
        assert "checkpoint-8 cannot be continued: found " in fails(train.main, *resume)
        state.write_bytes(whole)


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state*.pth"])
def test_a_checkpoint_that_lost_a_file_does_not_begin_the_training_again(name, run, tmp_path):
    folder = interrupted(run, tmp_path / "run", 8)
    assert checkpoint_to_resume(folder) == folder / "checkpoint-8"
    next((folder / "checkpoint-8").glob(name)).unlink()
    with pytest.raises(InputError, match=re.escape(f"checkpoint-8: has no {name}")):
        checkpoint_to_resume(folder)
