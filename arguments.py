"""Every option of the scripts, and the one parser.

Edit a default here, or name a YAML or JSON file, or pass `--field value`; the later one wins:

    python train.py configs/distilbert_masked.yaml --num_train_epochs 2
"""

import argparse
import dataclasses
import json
import math
import sys
from dataclasses import dataclass, field
from typing import Any, NoReturn

import torch
import transformers
from transformers import HfArgumentParser
from transformers.debug_utils import DebugOption

from ner.errors import InputError, nearest
from ner.options import file_options

SAMPLING = ("group_by_length", "random", "sequential")
BEST_BY = ("f1", "precision", "recall", "macro_f1", "accuracy", "loss")
LANGUAGES = ("de", "en", "es", "fr", "it", "nl", "pl", "pt", "ru", "zh")


def option(default: Any, help: str) -> Any:
    """A dataclass field with its help line; a list becomes a default factory."""
    if isinstance(default, list):
        return field(default_factory=default.copy, metadata={"help": help})
    return field(default=default, metadata={"help": help})


@dataclass
class DataArguments:
    """What is read, which classes stay, and which sentences are repeated."""

    _argument_group_name = "data"

    dataset: str = option("Babelscape/multinerd", "A Hub id, a folder of JSONL or TSV files, or `sample`.")
    languages: list[str] = option(["en"], f"One or more of {' '.join(LANGUAGES)}.")
    max_train_sentences: int | None = option(None, "Keep this many training sentences, the same for every experiment.")
    max_eval_sentences: int | None = option(None, "Keep this many sentences of validation and test.")
    masked_training: bool = option(False, "Experiment B: labels outside selected_categories become O.")
    selected_categories: list[str] = option(["PER", "ORG", "LOC", "DIS", "ANIM"], "The classes that masking keeps.")
    upsample: bool = option(False, "Repeat the training sentences that hold one of upsample_categories.")
    upsample_categories: list[str] = option(["DIS", "ANIM"], "The classes whose sentences are repeated.")
    upsample_factor: int = option(2, "How many times such a sentence stands in the training data.")
    cache: bool = option(True, "Keep the prepared data for the next run.")

    def __post_init__(self) -> None:
        require_named(self, "dataset")
        for language in self.languages:
            if language not in LANGUAGES:
                raise InputError(f"--languages: unknown language {language!r}; expected some of {', '.join(LANGUAGES)}")
        for name in ("languages", "selected_categories", "upsample_categories"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise InputError(f"--{name}: found {' '.join(values)}; expected each once; remove the repeated one")
        for name in ("max_train_sentences", "max_eval_sentences", "upsample_factor"):
            require_at_least(self, name, 1)
        if self.masked_training and self.upsample:
            removed = [c for c in self.upsample_categories if c not in self.selected_categories]
            if removed:
                raise InputError(
                    f"--upsample_categories: masking removes {', '.join(removed)} "
                    f"(selected_categories: {' '.join(self.selected_categories)}); "
                    "name only classes that stay, or add them to --selected_categories"
                )


@dataclass
class ModelArguments:
    """The pre-trained encoder."""

    _argument_group_name = "model"

    model_checkpoint: str = option(
        "distilbert-base-uncased", "A Hub id, a folder, or `package:NAME/FOLDER` inside an installed package."
    )
    max_length: int | None = option(None, "Sub-tokens a window, special ones included; default: all the model takes.")

    def __post_init__(self) -> None:
        require_named(self, "model_checkpoint")
        require_at_least(self, "max_length", 4)


@dataclass
class TrainingArguments(transformers.TrainingArguments):
    """transformers' training arguments with the defaults of the original experiment."""

    _argument_group_name = "training (every field of transformers.TrainingArguments)"

    output_dir: str = option("runs/distilbert_default", "The run folder.")
    overwrite_output_dir: bool = option(False, "Replace the run that output_dir holds.")
    learning_rate: float = option(2e-5, "The highest learning rate.")
    num_train_epochs: float = option(4.0, "Passes over the training data.")
    per_device_train_batch_size: int = option(16, "Sentences a training batch, for each process.")
    per_device_eval_batch_size: int = option(32, "Sentences an evaluation batch, for each process.")
    weight_decay: float = option(0.01, "AdamW's weight decay.")
    eval_strategy: str = option("epoch", "When to score the validation data: no, steps or epoch.")
    save_strategy: str = option("epoch", "When to save a checkpoint: no, steps, epoch or best.")
    save_total_limit: int | None = option(1, "Checkpoints to keep, the best among them; in training also the last.")
    load_best_model_at_end: bool = option(True, "End with the best checkpoint instead of the last.")
    metric_for_best_model: str = option("f1", f"What `best` means: {' '.join(BEST_BY)}.")
    greater_is_better: bool | None = option(None, "Whether more of that metric is better; default: unless it is loss.")
    bf16: bool | None = option(None, "bfloat16 or not; default: where the hardware multiplies it.")
    train_sampling_strategy: str = option("group_by_length", f"The order of the rows: {' '.join(SAMPLING)}.")
    fast_dropout: bool = option(True, "On a processor: dropout from fewer random numbers.")
    seed: int = option(42, "Seeds the new classifier's weights, the order of the rows, and dropout.")
    early_stopping_patience: int | None = option(None, "Stop after this many evaluations without a better one.")

    def __post_init__(self) -> None:
        for name in ("per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps",
                     "eval_accumulation_steps"):  # fmt: skip
            require_at_least(self, name, 1)
        require_at_least(self, "early_stopping_patience", 1)
        require_named(self, "output_dir", "hub_model_id")
        require_mapping(self, "lr_scheduler_kwargs", "gradient_checkpointing_kwargs", "activation_checkpointing_kwargs",
                        "liger_kernel_config")  # fmt: skip
        if self.train_sampling_strategy not in SAMPLING:
            raise InputError(
                f"--train_sampling_strategy: found {self.train_sampling_strategy!r}; expected {', '.join(SAMPLING)}"
                f"{nearest(self.train_sampling_strategy, SAMPLING)}"
            )
        if self.label_names not in (None, ["labels"]):
            raise InputError(f"--label_names: found {' '.join(self.label_names)}; expected labels; leave it out")
        for name in ("learning_rate", "weight_decay", "seed", "data_seed", "dataloader_num_workers",
                     "num_train_epochs", "neftune_noise_alpha"):  # fmt: skip
            require_at_least(self, name, 0)
        if max(self.seed, self.data_seed or 0) >= 2**32 or not 0 <= self.label_smoothing_factor <= 1:
            raise InputError(
                "--seed, --data_seed and --label_smoothing_factor: expected less than 2**32, and from 0 to 1"
            )
        if self.prediction_loss_only or self.batch_eval_metrics or not self.eval_do_concat_batches:
            raise InputError(
                "--prediction_loss_only, --batch_eval_metrics, --eval_do_concat_batches: scores need every prediction "
                "of the validation data at once; leave them at their defaults"
            )
        if self.max_steps < 1 and self.num_train_epochs == 0:
            raise InputError(f"--num_train_epochs: found {self.num_train_epochs}; expected more than 0")
        if self.metric_for_best_model.removeprefix("eval_") not in BEST_BY:
            raise InputError(
                f"--metric_for_best_model: found {self.metric_for_best_model!r}; expected {' '.join(BEST_BY)}"
            )
        if self.disable_tqdm is None:
            self.disable_tqdm = not sys.stderr.isatty()
        if (self.bf16 or self.bf16_full_eval) and not torch.accelerator.is_available():
            self.use_cpu = True  # as it would anyway, but transformers refuses bfloat16 without these words
        super().__post_init__()
        if DebugOption.UNDERFLOW_OVERFLOW in self.debug:  # it looks for infinity in masks of true and false too
            raise InputError(
                "--debug: found underflow_overflow, which fails on attention masks; expected no --debug; "
                "a training whose weights are no longer finite ends with a message without it"
            )
        if self.early_stopping_patience is not None and self.eval_strategy == "no":
            raise InputError("--early_stopping_patience: found --eval_strategy no; expected steps or epoch beside it")


@dataclass
class InferenceArguments:
    """What to score or tag."""

    _argument_group_name = "inference"

    checkpoint: str | None = option(None, "A run folder or a Hub id; default: output_dir.")
    split: str = option("test", "The labelled split to score: test or validation.")
    text: str | None = option(None, "Tag this text instead of scoring.")
    input_file: str | None = option(None, "Tag this file's lines instead of scoring; - is standard input.")
    output_file: str | None = option(None, "Where tagged lines go; default: standard output.")

    def __post_init__(self) -> None:
        require_named(self, "checkpoint", "input_file", "output_file")
        if self.split not in ("test", "validation"):
            raise InputError(f"--split: found {self.split!r}; expected test or validation")
        if self.text is not None and self.input_file is not None:
            raise InputError("--text and --input_file: found both; expected one; leave one out")
        if self.output_file is not None and self.text is None and self.input_file is None:
            raise InputError("--output_file: found nothing to tag; expected --text or --input_file beside it")


@dataclass(frozen=True)
class Arguments:
    """The parsed options; `given` says for each option that is no default where it came from."""

    data: DataArguments
    model: ModelArguments
    training: TrainingArguments
    inference: InferenceArguments
    given: dict[str, str]
    values: dict[str, Any]  # every option as it was given, before TrainingArguments derives others from it


GROUPS = (DataArguments, ModelArguments, TrainingArguments, InferenceArguments)
# How a run folder was entered, where it was pushed (`hub_...`), what was kept for the next run, and secrets are no
# part of the experiment.
NOT_RECORDED = {"cache", "overwrite_output_dir", "resume_from_checkpoint", "disable_tqdm", "local_rank", "push_to_hub"}


def require_at_least(record: Any, name: str, least: float) -> None:
    value = getattr(record, name)
    if value is not None and not (value >= least and math.isfinite(value)):
        raise InputError(f"--{name}: found {value}; expected a number of at least {least}")


def require_named(record: Any, *names: str) -> None:
    for name in names:
        if getattr(record, name) == "":
            raise InputError(f"--{name}: found an empty name; expected one, or no --{name} for the default")


def require_mapping(record: Any, *names: str) -> None:
    for name in names:
        value = getattr(record, name, None)
        try:
            is_mapping = value is None or isinstance(json.loads(value) if isinstance(value, str) else value, dict)
        except ValueError:
            is_mapping = False
        if not is_mapping:
            raise InputError(f"--{name}: found {value!r}; expected a JSON object such as '{{\"key\": 1e-5}}'")


class Parser(HfArgumentParser):
    """transformers' parser for dataclasses; a wrong option raises instead of printing the usage of 150 options."""

    def __init__(self, description: str):
        super().__init__(
            GROUPS, description=description, allow_abbrev=False, usage="%(prog)s [FILE.yaml] [--field value ...]"
        )

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message.removeprefix('argument ')}; --help lists the options")


