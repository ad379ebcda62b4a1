"""The files of a run folder: their names, and how its records and scores are read and written."""

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from ner.corpus.sentences import Sentences
from ner.errors import InputError
from ner.files import copy_permissions, read_record, write_json, write_text, writing
from ner.hub_files import public_name
from ner.labels import classes_of, flat_ids
from ner.scoring.scores import invalid_transitions

SURFACES = "training_surfaces.tsv"  # class TAB surface of each distinct training entity; `report.py` reads it
SPLITS = ("validation", "test")  # those that are scored
SCORE_FILES = ("metrics.json", "predictions.jsonl")  # in the folder of each of them
ONNX, ONNX_FOLDERS = "model.onnx", ("onnx", "onnx_int8")  # the exported models; each folder is a complete checkpoint
BASELINE = "onnx/run_in_float32.json"  # test metrics of the run's own weights in float32, for comparison with exports
INDEX = "model.safetensors.index.json"  # of a large model: which shard holds which weights
SHARD = re.compile(r"model-[0-9]+-of-[0-9]+\.safetensors")
TOKENIZER_NAMES = (  # what the tokenizers of transformers save
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja",
    "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "spm.model", "sentencepiece.bpe.model", "tokenizer.model",
)  # fmt: skip


def recorded_args(folder: Path) -> dict[str, Any]:
    """A run's `args.yaml`, empty where it has none. Raises `InputError` for values of wrong types, or no language."""
    path = folder / "args.yaml"
    if not path.is_file():
        return {}
    args = read_record(path)
    if args.get("languages") == []:
        raise InputError(f"{path}: languages: found none; expected at least one; correct the file")
    return args


def metrics_record(
    split: str,
    source: tuple[str, list[str]],
    sentences: Sentences,
    fingerprint: str,
    precision: str,
    constrained: bool,
    predicted: list[list[str]],
    scores: dict[str, Any],
) -> dict[str, Any]:
    """The content of `metrics.json`: `scores` (from the metric, with intervals) and what they were measured on.

    `source` is the data set and its languages. `fingerprint` is that of the split in its own labels. `precision` is the
    precision in which the tags were computed, `constrained` whether they had to follow the rules of BIO. `sentences`
    has the labels that the checkpoint knows.
    """
    classes = classes_of(sentences.names)
    return {
        "split": split,
        "dataset": public_name(source[0]),  # this file is pushed to the Hub, where local paths do not belong
        "languages": source[1],
        "sentences": len(sentences),
        "tokens": int(sentences.lengths.sum()),
        "data_fingerprint": fingerprint,
        "precision": precision,
        "constrained_decoding": constrained,
        "overall": scores["overall"],
        "per_class": {c: scores["per_class"].get(c) for c in classes},
        "intervals": {
            "overall": scores["intervals"]["overall"],
            "per_class": {c: scores["intervals"]["per_class"].get(c) for c in classes},
        },
        "invalid_transitions": invalid_transitions(*flat_ids(predicted, sentences.names), sentences.names),
    }


def write_scores(
    folder: Path, metrics: dict[str, Any], sentences: Sentences, gold: list[list[str]], predicted: list[list[str]]
) -> None:
    """Writes `metrics.json` and `predictions.jsonl`, and replaces the folder as a whole.

    `gold` and `predicted` hold a list of tags for each sentence. Raises `InputError` where it cannot be written.
    """
    folder = folder.resolve()
    rows = zip(sentences.langs, sentences.token_lists(), gold, predicted, strict=True)
    lines = [
        json.dumps({"id": i, "lang": lang, "tokens": tokens, "gold": gold_tags, "predicted": tags}, ensure_ascii=False)
        for i, (lang, tokens, gold_tags, tags) in enumerate(rows)
    ]
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
            new = Path(temporary) / "new"
            new.mkdir()
            write_json(new / "metrics.json", metrics)
            write_text(new / "predictions.jsonl", "".join(f"{line}\n" for line in lines))
            if folder.exists():
                copy_permissions(folder, new)
                folder.rename(Path(temporary) / "old")
            new.rename(folder)
