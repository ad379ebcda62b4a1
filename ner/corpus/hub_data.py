"""Loads a data set other than MultiNERD from the Hub with the library `datasets`: Parquet files, and no code."""

import logging
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from ner.corpus.sources import SPLIT_WORDS, WITHOUT_HUB, Source
from ner.corpus.tagged_records import record_table
from ner.errors import InputError, message_of
from ner.files import similar
from ner.hub_files import LOG_IN, MissingFileError

log = logging.getLogger("ner")
CONVERTED = "refs/convert/parquet"  # the branch in which the Hub keeps data sets as Parquet


def hub_splits(source: Source) -> dict[str, list[str]]:
    """The data set's own names of the splits that it has. Raises `InputError` as `loaded` does."""
    names = loaded(source.dataset, source.dataset_config)
    found = {split: [name for name in names if name.lower() in words] for split, words in SPLIT_WORDS.items()}
    return {split: own_names for split, own_names in found.items() if own_names}


def hub_table(source: Source, split: str) -> tuple[str, pa.Table]:
    """How a split is read, and its sentences, of which `line` is the row, counted from 1.

    Raises `MissingFileError` where the data set has no such split, and another `InputError` for wrong rows.
    """
    own_names = hub_splits(source)
    if split not in own_names:
        names = ", ".join(loaded(source.dataset, source.dataset_config))
        raise MissingFileError(f"{source.dataset} (dataset on the Hub): has no {split} split, but {names}")
    name, *others = own_names[split]
    if others:
        raise InputError(
            f"{source.dataset} (dataset on the Hub): found the splits {name} and {others[0]}; expected one for "
            f"{split}; download the one to use, and name it: --{split}_file"
        )
    table = loaded(source.dataset, source.dataset_config)[name].with_format("arrow")[:]
    place, rows = Path(source.dataset, name), range(1, len(table) + 1)
    return record_table(place, "Parquet on the Hub", table, source, table.column_names, rows)


@cache
def loaded(dataset: str, config: str | None) -> Any:
    """The data set, a `datasets.DatasetDict`. If the repository has a script instead, its conversion to Parquet.

    Raises `InputError` where there is no such data set, no access, other files than Parquet, or several configs of
    which none is named.
    """
    import datasets  # takes a second
    from datasets.exceptions import DatasetsError
    from datasets.packaged_modules.cache.cache import Cache
    from datasets.packaged_modules.parquet.parquet import Parquet
    from huggingface_hub.errors import HTTPError

    place = f"{dataset} (dataset on the Hub)"
    by_hand = f"download it with `hf download {dataset} --repo-type dataset --local-dir FOLDER`, and name its files"
    log.info("%s: found no file or folder of that name; loading the data set from the Hub%s", dataset,
             similar(Path(dataset)))  # fmt: skip
    try:
        try:
            builder = datasets.load_dataset_builder(dataset, config)
        except RuntimeError as error:
            if "script" not in str(error):
                raise
            log.info(
                "%s: has a loading script, which is not run; reading the Hub's conversion to Parquet, %s",
                place,
                CONVERTED,
            )
            builder = datasets.load_dataset_builder("parquet", data_files=converted_files(dataset, config))
        if isinstance(builder, Parquet | Cache):  # the cache has an earlier load, which the Hub now fails to repeat
            builder.download_and_prepare()
            return builder.as_dataset()
    except (DatasetsError, HTTPError, OSError, RuntimeError, ValueError, pa.ArrowException) as error:
        found = message_of(error, 400).rstrip(".")
        remedy = f"check the name and --dataset_config, or {LOG_IN}; or {WITHOUT_HUB}"
        raise InputError(f"{place}: {found}; {remedy}") from None
    raise InputError(f"{place}: found files of the kind {builder.name}; expected Parquet; {by_hand}")


def converted_files(dataset: str, config: str | None) -> dict[str, list[str]]:
    """The files of each split of a config in the Hub's conversion to Parquet. Raises `ValueError` unless there is one
    config, or one of that name."""
    from huggingface_hub import HfApi

    found: dict[str, dict[str, list[str]]] = {}
    for entry in HfApi().list_repo_tree(dataset, recursive=True, revision=CONVERTED, repo_type="dataset"):
        parts = entry.path.split("/")
        if entry.path.endswith(".parquet") and len(parts) == 3:
            place = f"hf://datasets/{dataset}@{CONVERTED}/{entry.path}"
            found.setdefault(parts[0], {}).setdefault(parts[1], []).append(place)
    if config not in found and (config or len(found) != 1):
        raise ValueError(f"found the configs {', '.join(sorted(found)) or '(none)'}")
    return found[config or next(iter(found))]
