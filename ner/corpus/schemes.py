"""Tag schemes: the ways in which tags show where entities begin and end. What is read becomes BIO.

`New York`, and right after it `Paris`, are tagged

    BIO     B-LOC I-LOC B-LOC       also called IOB2
    IOB1    I-LOC I-LOC B-LOC       B- only where an entity follows another one of its class
    IOBES   B-LOC E-LOC S-LOC       E- is the last token of several, S- a single one; BMES has M- for I-
    BILOU   B-LOC L-LOC U-LOC       the same with L- and U-
    IO      I-LOC I-LOC I-LOC       or LOC LOC LOC: one entity, since nothing shows the border
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ner.corpus.sentences import Sentences

MARKED = re.compile(r"[BI]\W.+|.+[\W_][BI]", re.IGNORECASE)  # B:PER and PER-B, of schemes that are not known here
SCHEMES = {"bio": "BI", "iob1": "BI", "iobes": "BIES", "bilou": "BILU", "io": "I"}  # with their prefixes


def prefix_and_class(tag: str, scheme: str) -> tuple[str, str]:
    """The prefix of a tag and its class, of which `O` has none. The prefix is empty where no scheme has such a tag.

    In IO, a class without a prefix counts as `I-`. It may contain dashes, but not as its second character: `X-PER` is a
    tag of a scheme that is not known here.
    """
    tag = tag.strip()  # with white space around it, a tag would be a class of its own
    if tag == "O":
        return "O", ""
    if tag[1:2] in ("-", "_"):
        known = tag[0] in "BIESLUM" and tag[1] == "-" and len(tag) > 2
        return (tag[0].replace("M", "I"), tag[2:]) if known else ("", "")
    return ("I", tag) if scheme == "io" and tag else ("", "")


@dataclass(frozen=True)
class Tagged:
    """Tags by their parts: the prefix as its ASCII code, the index of the class (-1 for none), and whether the token
    before, in the same sentence, has the same class. Each array has the shape [token].
    """

    prefix: np.ndarray
    class_index: np.ndarray
    same: np.ndarray

    def has(self, prefixes: str) -> np.ndarray:
        """True [token] where the tag has one of the prefixes."""
        return np.isin(self.prefix, list(prefixes.encode()))


def tagged(sentences: Sentences, scheme: str, classes: Sequence[str]) -> Tagged:
    """The tags of sentences whose `names` are those of their files, in whichever scheme."""
    index = {name: i for i, name in enumerate(classes)}
    found = [prefix_and_class(tag, scheme) for tag in sentences.names]
    prefix = np.array([ord(p or "?") for p, _ in found], dtype=np.uint8)[sentences.tags]
    class_index = np.array([index.get(c, -1) for _, c in found], dtype=np.int16)[sentences.tags]
    same = (class_index >= 0) & (class_index == np.roll(class_index, 1))
    same[(np.cumsum(sentences.lengths) - sentences.lengths)[sentences.lengths > 0]] = False
    return Tagged(prefix, class_index, same)


def classes_in(sentences: Sentences, scheme: str) -> list[str]:
    """The classes in the tags, each once, in the order in which they were found."""
    return list(dict.fromkeys(c for _, c in (prefix_and_class(tag, scheme) for tag in sentences.names) if c))


def misfits(sentences: Sentences, scheme: str) -> np.ndarray:
    """True [token] for tags that a scheme does not have, or not between such neighbours."""
    tags = tagged(sentences, scheme, classes_in(sentences, scheme))
    wrong, inside = ~tags.has("O" + SCHEMES[scheme]), tags.has("IEL")
    if scheme == "bio":
        wrong |= inside & ~tags.same
    elif scheme == "iob1":
        wrong |= tags.has("B") & ~tags.same
    elif scheme in ("iobes", "bilou"):
        unfinished = tags.has("BI")
        continues = inside & tags.same & np.roll(unfinished, 1)  # never true for the first token: `same` is not
        wrong |= (inside & ~continues) | (unfinished & ~np.roll(continues, -1))
    return wrong


def scheme_of(splits: Sequence[Sentences]) -> str:
    """The scheme that the tags of some splits fit best, BIO if another one fits no better.

    It is IO where classes stand without a prefix, beside `O`. Tags with `I-` but none with `B-` are called IOB1: in IO
    they would mean the same.
    """
    tags = {tag for sentences in splits for tag in sentences.names}
    prefixes = {scheme: {prefix_and_class(tag, scheme)[0] for tag in tags} for scheme in ("bio", "io")}
    are_marked = all(MARKED.fullmatch(tag.strip()) for tag in tags - {"O"})
    if prefixes["bio"] <= {"O", ""} and prefixes["io"] >= {"O", "I"} and not are_marked:
        return "io"
    counts = {
        s: sum(int(misfits(sentences, s).sum()) for sentences in splits) for s in ("bio", "iob1", "iobes", "bilou")
    }
    return min(counts, key=lambda scheme: counts[scheme])


def bio_ids(tags: Tagged, scheme: str) -> np.ndarray:
    """The tags as ids in `label_names` of their classes, int16 of shape [token]; those of other classes become `O`.

    Entities stay exactly as they are. Tags that do not fit are read as in `ner.labels.spans`: no token is lost, and an
    entity begins where its class does, or where the one before it has ended.
    """
    begins = tags.has("BSU") | (tags.same & np.roll(tags.has("ESLU"), 1))
    if scheme in ("iob1", "io"):
        begins |= ~tags.same
    return np.where(tags.class_index < 0, 0, 2 * tags.class_index + 2 - begins).astype(np.int16)
