"""From model inputs to the logits of each word, whatever computes them.

Scoring, tagging and the recorded validation scores use it. While it trains, transformers' Trainer predicts by itself.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from tqdm import tqdm
from transformers import PreTrainedModel

from ner.encoder.encoding import IGNORED, Encoded

# input_ids and attention_mask, int64 [row, position] -> float32 [row, position, label]
Logits = Callable[[np.ndarray, np.ndarray], np.ndarray]
TAGGING = threading.Lock()  # some of torch's libraries keep one number of threads for all, which batches divide
PAIRS = 512**2  # pairs of positions for each sentence of a batch: as many as a window of 512 has


def torch_logits(model: PreTrainedModel) -> Logits:
    """The logits of a model in evaluation mode, on its device and in its precision."""

    @torch.inference_mode()
    def logits(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        outputs = model(**{name: torch.from_numpy(values).to(model.device) for name, values in inputs.items()})
        return outputs.logits.float().cpu().numpy()

    return logits


@dataclass(frozen=True)
class Batching:
    """How windows are tagged: up to `positions` a batch, padding included, and `at_once` batches at a time.

    Attention compares each position of a window with every position. The windows that are tagged at a time have up to
    `pairs` such pairs together, unless it is a single window.
    """

    positions: int
    at_once: int
    pairs: int


def batching_for(batch_size: int, device: torch.device) -> Batching:
    """Batches of `batch_size` windows of 512 positions, or on a CPU of 32 positions.

    More than about a thousand positions do not fit into a CPU's caches, and padding grows with the batch. Two cores are
    faster with a batch each than with one batch together, whose steps are short. Because of Python's lock, this only
    helps with a few batches: up to four share the threads evenly.
    """
    if device.type == "cpu":
        at_once = max(n for n in (1, 2, 3, 4) if torch.get_num_threads() % n == 0)
        return Batching(32 * batch_size, at_once, PAIRS * batch_size)
    return Batching(512 * batch_size, 1, PAIRS * batch_size)


def word_logits(
    logits: Logits, labels: int, pad: int, encoded: Encoded, batching: Batching, progress: bool
) -> np.ndarray:
    """The logits of each word of `encoded`, float32 [word, label], from windows in batches of similar length.

    `labels` is the number of labels, and `pad` the id of the sub-token that fills up shorter windows. Several processes
    must be given the same windows: each takes a share of every length, and all get the whole. Calls from several
    threads wait for each other.
    """
    processes = PartialState()
    by_length = np.argsort(-encoded.lengths, kind="stable")[processes.process_index :: processes.num_processes]
    words = encoded.labels != IGNORED
    word_at = np.cumsum(words) - 1  # the index of the word at each position
    result = np.zeros((int(words.sum()), labels), dtype=np.float32)
    done = np.zeros(len(result), dtype=bool)

    def tag(rows: np.ndarray) -> int:
        longest = encoded.lengths[rows[0]]
        real = np.arange(longest) < encoded.lengths[rows][:, None]  # [row, position]
        places = np.where(real, encoded.starts[rows][:, None] + np.arange(longest), 0)
        input_ids = np.where(real, encoded.input_ids[places], pad).astype(np.int64)
        asked = real & words[places]
        indices = word_at[places[asked]]
        result[indices], done[indices] = logits(input_ids, real.astype(np.int64))[asked], True
        return len(rows)

    longest = int(encoded.lengths.max(initial=1))
    at_once = batching.at_once if batching.at_once * longest**2 <= batching.pairs else 1
    windows = batches(by_length, encoded.lengths, batching.positions, batching.pairs // at_once)
    with TAGGING, tqdm(total=len(by_length), desc="tagging", disable=not progress) as bar:
        threads = torch.get_num_threads()
        share = (max(1, threads // at_once),)
        try:
            with ThreadPoolExecutor(at_once, initializer=torch.set_num_threads, initargs=share) as pool:
                for count in pool.map(tag, windows):
                    bar.update(count)
        finally:
            torch.set_num_threads(threads)
    if processes.num_processes > 1:
        for indices, others in gather_object([(np.flatnonzero(done), result[done])]):
            result[indices] = others
    return result


def batches(by_length: np.ndarray, lengths: np.ndarray, positions: int, pairs: int) -> list[np.ndarray]:
    """The windows `by_length`, longest first, in batches of up to `positions` and `pairs`, or of a single window."""
    result = []
    while len(by_length):
        longest = int(lengths[by_length[0]])
        count = max(1, min(positions // longest, pairs // longest**2))
        result.append(by_length[:count])
        by_length = by_length[count:]
    return result
