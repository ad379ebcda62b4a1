"""Reads options from the command line and a config file into dataclasses. Each dataclass is a group of options.

Config files are YAML or JSON. Their values become the words of a command line, so that one parser reads both.
"""

import argparse
import dataclasses
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml
from transformers import HfArgumentParser

from ner.errors import InputError, message_of, nearest
from ner.files import PlainLoader


def option(default: Any, help: str) -> Any:
    """A dataclass field with its help line; a list becomes a default factory."""
    if isinstance(default, list):
        return dataclasses.field(default_factory=default.copy, metadata={"help": help})
    return dataclasses.field(default=default, metadata={"help": help})


def require_at_least(group: Any, name: str, least: float) -> None:
    """Raises `InputError` unless the option is None or a finite number of at least `least`."""
    value = getattr(group, name)
    if value is not None and not (value >= least and math.isfinite(value)):
        raise InputError(f"--{name}: found {value}; expected a number of at least {least}")


def require_named(group: Any, *names: str) -> None:
    """Raises `InputError` where one of these options is an empty text."""
    for name in names:
        if getattr(group, name) == "":
            raise InputError(f"--{name}: found an empty name; expected one, or no --{name} for the default")


def require_mapping(group: Any, *names: str) -> None:
    """Raises `InputError` where one of these options is neither None nor a mapping nor the JSON of one."""
    for name in names:
        value = getattr(group, name, None)
        try:
            is_mapping = value is None or isinstance(json.loads(value) if isinstance(value, str) else value, dict)
        except ValueError:
            is_mapping = False
        if not is_mapping:
            raise InputError(f"--{name}: found {value!r}; expected a JSON object such as '{{\"key\": 1e-5}}'")


class Parser(HfArgumentParser):
    """transformers' parser for dataclasses; a wrong option is an `InputError`, without the usage of 150 options."""

    def __init__(self, groups: Sequence[type], description: str):
        usage = "%(prog)s [FILE.yaml] [--field value ...]"
        super().__init__(list[Any](groups), description=description, allow_abbrev=False, usage=usage)

    def error(self, message: str) -> NoReturn:
        """What argparse calls for a wrong option."""
        raise InputError(f"{message.removeprefix('argument ')}; --help lists the options")


def parse_groups(argv: list[str], description: str, groups: Sequence[type]) -> tuple[Any, ...]:
    """The options of `[FILE.yaml] [--field value ...]`: an instance of each group, then two mappings.

    The first mapping has the source of each option that was set: the config file's name, or `command line`.
    The second holds every option's value before a group derives others from it. The command line overrides the config
    file, which overrides the groups' defaults. Raises `InputError` for an unknown, abbreviated or ill-typed option.
    """
    parser = Parser(groups, description)
    has_config = bool(argv) and argv[0] != "" and not argv[0].startswith("-")
    from_file = parse_config(argv[0], parser, groups) if has_config else []
    command_line = argv[1:] if has_config else argv
    given = {field: argv[0] for field, _ in from_file}
    given |= dict.fromkeys(given_options(command_line, groups), "command line")
    words = [word for _, option_words in from_file for word in option_words] + command_line
    namespace, rest = parser.parse_known_args(words)
    if rest:
        raise InputError(f"found {' '.join(rest)!r}; expected FILE.yaml first, then --field value; --help lists fields")
    return *(group_of(group, namespace) for group in groups), given, dict(vars(namespace))


def parse_config(config: str, parser: Parser, groups: Sequence[type]) -> list[tuple[str, list[str]]]:
    """The options of a config file as (field, words of a command line).

    Each is parsed by itself first, so that the `InputError` for a wrong one names its line.
    """
    known, options = known_options(groups), []
    for line, name, words in file_options(config, default_values(groups)):
        if name not in known:
            raise InputError(
                f"{config}:{line}: unknown option {name!r}{nearest(name, known)}; --help lists the options"
            )
        try:
            parser.parse_args(words)
        except InputError as error:
            raise InputError(f"{config}:{line}: {error}") from None
        options.append((known[name], words))
    return options


def given_options(command_line: list[str], groups: Sequence[type]) -> list[str]:
    """The fields that a command line sets. Raises `InputError` for an unknown or abbreviated option."""
    known, fields = known_options(groups), []
    for word in command_line:
        if word.startswith("--"):
            name = word[2:].partition("=")[0].replace("-", "_")
            if name not in known and name != "help":
                raise InputError(f"unknown option --{name}{nearest(name, known)}; --help lists the options")
            fields.append(known.get(name, name))
    return fields


