"""From a data set's name to checked sentences, whatever the format of its files.

Every error names the file and the line. For another format, write a function like `column_table` in a file of its own,
and call it in `read_file`.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ner.corpus.annotation_tools import annotation_tool, json_lines, span_table
from ner.corpus.columns import column_table
from ner.corpus.division import divided
from ner.corpus.docbin import docbin_table
from ner.corpus.rows import MULTINERD_LABELS, RawSplit
from ner.corpus.sentences import Sentences
from ner.corpus.sources import MULTINERD, Source, named_file, only_language, split_files, split_of
from ner.corpus.tagged_records import NAMES_REMEDY, json_table, parquet_table
from ner.errors import InputError
from ner.hub_files import MissingFileError

log = logging.getLogger("ner")
# Rows of Babelscape's English files; copies with twice as many rows exist.
MULTINERD_ENGLISH_ROWS = {"train": 131_280, "validation": 16_410, "test": 16_454}
CONLL_TAGS = 8  # the largest number of CoNLL-2003's four classes; MultiNERD's rare classes have larger ones


def read_file(path: Path, source: Source) -> tuple[str, pa.Table]:
    """How a file is read, and its sentences as its reader makes them. Raises `InputError` as that does."""
    suffix = path.suffix.lower()
    if suffix == ".spacy":
        return "texts with spans from spaCy", docbin_table(path)
    if suffix == ".parquet":
        return parquet_table(path, source)
    if suffix not in (".jsonl", ".json"):
        return column_table(path, source.token_column, source.tag_column)
    content = json_lines(path)
    tool = None if source.token_column or source.tag_column else annotation_tool(path, content)
    if tool:
        return f"texts with spans from {tool}", span_table(path, content, tool, source.misaligned)
    return json_table(path, content, source)


def files_of(source: Source, split: str) -> Iterator[tuple[Path, str, str, pa.Table]]:
    """The files of a split, or the split on the Hub: name, language, form and sentences of each."""
    if source.is_hub_table and not source.file_option(split):
        from ner.corpus.hub_data import hub_table

        yield Path(source.dataset, split), only_language(source, source.dataset), *hub_table(source, split)
    else:
        for path, language in split_files(source, split):
            yield path, language, *read_file(path, source)


def read_raw(source: Source, split: str) -> RawSplit:
    """A split (train, validation or test) with the tags of its files, language after language.

    Warns if English MultiNERD has another number of sentences. Raises `InputError` with file and line for whatever is
    wrong, `MissingFileError` if there is no file for the split.
    """
    if (split == "train" or not has_split(source, split)) and is_divided(source):
        return read_divided(source)[0][split]
    raw = read_whole(source, split)
    size, expected = raw.sentences.langs.count("en"), MULTINERD_ENGLISH_ROWS[split]
    if source.name(split) == MULTINERD and "en" in source.languages and size != expected:
        log.warning("%s: read %d sentences; MultiNERD's English has %d", split, size, expected)
    return raw


def is_divided(source: Source) -> bool:
    """Whether a data set has a training split and no validation split, which then is a part of the other."""
    return has_split(source, "train") and lacks_split(source, "validation")


def lacks_split(source: Source, split: str) -> bool:
    """Whether a data set has no file for a split. Raises `InputError` if it has one, but in none of the languages."""
    if has_split(source, split):
        return False
    folder = source.folder
    if os.path.isdir(folder) and any(split_of(path) == split for each in ("*", "*/*") for path in folder.glob(each)):
        split_files(source, split)  # which names it
    return True


def has_split(source: Source, split: str) -> bool:
    """Whether a data set itself has a split, in at least one of the languages. MultiNERD on the Hub has all three."""
    if source.dataset == MULTINERD or named_file(source, split):
        return True
    if source.is_hub_table:
        from ner.corpus.hub_data import hub_splits  # `datasets` takes a second to import

        return split in hub_splits(source)
    for language in source.languages:
        with suppress(MissingFileError):
            return bool(split_files(replace(source, languages=[language]), split))
    return False


def read_divided(source: Source) -> tuple[dict[str, RawSplit], dict[str, Any]]:
    """The training split of a data set, divided into the splits that the data set lacks, and what is recorded of it."""
    held_out = ["validation", "test"] if lacks_split(source, "test") else ["validation"]
    return divided(read_whole(source, "train"), held_out, source.split_seed)


def read_whole(source: Source, split: str) -> RawSplit:
    """A split as its files have it. Raises `InputError` as `read_raw` does."""
    tables: list[pa.Table] = []
    files: list[tuple[Path, str]] = []
    for path, language, form, table in files_of(source, split):
        if not len(table):
            raise InputError(f"{path}: found no sentence; expected at least one; is the file complete?")
        table = table.set_column(3, "lang", table["lang"].fill_null(language))
        tables.append(table.append_column("file", pa.repeat(len(files), len(table))))
        files.append((path, form))
        if table["tags"].type != tables[0]["tags"].type:
            raise InputError(
                f"{path}: found tags of another kind than in {files[0][0]}; expected names in both, or numbers in both"
            )
    whole = pa.concat_tables(tables)
    is_numbered = whole["tags"].type.value_type != pa.string()  # they were MultiNERD's numbers
    lengths, counts = (pc.list_value_length(whole[name]).to_numpy().astype(np.int64) for name in ("tokens", "tags"))
    if len(unequal := np.flatnonzero(lengths != counts)):
        i = unequal[0]
        raise InputError(
            f"{files[whole['file'][i].as_py()][0]}:{whole['line'][i][0]}: found {lengths[i]} tokens and {counts[i]} "
            "tags; expected a tag for each token"
        )
    words, tags = (pc.list_flatten(whole[name]).combine_chunks() for name in ("tokens", "tags"))
    tags, langs = tags.dictionary_encode(), whole["lang"].to_pylist()
    sentences = Sentences(words, tags.indices.to_numpy(), lengths, langs, tags.dictionary.to_pylist())
    if split == "train" and is_numbered and len(sentences) >= 100 and sentences.tags.max(initial=0) <= CONLL_TAGS:
        raise InputError(
            f"{files[0][0]}: found no number above {CONLL_TAGS} in the tags of {len(sentences):,} training sentences; "
            f"MultiNERD's go up to {len(MULTINERD_LABELS) - 1}, so these may mean other classes; {NAMES_REMEDY}"
        )
    return RawSplit(split, sentences, whole.select(["file", "line", "document"]), files, is_numbered)
