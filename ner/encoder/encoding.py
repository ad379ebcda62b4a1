"""From words to model inputs: sub-tokens, labels on first sub-tokens, windows over long sentences.

A word's sub-tokens depend on the word alone, and for some tokenizers on whether it opens the sentence. So each
distinct word is tokenized once, and all sentences are put together by indexing. Nothing is truncated: a sentence that
is longer than the model's window becomes several overlapping windows, and each word is labelled (and so trained,
predicted and scored) in exactly one of them.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from torch.utils.data import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from ner.errors import InputError
from ner.labels import ranges

IGNORED = -100  # the label of positions where no word begins, which the loss and the scores pass over
UNLABELLED = -101  # the label of a training word whose label the loss is not to learn: it may be any
SEQUENCE = 1_000  # words the tokenizer takes as one sequence
SENTENCES = 20_000  # of a block that is put together at once
NO_LIMIT = 2**31 - 1  # tokenizers without a limit say 10**30, which no array index holds
WINDOW = 512  # where neither model nor tokenizer has a limit: what most such models were pre-trained with
PROBE = "In 1998 , Ada Moss ' s Größe ( 北 ) said : no .".split()


@dataclass(frozen=True)
class Encoded(Dataset[dict[str, list[int]]]):
    """Model inputs, one row a window: input_ids and labels, both flat [position], and `lengths` [window].

    The positions with a label other than -100, taken in order, are the words of all sentences in order.
    """

    input_ids: np.ndarray
    labels: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each window begins, [window]."""
        return np.cumsum(self.lengths) - self.lengths

    def __getitem__(self, index: int | None) -> dict[str, list[int]]:
        """A window for a data collator. That of None is the first without its labels: it teaches nothing."""
        window = 0 if index is None else index
        place = slice(self.starts[window], self.starts[window] + self.lengths[window])
        labels = self.labels[place] if index is not None else np.full(self.lengths[0], IGNORED)
        return {"input_ids": self.input_ids[place].tolist(), "labels": labels.tolist()}


def window_size(tokenizer: PreTrainedTokenizerFast, model: PreTrainedModel, max_length: int | None) -> int:
    """Sub-tokens a window may hold, special ones included: `max_length`, or what a run was trained with, or all that
    the model takes.

    RoBERTa and its kin count positions from `padding_idx + 1`, which shortens their window by as much. Raises
    `InputError` for a `max_length` beyond the window.
    """
    limits = [getattr(model.config, "max_position_embeddings", None), tokenizer.model_max_length]
    for name, module in model.named_modules():  # not every table of positions is an Embedding, or the only one
        if name.endswith("position_embeddings") and hasattr(module, "weight"):
            padding = getattr(module, "padding_idx", None)
            limits.append(len(module.weight) - (0 if padding is None else padding + 1))
    largest = int(min([NO_LIMIT, *(limit for limit in limits if limit not in (None, -1))]))  # -1: XLNet has no limit
    if max_length is not None and max_length > largest:
        raise InputError(f"--max_length: found {max_length}; expected at most {largest}, the model's window")
    trained = getattr(model.config, "trained_window", None)
    return max_length or min(largest, trained or (WINDOW if largest == NO_LIMIT else largest))


def encode(
    words: pa.Array, tags: np.ndarray, lengths: np.ndarray, tokenizer: PreTrainedTokenizerFast, window: int
) -> Encoded:
    """Model inputs for the words [token] with label ids `tags` [token] of sentences of `lengths` [sentence].

    The sub-tokens are those of the sentence's text, its words joined by spaces. Each word needs a first sub-token for
    its label. So a word that the tokenizer turns into nothing becomes the unknown token, and a word longer than a
    window is cut to its first sub-tokens.
    """
    before, after = special_tokens(tokenizer)
    distinct, word_ids = distinct_words(words, lengths, word_prefix(tokenizer))
    pieces, counts = sub_tokens(distinct, tokenizer)
    starts = np.cumsum(counts) - counts
    room = window - len(before) - len(after)
    counts = np.minimum(counts, room)
    borders = np.concatenate([[0], np.cumsum(lengths)])
    parts = []
    for start in range(0, max(1, len(lengths)), SENTENCES):  # in blocks, because the arrays of indices are large
        stop = min(start + SENTENCES, len(lengths))
        block = slice(borders[start], borders[stop])
        ids = word_ids[block]
        flat = pieces[ranges(starts[ids], counts[ids])]
        bounds = np.concatenate([[0], np.cumsum(counts[ids])])  # where each word's sub-tokens begin in `flat`
        first, last, scored = windows(bounds, lengths[start:stop], room)
        sizes = bounds[last] - bounds[first]
        rows = sizes + len(before) + len(after)
        row_starts = np.cumsum(rows) - rows
        input_ids = np.empty(rows.sum(), dtype=np.int32)
        input_ids[row_starts[:, None] + np.arange(len(before))] = before
        input_ids[(row_starts + rows)[:, None] + np.arange(-len(after), 0)] = after
        input_ids[ranges(row_starts + len(before), sizes)] = flat[ranges(bounds[first], sizes)]
        # Every word is scored in one window, and windows come in order: `scored` counts the words of each.
        window_of_word = np.repeat(np.arange(len(first)), scored)
        labels = np.full(len(input_ids), IGNORED, dtype=np.int16)
        labels[(row_starts + len(before) - bounds[first])[window_of_word] + bounds[:-1]] = tags[block]
        parts.append((input_ids, labels, rows[rows > 0]))  # no row for a sentence without words and special tokens
    return Encoded(*map(np.concatenate, zip(*parts, strict=True)))


