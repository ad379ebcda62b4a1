"""Every option of the scripts: its default, its help and its checks.

Edit a default here, name a YAML config file, or pass `--field value`:

    python train.py configs/distilbert_masked.yaml --num_train_epochs 2

The command line overrides the config file, which overrides the defaults in this file.
"""

import dataclasses
import math
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformers

from ner.corpus.schemes import SCHEMES
from ner.corpus.sources import Source
from ner.errors import InputError
from ner.options import group_of, option, parser_of, require, require_at_least
from ner.runs.files import NOT_RECORDED
from ner.tagging.text_rows import TABLES

NAME = "a name; without one, leave the option out"  # an empty one comes from an unset shell variable
BEST_BY = ("f1", "precision", "recall", "macro_f1", "accuracy", "loss")
# Options of transformers that would make scores wrong or missing, record a run wrongly, or do nothing.
FIXED = {
    "auto_find_batch_size", "batch_eval_metrics", "bf16_full_eval", "dataloader_drop_last", "dataloader_in_order",
    "debug", "do_predict", "enable_jit_checkpoint", "eval_do_concat_batches", "eval_use_gather_object",
    "fp16_full_eval", "hub_revision", "hub_strategy", "label_names", "length_column_name", "prediction_loss_only",
    "save_on_each_node",
}  # fmt: skip
# The options that say where a run's sentences are, and how they are read.
READING = (*(field.name for field in dataclasses.fields(Source)), "tag_scheme")


@dataclass
class DataArguments:
    """Which data are read, which classes are kept, and which sentences are repeated."""

    _argument_group_name = "data"

    dataset: str = option("Babelscape/multinerd", "A Hub id, a folder, a file, or `sample`.")
    dataset_config: str | None = option(None, "Which config to read, if the data set on the Hub has several.")
    train_file: str | None = option(None, "The same as --dataset FILE.")
    validation_file: str | None = option(None, "The file of the validation split.")
    test_file: str | None = option(None, "The file of the test split.")
    languages: list[str] = option(["en"], "Language codes. With several, each needs its own files: train_en.jsonl.")
    token_column: str | None = option(None, "The column of the tokens: its name, or its number from 1.")
    tag_column: str | None = option(None, "The column of the tags: its name, or its number from 1.")
    tag_scheme: str = option(
        "auto", "How the tags show where an entity begins and ends; auto recognises it.", choices=("auto", *SCHEMES)
    )
    misaligned: str = option(
        "error", "What to do with spans that do not fit the words of their text.", choices=("error", "skip")
    )
    split_seed: int = option(42, "Seed that divides data without a validation split. --seed has no effect on this.")
    max_train_sentences: int | None = option(None, "Use at most this many training sentences, always the same ones.")
    max_eval_sentences: int | None = option(None, "Use at most this many sentences of validation and of test.")
    masked_training: bool = option(False, "Experiment B: mask the classes that selected_categories does not name.")
    selected_categories: list[str] = option(["PER", "ORG", "LOC", "DIS", "ANIM"], "The classes that masking keeps.")
    masking: str = option(
        "as_O",
        "How masking removes the other classes. as_O: their words become O. ignore: their words are left out of the "
        "loss. drop_sentences: the training sentences that contain one are left out. drop_others, a control for this: "
        "all classes are kept, and as many other sentences with similar entities are left out.",
        choices=("as_O", "ignore", "drop_sentences", "drop_others"),
    )
    masked_share: float = option(
        1.0,
        "The share of the removed classes' mentions that as_O and ignore mask, chosen at random. Below 1, only the "
        "training split is masked, and all classes stay in the label set.",
    )
    upsample: bool = option(False, "Repeat training sentences that contain a class of upsample_categories.")
    upsample_categories: list[str] = option(["DIS", "ANIM"], "The classes whose sentences are repeated.")
    upsample_factor: int = option(2, "How many times such a sentence appears in the training data.")
    upsample_at_random: bool = option(False, "A control: repeat as many other sentences instead, chosen at random.")

    def __post_init__(self) -> None:
        for f in dataclasses.fields(self):  # argparse checks the command line, but not what a run records
            if (choices := f.metadata.get("choices")) and getattr(self, f.name) not in choices:
                raise InputError(f"--{f.name}: found {getattr(self, f.name)!r}; expected {', '.join(choices)}")
        require(
            self, lambda codes: all(re.fullmatch("[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*", code) for code in codes),
            "codes such as en, de or zh-CN", "languages",
        )  # fmt: skip
        require(self, bool, NAME, "dataset", "train_file", "validation_file", "test_file")
        if self.train_file:
            if self.dataset != DataArguments.dataset:
                raise InputError("--dataset, --train_file: found both; expected one; give the file as --dataset FILE")
            self.dataset, self.train_file = self.train_file, None
        require(self, lambda seed: 0 <= seed < 2**32, "0 or more, and less than 2**32", "split_seed")
        require(
            self, lambda names: len(set(names)) == len(names), "each once; remove the repeated one",
            "languages", "selected_categories", "upsample_categories",
        )  # fmt: skip
        require_at_least(self, 1, "max_train_sentences", "max_eval_sentences", "upsample_factor")
        require(self, lambda share: 0 <= share <= 1, "0 to 1", "masked_share")
        needed = {"masking": "masked_training", "masked_share": "masked_training", "upsample_at_random": "upsample"}
        for name, other in needed.items():
            value = getattr(self, name)
            if value != getattr(DataArguments, name) and not getattr(self, other):
                raise InputError(f"--{name}: found {value} without --{other}; expected --{other} true with it")
        if self.masked_share < 1 and self.masking not in ("as_O", "ignore"):
            raise InputError(
                f"--masking, --masked_share: found {self.masking} and {self.masked_share}; expected as_O or ignore "
                "with a share below 1; leave one out"
            )
        if self.removes_classes and self.upsample:
            removed = [c for c in self.upsample_categories if c not in self.selected_categories]
            if removed:
                raise InputError(
                    f"--upsample_categories: masking removes {', '.join(removed)} "
                    f"(selected_categories: {' '.join(self.selected_categories)}); "
                    "name only classes that are kept, or add them to --selected_categories"
                )

    @property
    def removes_classes(self) -> bool:
        """Whether the label set lacks the classes that are not selected: then a model never predicts them."""
        return self.masked_training and self.masking != "drop_others" and self.masked_share == 1

    @property
    def source(self) -> Source:
        """Where the sentences are, and how they are read."""
        return Source(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Source)})


