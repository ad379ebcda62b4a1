"""Label names, what an entity is, and the mapping between label sets. NumPy only.

A *label* is `O`, `B-TYPE` or `I-TYPE`; a *type* (or class) is what follows the dash.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

# The order of Babelscape's release. The copy `tner/multinerd` numbers its labels otherwise.
MULTINERD_TYPES = (
    "PER", "ORG", "LOC", "ANIM", "BIO", "CEL", "DIS", "EVE", "FOOD", "INST", "MEDIA", "MYTH", "PLANT", "TIME", "VEHI",
)  # fmt: skip


def label_names(types: Iterable[str]) -> list[str]:
    """`O`, then a `B-`/`I-` pair for each type: the label of id i stands at index i."""
    return ["O", *(f"{prefix}-{entity_type}" for entity_type in types for prefix in "BI")]


def is_label(name: str) -> bool:
    """True for `O`, `B-TYPE` and `I-TYPE` with a type of at least one character."""
    return name == "O" or (name[:2] in ("B-", "I-") and len(name) > 2)


def types_of(names: Iterable[str]) -> list[str]:
    """The types of some labels: MultiNERD's in MultiNERD's order first, then others by alphabet.

    Raises `ValueError` for a name that is no BIO label.
    """
    found = set()
    for name in names:
        if not is_label(name):
            raise ValueError(f"found the label {name!r}; expected O, B-TYPE or I-TYPE")
        if name != "O":
            found.add(name[2:])
    return [t for t in MULTINERD_TYPES if t in found] + sorted(found.difference(MULTINERD_TYPES))


def lookup_table(source: Sequence[str], target: Sequence[str]) -> np.ndarray:
    """Ids of `target` for the ids of `source`, shape [len(source)]: `table[ids]` maps a whole column.

    Labels are matched by name, and a label that `target` lacks becomes `O`. So one table masks the training
    labels, another maps gold labels to what a checkpoint knows, a third its predictions back.
    """
    index = {name: i for i, name in enumerate(target)}
    return np.array([index.get(name, index["O"]) for name in source], dtype=np.int16)


@dataclass(frozen=True)
class Spans:
    """Entities as half-open ranges on the flat token axis; `type` indexes `types_of(names)`. Each of shape [entity]."""

    start: np.ndarray
    end: np.ndarray
    type: np.ndarray


def prefixes_and_types(names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """For each label id its prefix (0 `O`, 1 `B`, 2 `I`) and its type's index in `types_of(names)` (-1 for `O`)."""
    index = {t: i for i, t in enumerate(types_of(names))}
    prefix = np.array(["OBI".index(name[0]) for name in names], dtype=np.int8)
    return prefix, np.array([index.get(name[2:], -1) for name in names], dtype=np.int16)


def continues(ids: np.ndarray, lengths: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """True [token] where an `I-TYPE` follows `B-TYPE` or `I-TYPE` of the same type in the same sentence."""
    prefix, kind = prefixes_and_types(names)
    token_prefix, token_type = prefix[ids], kind[ids]
    result = np.zeros(len(ids), dtype=bool)
    result[1:] = (token_prefix[1:] == 2) & (token_type[1:] == token_type[:-1])
    starts = np.cumsum(lengths) - lengths
    result[starts[lengths > 0]] = False
    return result


def spans(ids: np.ndarray, lengths: np.ndarray, names: Sequence[str]) -> Spans:
    """The entities of flat label ids [token] of sentences of `lengths` [sentence].

    An entity starts at every `B-`, and at an `I-` that does not continue an entity of its type: the reading of
    conlleval and of seqeval's default mode, defined for any sequence, valid or not.
    """
    prefix, kind = prefixes_and_types(names)
    goes_on = continues(ids, lengths, names)
    start = np.flatnonzero((prefix[ids] > 0) & ~goes_on)
    breaks = np.append(np.flatnonzero(~goes_on), len(ids))
    end = breaks[np.searchsorted(breaks, start, side="right")]
    return Spans(start, end, kind[ids[start]])


def flat_ids(sentences: Sequence[Sequence[str]], names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Label strings as flat ids [token], and the sentences' lengths [sentence]."""
    index = {name: i for i, name in enumerate(names)}
    ids = np.array([index[tag] for tags in sentences for tag in tags], dtype=np.int64)
    return ids, np.array([len(tags) for tags in sentences], dtype=np.int64)


def tag_lists(ids: np.ndarray, lengths: np.ndarray, names: Sequence[str]) -> list[list[str]]:
    """Flat ids [token] as one list of label names for each sentence; the reverse of `flat_ids`."""
    flat, ends = np.array(names, dtype=object)[ids].tolist(), np.cumsum(lengths).tolist()
    return [flat[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def surface_form(tokens: Sequence[str]) -> str:
    """An entity's tokens as text, with single spaces between words: the form in which entities are compared."""
    return " ".join(" ".join(tokens).split())
