"""What makes an update cheaper on a CPU: fast dropout, and an embedding of which only the rows in use are trained.

Dropout: torch draws a 32-bit number from a serial generator for each element, and computes attention with dropout in
float32. Here, 16 bits from NumPy's faster SFC64 decide over an element, and attention stays in bfloat16. The rate
becomes the nearest multiple of 2**-16, and what is kept is scaled for exactly that rate.

Embedding: text in one language uses a twelfth of the 250,000 word embeddings of a multilingual encoder, but each update
clears, clips and applies the gradients of all. So a model trains a small matrix of the used rows, and its state dict
has the whole one. An optimizer that treats each weight by itself, such as AdamW, computes the same weights, except that
unused rows do not shrink under `--weight_decay`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import eager_mask

from ner.encoder.encoding import Encoded

ATTENTION = "fast_dropout"
# The models whose attention is a product, a mask, a softmax and a product, as here. Others add to it what `attention`
# would silently drop (T5 a bias of the positions), so only those that a test compares are listed.
SAME_ATTENTION = {"albert", "bert", "camembert", "distilbert", "electra", "modernbert", "roberta", "xlm-roberta"}


class Dropout(nn.Dropout):
    """`torch.nn.Dropout` with the mask of `keep_mask`."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values * keep_mask(values, self.p) if self.training and self.p > 0 else values


def keep_mask(values: torch.Tensor, p: float) -> torch.Tensor:
    """0 with probability `p`, else what keeps the mean: shape and type of `values`, seeded by torch's generator."""
    dropped = round(p * 2**16)
    count = values.numel()
    random = np.random.Generator(np.random.SFC64(int(torch.randint(2**62, ()))))
    bits = torch.from_numpy(random.integers(-(2**63), 2**63 - 1, (count + 3) // 4, endpoint=True))
    bits = bits.view(torch.int16)[:count].view(values.shape)
    kept = torch.tensor(2**16 / (2**16 - dropped), dtype=values.dtype)
    if values.element_size() == 2:  # in place: an integer 1 becomes the bits of the number that keeps the mean
        return bits.ge_(dropped - 2**15).mul_(kept.view(torch.int16)).view(values.dtype)
    return (bits >= dropped - 2**15).to(values.dtype).mul_(kept)


def attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **unused: object,
) -> tuple[torch.Tensor, None]:
    """Scaled dot-product attention with dropout on its weights, in the form that transformers calls.

    query, key and value are [sentence, head, position, size], the mask is added to the scores, and the result is
    [sentence, position, head, size].
    """
    sentences, heads, length, size = query.shape
    query, key, value = (x.reshape(sentences * heads, -1, x.shape[-1]) for x in (query, key, value))
    scaling = size**-0.5 if scaling is None else scaling
    # In the type of the query, bfloat16 or not: a mask of float32 would turn all that follows into float32.
    if attention_mask is None:
        scores = query @ key.transpose(1, 2) * scaling
    else:
        mask = attention_mask.clamp(min=-1e30).to(query.dtype)  # the least float32 would be rounded to infinity
        mask = mask.expand(sentences, heads, length, -1).reshape(sentences * heads, length, -1)
        scores = torch.baddbmm(mask, query, key.transpose(1, 2), alpha=scaling)
    weights = scores.softmax(-1)
    if dropout > 0:
        weights = weights * keep_mask(weights, dropout)
    return (weights @ value).view(sentences, heads, length, -1).transpose(1, 2).contiguous(), None


@contextmanager
def fast_dropout(model: PreTrainedModel) -> Iterator[None]:
    """Replaces the model's dropout, in attention too for the models of `SAME_ATTENTION`, and restores it afterwards."""
    layers = [module for module in model.modules() if type(module) is nn.Dropout]
    AttentionInterface.register(ATTENTION, attention)
    AttentionMaskInterface.register(ATTENTION, eager_mask)
    in_attention = model.config.model_type in SAME_ATTENTION and model.config._attn_implementation == "sdpa"
    if in_attention:
        model.set_attn_implementation(ATTENTION)
    try:
        for layer in layers:
            layer.__class__ = Dropout
        yield
    finally:
        for layer in layers:
            layer.__class__ = nn.Dropout
        if in_attention:
            model.set_attn_implementation("sdpa")


class UsedEmbedding(nn.Embedding):
    """The embedding `whole` with the rows of the ids `used` (ascending) only; any other id is an error."""

    row_of_id: torch.Tensor

    def __init__(self, whole: nn.Embedding, used: torch.Tensor) -> None:
        super().__init__(len(used), whole.embedding_dim, _weight=whole.weight.detach()[used])
        self.weight.requires_grad_(whole.weight.requires_grad)
        # Plain attributes, neither parameters nor buffers: they stay in the main memory, in their precision.
        self.whole, self.used = whole.weight.detach().cpu(), used.cpu()
        row_of_id = torch.full((len(self.whole),), -1, device=used.device)
        row_of_id[used] = torch.arange(len(used), device=used.device)
        self.register_buffer("row_of_id", row_of_id, persistent=False)
        self.padding_idx = None if whole.padding_idx is None else int(row_of_id[whole.padding_idx])

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return functional.embedding(self.row_of_id[ids], self.weight, self.padding_idx)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        self.whole[self.used] = self.weight.detach().to(self.whole)
        destination[f"{prefix}weight"] = self.whole

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        with torch.no_grad():
            self.whole.copy_(state_dict[f"{prefix}weight"])
            self.weight.copy_(self.whole[self.used])


def train_used_rows(model: PreTrainedModel, inputs: tuple[Encoded, ...], others: list[int | None]) -> None:
    """Gives the model a `UsedEmbedding` for the ids of `inputs`, of padding, and those of `others` that are not None.

    Does nothing where the model shares its embedding with another part, or has one of another kind.
    """
    whole = model.get_input_embeddings()
    if type(whole) is not nn.Embedding:
        return
    places = [name for name, module in model.named_modules(remove_duplicate=False)
              if getattr(module, "weight", None) is whole.weight]  # fmt: skip
    if len(places) != 1:
        return
    is_used = np.zeros(whole.num_embeddings, dtype=bool)
    for part in inputs:
        is_used[part.input_ids] = True
    for id_ in (*others, getattr(model.config, "pad_token_id", None), whole.padding_idx):
        if id_ is not None and 0 <= id_ < len(is_used):
            is_used[id_] = True
    model.set_submodule(places[0], UsedEmbedding(whole, torch.from_numpy(np.flatnonzero(is_used)).to(model.device)))
