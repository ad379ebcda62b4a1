"""The tables that readers of files make, and the checks that hold for every format.

A reader is a function from a file and its language to a table of sentences with the columns of `COLUMNS`: `line` (the
line of each token, or only that of the sentence), `tokens`, `tags` (label names in any tag scheme, or MultiNERD's
numbers), `lang`, and `document` (the document's number; null if documents are not marked).
"""

import codecs
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ner.corpus.schemes import SCHEMES, bio_ids, classes_in, misfits, prefix_and_class, scheme_of
from ner.corpus.sentences import Sentences, list_column
from ner.errors import InputError
from ner.labels import MULTINERD_CLASSES, classes_of, label_names

log = logging.getLogger("ner")
LARGEST_TAG = 2 * len(MULTINERD_CLASSES)
WORDS, NUMBERS = pa.list_(pa.string()), pa.list_(pa.int64())
COLUMNS = pa.schema(
    [("line", NUMBERS), ("tokens", WORDS), ("tags", WORDS), ("lang", pa.string()), ("document", pa.int64())]
)
NUMBERED = COLUMNS.set(2, pa.field("tags", NUMBERS))
TOKEN_A_LINE = "columns"  # how the form of a file with a token a line begins


@dataclass(frozen=True)
class RawSplit:
    """A split as its files have it: the names of `sentences` are the tags that were found, in whichever scheme.

    `files` are the files and how each was read. The table of `sentences` has three columns more: the number of each
    one's `file`, its `line` or those of its tokens, and its `document`, -1 if documents are not marked. `numbered`
    means that the tags were numbers, which were taken for MultiNERD's.
    """

    split: str
    sentences: Sentences
    files: list[tuple[Path, str]]
    numbered: bool

    def place(self, token: int) -> str:
        """FILE:LINE of a token, counted over the whole split."""
        ends = np.cumsum(self.sentences.lengths)
        sentence = int(np.searchsorted(ends, token, side="right"))
        file, lines = (self.sentences.table[name][sentence].as_py() for name in ("file", "line"))
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


def with_ids(path: Path, table: pa.Table, names: list[str], file: int) -> pa.Table:
    """A reader's table in which label names became indices into `names`, to which new ones are added, and with a column
    for the number of its file.

    Raises `InputError`, with file and line, where a sentence has more or fewer tags than tokens.
    """
    lengths, counts = (pc.list_value_length(table[name]).to_numpy() for name in ("tokens", "tags"))
    unequal = np.flatnonzero(lengths != counts)
    if len(unequal):
        i = unequal[0]
        raise InputError(
            f"{path}:{table['line'][i][0]}: found {lengths[i]} tokens and {counts[i]} tags; expected a tag for each "
            "token"
        )
    encoded = pc.list_flatten(table["tags"]).combine_chunks().dictionary_encode()
    tags = encoded.dictionary.to_pylist()
    names += [tag for tag in tags if isinstance(tag, str) and tag not in names]
    ids = np.array([names.index(t) if isinstance(t, str) else t for t in tags], dtype=np.int16)[encoded.indices]
    about = [table["line"], table["document"].fill_null(-1), pa.repeat(file, len(table))]
    columns = [table["tokens"], list_column(ids, lengths), table["lang"], *about]
    return pa.table(columns, ["tokens", "tags", "lang", "line", "document", "file"])


def common_scheme(splits: Sequence[RawSplit], wanted: str = "auto") -> str:
    """The tag scheme of the splits of a data set: `wanted`, or for `auto` the one that their tags fit best.

    MultiNERD's numbers are BIO. Logs what numbers are taken for, and how many tags do not fit.
    """
    if any(split.numbered for split in splits):
        log.info("tags: found numbers without label names beside the data; read as MultiNERD's")
    named = [split.sentences for split in splits if not split.numbered]
    scheme = scheme_of(named) if wanted == "auto" else wanted
    wrong = [(split, np.flatnonzero(misfits(split.sentences, scheme))) for split in splits if not split.numbered]
    if count := sum(len(tokens) for _, tokens in wrong):
        first = next(split.place(int(tokens[0])) for split, tokens in wrong if len(tokens))
        log.warning(
            "tag scheme: %d of %d tags do not fit %s, the first in %s; if another scheme is meant, name it with "
            "--tag_scheme", count, sum(map(entity_tags, named)), scheme.upper(), first,
        )  # fmt: skip
    return scheme


def in_bio(split: RawSplit, scheme: str, known_classes: Sequence[str] | None = None) -> Sentences:
    """The sentences of a split in BIO, with the label set of `known_classes`, or of the classes that were found.

    Logs what was read: files, form, scheme, tags that were rewritten, sentences, classes. Raises `InputError`, with
    file and line, for a tag that the scheme does not have or whose class is unknown.
    """
    raw = split.sentences
    found = classes_of(label_names(classes_in(raw, scheme)))
    classes = found if known_classes is None else known_classes
    parts = [prefix_and_class(tag, scheme) for tag in raw.names]
    is_known = [p != "" and p in "O" + SCHEMES[scheme] and (p == "O" or c in classes) for p, c in parts]
    wrong = np.flatnonzero(~np.array(is_known, dtype=bool)[raw.tags])
    if len(wrong):
        prefixes = "" if scheme == "io" else " or ".join(f"{prefix}-" for prefix in SCHEMES[scheme]) + " with "
        place = split.place(wrong[0])
        column = " or their column (--tag_column)" if split.files[0][1].startswith(TOKEN_A_LINE) else ""
        raise InputError(
            f"{place}: unknown tag {raw.names[raw.tags[wrong[0]]]!r}; expected O, or {prefixes}"
            f"{', '.join(known_classes or ['some CLASS'])}; fix the line, or name the tags' scheme (--tag_scheme)"
            f"{column}; the training split must contain every class"
        )
    ids, names = bio_ids(raw, scheme, classes), label_names(classes)
    as_found = {name: i for i, name in enumerate(names)}
    rewritten = np.array([as_found.get(tag.strip(), -1) for tag in raw.names])[raw.tags] != ids
    log.info(
        "%s: %s; %s; %d sentences, %d tokens; %d classes: %s",
        split.split, described(split.files), scheme_line(raw, scheme, int(rewritten.sum())), len(raw), len(raw.words),
        len(found), " ".join(found),
    )  # fmt: skip
    columns = {"tokens": raw.table["tokens"], "tags": list_column(ids, raw.lengths), "lang": raw.table["lang"]}
    return Sentences(pa.table(columns), names)


def described(files: Sequence[tuple[Path, str]]) -> str:
    """The names of a split's files and their forms; of many files, the first."""
    shown = [f"{path.name}, {form}" for path, form in files[:3]]
    return " and ".join(shown) + (f" and {len(files) - 3} more files" if len(files) > 3 else "")


def scheme_line(raw: Sentences, scheme: str, rewritten: int) -> str:
    """The scheme of tags, and what became of them."""
    if scheme == "bio":
        return "BIO"
    without_b = not any(tag.strip().startswith("B-") for tag in raw.names)
    name = "IOB1 or IO" if scheme == "iob1" and without_b else scheme.upper()
    merged = ", in which neighbouring tokens of one class are one entity" if name.endswith("IO") else ""
    return f"{name}{merged}, {rewritten} of {entity_tags(raw)} tags rewritten to BIO"


def entity_tags(sentences: Sentences) -> int:
    """The number of tags that are not `O`."""
    return int(np.array([tag.strip() != "O" for tag in sentences.names])[sentences.tags].sum())
