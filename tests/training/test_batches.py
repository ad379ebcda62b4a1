"""Which sentences are in a batch, in which order, and which of their words are hidden."""

import itertools

import numpy as np
import pytest
import torch
from architectures import save
from trained_runs import argv, read_json
from transformers import AutoTokenizer

import train
from ner.errors import InputError
from ner.training.batches import BatchesOfLikeLength, require_mask, with_hidden_words


@pytest.mark.slow
def test_an_odd_table_of_positions_is_not_padded_beyond(corpus, tmp_path):
    odd = save(tmp_path / "odd", "bert", max_position_embeddings=7)
    train.main(argv(corpus, odd, tmp_path / "run", "--max_steps", "2"))
    assert read_json(tmp_path / "run" / "config.json")["trained_window"] == 7


def test_batches_of_like_length_come_in_random_order():
    lengths = torch.randint(5, 60, (203,), generator=torch.Generator().manual_seed(0)).tolist()

    def rows_of(seed: int, epoch: int) -> list[int]:
        sampler = BatchesOfLikeLength(4, lengths, seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    rows = rows_of(0, 0)
    assert sorted(rows) == list(range(203)) and rows == rows_of(0, 0)
    assert all(rows != rows_of(*other) for other in ((0, 1), (1, 0)))
    batches = [[lengths[i] for i in rows[start : start + 4]] for start in range(0, 200, 4)]
    assert np.mean([max(batch) - min(batch) for batch in batches]) < 6  # of 27 where rows are drawn at random
    falls = np.mean([max(a) >= max(b) for a, b in itertools.pairwise(batches)])
    assert 0.3 < falls < 0.7  # half in random order, nearly all from long to short


def test_a_share_of_the_sub_tokens_is_hidden_but_no_special_token(encoders):
    tokenizer = AutoTokenizer.from_pretrained(encoders["bert"])
    torch.manual_seed(1)
    ids = torch.tensor([[2, 9, 10, 11, 12, 13, 3, 0]] * 2000)
    hidden = with_hidden_words(ids, 0.3, tokenizer)
    changed = hidden != ids
    assert (hidden[changed] == tokenizer.mask_token_id).all()
    assert abs(changed[:, 1:6].float().mean().item() - 0.3) < 0.02
    assert not changed[:, [0, 6, 7]].any()


def test_a_tokenizer_without_a_mask_token_cannot_hide_words(encoders):
    tokenizer = AutoTokenizer.from_pretrained(encoders["bert"])
    assert require_mask(tokenizer) == tokenizer.mask_token_id
    tokenizer.mask_token = None
    with pytest.raises(InputError, match=r"--word_dropout: .* has no mask token; pass --word_dropout 0"):
        require_mask(tokenizer)
