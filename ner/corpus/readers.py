"""From a data set's name to checked sentences: JSONL or TSV files, local or on the Hub.

Every error names the file and the line. `data.py` decides which of the sentences are used, and how.
"""

import gc
import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ner.errors import InputError
from ner.labels import MULTINERD_TYPES, is_label, label_names, lookup_table, tag_lists, types_of

SAMPLE = Path(__file__).parents[2] / "sample"
SPLITS = ("train", "validation", "test")
JSONL_FOLDER = {"train": "train", "validation": "val", "test": "test"}
TSV_PREFIX = {"train": "train", "validation": "dev", "test": "test"}
# Rows of Babelscape's English files; a copy with twice as many has been met.
MULTINERD_ENGLISH_ROWS = {"train": 131_280, "validation": 16_410, "test": 16_454}
HALF_A_PAIR = re.compile("[\ud800-\udfff]")  # JSON can escape a surrogate, and UTF-8 can't hold it


@dataclass(frozen=True)
class Sentences:
    """The sentences of a split. `table` has the columns tokens (list of string), tags (list of int16), lang.

    A tag is an index into `names`, the label names.
    """

    table: pa.Table
    names: list[str]

    def __len__(self) -> int:
        return self.table.num_rows

    @cached_property
    def words(self) -> pa.Array:
        """Every token in order, shape [token]."""
        return pc.list_flatten(self.table["tokens"].combine_chunks())

    @cached_property
    def tags(self) -> np.ndarray:
        """Every tag in order, shape [token]."""
        return pc.list_flatten(self.table["tags"].combine_chunks()).to_numpy(zero_copy_only=False)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of each sentence, shape [sentence]."""
        return pc.list_value_length(self.table["tokens"]).to_numpy().astype(np.int64)

    def select(self, rows: np.ndarray) -> "Sentences":
        """The sentences at `rows`, in that order, repeated where a row stands twice."""
        return Sentences(self.table.take(pa.array(rows, type=pa.int64())).combine_chunks(), self.names)

    def with_names(self, names: list[str]) -> "Sentences":
        """The same sentences in another label set, through a look-up table over the whole column."""
        table = self.table.set_column(1, "tags", list_column(lookup_table(self.names, names)[self.tags], self.lengths))
        return Sentences(table, names)

    def token_lists(self) -> list[list[str]]:
        return self.table["tokens"].to_pylist()

    def tag_lists(self) -> list[list[str]]:
        """The label names of each sentence."""
        return tag_lists(self.tags, self.lengths, self.names)

    @property
    def langs(self) -> list[str]:
        return self.table["lang"].to_pylist()

    def fingerprint(self) -> str:
        """A hash over tokens and label names in order, however the labels are numbered."""
        digest = hashlib.sha256()
        labels = pa.array(self.names).take(pa.array(self.tags))
        for column in (self.words, labels, pa.array(self.lengths)):
            digest.update(np.ascontiguousarray(column.dictionary_encode().indices.to_numpy()).tobytes())
            digest.update("\x00".join(map(str, column.unique().to_pylist())).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:16]


def list_column(flat: np.ndarray | pa.Array, lengths: np.ndarray) -> pa.ListArray:
    """A flat array [token] as an Arrow list for each sentence."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))


def read(dataset: str, languages: Sequence[str], split: str, known_types: Sequence[str] | None = None) -> Sentences:
    """The sentences of a split (train, validation or test), language after language.

    Integer tags are MultiNERD's; string tags make the label set, in which types outside `known_types` are an error.
    Raises `InputError` with file and line for whatever is wrong, `MissingSplitError` where no file holds the split.
    """
    reader = Reader(known_types)
    collecting = gc.isenabled()
    gc.disable()  # it would look through millions of small lists again and again, a third of the time
    try:
        for language in languages:
            path = file_of(dataset, language, split)
            before = len(reader.tokens)
            reader.add(path, language)
            rows = len(reader.tokens) - before
            if not rows:
                raise InputError(f"{path}: holds no sentence; expected at least one; is the file complete?")
        return reader.sentences()
    finally:
        if collecting:
            gc.enable()


class MissingSplitError(InputError):
    """No file of the data set holds the split."""


def file_of(dataset: str, language: str, split: str) -> Path:
    """The local file of a split in a language, fetched (and cached) where the data set is on the Hub."""
    jsonl = f"{JSONL_FOLDER[split]}/{JSONL_FOLDER[split]}_{language}.jsonl"
    tsv = f"{TSV_PREFIX[split]}_{language}.tsv"
    folder = SAMPLE if dataset == "sample" else Path(os.path.expanduser(dataset))
    if os.path.isdir(folder):
        for path in (folder / jsonl, folder / tsv):
            if path.is_file():
                return path
        raise MissingSplitError(
            f"{folder}: found neither {jsonl} nor {tsv}; expected one; check --dataset and --languages"
        )
    if dataset == "tner/multinerd":
        raise InputError("--dataset tner/multinerd numbers the labels otherwise; use Babelscape/multinerd")
    from ner.hub_files import MissingFileError, fetch, is_repo_id  # the Hub's client takes a while to import

    if os.path.exists(folder) or not is_repo_id(dataset):
        raise InputError(f"--dataset: found no folder {dataset!r}; expected `sample`, a folder, or a Hub id OWNER/NAME")
    remedy = "name --dataset sample, or a local folder of JSONL or TSV files, to go on without it"
    try:
        return fetch(dataset, jsonl, "dataset", remedy)
    except MissingFileError as error:
        raise MissingSplitError(str(error)) from None


