"""Sentences with tokens and tags, as columns of an Arrow table."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ner.labels import lookup_table, tag_lists


@dataclass(frozen=True)
class Sentences:
    """The sentences of a split. `table` has the columns tokens (list of string), tags (list of int16) and lang, each in
    one chunk.

    A tag is an index into `names`, the label names. A fourth column, `unlabelled` (list of bool), is there if some
    words have no label to learn: their tag is `O`, and `unlabelled` is true.
    """

    table: pa.Table
    names: list[str]

    def __post_init__(self) -> None:
        chunks = {column.num_chunks for column in self.table.columns}
        assert chunks <= {0, 1}, "a split has more than 2 GiB of text, which needs several chunks"

    def __len__(self) -> int:
        return self.table.num_rows

    @cached_property
    def words(self) -> pa.Array:
        """Every token in order, shape [token]."""
        return pc.list_flatten(self.table["tokens"].chunk(0))

    @cached_property
    def tags(self) -> np.ndarray:
        """Every tag in order, int16 of shape [token]."""
        return pc.list_flatten(self.table["tags"].chunk(0)).to_numpy(zero_copy_only=False)

    @cached_property
    def unlabelled(self) -> np.ndarray:
        """True for the words without a label to learn, shape [token]."""
        if "unlabelled" not in self.table.column_names:
            return np.zeros(len(self.tags), dtype=bool)
        return pc.list_flatten(self.table["unlabelled"].chunk(0)).to_numpy(zero_copy_only=False)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of each sentence, int64 of shape [sentence]."""
        return pc.list_value_length(self.table["tokens"]).to_numpy().astype(np.int64)

    @property
    def langs(self) -> list[str]:
        """The language of each sentence."""
        return self.table["lang"].to_pylist()

    def select(self, rows: np.ndarray) -> "Sentences":
        """The sentences at `rows`, in that order; a row that is given twice is repeated."""
        return Sentences(self.table.take(pa.array(rows, type=pa.int64())).combine_chunks(), self.names)

    def with_names(self, names: list[str]) -> "Sentences":
        """The same sentences with the label set `names`; a label that it lacks becomes `O`."""
        table = self.table.set_column(1, "tags", list_column(lookup_table(self.names, names)[self.tags], self.lengths))
        return Sentences(table, names)

    def without_labels(self, words: np.ndarray, unlabelled: bool) -> "Sentences":
        """The same sentences with `O` for the tags of the `words` [token]; they are `unlabelled`, or labelled `O`."""
        tags = list_column(np.where(words, np.int16(self.names.index("O")), self.tags), self.lengths)
        table = self.table.set_column(1, "tags", tags)
        if unlabelled:
            table = table.append_column("unlabelled", list_column(words, self.lengths))
        return Sentences(table, self.names)

    def token_lists(self) -> list[list[str]]:
        """The tokens of each sentence."""
        return self.table["tokens"].to_pylist()

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
