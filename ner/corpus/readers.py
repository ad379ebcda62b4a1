"""From a data set's name to checked sentences: JSONL or TSV files, local or on the Hub.

Every error names the file and the line. For another format, write a function like `jsonl_tables` in a file of its own,
and add it to `FORMATS`.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ner.corpus.annotation_tools import annotation_tool, span_tables
from ner.corpus.docbin import docbin_tables
from ner.corpus.jsonl import jsonl_tables
from ner.corpus.number_names import NAMES_REMEDY
from ner.corpus.rows import LARGEST_TAG, RawSplit, common_scheme, in_bio, with_ids
from ner.corpus.sentences import Sentences
from ner.corpus.tsv import tsv_tables
from ner.errors import InputError
from ner.hub_files import MissingFileError, fetch, is_repo_id
from ner.labels import MULTINERD_CLASSES, label_names

SAMPLE = Path(__file__).parents[2] / "sample"
# Rows of Babelscape's English files; copies with twice as many rows exist.
MULTINERD_ENGLISH_ROWS = {"train": 131_280, "validation": 16_410, "test": 16_454}
CONLL_TAGS = 8  # the largest number of CoNLL-2003's four classes; MultiNERD's rare classes have larger ones


@dataclass(frozen=True)
class Format:
    """The file of each split, with {} for the language, and its reader, as `ner/corpus/rows.py` describes it."""

    files: dict[str, str]
    tables: Callable[[Path, str], Iterator[pa.Table]]


FORMATS = {  # by the suffix of the files
    ".jsonl": Format(
        {"train": "train/train_{}.jsonl", "validation": "val/val_{}.jsonl", "test": "test/test_{}.jsonl"}, jsonl_tables
    ),
    ".tsv": Format({"train": "train_{}.tsv", "validation": "dev_{}.tsv", "test": "test_{}.tsv"}, tsv_tables),
    ".spacy": Format({"train": "train_{}.spacy", "validation": "dev_{}.spacy", "test": "test_{}.spacy"}, docbin_tables),
}


def read(dataset: str, languages: Sequence[str], split: str, known_classes: Sequence[str] | None = None) -> Sentences:
    """The sentences of a split in BIO. Their tag scheme is the one that the tags of this split fit best.

    A class outside `known_classes` is an error. Raises `InputError` as `read_raw` and `in_bio` do.
    """
    raw = read_raw(dataset, languages, split)
    return in_bio(raw, common_scheme([raw]), known_classes)


def tables_of(path: Path, language: str, misaligned: str) -> Iterator[pa.Table]:
    """The sentences of a file, from the reader of its format; spans that do not fit words are `misaligned`."""
    if path.suffix == ".jsonl" and annotation_tool(path):
        return span_tables(path, language, misaligned)
    if path.suffix == ".spacy":
        return docbin_tables(path, language, misaligned)
    return FORMATS[path.suffix].tables(path, language)


def read_raw(dataset: str, languages: Sequence[str], split: str, misaligned: str = "error") -> RawSplit:
    """A split (train, validation or test) with the tags of its files, language after language.

    Raises `InputError` with file and line for whatever is wrong, `MissingFileError` if there is no file for the split.
    """
    names: list[str] = []  # of the tags, in the order in which they are found
    tables: list[pa.Table] = []
    files: list[tuple[Path, int]] = []
    kinds: set[pa.DataType] = set()  # of the tags: numbers or names
    for language in languages:
        path = file_of(dataset, language, split)
        before = len(tables)
        for table in tables_of(path, language, misaligned):
            kinds.add(table["tags"].type.value_type)
            if len(kinds) > 1:
                raise InputError(
                    f"{path}:{table['line'][0]}: found both numbers and label names as tags of one split; "
                    "expected one of them"
                )
            if kinds != {pa.string()}:
                names = label_names(MULTINERD_CLASSES)
            tables.append(with_ids(path, table, names))
        files.append((path, sum(map(len, tables[before:]))))
        if not files[-1][1]:
            raise InputError(f"{path}: found no sentence; expected at least one; is the file complete?")
    table = pa.concat_tables(tables).combine_chunks()
    sentences = Sentences(table.drop_columns("line"), names)
    raw = RawSplit(split, sentences, files, table["line"].to_numpy(), numbered=kinds != {pa.string()})
    if split == "train" and raw.numbered and len(sentences) >= 100 and sentences.tags.max(initial=0) <= CONLL_TAGS:
        raise InputError(
            f"{files[0][0]}: found no number above {CONLL_TAGS} in the tags of {len(sentences):,} training sentences; "
            f"MultiNERD's go up to {LARGEST_TAG}, so these may mean other classes; {NAMES_REMEDY}"
        )
    return raw


def file_of(dataset: str, language: str, split: str) -> Path:
    """The local file of a split in a language; if the data set is on the Hub, it is downloaded once and then cached.

    Raises `MissingFileError` if there is no such file, and `InputError` if there is no such data set.
    """
    folder = SAMPLE if dataset == "sample" else Path(os.path.expanduser(dataset))
    if os.path.isdir(folder):
        names = [form.files[split].format(language) for form in FORMATS.values()]
        for name in names:
            if (folder / name).is_file():
                return folder / name
        raise MissingFileError(
            f"{folder}: found neither {' nor '.join(names)}; expected one; check --dataset and --languages"
        )
    if dataset == "tner/multinerd":
        raise InputError("--dataset: tner/multinerd numbers its labels in another order; use Babelscape/multinerd")
    if os.path.exists(folder) or not is_repo_id(dataset):
        raise InputError(f"--dataset: found no folder {dataset!r}; expected `sample`, a folder, or a Hub id OWNER/NAME")
    remedy = "name --dataset sample, or a local folder of JSONL or TSV files, to continue without it"
    return fetch(dataset, FORMATS[".jsonl"].files[split].format(language), "dataset", remedy)