@dataclass
class ModelArguments:
    """The pre-trained encoder, and how its predictions become tags."""

    _argument_group_name = "model"

    model_checkpoint: str = option(
        "distilbert-base-uncased", "A Hub id, a folder, or `package:NAME/FOLDER` inside an installed package."
    )
    max_length: int | None = option(
        None,
        "The most sub-tokens in a window, special ones included. If not given: in training, what the model takes, or "
        "512 if it has no limit; later, what the checkpoint was trained with.",
    )
    case_markers: bool = option(False, "Tell an uncased encoder which words have capitals, by a marker after each.")
    constrained_decoding: bool | None = option(
        None,
        "Predict the best sequence in which each I- label continues an entity of its class, instead of the best label "
        "of each word; if not given, true in training, and a checkpoint is used as it was trained.",
    )

    def __post_init__(self) -> None:
        require_at_least(self, 4, "max_length")


@dataclass
class TrainingArguments(transformers.TrainingArguments):
    """transformers' training arguments with the defaults of the original experiment."""

    _argument_group_name = "training (and most other fields of transformers.TrainingArguments)"

    output_dir: str = option(
        "runs/distilbert_default",
        "The run folder. In it, data.py writes to data/, and inference.py makes a folder for the scores of a Hub id.",
    )
    learning_rate: float = option(2e-5, "The peak learning rate.")
    classifier_learning_rate: float | None = option(
        None, "The peak rate of the classifier, which begins with random weights; if not given, learning_rate."
    )
    num_train_epochs: float = option(4.0, "Passes over the training data.")
    per_device_train_batch_size: int = option(16, "Sentences in a training batch of each process.")
    per_device_eval_batch_size: int = option(
        32,
        "Sentences in an evaluation batch of each process during training. After training and in inference.py, it sets "
        "the number of sub-tokens in a batch instead: at most 512 times this number, on a CPU 32 times, or one window.",
    )
    weight_decay: float = option(0.01, "AdamW's weight decay.")
    eval_strategy: str = option("epoch", "When to score the validation split: no, steps or epoch.")
    save_strategy: str = option("epoch", "When to save a checkpoint: no, steps, epoch or best.")
    save_total_limit: int | None = option(
        1, "How many checkpoints to keep, the best included; during training, the last is kept too."
    )
    load_best_model_at_end: bool = option(True, "At the end, use the best checkpoint instead of the last.")
    metric_for_best_model: str = option("f1", f"The metric that says which checkpoint is best: {', '.join(BEST_BY)}.")
    greater_is_better: bool | None = option(None, "Whether higher is better; if not given, true except for loss.")
    bf16: bool | None = option(None, "Compute in bfloat16; if not given, where that is faster than float32.")
    train_sampling_strategy: str = option(
        "group_by_length", "The order of the training rows.", choices=("group_by_length", "random", "sequential")
    )
    fast_dropout: bool = option(True, "Use faster dropout when training on a CPU.")
    seed: int = option(42, "Seed of the new classifier's weights, the order of the rows, and dropout.")
    early_stopping_patience: int | None = option(None, "Stop after this many evaluations without improvement.")
    word_dropout: float = option(
        0.0, "Hide this share of the training sub-tokens behind the mask token, resampled each epoch."
    )
    crf_loss: bool = option(False, "Train the tags of a sentence together, as constrained decoding predicts them.")
    resume_from_checkpoint: bool = option(
        False, "Continue the unfinished run in output_dir from its last checkpoint, if it has one."
    )
    report_to: list[str] = option(["none"], "Log to these trackers: tensorboard, mlflow, wandb, trackio or another.")

    def __post_init__(self) -> None:
        require_at_least(
            self, 1, "per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps",
            "early_stopping_patience", "save_total_limit", "eval_accumulation_steps",
        )  # fmt: skip
        require_at_least(
            self, 0, "learning_rate", "classifier_learning_rate", "weight_decay", "max_grad_norm", "adam_epsilon",
            "warmup_steps", "logging_steps", "eval_steps", "save_steps", "eval_delay", "neftune_noise_alpha",
        )  # fmt: skip
        require(self, lambda epochs: 0 < epochs < math.inf, "a number of more than 0", "num_train_epochs")
        require(self, lambda steps: steps == -1 or steps > 0, "1 or more; without a limit, leave it out", "max_steps")
        require(self, lambda seed: 0 <= seed < 2**32, "0 or more, and less than 2**32", "seed", "data_seed")
        require(
            self, lambda share: 0 <= share < 1, "at least 0 and less than 1",
            "word_dropout", "label_smoothing_factor", "adam_beta1", "adam_beta2",
        )  # fmt: skip
        require(self, lambda name: name.removeprefix("eval_") in BEST_BY, " ".join(BEST_BY), "metric_for_best_model")
        for f in dataclasses.fields(self):
            if f.name in FIXED and (value := getattr(self, f.name)) != f.default:
                raise InputError(f"--{f.name}: found {value}; expected its default, {f.default!r}; leave it out")
        if self.crf_loss and self.label_smoothing_factor:
            raise InputError("--crf_loss, --label_smoothing_factor: found both; expected one; leave one out")
        if self.disable_tqdm is None:
            self.disable_tqdm: bool | None = not sys.stderr.isatty()
        import torch  # here, because the help does without it

        if self.bf16 and not torch.accelerator.is_available():
            self.use_cpu = True  # what would happen anyway, but transformers refuses bfloat16 without this option
        never = self.eval_strategy == "epoch" and self.max_steps < 0 and self.eval_delay > self.num_train_epochs
        if self.load_best_model_at_end and (never or self.eval_strategy == "no"):
            raise InputError(
                "--load_best_model_at_end: found no evaluation by which a checkpoint could be the best; expected at "
                "least one; change --eval_strategy or --eval_delay, or give --load_best_model_at_end false"
            )
        super().__post_init__()
        if self.load_best_model_at_end and self.save_strategy == "steps" and self.save_steps != self.eval_steps:
            raise InputError(
                f"--save_steps, --eval_steps: found {self.save_steps:g} and {self.eval_steps:g}; expected the same, "
                "because only a checkpoint can be the best one; give both, or --save_strategy best"
            )
        if self.lr_scheduler_type in ("reduce_lr_on_plateau", "greedy"):  # else a higher metric is always worse
            mode = {"mode": "max" if self.greater_is_better else "min"}
            self.lr_scheduler_kwargs: Any = mode | (self.lr_scheduler_kwargs or {})
        if self.early_stopping_patience is not None and self.eval_strategy == "no":
            raise InputError("--early_stopping_patience: found --eval_strategy no; expected steps or epoch with it")


