"""Sentences with tokens and tags, as columns of an Arrow table."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ner.errors import InputError, message_of
from ner.labels import lookup_table, tag_lists

LARGEST_OFFSET = 2**31 - 1  # of Arrow's lists and strings


@dataclass(frozen=True)
class Sentences:
    """The sentences of a split. `table` has the columns tokens (list of string), tags (list of int16) and lang, each in
    one chunk.

    A tag is an index into `names`, the label names.
    """

    table: pa.Table
    names: list[str]

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
    def lengths(self) -> np.ndarray:
        """Tokens of each sentence, int64 of shape [sentence]."""
        return pc.list_value_length(self.table["tokens"]).to_numpy().astype(np.int64)

    @property
    def langs(self) -> list[str]:
        """The language of each sentence."""
        return self.table["lang"].to_pylist()

    def select(self, rows: np.ndarray) -> "Sentences":
        """The sentences at `rows`, in that order; a row that is given twice is repeated.

        Raises `InputError` if they have more text than a column holds.
        """
        try:
            table = self.table.take(pa.array(rows, type=pa.int64())).combine_chunks()
        except pa.ArrowInvalid as error:
            raise InputError(
                f"--dataset: found too much text in {len(rows):,} sentences ({message_of(error)}); expected at most "
                f"{LARGEST_OFFSET:,} bytes of tokens in a split; use fewer languages, or repeat fewer sentences"
            ) from None
        return Sentences(table, self.names)

    def with_names(self, names: list[str]) -> "Sentences":
        """The same sentences with the label set `names`; a label that it lacks becomes `O`."""
        table = self.table.set_column(1, "tags", list_column(lookup_table(self.names, names)[self.tags], self.lengths))
        return Sentences(table, names)

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
    """A flat array [token] as an Arrow list for each sentence of `lengths` [sentence].

    Raises `InputError` if it is longer than an Arrow list can be.
    """
    if len(flat) > LARGEST_OFFSET:
        raise InputError(
            f"--dataset: found {len(flat):,} tokens or sub-tokens in the rows of a split; expected at most "
            f"{LARGEST_OFFSET:,}; use fewer of the sentences, with --max_train_sentences, or repeat fewer of them"
        )
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))
