"""The tables that readers of files make, and the checks that hold for every format.

A reader is a function from a file to a table of sentences with the columns of `COLUMNS`: `line` (the line of each
token, or only that of the sentence), `tokens`, `tags` (label names in any tag scheme, or MultiNERD's numbers), `lang`
(null if the file's name or an option says it), and `document` (its number; null or -1 if documents are not marked).
"""

import codecs
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ner.corpus.schemes import SCHEMES, bio_ids, classes_in, misfits, scheme_of, tagged
from ner.corpus.sentences import Sentences
from ner.errors import InputError
from ner.labels import MULTINERD_CLASSES, classes_of, label_names

log = logging.getLogger("ner")
MULTINERD_LABELS = label_names(MULTINERD_CLASSES)
WORDS, NUMBERS = pa.list_(pa.string()), pa.list_(pa.int64())
COLUMNS = pa.schema(
    [("line", NUMBERS), ("tokens", WORDS), ("tags", WORDS), ("lang", pa.string()), ("document", pa.int64())]
)


@dataclass(frozen=True)
class RawSplit:
    """A split as its files have it: the names of `sentences` are the tags that were found, in whichever scheme.

    `files` are the files and how each was read. `places` has a row for each sentence: the number of its `file`, its
    `line` or those of its tokens, and its `document`. `numbered` means that the tags were numbers, which were taken for
    MultiNERD's.
    """

    split: str
    sentences: Sentences
    places: pa.Table
    files: list[tuple[Path, str]]
    numbered: bool

    def place(self, token: int) -> str:
        """FILE:LINE of a token, counted over the whole split."""
        ends = np.cumsum(self.sentences.lengths)
        sentence = int(np.searchsorted(ends, token, side="right"))
        file, lines = (self.places[name][sentence].as_py() for name in ("file", "line"))
        place = token - int(ends[sentence] - self.sentences.lengths[sentence])
        return f"{self.files[file][0]}:{lines[place] if len(lines) > 1 else lines[0]}"


def checked_content(path: Path) -> bytes:
    """The content of a UTF-8 file, without its byte order mark. Raises `InputError` if it is not UTF-8."""
    content = path.read_bytes()
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: found bytes that are not UTF-8; expected UTF-8; convert the file") from None
    return content.removeprefix(codecs.BOM_UTF8)


def common_scheme(splits: Sequence[RawSplit], wanted: str = "auto") -> str:
    """The tag scheme of the splits of a data set: `wanted`, or for `auto` the one that their tags fit best.

    MultiNERD's numbers are BIO. Logs what numbers are taken for, and how many tags do not fit.
    """
    if any(split.numbered for split in splits):
        log.info("tags: found numbers without label names beside the data; read as MultiNERD's")
    scheme = scheme_of([split.sentences for split in splits if not split.numbered]) if wanted == "auto" else wanted
    wrong = [(split, np.flatnonzero(misfits(split.sentences, scheme))) for split in splits if not split.numbered]
    if count := sum(len(tokens) for _, tokens in wrong):
        first = next(split.place(int(tokens[0])) for split, tokens in wrong if len(tokens))
        log.warning(
            "tag scheme: %d tags do not fit %s, the first in %s; if another scheme is meant, name it with --tag_scheme",
            count, scheme.upper(), first,
        )  # fmt: skip
    return scheme


def in_bio(split: RawSplit, scheme: str, known_classes: Sequence[str] | None = None) -> Sentences:
    """The sentences of a split in BIO, with the label set of `known_classes`, or of the classes that were found.

    Logs what was read: files, form, scheme, sentences, classes. Raises `InputError`, with file and line, for a tag that
    the scheme does not have or whose class is unknown.
    """
    raw = split.sentences
    found = classes_of(label_names(classes_in(raw, scheme)))
    if averages := [name for name in found if name in ("micro", "macro")]:
        raise InputError(
            f"{split.files[0][0]}: found the class {averages[0]!r}; expected another name, because an average of the "
            "scores has this name; rename the class"
        )
    classes = found if known_classes is None else known_classes
    tags = tagged(raw, scheme, classes)
    wrong = np.flatnonzero(~tags.has("O") & ((tags.class_index < 0) | ~tags.has(SCHEMES[scheme])))
    if len(wrong):
        prefixes = "" if scheme == "io" else " or ".join(f"{prefix}-" for prefix in SCHEMES[scheme]) + " with "
        raise InputError(
            f"{split.place(wrong[0])}: unknown tag {raw.names[raw.tags[wrong[0]]]!r}; expected O, or {prefixes}"
            f"{', '.join(known_classes or ['some CLASS'])}; fix the line, or name the tags' scheme (--tag_scheme) or "
            "their column (--tag_column); the training split must contain every class"
        )
    files = " and ".join(f"{path.name}, {form}" for path, form in split.files)
    log.info(
        "%s: %s; %s; %d sentences, %d tokens; %d classes: %s",
        split.split, files, "BIO" if scheme == "bio" else f"{scheme.upper()}, rewritten to BIO",
        len(raw), len(raw.words), len(found), " ".join(found),
    )  # fmt: skip
    return Sentences(raw.words, bio_ids(tags, scheme), raw.lengths, raw.langs, label_names(classes))