@dataclass
class InferenceArguments:
    """What is scored or tagged."""

    _argument_group_name = "inference"

    checkpoint: str | None = option(None, "A run folder or a Hub id; if not given, output_dir.")
    split: str = option("test", "The labelled split to score.", choices=("test", "validation"))
    text: str | None = option(None, "Tag this text, line by line, instead of scoring.")
    input_file: str | None = option(None, "Tag the lines of this file instead of scoring; - is standard input.")
    text_column: str | None = option(None, "Tag this column of the input file, a table: CSV, TSV, JSONL or Parquet.")
    output_file: str | None = option(
        None, "The file for the tagged lines; if not given, standard output, or with --html nowhere."
    )
    continue_output: bool = option(False, "Continue an interrupted output_file.", aliases=["--continue"])
    html: str | None = option(None, "Write an HTML page of the tagged text to this file.")
    min_score: float = option(0.0, "Leave out tagged entities with a lower score.")

    def __post_init__(self) -> None:
        require(self, lambda score: 0 <= score <= 1, "0 to 1", "min_score")
        require(self, bool, NAME, "checkpoint", "input_file", "output_file", "html")
        if self.text is not None and self.input_file is not None:
            raise InputError("--text and --input_file: found both; expected one; leave one out")
        for name in ("output_file", "html", "min_score"):
            if getattr(self, name) and self.text is None and self.input_file is None:
                raise InputError(f"--{name}: found nothing to tag; expected --text or --input_file with it")
        suffix = Path(self.input_file or "").suffix.lower()
        is_table = suffix in TABLES
        if suffix == ".json":
            raise InputError(
                f"--input_file: found {self.input_file}; expected lines of text, or a table; write a record a line to "
                "a file that ends in .jsonl, or to tag its lines as they are: --input_file - < FILE"
            )
        if is_table and self.text_column is None:
            raise InputError(
                f"--input_file: found {self.input_file}, a table; expected the name of the column to tag; add "
                "--text_column NAME, or to tag its lines as they are: --input_file - < FILE"
            )
        if self.text_column is not None and not is_table:
            raise InputError(
                f"--text_column: found {self.input_file or 'no file'}; expected --input_file with a table: a name that "
                f"ends in {', '.join(TABLES)}"
            )
        if self.output_file and self.output_file.lower().endswith((".csv", ".tsv", ".parquet")):
            raise InputError(
                f"--output_file: found {self.output_file}; the output is JSON lines; end its name in .jsonl"
            )
        if self.html and self.output_file and os.path.realpath(self.html) == os.path.realpath(self.output_file):
            raise InputError(f"--html and --output_file: found {self.html} for both; expected two files")
        if self.continue_output and self.output_file is None:
            raise InputError("--continue: found no output file; expected --output_file with it")


