"""Options as dataclasses, which a YAML config file and the command line set. One parser reads both."""

import argparse
import dataclasses
import json
import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import yaml
from transformers import HfArgumentParser

from ner.errors import CommandParser, InputError, message_of, nearest, unknown_option
from ner.files import PlainLoader, option_lines


def option(default: Any, help: str) -> Any:
    """A dataclass field with its help line; a list becomes a default factory."""
    if isinstance(default, list):
        return dataclasses.field(default_factory=default.copy, metadata={"help": help})
    return dataclasses.field(default=default, metadata={"help": help})


def require(options: Any, holds: Callable[[Any], bool], expected: str, *names: str) -> None:
    """Raises `InputError` for the first of the named options that has a value, not None, for which `holds` is false."""
    for name in names:
        value = getattr(options, name)
        if value is not None and not holds(value):
            found = " ".join(value) if isinstance(value, list) else repr(value)
            raise InputError(f"--{name}: found {found}; expected {expected}")


def require_at_least(options: Any, least: float, *names: str) -> None:
    """Raises `InputError` unless each named option is None or a finite number of at least `least`."""
    require(options, lambda number: least <= number < math.inf, f"a number of at least {least}", *names)


def require_one_of(options: Any, choices: Collection[str], name: str) -> None:
    """Raises `InputError` unless the named option is one of the choices."""
    value = getattr(options, name)
    if value not in choices:
        raise InputError(f"--{name}: found {value!r}; expected {', '.join(choices)}{nearest(value, choices)}")


class Parser(HfArgumentParser, CommandParser):
    """transformers' parser for dataclasses, except that an option that is not set is left to its dataclass."""

    def __init__(self, groups: Sequence[type], description: str):
        usage = "%(prog)s [FILE.yaml] [--field value ...]"
        HfArgumentParser.__init__(self, groups, description=description, usage=usage)
        fields = [f for group in groups for f in dataclasses.fields(group) if f.init]
        self.defaults = {f.name: f.default_factory() if callable(f.default_factory) else f.default for f in fields}

    def parsed(self, words: list[str]) -> dict[str, Any]:
        """The options that some words of a command line set, by name. Raises `InputError` for a wrong one."""
        unset = argparse.Namespace(**dict.fromkeys(self.defaults))  # otherwise argparse fills in the defaults
        namespace, unknown = self.parse_known_args(words, unset)
        if unknown and unknown[0].startswith("--"):
            raise InputError(unknown_option(unknown[0][2:].partition("=")[0], self.defaults))
        if unknown:
            found = f"found {' '.join(unknown)!r}, which belongs to no option"
            raise InputError(f"{found}; expected FILE.yaml first, then --field value; only lists take several values")
        return {name: value for name, value in vars(namespace).items() if value is not None}

    def parsed_file(self, path: str) -> dict[str, Any]:
        """The options that a YAML file sets, by name. Raises `InputError`, with the line, for a wrong one."""
        values: dict[str, Any] = {}
        for key, node in option_lines(path):
            try:
                new = self.parsed_line(key.value, node)
                if new.keys() & values.keys():
                    raise InputError(f"--{key.value} is given twice; remove one")
            except InputError as error:
                raise InputError(f"{path}:{key.start_mark.line + 1}: {error}") from None
            values |= new
        return values

    def parsed_line(self, name: str, node: yaml.Node) -> dict[str, Any]:
        """The option that a line of a YAML file sets, by name; null leaves the default if that is null.

        Raises `InputError` if the option is unknown or its value wrong.
        """
        if node.tag == "tag:yaml.org,2002:null" and name in self.defaults:
            if self.defaults[name] is None:
                return {}
            raise InputError(f"--{name} has no value; expected one, or no such line")
        if isinstance(node, yaml.SequenceNode):
            return self.parsed([f"--{name}", *map(text_of, node.value)])
        return self.parsed([f"--{name}={text_of(node)}"])


def text_of(node: yaml.Node) -> str:
    """A scalar as the file has it, since YAML takes `2e-5` for text; a mapping or a list as JSON."""
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    try:
        return json.dumps(PlainLoader("").construct_document(node))
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"cannot be read: {message_of(error)}") from None


def parse_groups(argv: list[str], about: str | None, groups: Sequence[type]) -> tuple[Any, ...]:
    """The options of `[FILE.yaml] [--field value ...]`: an instance of each group, then two mappings.

    The first mapping has the source of each option that was set: the config file's name, or `command line`.
    The second holds every option's value before a group derives others from it. The command line overrides the config
    file, which overrides the groups' defaults. Raises `InputError` for an unknown, abbreviated or ill-typed option.
    """
    parser = Parser(groups, (about or "").partition("\n")[0])
    config = argv[0] if argv and argv[0][:1] not in ("", "-") else None
    in_file = parser.parsed_file(config) if config else {}
    on_command_line = parser.parsed(argv[1:] if config else argv)
    given = dict.fromkeys(in_file, config) | dict.fromkeys(on_command_line, "command line")
    values = in_file | on_command_line
    return *(group_of(group, values) for group in groups), given, parser.defaults | values


def group_of(group: type, values: dict[str, Any]) -> Any:
    """A group's dataclass from the options that were set. Raises `InputError` for what its own checks refuse."""
    try:
        return group(**{f.name: values[f.name] for f in dataclasses.fields(group) if f.name in values})
    except InputError:
        raise
    except Exception as error:  # transformers' own checks raise many kinds
        raise InputError(f"training arguments: {message_of(error)}") from error


def described(given: dict[str, str], values: dict[str, Any]) -> list[str]:
    """A line for each option that was set: its value, and where it was set. Tokens are not shown."""
    shown = {name: "***" if name.endswith("_token") else values[name] for name in given}
    return [f"{name} = {shown[name]}  ({source})" for name, source in given.items()]
