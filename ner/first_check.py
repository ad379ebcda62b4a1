"""The mistakes in a command line that show before torch and transformers are imported, which takes seconds."""

import ast
import importlib.util
import os
import re
import sys
from functools import partial
from pathlib import Path

import yaml

from ner.corpus.sources import Source, named_file, require_dataset
from ner.encoder.names import local_checkpoint
from ner.errors import InputError, nearest, of_option
from ner.files import PlainLoader, read_as

ARGUMENTS = Path(__file__).parents[1] / "arguments.py"


def first_check(words: list[str], about: str | None, *checkpoints: str) -> None:
    """Raises `InputError` for an option that does not exist, and for a config file, a data set or one of the options
    `checkpoints` that names nothing. `arguments.parse` checks everything else.

    Prints the help, and ends the script, if that is what the command line asks for.
    """
    if {"-h", "--help"} & set(words):
        print_help(about)
    known = option_names()
    config = words[0] if words and words[0][:1] not in ("", "-") else None
    values: dict[str, str] = {}
    for key, node in option_lines(config) if config else ():
        name = str(key.value)
        if name.replace("-", "_") not in known:
            raise InputError(f"{config}:{key.start_mark.line + 1}: {unknown_option(name, known)}")
        if isinstance(node, yaml.ScalarNode) and node.tag != "tag:yaml.org,2002:null":
            values[name] = node.value
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.removeprefix("--").partition("=")
        if word.startswith("--") and " " not in name and name:
            if name.replace("-", "_") not in known:
                raise InputError(unknown_option(name, known))
            values[name] = value if equals else following
    dataset = values.get("train_file") or values.get("dataset") or "sample"
    source = Source(dataset, validation_file=values.get("validation_file"), test_file=values.get("test_file"))
    require_dataset(source)
    for split in ("validation", "test"):
        named_file(source, split)
    for name in checkpoints:
        if values.get(name):
            with of_option(name):
                local_checkpoint(values[name])


def option_names() -> set[str]:
    """The names of all options, from the source of `arguments.py` and of `transformers.TrainingArguments`."""
    found = importlib.util.find_spec("transformers")  # without importing it
    folder = Path(found.origin).parent if found and found.origin else Path()
    names: set[str] = set()
    for path in (ARGUMENTS, folder / "training_args.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names |= {node.target.id, f"no_{node.target.id}"}
            elif isinstance(node, ast.Constant) and re.fullmatch("--[a-z_]+", str(node.value)):
                names.add(str(node.value)[2:])  # another name of a field
    return names


def option_lines(path: str) -> list[tuple[yaml.Node, yaml.Node]]:
    """The name and the value of each option in a YAML file. Raises `InputError` for another file."""
    if not os.path.exists(path):
        raise InputError(f"{path}: no such file; expected a YAML file of options, or --field value")
    root = read_as(Path(path), partial(yaml.compose, Loader=PlainLoader))
    if root is not None and not isinstance(root, yaml.MappingNode):
        raise InputError(f"{path}: found no `field: value` lines; expected a mapping of options")
    return root.value if root else []


def unknown_option(name: str, known: set[str]) -> str:
    """The message for an option that does not exist."""
    return f"unknown option --{name}{nearest(name.replace('-', '_'), known)}; --help lists the options"


def print_help(about: str | None) -> None:
    """Prints the help of all options, and ends the script. transformers is told that there is no torch."""
    sys.modules["torch"] = None  # type: ignore[assignment]
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    from transformers import TrainingArguments

    TrainingArguments.__dataclass_fields__["optim"].default = "adamw_torch_fused"  # what it is with torch
    from arguments import parse

    parse(["--help"], about)