class Reader:
    """Collects the rows of files, checking each."""

    def __init__(self, known_types: Sequence[str] | None):
        self.known_types = known_types
        self.tokens: list[list[str]] = []
        self.tags: list[list] = []
        self.langs: list[str] = []
        self.string_ids: dict[str, int] = {}  # the string tags, numbered as they come
        self.tag_type: type | None = None  # int or str, the same in all files

    def add(self, path: Path, language: str) -> None:
        rows = jsonl_rows(path, language) if path.suffix == ".jsonl" else tsv_rows(path, language)
        for line, tokens, tags, lang in rows:
            place = f"{path}:{line}"
            if len(tokens) != len(tags):
                raise InputError(
                    f"{place}: found {len(tokens)} tokens and {len(tags)} tags; expected as many; mend the line"
                )
            kinds = set(map(type, tags))
            if len(kinds | {self.tag_type} - {None}) > 1 or kinds - {int, str}:
                raise InputError(f"{place}: found tags of another kind; expected all integers or all label names")
            if kinds == {int}:
                if min(tags) < 0 or max(tags) > 2 * len(MULTINERD_TYPES):
                    wrong = next(t for t in tags if not 0 <= t <= 2 * len(MULTINERD_TYPES))
                    raise InputError(
                        f"{place}: found the tag number {wrong}; expected 0 to {2 * len(MULTINERD_TYPES)}, "
                        "MultiNERD's numbers; mend the line or write label names under `tags`"
                    )
                self.tag_type = int
            elif kinds == {str}:
                tags = [self.string_id(tag, place) for tag in tags]
                self.tag_type = str
            self.tokens.append(tokens)
            self.tags.append(tags)
            self.langs.append(lang)

    def string_id(self, given: str, place: str) -> int:
        known = self.string_ids.get(given)
        if known is not None:
            return known
        tag = given.strip()  # white space around a tag would make another class of it
        if not is_label(tag) or (self.known_types is not None and tag != "O" and tag[2:] not in self.known_types):
            expected = ", ".join(self.known_types) if self.known_types else "some TYPE"
            raise InputError(
                f"{place}: unknown tag {tag!r}; expected O, or B- or I- with {expected}; "
                "mend the line (training data name every class)"
            )
        self.string_ids[given] = len(self.string_ids)
        return self.string_ids[given]

    def sentences(self) -> Sentences:
        lengths = np.array([len(tokens) for tokens in self.tokens], dtype=np.int64)
        flat = np.array([tag for tags in self.tags for tag in tags], dtype=np.int16)
        if self.tag_type is str:
            found = [tag.strip() for tag in self.string_ids]
            types = self.known_types if self.known_types is not None else types_of(found)
            names = label_names(types)
            flat = lookup_table([*found, "O"], names)[flat]
        else:
            names = label_names(MULTINERD_TYPES)
        table = pa.table(
            {
                "tokens": pa.array(self.tokens, type=pa.list_(pa.string())),
                "tags": list_column(flat, lengths),
                "lang": pa.array(self.langs, type=pa.string()),
            }
        )
        return Sentences(table, names)


def content_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def lines_of(path: Path) -> list[str]:
    r"""The lines of a UTF-8 file, a byte order mark and `\r` removed; only `\n` ends a line."""
    content = content_of(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: found bytes that are not UTF-8; expected UTF-8; convert the file") from None
    if not text.strip():
        raise InputError(f"{path}: the file is empty; expected sentences")
    return [line.removesuffix("\r") for line in text.split("\n")]


Row = tuple[int, list[str], list, str]  # line number, tokens, tags, language


def jsonl_rows(path: Path, language: str) -> Iterator[Row]:
    """MultiNERD's form on the Hub: an object a line with tokens and ner_tags (numbers) or tags (names)."""
    for number, line in enumerate(lines_of(path), 1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            row = json.loads(line)
        except ValueError as error:  # JSONDecodeError, or a number too long to convert
            raise InputError(f"{place}: found no JSON ({error}); expected one object a line; mend the line") from None
        except RecursionError:
            raise InputError(f"{place}: found JSON nested too deep; expected one flat object a line") from None
        if not isinstance(row, dict):
            raise InputError(f"{place}: found {type(row).__name__}; expected an object with tokens and ner_tags")
        if "tokens" not in row:
            raise InputError(f"{place}: found no key 'tokens'; expected tokens and ner_tags; mend the line")
        tags = row.get("ner_tags", row.get("tags"))
        if tags is None:
            raise InputError(f"{place}: found no key 'ner_tags' or 'tags'; expected one of them; mend the line")
        tokens, lang = row["tokens"], row.get("lang", language)
        if not isinstance(tokens, list) or not isinstance(tags, list) or set(map(type, tokens)) - {str}:
            raise InputError(f"{place}: expected lists: tokens of strings, tags of numbers or label names")
        if not isinstance(lang, str):
            raise InputError(f"{place}: found the language {lang!r}; expected a code such as 'en'")
        if HALF_A_PAIR.search("".join([*tokens, *map(str, tags), lang])):
            raise InputError(f"{place}: found half a surrogate pair; expected whole characters")
        yield number, tokens, tags, lang


def tsv_rows(path: Path, language: str) -> Iterator[Row]:
    """MultiNERD's original form, `index TAB token TAB tag [TAB more]`, or two columns `token tag`."""
    tokens, tags, first = [], [], 1
    for number, line in enumerate([*lines_of(path), ""], 1):
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
                "with tabs between them; mend the line"
            )
        if not tokens:
            first = number
        if not is_label(tag.strip()):
            raise InputError(f"{path}:{number}: unknown tag {tag!r}; expected O, B-TYPE or I-TYPE; mend the line")
        tokens.append(token)
        tags.append(tag)
