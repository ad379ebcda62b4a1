"""The plain recipe that speed is compared with: the usual script, in few lines.

Rows are aligned to sub-tokens one by one in `datasets.map`. Batches of 16 are drawn at random and padded to their
longest row. Everything is in float32. seqeval scores, and `pipeline` tags.
"""

import time
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import datasets
import torch
from seqeval.metrics import classification_report
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    DataCollatorForTokenClassification,
    PreTrainedTokenizerFast,
    TokenClassificationPipeline,
    Trainer,
    TrainingArguments,
    pipeline,
    set_seed,
)
from transformers.trainer_callback import PrinterCallback

MULTINERD = "PER ORG LOC ANIM BIO CEL DIS EVE FOOD INST MEDIA MYTH PLANT TIME VEHI".split()
LABELS = ["O", *(f"{prefix}-{class_}" for class_ in MULTINERD for prefix in "BI")]
KEPT = {LABELS.index(f"{prefix}-{class_}") for class_ in ("PER", "ORG", "LOC", "ANIM", "DIS") for prefix in "BI"}
RARE = {LABELS.index(f"B-{class_}") for class_ in ("ANIM", "DIS")}


def read(dataset: Path, split: str, folder: str) -> datasets.Dataset:
    """A split; `folder` takes datasets' own files."""
    path = str(dataset / split / f"{split}_en.jsonl")
    return datasets.load_dataset("json", data_files=path, split="train", cache_dir=folder)


def align(rows: dict, tokenizer: PreTrainedTokenizerFast) -> dict:
    """Model inputs, with each word's label on its first sub-token, row by row."""
    inputs = tokenizer(rows["tokens"], truncation=True, max_length=512, is_split_into_words=True)
    inputs["labels"] = []
    for i, tags in enumerate(rows["ner_tags"]):
        labels, previous = [], None
        for word in inputs.word_ids(i):
            labels.append(-100 if word is None or word == previous else tags[word])
            previous = word
        inputs["labels"].append(labels)
    return inputs


def inputs_of(rows: datasets.Dataset, tokenizer: PreTrainedTokenizerFast) -> datasets.Dataset:
    aligned = rows.map(align, batched=True, fn_kwargs={"tokenizer": tokenizer}, load_from_cache_file=False)
    return aligned.remove_columns([c for c in aligned.column_names if c in rows.column_names])


def prepare(dataset: Path, encoder: str) -> float:
    """Seconds from files to model inputs of the training and validation splits, masked and up-sampled."""
    tokenizer = AutoTokenizer.from_pretrained(encoder, trust_remote_code=False)
    datasets.disable_progress_bars()
    with TemporaryDirectory() as folder:
        start = time.perf_counter()
        train, validation = (read(dataset, split, folder) for split in ("train", "val"))
        rare = train.filter(lambda row: bool(RARE.intersection(row["ner_tags"])))
        train = datasets.concatenate_datasets([train, rare])
        for rows in (train, validation):
            inputs_of(rows.map(lambda row: {"ner_tags": [t if t in KEPT else 0 for t in row["ner_tags"]]}), tokenizer)
        return time.perf_counter() - start


@cache
def trainer(dataset: Path, encoder: str, folder: str, steps: int) -> Trainer:
    """A Trainer of the plain recipe for `steps` updates."""
    datasets.disable_progress_bars()
    set_seed(42)
    tokenizer = AutoTokenizer.from_pretrained(encoder, trust_remote_code=False)
    model = AutoModelForTokenClassification.from_pretrained(
        encoder, num_labels=len(LABELS), dtype=torch.float32, trust_remote_code=False
    )
    options = TrainingArguments(
        output_dir=folder, per_device_train_batch_size=16, learning_rate=3e-4, weight_decay=0.01, max_steps=steps,
        eval_strategy="no", save_strategy="no", report_to="none", disable_tqdm=True, use_cpu=True,
        logging_strategy="no",
    )  # fmt: skip
    trained = Trainer(
        model=model,
        args=options,
        train_dataset=inputs_of(read(dataset, "train", folder), tokenizer),
        data_collator=DataCollatorForTokenClassification(tokenizer),
        processing_class=tokenizer,
    )
    trained.remove_callback(PrinterCallback)  # standard output is for the results
    return trained


def train(dataset: Path, encoder: str, folder: str, steps: int) -> float:
    """Seconds of `steps` updates of 16 sentences."""
    return trainer(dataset, encoder, folder, steps).train().metrics["train_runtime"]


@cache
def tagger(run: str) -> TokenClassificationPipeline:
    return pipeline("token-classification", model=run, aggregation_strategy="simple", device="cpu")


def tag(run: str, lines: list[str], batch_size: int | None) -> float:
    """Seconds to tag raw text, one line after the other where `batch_size` is None."""
    tagging = tagger(run)
    start = time.perf_counter()
    if batch_size is None:
        for line in lines:
            tagging(line)
    else:
        tagging(lines, batch_size=batch_size)
    return time.perf_counter() - start


def score(gold: list[list[str]], predicted: list[list[str]]) -> float:
    """Seconds of seqeval's report."""
    start = time.perf_counter()
    classification_report(gold, predicted, output_dict=True, zero_division=0)
    return time.perf_counter() - start
