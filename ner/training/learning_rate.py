"""Which learning rates suit an encoder, by its hidden size, and a rate of its own for the classifier."""

import logging

import torch
from transformers import PreTrainedConfig

from ner.errors import InputError

log = logging.getLogger("ner")
# The peak rates of AdamW with which encoders below a hidden size are usually fine-tuned; docs/choosing_an_encoder.md
# has the sources. By hidden size, because the best rate of Adam falls as layers get wider (Yang et al. 2022), while
# numbers of parameters mislead: multilingual-e5-small's are mostly embeddings, and ALBERT's layers share theirs.
USUAL_RATES = {768: (5e-5, 5e-4), 1024: (1e-5, 1e-4), float("inf"): (5e-6, 5e-5)}


def remark_on_rate(config: PreTrainedConfig, rate: float) -> None:
    """Logs a warning where a learning rate is less than half or more than twice what is usual for an encoder."""
    size = getattr(config, "hidden_size", None)
    if size is None or "t5" in config.model_type:  # T5 is trained with higher rates than others of its size
        return
    low, high = next(rates for limit, rates in USUAL_RATES.items() if size < limit)
    if not low / 2 <= rate <= 2 * high:
        log.warning(
            "--learning_rate: %g is %s for an encoder with a hidden size of %d, which is usually fine-tuned with %.0e "
            "to %.0e; see docs/choosing_an_encoder.md", rate, "low" if rate < low else "high", size, low, high,
        )  # fmt: skip


def set_rate(optimizer: torch.optim.Optimizer, layer: torch.nn.Module, rate: float) -> None:
    """Gives the weights of a layer a learning rate of their own, in groups after the others.

    Raises `InputError` where the optimizer does not have them, as when FSDP 1 has joined them with others.
    """
    own = {id(weights) for weights in layer.parameters()}
    groups = [(group, [w for w in group["params"] if id(w) in own]) for group in optimizer.param_groups]
    if sum(len(found) for _, found in groups) < len(own):
        raise InputError(
            "--classifier_learning_rate: the optimizer does not have the classifier's weights by themselves; expected "
            "FSDP 2, or a model that is not divided; leave the option out"
        )
    for group, found in groups:
        if found:
            group["params"] = [weights for weights in group["params"] if id(weights) not in own]
            optimizer.add_param_group({**group, "params": found, "lr": rate})
