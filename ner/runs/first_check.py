"""The mistakes in a command line that show before torch and transformers are imported, which takes seconds."""

import importlib.util
import os
import re
import sys
from pathlib import Path

from ner.checkpoint_names import local_checkpoint
from ner.corpus.sources import Source, named_file, require_dataset
from ner.errors import InputError, at
from ner.files import ROOT, similar
from ner.options import Parser
from ner.runs.files import SPLITS


def first_check(words: list[str], checkpoint: str = "") -> None:
    """Raises `InputError` for an option that does not exist, and for a config file, a data set, a text or a checkpoint
    that is not there. `checkpoint` is the option that names one. `arguments.parse` checks everything else.
    """
    parser = Parser(add_help=False)
    parser.defaults = dict.fromkeys(option_names())
    parser.add_argument("-h", "--help", nargs="*")
    for name in parser.defaults:
        parser.add_argument(f"--{name}", f"--{name.replace('_', '-')}", nargs="*")
    given = parser.given(words)[0]
    values = {name: value[0] for name, value in given.items() if value}
    if not {"text", "input_file"} & values.keys():  # tagging text reads no data set
        dataset = values.get("train_file") or values.get("dataset") or "sample"
        source = Source(dataset, validation_file=values.get("validation_file"), test_file=values.get("test_file"))
        require_dataset(source)
        for split in SPLITS:
            named_file(source, split)
    text = values.get("input_file", "-")
    if text not in ("-", "") and not os.path.exists(text):
        raise InputError(f"--input_file: found no file {text!r}; check the path{similar(Path(text))}")
    if values.get(checkpoint) and "resume_from_checkpoint" not in given:  # resuming may do without the encoder
        with at(f"--{checkpoint}"):
            local_checkpoint(values[checkpoint])


def option_names() -> set[str]:
    """The names of all options, from the source of `arguments.py` and of `transformers.TrainingArguments`."""
    found = importlib.util.find_spec("transformers")  # without importing it
    folder = Path(found.origin).parent if found and found.origin else Path()
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "arguments.py", folder / "training_args.py"))
    fields = dict(re.findall(r"^    (\w+): (\w*)", text, re.MULTILINE))
    other_names = re.findall('"--([a-z_]+)"', text)
    return {*fields, *(f"no_{name}" for name, kind in fields.items() if kind == "bool"), *other_names}


def asks_for_help() -> bool:
    """Whether a script is asked for its help. Then transformers is told that there is no torch, which the help does
    without."""
    if not {"-h", "--help"} & set(sys.argv[1:]):
        return False
    sys.modules["torch"] = None  # type: ignore[assignment]
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    from transformers import TrainingArguments

    TrainingArguments.__dataclass_fields__["optim"].default = "adamw_torch_fused"  # what it is with torch
    return True
