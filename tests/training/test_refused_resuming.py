"""Nothing is resumed but a whole checkpoint of the same training."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from conftest import NAMES, launched, write_jsonl
from interrupted_runs import argv, interrupted, state

import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(stopped_run, tmp_path_factory) -> Path:
    return shutil.copytree(stopped_run, tmp_path_factory.mktemp("runs") / "whole")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("learning_rate", "1e-3", "--learning_rate 0.001 instead of 0.01"),
        ("weight_decay", "0.5", "--weight_decay 0.5 instead of 0.01"),
        ("max_train_sentences", "50", "--max_train_sentences 50 instead of None"),
        ("per_device_train_batch_size", "8", "--per_device_train_batch_size 8 instead of 16"),
        ("gradient_accumulation_steps", "2", "--gradient_accumulation_steps 2 instead of 1"),
        ("train_sampling_strategy", "random", "--train_sampling_strategy random instead of group_by_length"),
        ("optim", "sgd", "--optim sgd instead of adamw_torch_fused"),
        ("seed", "1", "--seed 1 instead of 42"),
        ("num_train_epochs", "10", "--num_train_epochs 10.0 instead of 9.0"),
        ("max_steps", "3", "--max_steps 3 instead of -1"),
        ("lr_scheduler_type", "cosine", "--lr_scheduler_type cosine instead of linear"),
        ("masked_training", "true", "--masked_training True instead of False"),
        ("early_stopping_patience", "2", "--early_stopping_patience 2 instead of 3"),
        ("ignore_data_skip", "true", "--ignore_data_skip True instead of False"),
        ("bf16", "true", "--bf16 True instead of False"),
    ],
)
def test_other_options_are_refused_by_name(option, value, message, run, corpus, encoders, tmp_path, fails):
    folder = interrupted(run, tmp_path / "run", 8)
    more = (f"--{option}", value, "--resume_from_checkpoint", "true")
    refusal = fails(train.main, *argv(corpus, encoders["bert"], folder, *more))
    assert f"found {message}; expected the same" in refusal
    assert sorted(p.name for p in folder.iterdir()) == ["checkpoint-8"]


def test_an_option_that_only_the_interrupted_run_had_is_named(corpus, encoders, tmp_path, fails):
    more = ("--max_grad_norm", "0.5", "--lr_scheduler_kwargs", "{}", "--max_steps", "1")
    train.main(argv(corpus, encoders["bert"], tmp_path / "run", *more))
    again = ("--max_steps", "1", "--resume_from_checkpoint", "true", "--lr_scheduler_kwargs", " { } ")
    refusal = fails(train.main, *argv(corpus, encoders["bert"], tmp_path / "run", *again))
    assert "found --max_grad_norm 1.0 instead of 0.5; expected" in refusal


def test_other_data_under_the_same_name_are_refused(run, corpus, encoders, tmp_path, fails):
    folder, data = interrupted(run, tmp_path / "run", 8), shutil.copytree(corpus, tmp_path / "data")
    resume = argv(data, encoders["bert"], folder, "--resume_from_checkpoint", "true")
    for split, name in (("train", "training"), ("val", "validation")):
        file = data / split / f"{split}_en.jsonl"
        before = file.read_text()
        lines = before.splitlines()
        changed = json.loads(lines[0])
        changed["tokens"][0] += "x"
        file.write_text("\n".join([json.dumps(changed), *lines[1:]]) + "\n")
        refusal = fails(train.main, *resume)
        assert f"whose {name} sentences have the fingerprint" in refusal and f"instead of {corpus} with" in refusal
        file.write_text(before)
    write_jsonl(data / "test" / "test_en.jsonl", [json.loads(lines) for lines in open(data / "train/train_en.jsonl")])
    write_jsonl(data / "train" / "train_en.jsonl", [{"tokens": ["new"], "ner_tags": [NAMES.index("B-PER")]}])
    assert "whose training sentences" in fails(train.main, *resume)
    assert sorted(p.name for p in folder.iterdir()) == ["checkpoint-8"]


def test_another_encoder_is_refused(run, corpus, encoders, tmp_path, fails):
    folder = interrupted(run, tmp_path / "run", 8)
    resume = ("--resume_from_checkpoint", "true")
    other = shutil.copytree(encoders["bert"], tmp_path / "other")
    refusal = fails(train.main, *argv(corpus, other, folder, *resume))
    assert f"--model_checkpoint {other} instead of {encoders['bert']}" in refusal
    # The same place, and another model there now.
    content = state(folder / "checkpoint-8")
    content["stateful_callbacks"]["RunRecord"]["args"]["encoder"] = str(encoders["distilbert"])
    (folder / "checkpoint-8" / "trainer_state.json").write_text(json.dumps(content))
    assert "holds bert." in fails(train.main, *argv(corpus, encoders["distilbert"], folder, *resume))


def test_another_number_of_processes_is_refused(run, corpus, encoders, tmp_path):
    folder = interrupted(run, tmp_path / "run", 8)
    done = launched("train.py", *argv(corpus, encoders["bert"], folder, "--resume_from_checkpoint", "true"))
    assert done.returncode != 0 and "found 2 process(es) instead of 1; expected" in done.stderr


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGES = {
    "no weights": (Path.unlink, "model.safetensors", "model.safetensors: no such file"),
    "weights cut": (cut, "model.safetensors", "model.safetensors: damaged"),
    "optimizer cut": (cut, "optimizer.pt", "optimizer.pt: damaged"),
    "optimizer gone": (Path.unlink, "optimizer.pt", "optimizer.pt: no such file"),
    "optimizer empty": (lambda path: path.write_bytes(b""), "optimizer.pt", "optimizer.pt: damaged"),
    "schedule cut": (cut, "scheduler.pt", "scheduler.pt: damaged"),
    "random state cut": (cut, "rng_state.pth", "rng_state.pth: damaged"),
    "random state gone": (Path.unlink, "rng_state.pth", "rng_state.pth: no such file"),
    "state cut": (cut, "trainer_state.json", "trainer_state.json: cannot be read"),
    "no state": (Path.unlink, "trainer_state.json", "has no trainer_state.json"),
    "other state": (lambda path: path.write_text("{}"), "trainer_state.json", "no record of the run's options"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_one_message_or_passed_over(damage, run, corpus, encoders, tmp_path, fails, caplog):
    folder = interrupted(run, tmp_path / "run", 16)
    harm, name, message = DAMAGES[damage]
    harm(folder / "checkpoint-16" / name)
    resume = argv(corpus, encoders["bert"], folder, "--resume_from_checkpoint")
    assert message in fails(train.main, *resume, str(folder / "checkpoint-16"))
    options = train.parse([*resume, "true"], "").training
    caplog.set_level("INFO", "ner")
    assert train.checkpoint_to_resume(options) == str(folder / "checkpoint-8")
    assert message in caplog.text and "skipped" in caplog.text and f"resuming from {folder}" in caplog.text
    shutil.rmtree(folder / "checkpoint-8")
    assert message in fails(train.main, *resume, "true")


def test_no_code_of_a_damaged_state_is_run(run, corpus, encoders, tmp_path, fails):
    class Harmful:
        def __reduce__(self):
            return Path.touch, (tmp_path / "harmed",)

    folder = interrupted(run, tmp_path / "run", 8)
    torch.save(Harmful(), folder / "checkpoint-8" / "optimizer.pt")
    resume = ("--resume_from_checkpoint", "true")
    assert "optimizer.pt: damaged" in fails(train.main, *argv(corpus, encoders["bert"], folder, *resume))
    assert not (tmp_path / "harmed").exists()