@dataclass(frozen=True)
class Arguments:
    """The parsed options. `given` has the source of each one set: the config file's name, or `command line`."""

    data: DataArguments
    model: ModelArguments
    training: TrainingArguments
    inference: InferenceArguments
    given: dict[str, str]
    values: dict[str, Any]  # every option before TrainingArguments derives others from it


GROUPS = (DataArguments, ModelArguments, TrainingArguments, InferenceArguments)


def parse(argv: list[str], about: str | None) -> Arguments:
    """The options of a script, whose help begins with the first line of `about`.

    Raises `InputError` for an unknown, abbreviated or ill-typed option; the message names the nearest known one.
    """
    parser = parser_of(GROUPS, about)
    values, given = parser.given(argv)
    data, model, training, inference = (group_of(group, values) for group in GROUPS)
    return Arguments(data, model, training, inference, given, parser.defaults | values)


def recorded(arguments: Arguments) -> dict[str, Any]:
    """What `args.yaml` holds: this project's options, and each other training argument that was given a new value.

    The precision is the one that was chosen, so that a repeated run uses it on other hardware too. Case markers are
    recorded if the checkpoint has them, whatever was asked for.
    """
    names = [f.name for group in (DataArguments, ModelArguments) for f in dataclasses.fields(group)]
    for f in dataclasses.fields(TrainingArguments):
        new = f.name in arguments.given and arguments.values[f.name] != f.default
        if new or f.name in TrainingArguments.__annotations__:
            names.append(f.name)
    values = {name: arguments.values[name] for name in names if name not in NOT_RECORDED}
    values |= {"dataset": arguments.data.dataset, "train_file": arguments.data.train_file}  # one name for both
    for name in ("dataset", "validation_file", "test_file", "model_checkpoint"):
        if values[name] and values[name] != "sample" and os.path.exists(os.path.expanduser(values[name])):
            values[name] = os.path.abspath(os.path.expanduser(values[name]))  # else a run would depend on its folder
    values |= {"case_markers": arguments.model.case_markers, "bf16": arguments.training.bf16}
    values |= {"fp16": True} if arguments.training.fp16 else {}
    return {name: value for name, value in values.items() if not name.startswith("hub_")}
