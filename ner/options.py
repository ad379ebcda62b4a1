"""Options in a YAML or JSON file, as the words of a command line."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from ner.errors import InputError
from ner.records import PlainLoader


class OptionLoader(PlainLoader):
    """Numbers in mappings as JSON, and so the command line, reads them: YAML 1.1 takes `1e-5` for text."""


OptionLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+"), list("-+.0123456789")
)


def file_options(path: str, defaults: dict[str, Any]) -> list[tuple[int, str, list[str]]]:
    """The options of a YAML or JSON file as (line, name, words of a command line).

    Only an option whose default is null may be null. Values stay the file's text, so that one parser reads `2e-5` the
    same everywhere.
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
            raise InputError(f"{path}:{line}: option {name!r} stands twice; remove one")
        seen.add(name)
        may_be_null = defaults.get(name, name) is None
        options.append((line, name, option_words(f"{path}:{line}", name, value, may_be_null)))
    return options


def config_node(path: str) -> yaml.Node | None:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        if path.endswith(".json"):  # YAML refuses the tabs that JSON allows
            text = json.dumps(json.loads(text), indent=0)
        return yaml.compose(text, Loader=OptionLoader)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a YAML or JSON file of options, or --field value") from None
    except (ValueError, yaml.YAMLError, OSError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as options: {' '.join(str(error).split())}") from None


def option_words(place: str, name: str, node: yaml.Node, may_be_null: bool) -> list[str]:
    if isinstance(node, yaml.MappingNode):
        try:
            return [f"--{name}={json.dumps(OptionLoader('').construct_document(node))}"]
        except (yaml.YAMLError, TypeError, ValueError) as error:
            raise InputError(f"{place}: {name} cannot be read: {' '.join(str(error).split())}") from None
    if isinstance(node, yaml.SequenceNode):
        return [f"--{name}", *(str(item.value) for item in node.value)]
    if node.tag == "tag:yaml.org,2002:null":
        if not may_be_null:
            raise InputError(f"{place}: {name} has no value; expected one, or no such line")
        return []
    return [f"--{name}={node.value}"]
