"""A training that is refused leaves the run in its folder as it was."""

import shutil
from pathlib import Path

import pytest
from conftest import write_jsonl
from trained_runs import argv, content

import inference
import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(upsampled_run, tmp_path_factory) -> Path:
    return shutil.copytree(upsampled_run, tmp_path_factory.mktemp("runs") / "b")


def test_a_folder_that_holds_a_run_is_left_unchanged(run, corpus, encoders, fails):
    before = content(run)
    message = fails(train.main, *argv(corpus, encoders["bert"], run))
    assert "holds a run" in message and "--overwrite_output_dir true" in message
    assert content(run) == before


def test_a_wrong_checkpoint_or_data_leaves_a_run_that_was_to_be_replaced(run, corpus, encoders, tmp_path, fails):
    before = content(run)
    over = ("--overwrite_output_dir", "true")
    (tmp_path / "nothing").mkdir()
    assert "holds no config.json" in fails(train.main, *argv(corpus, tmp_path / "nothing", run, *over))
    assert "expected at most 64" in fails(train.main, *argv(corpus, encoders["bert"], run, *over, "--max_length", "99"))
    write_jsonl(tmp_path / "train" / "train_en.jsonl", [{"tokens": ["a"], "ner_tags": [99]}])
    assert "train_en.jsonl:1" in fails(train.main, *argv(tmp_path, encoders["bert"], run, *over))
    assert content(run) == before


def test_options_that_libraries_refuse_leave_the_run_that_was_to_be_replaced(run, corpus, encoders, fails):
    before = content(run)
    for option, value in (
        ("--report_to", "wandb"), ("--optim", "adamw_bnb_8bit"), ("--lr_scheduler_type", "cosine_with_min_lr"),
        ("--adam_beta1", "2"), ("--seed", "-1"), ("--num_train_epochs", "nan"), ("--prediction_loss_only", "true"),
        ("--use_liger_kernel", "true"), ("--torch_compile_mode", "foo"), ("--data_seed", "-1"),
        ("--data_seed", 2**32), ("--eval_accumulation_steps", "0"), ("--neftune_noise_alpha", "-1"),
    ):  # fmt: skip
        over = ("--overwrite_output_dir", "true", option, value)
        assert fails(train.main, *argv(corpus, encoders["bert"], run, *over)).startswith("error: ")
    for kwargs in (
        "foo",
        '{"foo": 1}',
        '{"determinism_check": "foo", "use_reentrant": false}',
        '{"every_n_layers": 0}',
    ):
        over = ("--overwrite_output_dir", "true", "--gradient_checkpointing", "true", "--gradient_checkpointing_kwargs")
        assert fails(train.main, *argv(corpus, encoders["bert"], run, *over, kwargs)).startswith("error: ")
    assert content(run) == before


def test_a_checkpoint_of_elsewhere_does_not_open_a_folder_that_holds_a_run(run, corpus, encoders, tmp_path, fails):
    other = tmp_path / "other"
    shutil.copytree(run, other)
    before = content(other)
    checkpoint = next(run.glob("checkpoint-*"))
    assert "holds a run" in fails(
        train.main, *argv(corpus, encoders["bert"], other, "--resume_from_checkpoint", checkpoint)
    )
    assert content(other) == before


def test_data_are_never_taken_for_a_run(corpus, encoders, tmp_path, fails):
    folder = tmp_path / "data"
    shutil.copytree(corpus, folder)
    (folder / "README.md").write_text("mine")
    before = content(folder)
    (folder / "validation").mkdir()
    (folder / "validation" / "notes.txt").write_text("mine")
    over = ("--overwrite_output_dir", "true", "--max_steps", "1")
    message = fails(train.main, *argv(corpus, encoders["bert"], folder, *over))
    assert "holds notes.txt, which scoring would replace" in message
    shutil.rmtree(folder / "validation")
    assert "holds README.md, which a run would" in fails(train.main, *argv(corpus, encoders["bert"], folder, *over))
    assert content(folder) == before
    (folder / "README.md").unlink()
    train.main(argv(folder, encoders["bert"], folder, *over))
    assert (folder / "test" / "test_en.jsonl").read_bytes() == before["test/test_en.jsonl"]
    assert "holds test_en.jsonl" in fails(inference.main, "--checkpoint", folder, "--use_cpu", "true")
    (tmp_path / "file").write_text("")
    assert "not a folder that can be written" in fails(train.main, *argv(corpus, encoders["bert"], tmp_path / "file"))
