"""The mean of several trainings' weights."""

import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file
from trained_runs import argv, differ_by, read_json, weights

import train

SOUP = ("--soup_members", 2, "--num_train_epochs", 4, "--load_best_model_at_end", "false")
# An evaluation draws random numbers, so it comes at the same update as a save, after which they are the same again.
STEPS = ("--save_strategy", "steps", "--save_steps", 4, "--eval_strategy", "steps", "--eval_steps", 4)


@pytest.fixture(scope="module")
def soup(corpus, encoders, tmp_path_factory) -> Path:
    """Two members of 16 updates each, with a checkpoint after every fourth one and after the last."""
    run = tmp_path_factory.mktemp("runs") / "soup"
    train.main(argv(corpus, encoders["bert"], run, *SOUP, *STEPS, "--save_total_limit", 99, "--logging_steps", 1))
    return run


def distance(a: Path, b: Path) -> float:
    first, second = weights(a), weights(b)
    return sum((first[name] - second[name]).square().sum().item() for name in first) ** 0.5


def test_the_first_member_is_a_training_of_its_own(soup, corpus, encoders, tmp_path):
    options = (*STEPS, "--num_train_epochs", 2, "--load_best_model_at_end", "false")
    train.main(argv(corpus, encoders["bert"], tmp_path / "alone", *options))
    assert differ_by(soup / "checkpoint-16", tmp_path / "alone") == 0


def test_the_second_member_starts_as_the_first_did(soup):
    rates = [entry["learning_rate"] for entry in read_json(soup / "trainer_state.json")["log_history"]
             if "learning_rate" in entry]  # fmt: skip
    assert len(rates) == 32 and rates[:16] == rates[16:] and rates[0] == 0.01 and rates[15] < 0.001
    fourth, twentieth, last = (soup / f"checkpoint-{step}" for step in (4, 20, 16))
    assert distance(fourth, twentieth) < distance(last, twentieth)


def test_the_weights_are_the_mean_of_both(soup, tmp_path):
    sums = load_file(soup / "checkpoint-32" / "soup.safetensors")
    first, mean = weights(soup / "checkpoint-16"), weights(soup)
    assert differ_by(soup, soup / "checkpoint-32") == 0
    different = 0
    for name, summed in sums.items():
        if "word_embeddings" in name:  # only the rows that the data use
            continue
        second = summed - first[name]
        assert (mean[name] - (first[name] + second) / 2).abs().max() < 1e-6
        different += int(not second.allclose(first[name], atol=1e-3))
    assert different > len(sums) / 2


@pytest.mark.parametrize("step", [4, 16, 20, 32])
def test_a_resumed_soup_has_the_same_weights(step, soup, corpus, encoders, tmp_path):
    shutil.copytree(soup / f"checkpoint-{step}", tmp_path / f"checkpoint-{step}")
    options = (*SOUP, *STEPS, "--resume_from_checkpoint", "true")
    train.main(argv(corpus, encoders["bert"], tmp_path, *options))
    assert differ_by(soup, tmp_path) == 0


def test_a_checkpoint_without_its_members_is_refused(soup, corpus, encoders, tmp_path, fails):
    shutil.copytree(soup / "checkpoint-20", tmp_path / "checkpoint-20")
    (tmp_path / "checkpoint-20" / "soup.safetensors").unlink()
    options = (*SOUP, *STEPS, "--resume_from_checkpoint", "true")
    assert "soup.safetensors: cannot be read" in fails(train.main, *argv(corpus, encoders["bert"], tmp_path, *options))


def test_updates_that_do_not_divide_are_left(corpus, encoders, tmp_path):
    train.main(argv(corpus, encoders["bert"], tmp_path / "run", *SOUP, "--max_steps", 7))
    assert read_json(tmp_path / "run" / "environment.json")["update_steps"] == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--load_best_model_at_end", "true"), "--soup_members: found --load_best_model_at_end true"),
        (("--early_stopping_patience", 1), "--soup_members: found --load_best_model_at_end true or --early_stopping"),
        (("--soup_members", 0), "--soup_members: found 0"),
        (("--max_steps", 1), "--soup_members: found 2 for 1 update"),
        (("--lr_scheduler_type", "reduce_lr_on_plateau"), "--lr_scheduler_type: found ReduceLROnPlateau"),
    ],
)
def test_what_makes_no_soup_is_refused(options, message, corpus, encoders, tmp_path, fails):
    assert message in fails(train.main, *argv(corpus, encoders["bert"], tmp_path / "run", *SOUP, *options))
    assert not list((tmp_path / "run").glob("*.json"))