def group_of(group: type, namespace: argparse.Namespace) -> Any:
    """A group's dataclass from parsed options. Raises `InputError` for what its own checks refuse."""
    try:
        return group(**{f.name: getattr(namespace, f.name) for f in init_fields([group])})
    except InputError:
        raise
    except (ValueError, TypeError, ImportError, OSError, RuntimeError) as error:  # transformers' own checks
        raise InputError(f"training arguments: {message_of(error)}") from error


def init_fields(groups: Sequence[Any]) -> list[dataclasses.Field]:
    """The fields of some dataclasses that can be set."""
    return [f for group in groups for f in dataclasses.fields(group) if f.init]


def known_options(groups: Sequence[type]) -> dict[str, str]:
    """Each option's name, with the field that it sets; `no_FIELD` switches off what is on by default."""
    fields = init_fields(groups)
    return {f.name: f.name for f in fields} | {f"no_{f.name}": f.name for f in fields if f.default is True}


def default_values(groups: Sequence[type]) -> dict[str, Any]:
    """Every option's default, as `recorded_value` gives it."""
    made = {f.name: f.default_factory() if callable(f.default_factory) else f.default for f in init_fields(groups)}
    return {name: recorded_value(value) for name, value in made.items()}


def recorded_value(value: Any) -> Any:
    """An option's value as a file holds it: the text of an enumeration's member instead of the member."""
    return [recorded_value(v) for v in value] if isinstance(value, list) else getattr(value, "value", value)


def described(given: dict[str, str], values: dict[str, Any]) -> list[str]:
    """A line for each option that was set: its value, and where it was set. Tokens are not shown."""
    lines = []
    for name, source in given.items():
        value = "***" if name.endswith("_token") else recorded_value(values[name])
        lines.append(f"{name} = {value}  ({source})")
    return lines


class OptionLoader(PlainLoader):
    """Reads `1e-5` in a mapping as a number, as JSON and the command line do: YAML 1.1 takes it for text."""


OptionLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+"), list("-+.0123456789")
)


def file_options(path: str, defaults: dict[str, Any]) -> list[tuple[int, str, list[str]]]:
    """The options of a YAML or JSON file as (line, name, words of a command line).

    Only an option whose default is null may be null. Values stay the file's text, so that one parser reads `2e-5` the
    same everywhere. Raises `InputError`, with the line where there is one, for a file that is no mapping of options.
    """
    root = config_node(path)
    if root is None:
        return []
    if not isinstance(root, yaml.MappingNode):
        raise InputError(f"{path}: found no `field: value` lines; expected a mapping of options")
    options, seen = [], set()
    for key, value in root.value:
        line, name = key.start_mark.line + 1, str(key.value)
        if name in seen:
            raise InputError(f"{path}:{line}: option {name!r} is given twice; remove one")
        seen.add(name)
        may_be_null = defaults.get(name, name) is None
        options.append((line, name, option_words(f"{path}:{line}", name, value, may_be_null)))
    return options


def config_node(path: str) -> yaml.Node | None:
    """The parsed but not yet constructed YAML or JSON of a config file; None for an empty one."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        if path.endswith(".json"):  # YAML refuses the tabs that JSON allows
            text = json.dumps(json.loads(text), indent=0)
        return yaml.compose(text, Loader=OptionLoader)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a YAML or JSON file of options, or --field value") from None
    except (ValueError, yaml.YAMLError, OSError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as options: {message_of(error)}") from None


def option_words(place: str, name: str, node: yaml.Node, may_be_null: bool) -> list[str]:
    """One option of a file as words of a command line; none for null, which leaves the default."""
    if isinstance(node, yaml.MappingNode):
        try:
            return [f"--{name}={json.dumps(OptionLoader('').construct_document(node))}"]
        except (yaml.YAMLError, TypeError, ValueError) as error:
            raise InputError(f"{place}: {name} cannot be read: {message_of(error)}") from None
    if isinstance(node, yaml.SequenceNode):
        return [f"--{name}", *(str(item.value) for item in node.value)]
    if node.tag == "tag:yaml.org,2002:null":
        if not may_be_null:
            raise InputError(f"{place}: {name} has no value; expected one, or no such line")
        return []
    return [f"--{name}={node.value}"]
