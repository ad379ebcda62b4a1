"""A run that is interrupted and resumed ends as the run that was not, and nothing else is resumed."""

import errno
import json
import logging
import os
import pkgutil
import shutil
from pathlib import Path

import pytest
import torch
from conftest import launched
from interrupted_runs import argv, interrupted, same_weights, state
from safetensors import SafetensorError
from trained_runs import argv as plain_argv
from trained_runs import differ_by, read_json

import train
from ner.encoder import precision
from ner.errors import InputError
from ner.training.resuming import MAY_DIFFER, checkpoint_to_resume, record_of, require_same

pytestmark = pytest.mark.slow
RESUME = ("--resume_from_checkpoint", "true")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(stopped_run, tmp_path_factory) -> Path:
    return shutil.copytree(stopped_run, tmp_path_factory.mktemp("runs") / "whole")


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
    caplog.set_level("INFO", "ner")
    folder = interrupted(run, tmp_path / "run", 8)
    (folder / "checkpoint-8" / "trainer_state.json").unlink()  # killed while it saved
    train.main(argv(corpus, encoders["bert"], folder, "--bf16", "false", *RESUME))
    assert "has no trainer_state.json" in caplog.text and "the training begins again" in caplog.text
    assert same_weights(run, folder)


def test_early_stopping_is_as_patient_as_before(run, corpus, encoders, tmp_path):
    assert state(run)["global_step"] == 32
    last = ("--load_best_model_at_end", "false", "--bf16", "false")
    train.main(argv(corpus, encoders["bert"], tmp_path / "whole", *last))
    for steps in (16, 32):  # 32: it had stopped already
        resumed = interrupted(tmp_path / "whole", tmp_path / str(steps), steps)
        train.main(argv(corpus, encoders["bert"], resumed, *last, *RESUME))
        assert state(resumed)["global_step"] == 32
        assert same_weights(tmp_path / "whole", resumed)


def test_a_run_that_had_made_its_last_update_makes_no_more(corpus, encoders, tmp_path):
    more = ("--max_steps", 11, "--save_strategy", "steps", "--eval_strategy", "steps", "--save_steps", 1,
            "--eval_steps", 1, "--load_best_model_at_end", "false", "--early_stopping_patience", 99)  # fmt: skip
    train.main(argv(corpus, encoders["bert"], tmp_path / "whole", *more))
    resumed = interrupted(tmp_path / "whole", tmp_path / "resumed")
    train.main(argv(corpus, encoders["bert"], resumed, *more, *RESUME))
    assert state(resumed)["global_step"] == 11 and same_weights(tmp_path / "whole", resumed)


def test_the_best_checkpoint_moves_with_the_run(run, corpus, encoders, tmp_path, monkeypatch, fails):
    moved = interrupted(run, tmp_path / "moved")
    assert state(moved / "checkpoint-32")["best_model_checkpoint"] == "whole/checkpoint-8"
    monkeypatch.chdir(tmp_path)
    gone = shutil.copytree(moved, tmp_path / "gone")
    train.main(argv(corpus, encoders["bert"], "moved", *RESUME))
    assert same_weights(run, moved) and same_weights(moved / "checkpoint-8", moved)
    shutil.rmtree(gone / "checkpoint-8")
    message = fails(train.main, *argv(corpus, encoders["bert"], "gone", *RESUME))
    assert "the best checkpoint so far, gone/checkpoint-8, is not there" in message


def test_seconds_of_all_parts_are_counted(run, corpus, encoders, tmp_path):
    folder = interrupted(run, tmp_path / "run", 16)
    content = state(folder / "checkpoint-16")
    seconds = content["stateful_callbacks"]["RunRecord"]["args"]
    assert 0 < seconds["seconds"] < read_json(run / "environment.json")["train_seconds"]
    seconds["seconds"] = 1000.0
    (folder / "checkpoint-16" / "trainer_state.json").write_text(json.dumps(content))
    train.main(argv(corpus, encoders["bert"], folder, *RESUME))
    assert read_json(folder / "environment.json")["train_seconds"] > 1000
    assert record_of(folder / "checkpoint-24")["seconds"] > 1000


