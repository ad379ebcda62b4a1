"""The training batches: sentences of similar length together, in random order, and some of their words hidden.

Word dropout (Iyyer et al. 2015), with the mask token of the encoder's pre-training: it replaces hidden sub-tokens, so
that a model learns from a word's context too. Their labels stay.
"""

from collections.abc import Iterator

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast
from transformers.trainer_pt_utils import LengthGroupedSampler

from ner.errors import InputError


class BatchesOfLikeLength(LengthGroupedSampler):
    """transformers' batches of sentences of similar length, in random order instead of from long to short.

    The order depends only on seed and epoch, so a run that is resumed within an epoch repeats it. None, for which
    `Encoded` gives a row that teaches nothing, is added until the number of rows is a multiple of `multiple`: then
    several processes have equally many.
    """

    epoch = 0

    def __init__(self, batch_size: int, lengths: list[int], seed: int, multiple: int = 1) -> None:
        super().__init__(batch_size, lengths=lengths)
        self.seed, self.fill = seed, -len(lengths) % multiple

    def __len__(self) -> int:
        return len(self.lengths) + self.fill

    def set_epoch(self, epoch: int) -> None:
        """accelerate calls this before each epoch, with its number, so that each epoch has its own order."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int | None]:
        seed = np.random.SeedSequence((self.seed, self.epoch)).generate_state(1)
        self.generator = torch.Generator().manual_seed(int(seed[0]))
        rows = list(super().__iter__())
        whole = len(rows) // self.batch_size
        for batch in torch.randperm(whole, generator=self.generator).tolist():
            yield from rows[batch * self.batch_size : (batch + 1) * self.batch_size]
        yield from rows[whole * self.batch_size :]
        yield from [None] * self.fill


def require_mask(tokenizer: PreTrainedTokenizerFast) -> int:
    """The id of the mask token. Raises `InputError` where the tokenizer has none."""
    if tokenizer.mask_token_id is None:
        raise InputError(
            f"--word_dropout: the tokenizer of {tokenizer.name_or_path} has no mask token; pass --word_dropout 0"
        )
    return int(tokenizer.mask_token_id)


def with_hidden_words(input_ids: torch.Tensor, share: float, tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    """The ids [row, position] with each hidden by a probability of `share`, except special tokens."""
    special = torch.tensor(tokenizer.all_special_ids, device=input_ids.device)
    hidden = (torch.rand(input_ids.shape, device=input_ids.device) < share) & ~torch.isin(input_ids, special)
    return input_ids.masked_fill(hidden, tokenizer.mask_token_id)
