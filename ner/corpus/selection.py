"""The steps from the sentences of a split to the rows of an experiment. `data.py` calls them in their order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ner.corpus.sentences import Sentences, whole
from ner.errors import InputError, nearest
from ner.labels import classes_of, label_names, lookup_table


@dataclass(frozen=True)
class ReadCount:
    """How many sentences and tokens of a split were read in some languages: 0 if there is no file."""

    split: str
    languages: list[str]
    sentences: int
    tokens: int


@dataclass(frozen=True)
class TrainingData:
    """What a model is trained on, and the validation sentences that choose its best checkpoint.

    `rows` counts training sentences at each step. The fingerprints are those before masking and up-sampling.
    """

    train: Sentences
    validation: Sentences
    rows: dict[str, int]
    train_fingerprint: str
    validation_fingerprint: str
    read: list[ReadCount]
    upsampled: int | None  # sentences that contain a rare class, each counted once; None without up-sampling

    @property
    def names(self) -> list[str]:
        """The label names of both splits."""
        return self.train.names


def first_occurrences(sentences: Sentences) -> np.ndarray:
    """The rows, in order, that equal no earlier row in tokens and tags."""
    pairs = pc.binary_join_element_wise(token_keys(sentences), tag_keys(sentences), key(b"\xfe"))
    return np.sort(np.unique(pairs.dictionary_encode().indices.to_numpy(), return_index=True)[1])


def appears_in(sentences: Sentences, others: Sequence[Sentences]) -> np.ndarray:
    """True [sentence] where all tokens are those of a sentence of `others`, whatever the tags."""
    keys = pa.concat_arrays([token_keys(other) for other in others])
    return pc.is_in(token_keys(sentences), value_set=keys).to_numpy(zero_copy_only=False)


def token_keys(sentences: Sentences) -> pa.Array:
    """Bytes for each sentence that are equal where all tokens are: no UTF-8 contains the bytes FE and FF."""
    tokens = whole(sentences.table["tokens"])
    joined = pc.binary_join(tokens.cast(pa.list_(pa.large_binary())), key(b"\xff"))
    return pc.if_else(pc.equal(pc.list_value_length(tokens), 0), key(b"\xfe"), joined)


def tag_keys(sentences: Sentences) -> pa.Array:
    """Bytes for each sentence that are equal where all tags are."""
    tags = whole(sentences.table["tags"])
    return pc.binary_join(tags.cast(pa.list_(pa.large_string())).cast(pa.list_(pa.large_binary())), key(b" "))


def key(content: bytes) -> pa.Scalar:
    """Bytes as a value of `large_binary`: the keys of all sentences may be longer than the 2 GiB of `binary`."""
    return pa.scalar(content, pa.large_binary())


def capped(sentences: Sentences, limit: int | None) -> Sentences:
    """At most `limit` sentences: the first ones of each language, as evenly shared as the languages allow."""
    if limit is None or limit >= len(sentences):
        return sentences
    languages = np.unique(sentences.langs, return_inverse=True)[1]
    rank = np.zeros(len(sentences), dtype=np.int64)
    for language in range(languages.max() + 1):
        rank[languages == language] = np.arange((languages == language).sum())
    return sentences.select(np.sort(np.argsort(rank, kind="stable")[:limit]))


def mask(sentences: Sentences, kept_classes: Sequence[str]) -> Sentences:
    """The sentences for experiment B: all other classes become `O` and leave the label set."""
    return sentences.with_names(label_names([c for c in classes_of(sentences.names) if c in kept_classes]))


def contains(sentences: Sentences, classes: Sequence[str]) -> np.ndarray:
    """True [sentence] where a token has a label of one of the classes."""
    wanted = lookup_table(sentences.names, label_names(classes)) > 0
    sentence = np.repeat(np.arange(len(sentences)), sentences.lengths)
    return np.bincount(sentence, weights=wanted[sentences.tags], minlength=len(sentences)) > 0


def as_many_others(chosen: np.ndarray) -> np.ndarray:
    """Of the sentences that are not `chosen` (bool [sentence]), as many at random, the same ones at each call.

    Raises `InputError` where there are too few others.
    """
    others = np.flatnonzero(~chosen)
    if len(others) < chosen.sum():
        raise InputError(
            f"--upsample_at_random: found {len(others):,} sentences without a class of --upsample_categories; expected "
            f"at least as many as those with one, {chosen.sum():,}; name fewer classes"
        )
    drawn = np.zeros_like(chosen)
    drawn[np.random.default_rng(0).choice(others, int(chosen.sum()), replace=False)] = True
    return drawn


def repeated(sentences: Sentences, chosen: np.ndarray, factor: int) -> Sentences:
    """The sentences in order, those that are `chosen` (bool [sentence]) `factor` times in a row."""
    return sentences.select(np.repeat(np.arange(len(sentences)), np.where(chosen, factor, 1)))


def in_labels(validation: Sentences, names: list[str]) -> Sentences:
    """The validation sentences in the label set of training: one split may have numbers and the other names.

    Raises `InputError` where they contain a class that training does not know.
    """
    used, known = classes_of(validation.names[i] for i in np.unique(validation.tags)), classes_of(names)
    unknown = [c for c in used if c not in known]
    if unknown:
        raise InputError(
            f"validation: found {', '.join(unknown)}; expected the classes of training: {', '.join(known)}"
        )
    return validation if validation.names == names else validation.with_names(names)


def require_entities(dataset: str, split: str, sentences: Sentences) -> None:
    """Raises `InputError` where every tag of a split is `O`."""
    if not any(sentences.names[i] != "O" for i in np.unique(sentences.tags)):
        raise InputError(
            f"{dataset}: found no entity in the {len(sentences):,} {split} sentences that are used, every tag is O; "
            "expected tags B-CLASS and I-CLASS; check the data, and which classes and how many sentences you keep"
        )


def require_known(option: str, classes: Sequence[str], known: Sequence[str]) -> None:
    """Raises `InputError` for a class that an option names and the data do not have."""
    for name in classes:
        if name not in known:
            raise InputError(
                f"--{option}: found {name!r}; expected classes of the data: {', '.join(known)}{nearest(name, known)}"
            )