def test_what_does_not_change_the_weights_may_differ(run, corpus, encoders, tmp_path):
    """Another name of the same data, an encoder that is gone, and options of bookkeeping."""
    folder = interrupted(run, tmp_path / "run", 16)
    shutil.copytree(corpus, tmp_path / "copy")
    content = state(folder / "checkpoint-16")
    content["stateful_callbacks"]["RunRecord"]["args"]["options"]["model_checkpoint"] = "gone"
    (folder / "checkpoint-16" / "trainer_state.json").write_text(json.dumps(content))
    more = ("--save_total_limit", 1, "--per_device_eval_batch_size", 5, "--run_name", "again", *RESUME)
    train.main(argv(tmp_path / "copy", "gone", folder, *more))
    assert same_weights(run, folder)
    assert {p.name for p in folder.glob("checkpoint-*")} == {"checkpoint-8"}


@pytest.mark.parametrize(("before", "now"), [("float32", True), ("bfloat16", False)])
def test_the_precision_is_that_of_the_interrupted_run(before, now, run, corpus, encoders, tmp_path, monkeypatch):
    more = ("--early_stopping_patience", "1", "--num_train_epochs", "2")
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda device: before == "bfloat16")
    train.main(argv(corpus, encoders["bert"], tmp_path / "whole", *more))
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda device: now)
    other = interrupted(tmp_path / "whole", tmp_path / "other", 8)
    train.main(argv(corpus, encoders["bert"], other, *more, *RESUME))
    assert same_weights(tmp_path / "whole", other)
    assert read_json(other / "environment.json")["precision"] == before


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("torch.save", RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")),
        ("transformers.modeling_utils.safe_save_file", SafetensorError("Error while serializing: No space left")),
        ("transformers.PreTrainedTokenizerFast.save_pretrained", Exception("No space left on device (os error 28)")),
        ("transformers.TrainerState.save_to_json", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))),
    ],
)
def test_a_disk_that_fills_up_leaves_the_earlier_checkpoint(
    place, error, run, corpus, encoders, tmp_path, monkeypatch, fails
):
    folder = interrupted(run, tmp_path / "run", 8)
    module, _, name = place.rpartition(".")
    original = getattr(pkgutil.resolve_name(module), name)

    def full(*given, **named):
        path = next(Path(g) for g in given if isinstance(g, str | Path))
        if "checkpoint-16" not in str(path):
            return original(*given, **named)
        if path.suffix:
            path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(place, full)
    message = fails(train.main, *argv(corpus, encoders["bert"], folder, *RESUME))
    assert f"{folder / 'checkpoint-16'}: cannot be saved: " in message and "--resume_from_checkpoint true" in message
    monkeypatch.undo()
    train.main(argv(corpus, encoders["bert"], folder, *RESUME))
    assert same_weights(run, folder)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("learning_rate", "1e-3", "--learning_rate 0.001 instead of 0.01"),
        ("max_train_sentences", "50", "--max_train_sentences 50 instead of None"),
        ("optim", "sgd", "--optim sgd instead of adamw_torch_fused"),
        ("num_train_epochs", "10", "--num_train_epochs 10.0 instead of 9.0"),
        ("masked_training", "true", "--masked_training True instead of False"),
        ("ignore_data_skip", "true", "--ignore_data_skip True instead of False"),
        ("bf16", "true", "--bf16 True instead of False"),
        ("model_checkpoint", "other", "--model_checkpoint other instead of "),
    ],
)
def test_other_options_are_refused_by_name(option, value, message, run, corpus, encoders, tmp_path, fails):
    folder = interrupted(run, tmp_path / "run", 8)
    refusal = fails(train.main, *argv(corpus, encoders["bert"], folder, f"--{option}", value, *RESUME))
    assert f"found {message}" in refusal and "; expected the same" in refusal
    assert sorted(p.name for p in folder.iterdir()) == ["args.yaml", "checkpoint-8"]


