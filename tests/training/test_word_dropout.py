"""Hiding words of the training batches."""

import shutil

import pytest
import torch
from trained_runs import argv, differ_by, weights
from transformers import AutoTokenizer

import train
from ner.training.batches import with_hidden_words

OPTIONS = ("--word_dropout", 0.3, "--num_train_epochs", 2, "--load_best_model_at_end", "false", "--eval_strategy", "no",
           "--save_strategy", "steps", "--save_steps", 11)  # fmt: skip


def test_a_share_of_the_sub_tokens_is_hidden_but_no_special_token(encoders):
    tokenizer = AutoTokenizer.from_pretrained(encoders["bert"])
    torch.manual_seed(1)
    ids = torch.tensor([[2, 9, 10, 11, 12, 13, 3, 0]] * 2000)
    hidden = with_hidden_words(ids, 0.3, tokenizer)
    changed = hidden != ids
    assert (hidden[changed] == tokenizer.mask_token_id).all()
    assert abs(changed[:, 1:6].float().mean().item() - 0.3) < 0.02
    assert not changed[:, [0, 6, 7]].any()


@pytest.mark.slow
def test_a_training_learns_with_hidden_words_and_resumes_with_them(corpus, encoders, tmp_path):
    train.main(argv(corpus, encoders["bert"], tmp_path / "whole", *OPTIONS))
    train.main(argv(corpus, encoders["bert"], tmp_path / "without", *OPTIONS, "--word_dropout", 0))
    assert differ_by(tmp_path / "whole", tmp_path / "without") > 0.01
    mask = AutoTokenizer.from_pretrained(encoders["bert"]).mask_token_id
    name = "bert.embeddings.word_embeddings.weight"
    with_, without = (weights(tmp_path / run)[name][mask] for run in ("whole", "without"))
    assert (with_ - without).abs().max() > 0.01  # the mask token is trained, where words are hidden behind it
    shutil.copytree(tmp_path / "whole" / "checkpoint-11", tmp_path / "resumed" / "checkpoint-11")
    train.main(argv(corpus, encoders["bert"], tmp_path / "resumed", *OPTIONS, "--resume_from_checkpoint", "true"))
    assert differ_by(tmp_path / "whole", tmp_path / "resumed") == 0


@pytest.mark.slow
def test_a_tokenizer_without_a_mask_token_is_refused(corpus, encoders, tmp_path, fails):
    tokenizer = AutoTokenizer.from_pretrained(encoders["bert"])
    shutil.copytree(encoders["bert"], tmp_path / "encoder")
    tokenizer.mask_token = None
    tokenizer.save_pretrained(tmp_path / "encoder")
    message = fails(train.main, *argv(corpus, tmp_path / "encoder", tmp_path / "run", *OPTIONS))
    assert "--word_dropout: the tokenizer of" in message and "pass --word_dropout 0" in message
    message = fails(train.main, *argv(corpus, encoders["bert"], tmp_path / "run", *OPTIONS, "--word_dropout", 1))
    assert "--word_dropout: found 1.0; expected at least 0 and less than 1" in message
