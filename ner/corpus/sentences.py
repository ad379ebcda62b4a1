"""Sentences with tokens and tags, each as one array over all sentences."""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from ner.labels import lookup_table, ranges, tag_lists


@dataclass(frozen=True)
class Sentences:
    """The sentences of a split, one after the other.

    words: the tokens, [token]
    tags: of the tokens, as indices into `names`, [token]; int16 in BIO
    lengths: the tokens of each sentence, int64 [sentence]
    langs: the language of each sentence
    names: the label names
    unlabelled: True for words that have no label to learn and the tag `O`, [token]; None if there are none
    """

    words: pa.Array
    tags: np.ndarray
    lengths: np.ndarray
    langs: list[str]
    names: list[str]
    unlabelled: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    def select(self, rows: np.ndarray) -> "Sentences":
        """The sentences at `rows`, in that order; a row that is given twice is repeated."""
        lengths, langs = self.lengths[rows], [self.langs[row] for row in rows.tolist()]
        places = ranges((np.cumsum(self.lengths) - self.lengths)[rows], lengths)  # [token]
        unlabelled = None if self.unlabelled is None else self.unlabelled[places]
        return Sentences(self.words.take(pa.array(places)), self.tags[places], lengths, langs, self.names, unlabelled)

    def with_names(self, names: list[str]) -> "Sentences":
        """The same sentences with the label set `names`; a label that it lacks becomes `O`."""
        return replace(self, tags=lookup_table(self.names, names)[self.tags], names=names)

    def without_labels(self, words: np.ndarray, unlabelled: bool) -> "Sentences":
        """The same sentences with `O` for the tags of the `words` [token]; they are `unlabelled`, or labelled `O`."""
        return replace(self, tags=np.where(words, np.int16(0), self.tags), unlabelled=words if unlabelled else None)

    def token_lists(self) -> list[list[str]]:
        """The tokens of each sentence."""
        return list_column(self.words, self.lengths).to_pylist()

    def tag_lists(self) -> list[list[str]]:
        """The label names of each sentence."""
        return tag_lists(self.tags, self.lengths, self.names)

    def fingerprint(self) -> str:
        """A hash over tokens and label names in order, 16 hexadecimal digits, however the labels are numbered."""
        digest = hashlib.sha256()
        labels = pa.array(self.names, pa.large_string()).take(pa.array(self.tags))
        for column in (self.words, labels, pa.array(self.lengths)):
            encoded = column.dictionary_encode()
            digest.update(np.ascontiguousarray(encoded.indices.to_numpy()).data)
            digest.update("\x00".join(map(str, encoded.dictionary.to_pylist())).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:16]


def list_column(flat: np.ndarray | pa.Array, lengths: np.ndarray) -> pa.ListArray:
    """A flat array [token] as an Arrow list for each sentence of `lengths` [sentence]: at most 2**31 - 1 tokens."""
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(flat))
