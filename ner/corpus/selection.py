"""The steps from the sentences of a split to the rows of an experiment. `data.py` calls them in their order."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ner.corpus.sentences import Sentences
from ner.errors import InputError
from ner.labels import classes_of, label_names, lookup_table

log = logging.getLogger("ner")


@dataclass(frozen=True)
class TrainingData:
    """What a model is trained on, and the validation sentences that choose its best checkpoint.

    `rows` counts training sentences at each step. The fingerprints are those before masking and up-sampling.
    `tag_scheme` is that of the files. `division` says how a data set without a validation split was divided.
    """

    train: Sentences
    validation: Sentences
    rows: dict[str, int]
    train_fingerprint: str
    validation_fingerprint: str
    tag_scheme: str
    division: dict[str, Any] | None = None

    @property
    def names(self) -> list[str]:
        """The label names of both splits."""
        return self.train.names


def require_entities(dataset: str, split: str, sentences: Sentences) -> None:
    """Raises `InputError` if every tag of a split is `O`."""
    if not sentences.tags.any():  # O is the first label of what is read
        raise InputError(
            f"{dataset}: found no entity in the {len(sentences):,} {split} sentences that are used: every tag is O; "
            "expected tags B-CLASS and I-CLASS; check the data, and which classes and how many sentences you keep"
        )


def token_keys(sentences: Sentences) -> pa.Array:
    """Bytes for each sentence that are equal if all tokens are: no UTF-8 contains the bytes FE and FF."""
    tokens = sentences.table["tokens"].chunk(0)
    joined = pc.binary_join(tokens.cast(pa.list_(pa.large_binary())), separator(b"\xff"))
    return pc.if_else(pc.equal(pc.list_value_length(tokens), 0), separator(b"\xfe"), joined)


def sentence_ids(sentences: Sentences) -> np.ndarray:
    """A number for each sentence, [sentence], that is the same for sentences with the same tokens and tags."""
    tags = sentences.table["tags"].chunk(0).cast(pa.list_(pa.large_string())).cast(pa.list_(pa.large_binary()))
    tag_keys = pc.binary_join(tags, separator(b" "))
    keys = pc.binary_join_element_wise(token_keys(sentences), tag_keys, separator(b"\xfe"))
    return keys.dictionary_encode().indices.to_numpy()


def separator(content: bytes) -> pa.Scalar:
    """Bytes as a value of `large_binary`: the keys of all sentences may be longer than the 2 GiB of `binary`."""
    return pa.scalar(content, pa.large_binary())


def without_duplicates(sentences: Sentences) -> Sentences:
    """The sentences that do not repeat the tokens and tags of an earlier one."""
    return sentences.select(np.sort(np.unique(sentence_ids(sentences), return_index=True)[1]))


def without_leaks(sentences: Sentences, held_out: Sequence[Sentences]) -> Sentences:
    """The sentences whose tokens are those of no sentence in `held_out`, whatever the tags."""
    keys = pa.concat_arrays([token_keys(other) for other in held_out])
    leaks = pc.is_in(token_keys(sentences), value_set=keys)
    return sentences.select(np.flatnonzero(pc.invert(leaks)))


def capped(sentences: Sentences, limit: int | None) -> Sentences:
    """At most `limit` sentences: the first ones of each language, shared as evenly as the languages allow."""
    if limit is None or limit >= len(sentences):
        return sentences
    languages = np.unique(sentences.langs, return_inverse=True)[1]
    rank = np.zeros(len(sentences), dtype=np.int64)
    for language in range(languages.max() + 1):
        rank[languages == language] = np.arange((languages == language).sum())
    log.info("capped: kept %d of %d sentences", limit, len(sentences))
    return sentences.select(np.sort(np.argsort(rank, kind="stable")[:limit]))


def mask(sentences: Sentences, kept_classes: Sequence[str]) -> Sentences:
    """The sentences for experiment B: all other classes become `O` and leave the label set."""
    return sentences.with_names(label_names([c for c in classes_of(sentences.names) if c in kept_classes]))


def contains(sentences: Sentences, classes: Sequence[str]) -> np.ndarray:
    """True [sentence] for a sentence with an entity of one of the classes."""
    wanted = lookup_table(sentences.names, label_names(classes)) > 0
    sentence = np.repeat(np.arange(len(sentences)), sentences.lengths)
    return np.bincount(sentence, weights=wanted[sentences.tags], minlength=len(sentences)) > 0


def upsampled(sentences: Sentences, classes: Sequence[str], factor: int, at_random: bool) -> Sentences:
    """The sentences in order, those that contain one of the classes `factor` times in a row.

    If `at_random`, as many of the other sentences are repeated instead, the same ones at each call. Raises `InputError`
    if there are too few others.
    """
    repeated = contains(sentences, classes)
    count, names = int(repeated.sum()), " or ".join(classes)
    used = "as many others are" if at_random else "each is"
    log.info("up-sampling: %d sentences contain %s; %s used %d times", count, names, used, factor)
    if at_random:
        others = np.flatnonzero(~repeated)
        if len(others) < count:
            raise InputError(
                f"--upsample_at_random: found {len(others):,} sentences without a class of --upsample_categories; "
                f"expected at least as many as those with one, {count:,}; name fewer classes"
            )
        repeated = np.isin(np.arange(len(sentences)), np.random.default_rng(0).choice(others, count, replace=False))
    return sentences.select(np.repeat(np.arange(len(sentences)), np.where(repeated, factor, 1)))
