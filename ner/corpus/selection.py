"""The steps from the sentences of a split to the rows of an experiment. `data.py` calls them in their order."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ner.corpus.sentences import Sentences, list_column
from ner.errors import InputError
from ner.labels import classes_of, label_names, lookup_table, ranges, spans

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


def require_entities(dataset: str, split: str, sentences: Sentences) -> None:
    """Raises `InputError` if every tag of a split is `O`."""
    if not sentences.tags.any():  # O is the first label of what is read
        raise InputError(
            f"{dataset}: found no entity in the {len(sentences):,} {split} sentences that are used: every tag is O; "
            "expected tags B-CLASS and I-CLASS; check the data, and which classes and how many sentences you keep"
        )


def token_keys(sentences: Sentences) -> pa.Array:
    """Bytes for each sentence that are equal if all tokens are: no UTF-8 contains the bytes FE and FF."""
    words = list_column(sentences.words.cast(pa.large_binary()), sentences.lengths)
    return pc.if_else(pa.array(sentences.lengths == 0), separator(b"\xfe"), pc.binary_join(words, separator(b"\xff")))


def sentence_ids(sentences: Sentences) -> np.ndarray:
    """A number for each sentence, [sentence], that is the same for sentences with the same tokens and tags."""
    tags = pa.array(sentences.tags).cast(pa.large_string()).cast(pa.large_binary())
    tag_keys = pc.binary_join(list_column(tags, sentences.lengths), separator(b" "))
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


def words_of_mentions(sentences: Sentences, classes: Sequence[str], share: float) -> np.ndarray:
    """True [token] for the words of a share of the classes' mentions, chosen at random.

    Each position has its own random number, whatever the options. So the same mentions are chosen at each call, and a
    larger share adds others to them.
    """
    mentions = spans(sentences.tags, sentences.lengths)
    numbers = np.random.default_rng(0).random(len(sentences.tags))
    of_classes = np.array([name in classes for name in classes_of(sentences.names)], dtype=bool)
    chosen = of_classes[mentions.class_index] & (numbers[mentions.start] < share)
    words = np.zeros(len(sentences.tags), dtype=bool)
    words[ranges(mentions.start[chosen], (mentions.end - mentions.start)[chosen])] = True
    number, names = of_classes[mentions.class_index].sum(), " or ".join(classes) or "no class"
    log.info("masking: %d words, in %d of the %d mentions of %s", words.sum(), chosen.sum(), number, names)
    return words


def without_sentences(sentences: Sentences, classes: Sequence[str], others: bool) -> Sentences:
    """The sentences without those that contain one of the classes.

    If `others`, as many of the other sentences are left out instead, with similar numbers of entities of each remaining
    class; the same ones at each call. Raises `InputError` if there are too few others.
    """
    left_out = contains(sentences, classes)
    count, names = int(left_out.sum()), " or ".join(classes) or "a removed class"
    used = "as many others" if others else "they"
    log.info("masking: %d of %d sentences contain %s; %s are left out", count, len(sentences), names, used)
    if others:
        if 2 * count > len(sentences):
            raise InputError(
                f"--masking drop_others: found {len(sentences) - count:,} training sentences without a class that "
                f"masking removes; expected at least as many as those with one, {count:,}; name more classes in "
                "--selected_categories"
            )
        left_out = similar_sentences(sentences, left_out, classes)
    return sentences.select(np.flatnonzero(~left_out))


def similar_sentences(sentences: Sentences, like: np.ndarray, without: Sequence[str]) -> np.ndarray:
    """True [sentence] for as many sentences not in `like` [sentence] as are in it, with similar entities.

    Each sentence of `like` is paired with the unused sentence whose numbers of entities of each class, without those of
    `without`, are nearest. The difference that a pair leaves is carried over to the next one, so that the totals are
    similar too. Ties are broken at random, the same way at each call. Warns if the totals differ by more than 5 %.
    """
    classes = classes_of(sentences.names)
    mentions = spans(sentences.tags, sentences.lengths)
    sentence = np.repeat(np.arange(len(sentences)), sentences.lengths)[mentions.start]
    counts = np.zeros((len(sentences), len(classes)))
    np.add.at(counts, (sentence, mentions.class_index), 1)
    counts = counts[:, [name not in without for name in classes]]
    weights = 1 / np.maximum(counts.sum(axis=0), 1)  # an entity too many weighs more in a rarer class

    numbers, group = np.unique(counts, axis=0, return_inverse=True)  # sentences with equal numbers are a group
    rng = np.random.default_rng(0)
    unused = [rng.permutation(np.flatnonzero(~like & (group == i))).tolist() for i in range(len(numbers))]
    used_up = np.array([0 if rows else np.inf for rows in unused])
    owed, chosen = np.zeros(counts.shape[1]), np.zeros(len(sentences), dtype=bool)
    for wanted in sorted(counts[like].tolist(), key=sum, reverse=True):  # first those that are hardest to match
        owed += wanted
        nearest = (np.square(numbers - owed) @ weights + used_up).argmin()
        chosen[unused[nearest].pop()] = True
        owed -= numbers[nearest]
        if not unused[nearest]:
            used_up[nearest] = np.inf

    lost, expected = counts[chosen].sum(), counts[like].sum()
    if abs(lost - expected) > 0.05 * expected:
        log.warning("masking: this control drops %d entities of the kept classes, but drop_sentences drops %d: too "
                    "few sentences are similar", lost, expected)  # fmt: skip
    return chosen


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
                f"--upsample_at_random: found {count} sentences that contain {names}, and {len(others)} others; "
                "expected at least as many others; name rarer classes: --upsample_categories"
            )
        repeated = np.isin(np.arange(len(sentences)), np.random.default_rng(0).choice(others, count, replace=False))
    return sentences.select(np.repeat(np.arange(len(sentences)), np.where(repeated, factor, 1)))
