"""How long do SpanMarker and spaCy take, and which F1 do they reach? One training of each, without choosing.

Each tool needs an environment of its own, outside this repository (SpanMarker needs version 4 of transformers):

    python3 -m venv SPANMARKER
    SPANMARKER/bin/pip install torch==2.13.0 span-marker==1.8.1 transformers==4.57.6
    OMP_NUM_THREADS=1 SPANMARKER/bin/python -m benchmarks.other_tools SpanMarker DATA RECORD --encoder ENCODER
    python3 -m venv SPACY
    SPACY/bin/pip install spacy==3.8.18
    OMP_NUM_THREADS=1 SPACY/bin/python -m benchmarks.other_tools spaCy DATA RECORD --epochs 10

DATA is a folder with MultiNERD's layout and numbers, without duplicates, and ENCODER a folder with a checkpoint. The
tool trains on the training split with the options of its documentation. Different are the epochs, and spaCy's early
stopping and limit of steps, which are off. The model after the last epoch tags the words of the validation split.
RECORD is a JSON file with versions, options, F1, and the seconds of training: SpanMarker's without its preparation of
the rows, like those of train.py, and spaCy's with reading its own files and saving.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from ner.labels import MULTINERD_CLASSES, label_names
from ner.scoring.scores import counts_of_tags, f1_scores

LABELS = label_names(MULTINERD_CLASSES)
Sentence = tuple[list[str], list[str]]
Found = tuple[float, list[list[str]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("data", type=Path)
    parser.add_argument("record", type=Path)
    parser.add_argument("--encoder")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sentences", type=int, help="train on the first of them only, to measure seconds")
    options = parser.parse_args()
    if options.tool == "SpanMarker" and not options.encoder:
        parser.error("SpanMarker needs --encoder")
    training, packages = TOOLS[options.tool]
    train, validation = (read(options.data, split) for split in ("train", "val"))
    with tempfile.TemporaryDirectory() as folder:
        seconds, predicted = training(train[: options.sentences], validation, options, folder)
    counts = counts_of_tags([tags for _, tags in validation], predicted)
    micro, macro, *_ = map(float, f1_scores(counts.entities.sum(axis=0)))
    record = {
        "tool": options.tool, "version": version(packages[0]), "python": platform.python_version(),
        "packages": {name: version(name) for name in packages}, "threads": os.environ.get("OMP_NUM_THREADS"),
        "encoder": options.encoder and Path(options.encoder).name, "epochs": options.epochs, "seed": options.seed,
        "sentences": options.sentences, "train_seconds": seconds, "f1": micro, "macro_f1": macro,
    }  # fmt: skip
    options.record.write_text(json.dumps(record, indent=2) + "\n")
    print(record)


def read(data: Path, split: str) -> list[Sentence]:
    """The words and the labels of each sentence."""
    with (data / split / f"{split}_en.jsonl").open(encoding="utf-8") as lines:
        rows = map(json.loads, lines)
        return [(row["tokens"], [LABELS[tag] for tag in row["ner_tags"]]) for row in rows]


def span_marker(train: list[Sentence], validation: list[Sentence], options: argparse.Namespace, folder: str) -> Found:
    """Seconds of training, and the labels of the validation sentences."""
    from datasets import Dataset
    from span_marker import SpanMarkerModel, Trainer
    from transformers import TrainingArguments, set_seed

    set_seed(options.seed)
    lengths = {"model_max_length": 256, "marker_max_length": 128, "entity_max_length": 8}
    model = SpanMarkerModel.from_pretrained(options.encoder, labels=LABELS, trust_remote_code=False, **lengths)
    arguments = TrainingArguments(
        output_dir=folder, learning_rate=5e-5, per_device_train_batch_size=32, weight_decay=0.01, warmup_ratio=0.1,
        bf16=True, num_train_epochs=options.epochs, seed=options.seed, save_strategy="no", report_to="none",
        use_cpu=True,
    )  # fmt: skip
    tags = [[LABELS.index(tag) for tag in tags] for _, tags in train]
    rows = Dataset.from_dict({"tokens": [words for words, _ in train], "ner_tags": tags})
    trainer = Trainer(model=model, args=arguments, train_dataset=rows)
    seconds = trainer.train().metrics["train_runtime"]
    found = trainer.model.predict([words for words, _ in validation], batch_size=32)
    spans = [[(e["word_start_index"], e["word_end_index"], e["label"]) for e in entities] for entities in found]
    return seconds, [labels(len(words), each) for (words, _), each in zip(validation, spans, strict=True)]


def spacy(train: list[Sentence], validation: list[Sentence], options: argparse.Namespace, folder: str) -> Found:
    """Seconds of training, and the labels of the validation sentences."""
    import spacy
    from spacy.cli.init_config import init_config
    from spacy.cli.train import train as spacy_train
    from spacy.tokens import Doc, DocBin
    from spacy.vocab import Vocab

    vocab = Vocab()
    for name, sentences in (("train", train), ("dev", validation[:1])):  # spaCy wants to score something as it trains
        docs = [Doc(vocab, words=words, ents=tags) for words, tags in sentences]
        DocBin(docs=docs).to_disk(f"{folder}/{name}.spacy")
    config = Path(folder) / "config.cfg"
    init_config(lang="en", pipeline=["ner"], optimize="efficiency").to_disk(config)
    overrides = {
        "paths.train": f"{folder}/train.spacy", "paths.dev": f"{folder}/dev.spacy", "training.patience": 0,
        "training.max_steps": 0, "training.max_epochs": options.epochs, "system.seed": options.seed,
    }  # fmt: skip
    start = time.perf_counter()
    spacy_train(config, folder, overrides=overrides)
    seconds = time.perf_counter() - start
    nlp = spacy.load(f"{folder}/model-last")
    tagged = nlp.pipe(Doc(nlp.vocab, words=words) for words, _ in validation)
    spans = [[(entity.start, entity.end, entity.label_) for entity in doc.ents] for doc in tagged]
    return seconds, [labels(len(words), each) for (words, _), each in zip(validation, spans, strict=True)]


def labels(length: int, spans: list[tuple[int, int, str]]) -> list[str]:
    """The labels of a sentence with these entities: the first word, the one after the last, and the class of each."""
    found = ["O"] * length
    for start, end, name in spans:
        found[start:end] = [f"B-{name}"] + [f"I-{name}"] * (end - start - 1)
    return found


TOOLS = {
    "SpanMarker": (span_marker, ("span-marker", "torch", "transformers")),
    "spaCy": (spacy, ("spacy", "thinc")),
}  # fmt: skip

if __name__ == "__main__":
    main()
