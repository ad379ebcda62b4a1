"""From a data set's name to checked sentences: JSONL or TSV files, local or on the Hub.

Every error names the file and the line. For another format, write a function like `jsonl_rows` in a file of its own,
and add it to `FORMATS`.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ner.corpus.jsonl import jsonl_rows
from ner.corpus.rows import Block, Collector, Row
from ner.corpus.sentences import Sentences
from ner.corpus.tsv import tsv_rows
from ner.errors import InputError

SAMPLE = Path(__file__).parents[2] / "sample"
# Rows of Babelscape's English files; copies with twice as many rows exist.
MULTINERD_ENGLISH_ROWS = {"train": 131_280, "validation": 16_410, "test": 16_454}


class MissingSplitError(InputError):
    """The data set has no file for the split."""


@dataclass(frozen=True)
class Format:
    """The file of each split, with {} for the language, and the function that reads its rows."""

    files: dict[str, str]
    rows: Callable[[Path, str], Iterator[Row | Block]]


FORMATS = {  # by the suffix of the files
    ".jsonl": Format(
        {"train": "train/train_{}.jsonl", "validation": "val/val_{}.jsonl", "test": "test/test_{}.jsonl"}, jsonl_rows
    ),
    ".tsv": Format({"train": "train_{}.tsv", "validation": "dev_{}.tsv", "test": "test_{}.tsv"}, tsv_rows),
}


def read(dataset: str, languages: Sequence[str], split: str, known_classes: Sequence[str] | None = None) -> Sentences:
    """The sentences of a split (train, validation or test), language after language.

    Integer tags are MultiNERD's. String tags make the label set; then a class outside `known_classes` is an error.
    Raises `InputError` with file and line for whatever is wrong, `MissingSplitError` if there is no file for the split.
    """
    collector = Collector(known_classes)
    for language in languages:
        path = file_of(dataset, language, split)
        before = collector.rows
        for row in FORMATS[path.suffix].rows(path, language):
            if len(row) == 2:
                collector.add_block(path, *row)
            else:
                line, tokens, tags, lang = row
                collector.add(f"{path}:{line}", tokens, tags, lang)
        if collector.rows == before:
            raise InputError(f"{path}: found no sentence; expected at least one; is the file complete?")
    return collector.sentences()


def file_of(dataset: str, language: str, split: str) -> Path:
    """The local file of a split in a language; if the data set is on the Hub, it is downloaded once and then cached.

    Raises `MissingSplitError` if there is no such file, and `InputError` if there is no such data set.
    """
    folder = SAMPLE if dataset == "sample" else Path(os.path.expanduser(dataset))
    if os.path.isdir(folder):
        names = [form.files[split].format(language) for form in FORMATS.values()]
        for name in names:
            if (folder / name).is_file():
                return folder / name
        raise MissingSplitError(
            f"{folder}: found neither {' nor '.join(names)}; expected one; check --dataset and --languages"
        )
    if dataset == "tner/multinerd":
        raise InputError("--dataset: tner/multinerd numbers its labels in another order; use Babelscape/multinerd")
    from ner.hub_files import MissingFileError, fetch, is_repo_id  # the Hub's client takes a while to import

    if os.path.exists(folder) or not is_repo_id(dataset):
        raise InputError(f"--dataset: found no folder {dataset!r}; expected `sample`, a folder, or a Hub id OWNER/NAME")
    remedy = "name --dataset sample, or a local folder of JSONL or TSV files, to continue without it"
    try:
        return fetch(dataset, FORMATS[".jsonl"].files[split].format(language), "dataset", remedy)
    except MissingFileError as error:
        raise MissingSplitError(str(error)) from None