def word_prefix(tokenizer: PreTrainedTokenizerFast) -> str:
    """What to put before each word except a sentence's first, so that it has the sub-tokens that it has in a text.

    Most tokenizers mark the beginning of a word themselves, and need nothing. Some need a space there.
    """
    backend = tokenizer.backend_tokenizer
    in_a_text = backend.encode(" ".join(PROBE), add_special_tokens=False).ids
    as_words = backend.encode(PROBE, is_pretokenized=True, add_special_tokens=False).ids
    return "" if as_words == in_a_text else " "


def distinct_words(words: pa.Array, lengths: np.ndarray, prefix: str) -> tuple[list[str], np.ndarray]:
    """The distinct words, with `prefix` if any, then without it those that open a sentence; and the index of each word
    among these, [token].
    """
    dictionary = words.dictionary_encode()
    distinct, indices = dictionary.dictionary.to_pylist(), dictionary.indices.to_numpy()
    if not prefix:
        return distinct, indices
    openings = (np.cumsum(lengths) - lengths)[lengths > 0]
    first = words.take(pa.array(openings)).dictionary_encode()
    indices = indices.copy()
    indices[openings] = len(distinct) + first.indices.to_numpy()
    return [*(prefix + word for word in distinct), *first.dictionary.to_pylist()], indices


def special_tokens(tokenizer: PreTrainedTokenizerFast) -> tuple[list[int], list[int]]:
    """The ids that the tokenizer puts before and after a sentence."""
    bare = tokenizer([["a"]], is_split_into_words=True, add_special_tokens=False)["input_ids"][0]
    full = tokenizer([["a"]], is_split_into_words=True)["input_ids"][0]
    start = next(i for i in range(len(full)) if full[i : i + len(bare)] == bare)
    return full[:start], full[start + len(bare) :]


def sub_tokens(words: list[str], tokenizer: PreTrainedTokenizerFast) -> tuple[np.ndarray, np.ndarray]:
    """The sub-token ids of all words, one after the other, and how many each word has, at least one: [word].

    A word without sub-tokens gets the unknown token, or else the mask token.
    """
    # The tokenizer splits each word of a sequence by itself, and is faster with few long sequences than with many short
    # ones. The Python code around its backend would spend even more time on masks that nobody reads.
    sequences = [words[start : start + SEQUENCE] for start in range(0, len(words), SEQUENCE)]
    encoded = tokenizer.backend_tokenizer.encode_batch(sequences, is_pretokenized=True, add_special_tokens=False)
    ids = np.array([i for e in encoded for i in e.ids], dtype=np.int32)
    word = np.array([n * SEQUENCE + i for n, e in enumerate(encoded) for i in e.word_ids], dtype=np.int64)
    counts = np.bincount(word, minlength=len(words))
    if not counts.all():
        unknown = tokenizer.mask_token_id if tokenizer.unk_token_id is None else tokenizer.unk_token_id
        ids = np.insert(ids, (np.cumsum(counts) - counts)[counts == 0], unknown)
    return ids, np.maximum(counts, 1)


def windows(bounds: np.ndarray, lengths: np.ndarray, room: int) -> np.ndarray:
    """Half-open word ranges of all windows, and how many words each scores: rows first, last, scored; [3, window].

    `bounds` [token + 1] holds where each word's sub-tokens begin, and `lengths` [sentence] the words of each sentence.
    """
    ends = np.cumsum(lengths)
    whole = np.stack([ends - lengths, ends, lengths])
    long = bounds[ends] - bounds[ends - lengths] > room
    parts = [sentence_windows(bounds, start, end, room) for start, end in whole[:2, long].T.tolist()]
    found = np.concatenate([whole[:, ~long], *parts], axis=1)
    return found[:, np.argsort(found[0], kind="stable")]  # in the order of the sentences, of which some have no words


def sentence_windows(bounds: np.ndarray, start: int, end: int, room: int) -> np.ndarray:
    """The windows over the long sentence of the words `start` to `end`: rows first, last, scored; [3, window].

    Neighbours overlap by up to half a window. A word in two windows is scored where the nearer border, counted in
    sub-tokens, is farther away (the max-context rule of BERT's code for SQuAD).
    """
    first, last, cuts = [start], [], [start]
    while True:
        stop = np.searchsorted(bounds, bounds[first[-1]] + room, side="right") - 1
        if stop >= end:
            break
        last.append(stop)
        # The next window must hold at least one word more than this one, however long that word is. It also begins
        # later, because the overlap is shorter than what this one holds.
        overlap = min(room // 2, room - (bounds[stop + 1] - bounds[stop]))
        following = np.searchsorted(bounds, bounds[stop] - overlap)
        shared = np.arange(following, stop)
        nearer_end = bounds[stop] - bounds[shared + 1] < bounds[shared] - bounds[following]
        cuts.append(max(following + np.count_nonzero(~nearer_end), cuts[-1]))
        first.append(following)
    return np.stack([first, [*last, end], np.diff([*cuts, end])])
