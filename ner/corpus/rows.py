"""The tables that readers of files make, and the checks that hold for every format.

A reader is a function from a file and the language in its name to tables of sentences, with the columns `line` (where
a sentence begins in the file), `tokens` (list of string), `tags` (list of label names or MultiNERD's numbers) and
`lang`.
"""

import codecs
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ner.corpus.sentences import list_column
from ner.errors import InputError
from ner.labels import MULTINERD_CLASSES, is_label, label_names

LARGEST_TAG = 2 * len(MULTINERD_CLASSES)


def checked_content(path: Path) -> bytes:
    """The content of a UTF-8 file, without its byte order mark. Raises `InputError` if it is not UTF-8, or empty."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: found bytes that are not UTF-8; expected UTF-8; convert the file") from None
    if not text.strip():
        raise InputError(f"{path}: the file is empty; expected sentences")
    return content.removeprefix(codecs.BOM_UTF8)


def with_ids(path: Path, table: pa.Table, names: list[str], known_classes: Sequence[str] | None) -> pa.Table:
    """A reader's table with the columns of `Sentences`: label names become indices into `names`, to which
    new ones are added.

    Raises `InputError`, with file and line, where a sentence has more or fewer tags than tokens, or a tag is neither a
    number of MultiNERD's nor a label of a known class.
    """
    lengths, counts = (pc.list_value_length(table[name]).to_numpy() for name in ("tokens", "tags"))
    unequal = np.flatnonzero(lengths != counts)
    if len(unequal):
        i = unequal[0]
        raise InputError(
            f"{path}:{table['line'][i]}: found {lengths[i]} tokens and {counts[i]} tags; expected a tag for each token"
        )
    encoded = pc.list_flatten(table["tags"]).combine_chunks().dictionary_encode()
    tags = encoded.dictionary.to_pylist()
    ids = np.array([tag_id(tag, names, known_classes) for tag in tags], dtype=np.int16)[encoded.indices]
    if ids.min(initial=0) < 0:
        token = np.argmax(ids < 0)
        sentence = np.searchsorted(np.cumsum(lengths), token, side="right")
        if isinstance(tags[0], int):
            expected = f"0 to {LARGEST_TAG}, MultiNERD's numbers; fix the line, or write label names under `tags`"
        else:
            classes = ", ".join(known_classes or ["some CLASS"])
            expected = f"O, or B- or I- with {classes}; fix the line (the training split must contain every class)"
        tag, line = tags[encoded.indices[token].as_py()], table["line"][sentence].as_py()
        if path.suffix == ".tsv":  # has a token a line
            line += token - (np.cumsum(lengths) - lengths)[sentence]
        raise InputError(f"{path}:{line}: unknown tag {tag!r}; expected {expected}")
    return pa.table([table["tokens"], list_column(ids, lengths), table["lang"]], ["tokens", "tags", "lang"])


def tag_id(tag: str | int, names: list[str], known_classes: Sequence[str] | None) -> int:
    """MultiNERD's number as it is, or the index of a label in `names`, which grows by a new one; -1 for a wrong tag."""
    if isinstance(tag, int):
        return tag if 0 <= tag <= LARGEST_TAG else -1
    name = tag.strip()  # with white space around it, a tag would be a class of its own
    if not is_label(name) or (known_classes is not None and name not in label_names(known_classes)):
        return -1
    if name not in names:
        names.append(name)
    return names.index(name)
