"""What `plain.py` measures, done by this repository."""

import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from transformers import set_seed

import inference
from arguments import Arguments, parse
from data import training_data
from metrics import ner_metric
from ner.tagging.tagger import Tagger
from ner.training import trainer as trainers
from ner.training.trainer import TaggingTrainer, build_trainer
from train import epoch_scores, load_model, model_inputs

COMMON = ("--use_cpu", "true", "--disable_tqdm", "true")


def prepare(dataset: Path, encoder: str, languages: Sequence[str] = ("en",)) -> float:
    """Seconds from files to model inputs of the training and validation splits, masked and up-sampled."""
    options = ("--dataset", str(dataset), "--masked_training", "true", "--upsample", "true", *COMMON)
    arguments = parse([*options, "--model_checkpoint", encoder, "--languages", *languages], "")
    start = time.perf_counter()
    data = training_data(arguments.data)
    reading = time.perf_counter() - start
    model, tokenizer = load_model(arguments, data, None)  # for training, so its seconds do not count
    start = time.perf_counter()
    assert all(map(len, model_inputs(data, model, tokenizer)))
    return reading + time.perf_counter() - start


@cache
def trainer(dataset: Path, encoder: str, folder: str, steps: int, batch_size: int) -> TaggingTrainer:
    options = (
        "--dataset", dataset, "--model_checkpoint", encoder, "--output_dir", folder, "--max_steps", steps,
        "--per_device_train_batch_size", batch_size, "--learning_rate", 5e-4,
        "--eval_strategy", "no", "--save_strategy", "no", "--load_best_model_at_end", "false",
        "--logging_strategy", "no", *COMMON,
    )  # fmt: skip
    arguments = parse([str(o) for o in options], "")
    return untrained(arguments)


def untrained(arguments: Arguments) -> TaggingTrainer:
    """The Trainer that `train.py` makes, before it trains."""
    data = training_data(arguments.data)
    set_seed(arguments.training.seed)
    model, tokenizer = load_model(arguments, data, None)
    inputs = model_inputs(data, model, tokenizer)
    return build_trainer(arguments.training, model, tokenizer, inputs, epoch_scores(data), [])


def train(dataset: Path, encoder: str, folder: str, steps: int, batch_size: int) -> float:
    """Seconds of `steps` updates; fifty use up one pool from which batches of similar length are drawn."""
    return trainer(dataset, encoder, folder, steps, batch_size).train().metrics["train_runtime"]


def train_all_rows() -> None:
    """From now on, this process trains all rows of the word embedding."""
    trainers.train_used_rows = lambda *unused: None


@cache
def tagger(checkpoint: str) -> Tagger:
    """The tagger of a checkpoint, which stays loaded."""
    return Tagger.load(checkpoint, constrained=True)


def tag(checkpoint: str, lines: list[str]) -> float:
    """Seconds to tag raw text."""
    loaded = tagger(checkpoint)
    start = time.perf_counter()
    for first in range(0, len(lines), inference.LINES):
        loaded.tag(lines[first : first + inference.LINES])
    return time.perf_counter() - start


def score(gold: list[list[str]], predicted: list[list[str]]) -> float:
    """Seconds of this repository's scores, without intervals, which seqeval does not give."""
    metric = ner_metric()
    start = time.perf_counter()
    metric.compute(predictions=predicted, references=gold)
    return time.perf_counter() - start