def parse(argv: list[str], description: str) -> Arguments:
    """The options of a script: default in this file < YAML or JSON file < command line.

    Raises `InputError` for an unknown, abbreviated or ill-typed option, naming the nearest known one.
    """
    parser = Parser(description)
    config = argv[0] if argv and not argv[0].startswith("-") else None
    from_file = file_options(config, defaults()) if config else []
    command_line = argv[1:] if config else argv
    known = known_options()
    given = {}
    for line, name, words in from_file:
        if name not in known:
            raise InputError(
                f"{config}:{line}: unknown option {name!r}{nearest(name, known)}; --help lists the options"
            )
        try:
            parser.parse_args(words)
        except InputError as error:
            raise InputError(f"{config}:{line}: {error}") from None
        given[known[name]] = config
    for word in command_line:
        if word.startswith("--"):
            name = word[2:].partition("=")[0].replace("-", "_")
            if name not in known and name != "help":
                raise InputError(f"unknown option --{name}{nearest(name, known)}; --help lists the options")
            given[known.get(name, name)] = "command line"
    words = [word for _, _, option_words in from_file for word in option_words] + command_line
    namespace, rest = parser.parse_known_args(words)
    if rest:
        raise InputError(f"found {' '.join(rest)!r}; expected FILE.yaml first, then --field value; --help lists them")
    return Arguments(*(record_of(group, namespace) for group in GROUPS), given, dict(vars(namespace)))


