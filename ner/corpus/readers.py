"""From a data set's name to checked sentences: JSONL or TSV files, local or on the Hub.

Every error names the file and the line. For another format write a function like `jsonl_rows` and add it to `FORMATS`.
"""

import codecs
import gc
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ner.corpus.collector import Collector
from ner.corpus.json_blocks import numbered_rows, whole_lines
from ner.corpus.sentences import Sentences
from ner.errors import LONE_SURROGATE, InputError
from ner.labels import is_label

SAMPLE = Path(__file__).parents[2] / "sample"
# Rows of Babelscape's English files; copies with twice as many rows exist.
MULTINERD_ENGLISH_ROWS = {"train": 131_280, "validation": 16_410, "test": 16_454}


class MissingSplitError(InputError):
    """No file of the data set holds the split."""


def read(dataset: str, languages: Sequence[str], split: str, known_classes: Sequence[str] | None = None) -> Sentences:
    """The sentences of a split (train, validation or test), language after language.

    Integer tags are MultiNERD's. String tags make the label set; then a class outside `known_classes` is an error.
    Raises `InputError` with file and line for whatever is wrong, `MissingSplitError` where no file holds the split.
    """
    collector = Collector(known_classes)
    collecting = gc.isenabled()
    gc.disable()  # searching millions of small lists again and again would take a third of the time
    try:
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
                raise InputError(f"{path}: holds no sentence; expected at least one; is the file complete?")
        return collector.sentences()
    finally:
        if collecting:
            gc.enable()


def file_of(dataset: str, language: str, split: str) -> Path:
    """The local file of a split in a language, fetched (and cached) where the data set is on the Hub.

    Raises `MissingSplitError` where there is no such file, and `InputError` where there is no such data set.
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


def content_of(path: Path) -> bytes:
    """The bytes of a file. Raises `InputError` where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def checked_content(path: Path) -> bytes:
    """The content of a UTF-8 file without a byte order mark. Raises `InputError` for other bytes or an empty file."""
    content = content_of(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: found bytes that are not UTF-8; expected UTF-8; convert the file") from None
    if not text.strip():
        raise InputError(f"{path}: the file is empty; expected sentences")
    return content.removeprefix(codecs.BOM_UTF8)


def split_lines(text: str) -> list[str]:
    r"""The lines of a text, `\r` at their ends removed; only `\n` ends a line."""
    return [line.removesuffix("\r") for line in text.split("\n")]


Row = tuple[int, list[str], list[Any], str]  # line number, tokens, tags, language
Block = tuple[int, pa.Table]  # the number of the first line, and a row for each line


def jsonl_rows(path: Path, language: str) -> Iterator[Row | Block]:
    """MultiNERD's form on the Hub: an object a line with tokens and ner_tags (numbers) or tags (names)."""
    first = 1
    for lines in whole_lines(checked_content(path)):
        block = numbered_rows(lines, language)
        if block is None:
            yield from jsonl_line_rows(path, language, first, lines.decode())
        else:
            yield first, block
        first += lines.count(b"\n")


def jsonl_line_rows(path: Path, language: str, first: int, lines: str) -> Iterator[Row]:
    """The rows of some lines, the first one of which has the number `first`. Raises `InputError` for a wrong one."""
    for number, line in enumerate(split_lines(lines), first):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            row = json.loads(line)
        except ValueError as error:  # JSONDecodeError, or a number too long to convert
            raise InputError(f"{place}: found no JSON ({error}); expected one object a line; fix the line") from None
        except RecursionError:
            raise InputError(f"{place}: found JSON nested too deeply; expected one flat object a line") from None
        if not isinstance(row, dict):
            raise InputError(f"{place}: found {type(row).__name__}; expected an object with tokens and ner_tags")
        if "tokens" not in row:
            raise InputError(f"{place}: found no key 'tokens'; expected tokens and ner_tags; fix the line")
        tags = row.get("ner_tags", row.get("tags"))
        if tags is None:
            raise InputError(f"{place}: found no key 'ner_tags' or 'tags'; expected one of them; fix the line")
        tokens, lang = row["tokens"], row.get("lang", language)
        if not isinstance(tokens, list) or not isinstance(tags, list) or set(map(type, tokens)) - {str}:
            raise InputError(f"{place}: expected lists: tokens of strings, tags of numbers or label names")
        if not isinstance(lang, str):
            raise InputError(f"{place}: found the language {lang!r}; expected a code such as 'en'")
        if LONE_SURROGATE.search("".join([*tokens, *map(str, tags), lang])):
            raise InputError(f"{place}: found half a surrogate pair; expected whole characters")
        yield number, tokens, tags, lang


def tsv_rows(path: Path, language: str) -> Iterator[Row]:
    """MultiNERD's original form, `index TAB token TAB tag [TAB more]`, or two columns `token tag`."""
    tokens: list[str] = []
    tags: list[str] = []
    first = 1  # the line of the sentence's first token
    for number, line in enumerate([*split_lines(checked_content(path).decode()), ""], 1):
        if not line.strip(" \t"):
            if tokens:
                yield first, tokens, tags, language
            tokens, tags = [], []
            continue
        fields = line.split("\t")
        if len(fields) == 1:
            fields = line.strip(" ").split(" ")
        if fields[0] == "-DOCSTART-":
            continue
        if len(fields) >= 3 and fields[0].isdecimal():
            token, tag = fields[1:3]
        elif len(fields) == 2:
            token, tag = fields
        else:
            raise InputError(
                f"{path}:{number}: found {len(fields)} columns; expected index, token and tag, or token and tag, "
                "with tabs between them; fix the line"
            )
        if not tokens:
            first = number
        if not is_label(tag.strip()):
            raise InputError(f"{path}:{number}: unknown tag {tag!r}; expected O, B-CLASS or I-CLASS; fix the line")
        tokens.append(token)
        tags.append(tag)


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
