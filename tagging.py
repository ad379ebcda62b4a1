"""From model inputs to tags: the one place where a tag is predicted."""

from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from encoding import IGNORED, Encoded


@dataclass(frozen=True)
class Predicted:
    """For each word in order: the label id of highest probability and that probability. Each of shape [token]."""

    ids: np.ndarray
    probabilities: np.ndarray


def predict(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, encoded: Encoded, batch_size: int, progress: bool
) -> Predicted:
    """The model's label for each word of `encoded`, from windows in batches of similar length, order restored."""
    starts = np.cumsum(encoded.lengths) - encoded.lengths
    by_length = np.argsort(-encoded.lengths, kind="stable")
    ids = np.zeros(len(encoded.labels), dtype=np.int16)
    probabilities = np.zeros(len(encoded.labels), dtype=np.float32)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    for first in tqdm(range(0, len(by_length), batch_size), desc="tagging", disable=not progress):
        rows = by_length[first : first + batch_size]
        lengths = encoded.lengths[rows]
        real = np.arange(lengths.max()) < lengths[:, None]  # [row, position]
        places = np.where(real, starts[rows][:, None] + np.arange(lengths.max()), 0)
        input_ids = np.where(real, encoded.input_ids[places], pad).astype(np.int64)
        with torch.inference_mode():
            logits = model(
                input_ids=torch.from_numpy(input_ids).to(model.device),
                attention_mask=torch.from_numpy(real.astype(np.int64)).to(model.device),
            ).logits
            best, label = logits.float().softmax(-1).max(-1)
        ids[places[real]] = label.cpu().numpy()[real]
        probabilities[places[real]] = best.cpu().numpy()[real]
    words = encoded.labels != IGNORED
    return Predicted(ids[words], probabilities[words])
