"""A run that is interrupted and resumed ends as the run that was not, and nothing else is taken for its checkpoint."""

import errno
import json
import os
import pkgutil
import shutil
from pathlib import Path

import pytest
import torch
from conftest import NAMES, launched, write_jsonl
from safetensors import SafetensorError
from safetensors.torch import load_file

import train
from ner.model import resuming, speed
from ner.runs.folder import checkpoints_in

# `best` is the first epoch's checkpoint, since the loss falls: three evaluations without a better one end the run.
WORSE = ("--metric_for_best_model", "loss", "--greater_is_better", "true", "--early_stopping_patience", "3")
QUICK = ("--use_cpu", "true", "--num_train_epochs", "9", "--learning_rate", "1e-2", "--save_total_limit", "9")


def argv(corpus: Path, encoder: Path, run: Path | str, *more: object) -> list[str]:
    options = ("--dataset", corpus, "--model_checkpoint", encoder, "--output_dir", run, *QUICK, *WORSE, *more)
    return [str(o) for o in options]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model.safetensors")


def same_weights(a: Path, b: Path) -> bool:
    first, second = weights(a), weights(b)
    return first.keys() == second.keys() and all(first[k].equal(second[k]) for k in first)


def state(folder: Path) -> dict:
    return json.loads((folder / "trainer_state.json").read_text())


def interrupted(run: Path, folder: Path, steps: int = 99) -> Path:
    """A copy of a run as a kill leaves it after the update `steps`: its checkpoints."""
    folder.mkdir()
    for checkpoint in checkpoints_in(run):
        if int(checkpoint.name.split("-")[1]) <= steps:
            shutil.copytree(checkpoint, folder / checkpoint.name)
    return folder


@pytest.fixture(scope="module")
def run(corpus, encoders, tmp_path_factory) -> Path:
    """Stopped early after the updates 8, 16, 24 and 32; the best checkpoint is the first, and the path relative."""
    folder = tmp_path_factory.mktemp("resuming")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        train.main(argv(corpus, encoders["bert"], "whole", "--bf16", "false"))
    return folder / "whole"


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


def test_what_does_not_change_the_weights_may_differ(run, corpus, encoders, tmp_path, monkeypatch):
    """Other names of the same data and encoder, from another directory, and options of bookkeeping."""
    folder = interrupted(run, tmp_path / "run", 16)
    shutil.copytree(corpus, tmp_path / "copy")
    monkeypatch.chdir(tmp_path)
    encoder = os.path.relpath(encoders["bert"])
    more = ("--resume_from_checkpoint", "true", "--save_total_limit", 2, "--per_device_eval_batch_size", 5, "--cache",
            "false", "--logging_steps", 3, "--run_name", "again")  # fmt: skip
    train.main(argv("copy", encoder, folder, *more))
    assert same_weights(run, folder)
    assert [e["step"] for e in state(folder)["log_history"] if "grad_norm" in e] == [18, 21, 24, 27, 30]
    assert {p.name for p in folder.glob("checkpoint-*")} == {"checkpoint-8", "checkpoint-32"}


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


def test_the_precision_is_that_of_the_interrupted_run(run, corpus, encoders, tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "multiplies_bfloat16", lambda device: True)
    folder = interrupted(run, tmp_path / "run", 24)
    train.main(argv(corpus, encoders["bert"], folder, "--resume_from_checkpoint", "true"))
    assert same_weights(run, folder)
    assert json.loads((folder / "environment.json").read_text())["precision"] == "float32"
    more = ("--early_stopping_patience", "1", "--num_train_epochs", "2")
    train.main(argv(corpus, encoders["bert"], tmp_path / "whole", *more))
    monkeypatch.setattr(speed, "multiplies_bfloat16", lambda device: False)
    other = interrupted(tmp_path / "whole", tmp_path / "other", 8)
    train.main(argv(corpus, encoders["bert"], other, *more, "--resume_from_checkpoint", "true"))
    assert same_weights(tmp_path / "whole", other)
    assert json.loads((other / "environment.json").read_text())["precision"] == "bfloat16"


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
