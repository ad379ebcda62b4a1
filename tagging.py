"""From model inputs to tags: the one place where a tag is predicted, whatever computes the logits."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from tqdm import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from encoding import IGNORED, Encoded

# input_ids and attention_mask, int64 [row, position] -> float32 [row, position, label]
Logits = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Predicted:
    """For each word in order: the label id of highest probability and that probability. Each of shape [token]."""

    ids: np.ndarray
    probabilities: np.ndarray


def torch_logits(model: PreTrainedModel) -> Logits:
    """The logits of a model in evaluation mode, on its device and in its precision."""

    @torch.inference_mode()
    def logits(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        found = model(**{name: torch.from_numpy(values).to(model.device) for name, values in inputs.items()}).logits
        return found.float().cpu().numpy()

    return logits


def batch_positions(batch_size: int, device: torch.device) -> int:
    """Positions a batch may hold: those of `batch_size` long sentences, or on a processor of as many short ones.

    More than a thousand or so no longer fit a processor's caches, and padding grows with the batch.
    """
    return batch_size * (32 if device.type == "cpu" else 512)


def predict(
    logits: Logits, tokenizer: PreTrainedTokenizerFast, encoded: Encoded, positions: int, progress: bool
) -> Predicted:
    """The label for each word of `encoded`, from windows in batches of similar length, order restored.

    Several processes must be given the same windows: each takes a share of every length, and all get the whole.
    A batch holds at most `positions` positions, padding included, or a single window: of short ones, more rows.
    """
    starts = np.cumsum(encoded.lengths) - encoded.lengths
    processes = PartialState()
    by_length = np.argsort(-encoded.lengths, kind="stable")[processes.process_index :: processes.num_processes]
    words = encoded.labels != IGNORED
    ids = np.zeros(len(words), dtype=np.int16)
    probabilities = np.zeros(len(words), dtype=np.float32)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    first = 0
    with tqdm(total=len(by_length), desc="tagging", disable=not progress) as bar:
        while first < len(by_length):
            longest = encoded.lengths[by_length[first]]
            rows = by_length[first : first + max(1, positions // longest)]
            real = np.arange(longest) < encoded.lengths[rows][:, None]  # [row, position]
            places = np.where(real, starts[rows][:, None] + np.arange(longest), 0)
            input_ids = np.where(real, encoded.input_ids[places], pad).astype(np.int64)
            asked = real & words[places]
            found = logits(input_ids, real.astype(np.int64))[asked]  # [word, label]
            best = found.max(axis=-1)
            ids[places[asked]] = found.argmax(axis=-1)
            probabilities[places[asked]] = 1 / np.exp(found - best[:, None]).sum(axis=-1)  # softmax at the highest
            first += len(rows)
            bar.update(len(rows))
    if processes.num_processes > 1:  # where another process had the window, there are zeros here
        ids, probabilities = map(sum, zip(*gather_object([(ids, probabilities)]), strict=True))
    return Predicted(ids[words], probabilities[words])