def record_of(group: type, namespace: argparse.Namespace) -> Any:
    try:
        return group(**{f.name: getattr(namespace, f.name) for f in dataclasses.fields(group) if f.init})
    except InputError:
        raise
    except (ValueError, TypeError, ImportError, OSError, RuntimeError) as error:  # transformers' own checks
        raise InputError(f"training arguments: {' '.join(str(error).split())}") from error


def known_options() -> dict[str, str]:
    """Each option's name, with the field that it sets; `no_FIELD` switches a true default off."""
    fields = [f for group in GROUPS for f in dataclasses.fields(group) if f.init]
    return {f.name: f.name for f in fields} | {f"no_{f.name}": f.name for f in fields if f.default is True}


def recorded(arguments: Arguments) -> dict[str, Any]:
    """What `args.yaml` holds: this project's fields, and each other training argument that was given a new value.

    The precision is the one that was settled, so that another machine repeats it.
    """
    names = [f.name for group in (DataArguments, ModelArguments) for f in dataclasses.fields(group)]
    for f in dataclasses.fields(TrainingArguments):
        new = f.name in arguments.given and arguments.values[f.name] != f.default
        if f.init and (new or f.name in TrainingArguments.__annotations__):
            names.append(f.name)
    recorded = {name: arguments.values[name] for name in names if name not in NOT_RECORDED}
    recorded |= {"bf16": arguments.training.bf16} | ({"fp16": True} if arguments.training.fp16 else {})
    return {k: value_of(v) for k, v in recorded.items() if not k.startswith("hub_")}


def defaults() -> dict[str, Any]:
    """Every option's default, as `recorded` shows values."""
    fields = [f for group in GROUPS for f in dataclasses.fields(group) if f.init]
    made = {f.name: f.default_factory() if callable(f.default_factory) else f.default for f in fields}
    return {name: value_of(value) for name, value in made.items()}


def value_of(value: Any) -> Any:
    """An option's value as records hold it: an enumeration's name for its member, in lists as well."""
    return [value_of(v) for v in value] if isinstance(value, list) else getattr(value, "value", value)


def described(arguments: Arguments) -> str:
    """A line for each option that is no default, with where it came from."""
    lines = []
    for name, source in arguments.given.items():
        value = "***" if name.endswith("_token") else arguments.values[name]
        lines.append(f"{name} = {value_of(value)}  ({source})")
    return "\n".join(lines)
