"""Options as dataclasses, which a YAML config file and the command line set. One parser reads both."""

import argparse
import dataclasses
import json
import math
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from ner.errors import CommandParser, InputError, at, message_of, nearest
from ner.files import PlainLoader, read_as


def option(default: Any, help: str, **more: Any) -> Any:
    """A dataclass field with its help line and more arguments of argparse; a list becomes a default factory."""
    if isinstance(default, list):
        return dataclasses.field(default_factory=default.copy, metadata={"help": help} | more)
    return dataclasses.field(default=default, metadata={"help": help} | more)


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


class Parser(CommandParser):
    """A parser of `[FILE.yaml] [--field value ...]`, which leaves an option that is not set to its default."""

    defaults: dict[str, Any]  # of each option by its name

    def given(self, words: list[str]) -> tuple[dict[str, Any], dict[str, str]]:
        """The options that are set, by name, and the source of each: the config file's name, or `command line`.

        The command line overrides the config file. Raises `InputError` for an unknown, abbreviated or ill-typed option.
        """
        config = words[0] if words and words[0][:1] not in ("", "-") else ""
        in_file = self.parsed_file(config) if config else {}
        on_command_line = self.parsed(words[1:] if config else words)
        for name, value in on_command_line.items():
            if isinstance(value, list) and value[1:] and value[-1].endswith((".yaml", ".yml")):
                raise InputError(f"--{name}: found {value[-1]} among its values; expected the config file first")
        sources = dict.fromkeys(in_file, config) | dict.fromkeys(on_command_line, "command line")
        return in_file | on_command_line, sources

    def parsed(self, words: list[str]) -> dict[str, Any]:
        """The options that some words of a command line set, by name. Raises `InputError` for a wrong one."""
        unset = argparse.Namespace(**dict.fromkeys(self.defaults))  # otherwise argparse fills in the defaults
        namespace, unknown = self.parse_known_args(words, unset)
        if unknown and unknown[0].startswith("--"):
            name = unknown[0][2:].partition("=")[0]
            like = nearest(name.replace("-", "_"), self.defaults)
            raise InputError(f"unknown option --{name}{like or '; --help lists the options'}")
        if unknown:
            found = f"found {' '.join(unknown)!r}, which belongs to no option"
            raise InputError(f"{found}; expected FILE.yaml first, then --field value; only lists take several values")
        return {name: value for name, value in vars(namespace).items() if value is not None}

    def parsed_file(self, path: str) -> dict[str, Any]:
        """The options that a YAML file sets, by name. Raises `InputError`, with the line, for a wrong one."""
        if not os.path.exists(path):
            like = nearest(path, map(str, Path(path).parent.glob("*.yaml")))
            raise InputError(f"{path}: no such file{like or '; expected a YAML file of options, or --field value'}")
        root = read_as(Path(path), partial(yaml.compose, Loader=PlainLoader))
        if not isinstance(root, yaml.MappingNode | None):
            raise InputError(f"{path}: found no `field: value` lines; expected a mapping of options")
        values: dict[str, Any] = {}
        for key, node in root.value if root else ():
            with at(f"{path}:{key.start_mark.line + 1}"):
                new = self.parsed_line(key, node)
                if new.keys() & values.keys():
                    raise InputError(f"--{key.value} is given twice; remove one")
            values |= new
        return values

    def parsed_line(self, key: yaml.Node, node: yaml.Node) -> dict[str, Any]:
        """The option that a line of a YAML file sets, by name; null leaves the default if that is null.

        Raises `InputError` if the option is unknown or its value wrong.
        """
        if not isinstance(key, yaml.ScalarNode):
            raise InputError("found a list or a mapping; expected `field: value`")
        name = key.value.replace("-", "_")
        if node.tag == "tag:yaml.org,2002:null" and name in self.defaults:
            if self.defaults[name] is None:
                return {}
            raise InputError(f"--{name} has no value; expected one, or no such line")
        if isinstance(node, yaml.SequenceNode):
            return self.parsed([f"--{key.value}", *map(text_of, node.value)])
        return self.parsed([f"--{key.value}={text_of(node)}"])


def parser_of(groups: Sequence[type], about: str | None) -> Parser:
    """transformers' parser for dataclasses, whose help begins with the first line of `about`."""
    from transformers import HfArgumentParser  # here, because the first check of a command line does without

    class GroupParser(HfArgumentParser, Parser):
        pass

    description, usage = (about or "").partition("\n")[0], "%(prog)s [FILE.yaml] [--field value ...]"
    parser = GroupParser(dataclass_types=groups, description=description, usage=usage)
    fields = [f for group in groups for f in dataclasses.fields(group) if f.init]
    parser.defaults = {f.name: f.default_factory() if callable(f.default_factory) else f.default for f in fields}
    return parser


def text_of(node: yaml.Node) -> str:
    """A scalar as the file has it, since YAML takes `2e-5` for text; a mapping or a list as JSON."""
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    try:
        return json.dumps(PlainLoader("").construct_document(node))
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"cannot be read: {message_of(error)}") from None


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
