"""Label names, what an entity is, and the mapping between label sets. NumPy only.

A *label* is `O`, `B-CLASS` or `I-CLASS`; a *class* is what follows the dash. A label's *id* is its index in a list of
label names, the *label set*.
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

    `class_index` is the index of an entity's class in `classes_of(names)`.
    """

    start: np.ndarray
    end: np.ndarray
    class_index: np.ndarray


def prefixes_and_classes(names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The prefix of each label (0 `O`, 1 `B`, 2 `I`), and the index of its class in `classes_of(names)` (-1 for `O`).

    int8 and int16 of shape [label].
    """
    index = {name: i for i, name in enumerate(classes_of(names))}
    prefix = np.array(["OBI".index(name[0]) for name in names], dtype=np.int8)
    return prefix, np.array([index.get(name[2:], -1) for name in names], dtype=np.int16)


def continues(ids: np.ndarray, lengths: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """True [token] where an `I-CLASS` follows `B-CLASS` or `I-CLASS` of the same class in the same sentence."""
    prefix, class_index = prefixes_and_classes(names)
    result = (prefix[ids] == 2) & (class_index[ids] == np.roll(class_index[ids], 1))
    result[(np.cumsum(lengths) - lengths)[lengths > 0]] = False  # a sentence's first token
    return result


def wrong_transitions(ids: np.ndarray, lengths: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """True [token] where an `I-` label does not follow a `B-` or `I-` label of its class in the same sentence."""
    return (prefixes_and_classes(names)[0][ids] == 2) & ~continues(ids, lengths, names)


def spans(ids: np.ndarray, lengths: np.ndarray, names: Sequence[str]) -> Spans:
    """The entities of flat label ids [token] of sentences of `lengths` [sentence].

    An entity starts at every `B-`, and at an `I-` that does not continue an entity of its class: the reading of
    conlleval and of seqeval's default mode, defined for any sequence, valid or not.
    """
    prefix, class_index = prefixes_and_classes(names)
    continued = continues(ids, lengths, names)
    start = np.flatnonzero((prefix[ids] > 0) & ~continued)
    breaks = np.append(np.flatnonzero(~continued), len(ids))
    end = breaks[np.searchsorted(breaks, start, side="right")]
    return Spans(start, end, class_index[ids[start]])


def equal_spans(a: Spans, b: Spans) -> tuple[np.ndarray, np.ndarray]:
    """The indices in `a` and those in `b` of the entities that both have, in the order of their words."""
    # No two entities of a side share a start, so those with the same start are the only ones that can be equal.
    _, in_a, in_b = np.intersect1d(a.start, b.start, assume_unique=True, return_indices=True)
    equal = (a.end[in_a] == b.end[in_b]) & (a.class_index[in_a] == b.class_index[in_b])
    return in_a[equal], in_b[equal]


def ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """`arange(start, start + count)` for each pair, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - counts), counts)


def flat_ids(sentences: Sequence[Sequence[str]], names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Label strings as flat ids, int64 of shape [token], and the sentences' lengths, int64 of shape [sentence]."""
    index = {name: i for i, name in enumerate(names)}
    ids = np.array([index[tag] for tags in sentences for tag in tags], dtype=np.int64)
    return ids, np.array([len(tags) for tags in sentences], dtype=np.int64)


def tag_lists(ids: np.ndarray, lengths: np.ndarray, names: Sequence[str]) -> list[list[str]]:
    """Flat ids [token] as a list of label names for each sentence; the reverse of `flat_ids`."""
    flat, ends = np.array(names, dtype=object)[ids].tolist(), np.cumsum(lengths).tolist()
    return [flat[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def surface_form(tokens: Sequence[str]) -> str:
    """An entity's tokens as text, with single spaces between words: the form in which entities are compared."""
    return " ".join(" ".join(tokens).split())
