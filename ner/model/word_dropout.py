"""Hiding words of the training batches, so that a model learns from their context too.

Word dropout (Iyyer et al. 2015) as encoders know it from their pre-training: a hidden sub-token becomes the mask token.
Its label stays.
"""

import torch
from transformers import PreTrainedTokenizerFast

from ner.errors import InputError


def require_mask(tokenizer: PreTrainedTokenizerFast) -> int:
    """The id of the mask token. Raises `InputError` where the tokenizer has none."""
    if tokenizer.mask_token_id is None:
        raise InputError(
            f"--word_dropout: the tokenizer of {tokenizer.name_or_path} has no mask token; expected one to hide words "
            "behind; pass --word_dropout 0"
        )
    return tokenizer.mask_token_id


def with_hidden_words(input_ids: torch.Tensor, share: float, tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    """The ids [row, position] with each hidden by a probability of `share`, except special tokens."""
    special = torch.tensor(tokenizer.all_special_ids, device=input_ids.device)
    hidden = (torch.rand(input_ids.shape, device=input_ids.device) < share) & ~torch.isin(input_ids, special)
    return input_ids.masked_fill(hidden, require_mask(tokenizer))
