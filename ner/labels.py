"""Label names, what an entity is, and the mapping between label sets. NumPy only.

A *label* is `O`, `B-CLASS` or `I-CLASS`; a *class* is what follows the dash. A label's *id* is its index in
`label_names` of some classes, the *label set*: 0 is `O`, and an odd id is the `B-` of a class whose `I-` comes next.
Only a checkpoint may number its labels otherwise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

# The order of Babelscape's release. The copy `tner/multinerd` numbers its labels in another order.
MULTINERD_CLASSES = (
    "PER", "ORG", "LOC", "ANIM", "BIO", "CEL", "DIS", "EVE", "FOOD", "INST", "MEDIA", "MYTH", "PLANT", "TIME", "VEHI",
)  # fmt: skip


def label_names(classes: Iterable[str]) -> list[str]:
    """The label set of some classes: `O`, then a `B-`/`I-` pair for each."""
    return ["O", *(f"{prefix}-{name}" for name in classes for prefix in "BI")]


def is_label(name: str) -> bool:
    """True for `O`, `B-CLASS` and `I-CLASS` with a class of at least one character."""
    return name == "O" or (name[:2] in ("B-", "I-") and len(name) > 2)


def classes_of(names: Iterable[str]) -> list[str]:
    """The classes of some labels: first MultiNERD's in MultiNERD's order, then others in alphabetical order.

    Raises `ValueError` for a name that is not a BIO label.
    """
    classes = set()
    for name in names:
        if not is_label(name):
            raise ValueError(f"found the label {name!r}; expected O, B-CLASS or I-CLASS")
        if name != "O":
            classes.add(name[2:])
    return [c for c in MULTINERD_CLASSES if c in classes] + sorted(classes.difference(MULTINERD_CLASSES))


def lookup_table(source: Sequence[str], target: Sequence[str]) -> np.ndarray:
    """The id in `target` of each label of `source`, int16 of shape [len(source)]: `table[ids]` maps a whole column.

    Labels are matched by name, and a label that `target` lacks becomes `O`. One such table masks the training labels,
    another maps gold labels to those that a checkpoint knows, and a third maps a checkpoint's label ids to ours.
    """
    index = {name: i for i, name in enumerate(target)}
    return np.array([index.get(name, index["O"]) for name in source], dtype=np.int16)


@dataclass(frozen=True)
class Spans:
    """Entities as half-open ranges on the flat token axis, each array of shape [entity].

    `class_index` is the index of an entity's class in the classes of the label set.
    """

    start: np.ndarray
    end: np.ndarray
    class_index: np.ndarray


def class_indices(ids: np.ndarray) -> np.ndarray:
    """The index of each label's class in the classes of the label set, -1 for `O`; of the shape of `ids`."""
    return (ids - 1) // 2


def wrong_transitions(ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """True [token] where an `I-` label does not follow a `B-` or `I-` label of its class in the same sentence."""
    before = np.roll(ids, 1)
    before[(np.cumsum(lengths) - lengths)[lengths > 0]] = 0  # nothing is before a sentence's first token
    return (ids > 0) & (ids % 2 == 0) & (before != ids) & (before != ids - 1)


def spans(ids: np.ndarray, lengths: np.ndarray) -> Spans:
    """The entities of flat label ids [token] of sentences of `lengths` [sentence].

    An entity starts at every `B-`, and at an `I-` that does not continue an entity of its class: the reading of
    conlleval and of seqeval's default mode, defined for any sequence, valid or not.
    """
    begins = (ids % 2 == 1) | wrong_transitions(ids, lengths)
    start = np.flatnonzero(begins)
    breaks = np.append(np.flatnonzero(begins | (ids == 0)), len(ids))
    end = breaks[np.searchsorted(breaks, start, side="right")]
    return Spans(start, end, class_indices(ids[start]))


def spans_in(a: Spans, b: Spans) -> np.ndarray:
    """True [entity of `a`] for the entities that `b` has too."""
    # No two entities of a side share a start, so those with the same start are the only ones that can be equal.
    _, in_a, in_b = np.intersect1d(a.start, b.start, assume_unique=True, return_indices=True)
    found = np.zeros(len(a.start), dtype=bool)
    found[in_a] = (a.end[in_a] == b.end[in_b]) & (a.class_index[in_a] == b.class_index[in_b])
    return found


def ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """`arange(start, start + count)` for each pair, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - counts), counts)


def flat_ids(sentences: Sequence[Sequence[str]], classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Label strings as flat ids in `label_names(classes)`, int64 of shape [token], and the sentences' lengths, int64 of
    shape [sentence]. A label of another class becomes `O`.
    """
    index = {name: i for i, name in enumerate(label_names(classes))}
    ids = np.array([index.get(tag, 0) for tags in sentences for tag in tags], dtype=np.int64)
    return ids, np.array([len(tags) for tags in sentences], dtype=np.int64)


def tag_lists(ids: np.ndarray, lengths: np.ndarray, names: Sequence[str]) -> list[list[str]]:
    """Flat ids [token] as a list of label names for each sentence; the reverse of `flat_ids`."""
    flat, ends = np.array(names, dtype=object)[ids].tolist(), np.cumsum(lengths).tolist()
    return [flat[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def surface_form(tokens: Sequence[str]) -> str:
    """An entity's tokens as text, with single spaces between words: the form in which entities are compared."""
    return " ".join(" ".join(tokens).split())
