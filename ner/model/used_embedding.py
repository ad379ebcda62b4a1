"""A word embedding that trains only the rows that the data use, and is saved whole.

An encoder for many languages can have 250,000 word embeddings, of which text in one language uses a tenth. The
gradients of the others are zero, but each update clears, clips and applies them all. So while it trains, a model keeps
the used rows in a small matrix. Its state dict has the whole one, so that its checkpoints are like any other's.

The same weights result with an optimizer that treats each weight by itself, such as AdamW, except that unused rows do
not shrink under `--weight_decay`.
"""

import hashlib
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

from ner.model.encoding import Encoded


class UsedEmbedding(nn.Embedding):
    """The embedding `whole` with the rows of the ids `used` (ascending) only; any other id raises an `IndexError`."""

    row_of_id: torch.Tensor

    def __init__(self, whole: nn.Embedding, used: torch.Tensor) -> None:
        super().__init__(len(used), whole.embedding_dim, _weight=whole.weight.detach()[used])
        self.weight.requires_grad_(whole.weight.requires_grad)
        self.num_embeddings = whole.num_embeddings  # ids, of which most may be without a row
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
        if f"{prefix}weight" not in state_dict:
            super()._load_from_state_dict(state_dict, prefix, *others)
            return
        with torch.no_grad():
            self.whole.copy_(state_dict[f"{prefix}weight"])
            self.weight.copy_(self.whole[self.used])


def train_used_rows(model: PreTrainedModel, inputs: tuple[Encoded, ...], others: list[int | None]) -> None:
    """Gives the model a `UsedEmbedding` for the ids of `inputs`, of padding, and those of `others` that are not None.

    Does nothing where the model shares its embedding with another part, or has one of another kind.
    """
    whole = model.get_input_embeddings()
    if type(whole) is not nn.Embedding or whole.max_norm is not None or whole.scale_grad_by_freq or whole.sparse:
        return
    places = [name for name, module in model.named_modules(remove_duplicate=False)
              if getattr(module, "weight", None) is whole.weight]  # fmt: skip
    if len(places) != 1:
        return
    is_used = np.zeros(whole.num_embeddings, dtype=bool)
    for part in inputs:
        is_used[part.input_ids] = True
    for id_ in (*others, model.config.pad_token_id, whole.padding_idx):
        if id_ is not None and 0 <= id_ < len(is_used):
            is_used[id_] = True
    model.set_submodule(places[0], UsedEmbedding(whole, torch.from_numpy(np.flatnonzero(is_used)).to(model.device)))


def trained_rows(model: PreTrainedModel) -> str:
    """Which rows of its embedding a model trains: their number and a hash of their ids, or `all`."""
    embedding = model.get_input_embeddings()
    if not isinstance(embedding, UsedEmbedding):
        return "all"
    return f"{len(embedding.used)}-{hashlib.sha256(embedding.used.numpy().tobytes()).hexdigest()[:16]}"