def test_what_a_record_may_differ_in(run):
    record = record_of(run / "checkpoint-8")
    options = record["options"]
    require_same(
        run / "checkpoint-8", {"options": options | {"lr_scheduler_kwargs": " { } "}}, {"lr_scheduler_kwargs": "{}"}
    )
    require_same(run / "checkpoint-8", {"options": {k: v for k, v in options.items() if not MAY_DIFFER.fullmatch(k)}})
    for facts, message in (
        ({"options": {}, "processes": 2}, "processes 2 instead of 1"),
        ({"training_data": "0"}, f"training data 0 instead of {record['training_data']}"),
        ({"validation_data": "0"}, f"validation data 0 instead of {record['validation_data']}"),
        ({"options": options | {"max_grad_norm": 1.0}}, "--max_grad_norm 1.0 instead of 0.5"),
    ):
        with pytest.raises(InputError, match=f"found {message}; expected the same"):
            require_same(run / "checkpoint-8", facts, options | {"max_grad_norm": 0.5})


def test_other_data_under_the_same_name_are_refused(run, corpus, encoders, tmp_path, fails):
    folder, data = interrupted(run, tmp_path / "run", 8), shutil.copytree(corpus, tmp_path / "data")
    for split, name in (("val", "validation"), ("train", "training")):
        file = data / split / f"{split}_en.jsonl"
        first, *others = file.read_text().splitlines()
        file.write_text("\n".join([first.replace('"tokens": ["', '"tokens": ["x'), *others]) + "\n")
        assert f"found {name} data " in fails(train.main, *argv(data, encoders["bert"], folder, *RESUME))


def test_another_number_of_processes_is_refused(run, corpus, encoders, tmp_path):
    folder = interrupted(run, tmp_path / "run", 8)
    done = launched("train.py", *argv(corpus, encoders["bert"], folder, *RESUME))
    assert done.returncode != 0 and "found processes 2 instead of 1; expected" in done.stderr


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGES = {
    "no weights": (Path.unlink, "model.safetensors", "model.safetensors: no such file"),
    "weights cut": (cut, "model.safetensors", "model.safetensors: damaged"),
    "optimizer cut": (cut, "optimizer.pt", "optimizer.pt: damaged"),
    "optimizer gone": (Path.unlink, "optimizer.pt", "optimizer.pt: no such file"),
    "schedule empty": (lambda path: path.write_bytes(b""), "scheduler.pt", "scheduler.pt: damaged"),
    "random state cut": (cut, "rng_state.pth", "rng_state.pth: damaged"),
    "tokenizer gone": (Path.unlink, "tokenizer.json", "tokenizer.json: no such file"),
    "random state gone": (Path.unlink, "rng_state.pth", "rng_state.pth: no such file"),
    "state cut": (cut, "trainer_state.json", "trainer_state.json: cannot be read"),
    "no state": (Path.unlink, "trainer_state.json", "has no trainer_state.json"),
    "other state": (lambda path: path.write_text("{}"), "trainer_state.json", "no record of the run's options"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_one_message_or_passed_over(damage, run, tmp_path, caplog):
    folder = interrupted(run, tmp_path / "run", 16)
    harm, name, message = DAMAGES[damage]
    harm(folder / "checkpoint-16" / name)
    with pytest.raises(InputError, match=message):
        checkpoint_to_resume(folder, str(folder / "checkpoint-16"))
    with caplog.at_level(logging.INFO, "ner"):
        assert checkpoint_to_resume(folder, "true") == folder / "checkpoint-8"
    assert message in caplog.text and "skipped" in caplog.text and f"resuming from {folder}" in caplog.text


def test_a_checkpoint_of_another_folder_is_refused(run, tmp_path):
    with pytest.raises(InputError, match=f"expected true, or a checkpoint-N in {tmp_path}"):
        checkpoint_to_resume(tmp_path, str(run / "checkpoint-8"))
    assert checkpoint_to_resume(tmp_path, "False") is None


def test_no_code_of_a_damaged_state_is_run(run, tmp_path):
    class Harmful:
        def __reduce__(self):
            return Path.touch, (tmp_path / "harmed",)

    folder = interrupted(run, tmp_path / "run", 8)
    torch.save(Harmful(), folder / "checkpoint-8" / "optimizer.pt")
    with pytest.raises(InputError, match=r"optimizer.pt: damaged"):
        checkpoint_to_resume(folder, str(folder / "checkpoint-8"))
    assert not (tmp_path / "harmed").exists()
