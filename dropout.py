"""Dropout that costs little on a processor: sixteen random bits decide over an element, drawn four elements at a time.

torch draws a 32-bit number from a serial generator for each element, which took a tenth of a training step. The
rate becomes the nearest multiple of 2**-16, and what is kept is scaled for exactly that rate.
"""

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import eager_mask

ATTENTION = "fast_dropout"


class Dropout(nn.Dropout):
    """`torch.nn.Dropout` with the mask of `keep_mask`."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values * keep_mask(values, self.p) if self.training and self.p > 0 else values


def keep_mask(values: torch.Tensor, p: float) -> torch.Tensor:
    """0 with probability `p`, else what keeps the mean: shape and type of `values`, from torch's generator."""
    dropped = round(p * 2**16)
    if dropped == 2**16:
        return torch.zeros_like(values)
    count = values.numel()
    random = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    bits = random.view(torch.int16)[:count].view(values.shape)
    return (bits >= dropped - 2**15).to(values.dtype).mul_(2**16 / (2**16 - dropped))


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
    scores = query @ key.transpose(2, 3) * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    weights = (scores if attention_mask is None else scores + attention_mask).softmax(-1)
    if dropout > 0:
        weights = weights * keep_mask(weights, dropout)
    return (weights @ value).transpose(1, 2).contiguous(), None


def use_fast_dropout(model: PreTrainedModel) -> None:
    """Replaces the model's dropout, in attention too where the model lets its attention be chosen."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, Dropout(child.p).train(child.training))
    AttentionInterface.register(ATTENTION, attention)
    AttentionMaskInterface.register(ATTENTION, eager_mask)
    if model.config._attn_implementation == "sdpa":
        model.set_attn_implementation(ATTENTION)
