"""What the numbers of a data set's tags mean: the label names in a file beside the data."""

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from ner.errors import InputError
from ner.files import PlainLoader, read_as

log = logging.getLogger("ner")
NAMES_REMEDY = "write the label names, one a line in the order of their numbers, to labels.txt in the data set's folder"


def number_names(folders: Iterable[Path], column: str) -> tuple[str, ...] | None:
    """The label names in the order of their numbers, or None where no file has them; logs which one does.

    They are the lines of `labels.txt`, or else the names of a `column` in `dataset_info.json` or in the metadata of
    `README.md`, as the library `datasets` writes them, in the first of the folders that has some. Raises `InputError`
    for a name that is empty or there twice.
    """
    files: dict[str, Callable[[str], Any]] = {
        "labels.txt": lambda text: {tuple(line.strip() for line in text.rstrip().split("\n"))},
        "dataset_info.json": lambda text: set(names_of_tags(json.loads(text), column)),
        "README.md": lambda text: set(names_of_tags(metadata(text), column)),
    }
    for path, parse in ((folder / name, files[name]) for folder in dict.fromkeys(folders) for name in files):
        found = read_as(path, parse) if path.is_file() else ()
        if len(found) > 1:
            raise InputError(f"{path}: found several lists of names for {column}; expected one; {NAMES_REMEDY}")
        for names in found:
            if "" in names or len(set(names)) < len(names):
                raise InputError(
                    f"{path}: found an empty label name, or one twice, in {', '.join(names)}; correct them"
                )
            log.info("tags: numbers mean the %d label names in %s", len(names), path)
            return names
    return None


def metadata(card: str) -> Any:
    """The YAML at the beginning of a `README.md`, None where there is none."""
    header = re.match(r"---\s*\n(.*?)\n---\s*(\n|$)", card, re.DOTALL)
    return yaml.load(header[1], Loader=PlainLoader) if header else None


def names_of_tags(node: Any, column: str, of_tags: bool = False) -> Iterator[tuple[str, ...]]:
    """The `names` of a column anywhere in a description of features, whose form has changed over the years."""
    if isinstance(node, dict):
        of_tags = of_tags or node.get("name") == column
        names = node.get("names")
        if of_tags and isinstance(names, dict):  # in YAML: '0': O
            names = [names[number] for number in sorted(names, key=int)]
        if of_tags and isinstance(names, list):
            yield tuple(map(str, names))
        for key, child in node.items():
            yield from names_of_tags(child, column, of_tags or key == column)
    elif isinstance(node, list):
        for child in node:
            yield from names_of_tags(child, column, of_tags)
