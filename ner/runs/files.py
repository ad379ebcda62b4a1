"""What a run folder holds: the names of its files, its records, and how scores get into it whole or not at all."""

import json
import os
import platform
import re
import stat
import subprocess
import tempfile
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ner.errors import InputError
from ner.hub_files import public_name
from ner.labels import flat_ids, types_of
from ner.scoring.scores import invalid_transitions
from ner.records import read_record
from ner.corpus.sentences import Sentences

SURFACES = "training_surfaces.tsv"  # class TAB surface of each distinct training entity; `report.py` reads it
SPLITS = ("validation", "test")  # what is scored
PACKAGES = ("torch", "transformers", "datasets", "evaluate", "accelerate", "tokenizers", "numpy")
SCORED = ("metrics.json", "predictions.jsonl")  # what a split's folder holds
ONNX, ONNX_FOLDERS = "model.onnx", ("onnx", "onnx_int8")  # the exported models; each folder is a checkpoint of its own
BASELINE = "onnx/run_in_float32.json"  # test metrics of the run's own weights in float32, for comparison with exports
INDEX = "model.safetensors.index.json"
SHARD = re.compile(r"model-[0-9]+-of-[0-9]+\.safetensors")
TOKENIZER_NAMES = (  # what the tokenizers of transformers save
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja",
    "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "spm.model", "sentencepiece.bpe.model", "tokenizer.model",
)  # fmt: skip


def keep_modes(old: Path, new: Path) -> None:
    """Gives a new file, or a folder and its files, the permissions and owners of those whose place they take."""
    for path in (new, *new.rglob("*")):
        replaced = old / path.relative_to(new)
        if replaced.exists():
            found = replaced.stat()
            with suppress(OSError):  # not everybody may give files away
                os.chown(path, found.st_uid, found.st_gid)
            path.chmod(stat.S_IMODE(found.st_mode))


def write_json(path: Path, content: Any) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # A name that is no UTF-8 holds halves of surrogate pairs, for which a backslash form is JSON's own.
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def optional_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file, empty where there is no such file."""
    try:
        return read_record(path)
    except (FileNotFoundError, NotADirectoryError):
        return {}


def recorded_args(folder: Path) -> dict[str, Any]:
    """A run's `args.yaml`, or nothing where it has none."""
    path = folder / "args.yaml"
    if not path.is_file():
        return {}
    found = read_record(path)
    if found.get("languages") == []:
        raise InputError(f"{path}: languages: found none; expected at least one; correct the file")
    return found


def scored(
    split: str,
    source: tuple[str, list[str]],
    sentences: Sentences,
    fingerprint: str,
    precision: str,
    predicted: list[list[str]],
    scores: dict[str, Any],
) -> dict[str, Any]:
    """The content of `metrics.json`: `scores` (from the metric, with intervals) and what they were measured on.

    `source` is the data set and its languages, `fingerprint` that of the split in its own labels, `precision` what the
    tags were computed in; `sentences` has the labels that the checkpoint knows.
    """
    types = types_of(sentences.names)
    return {
        "split": split,
        "dataset": public_name(source[0]),  # metrics are pushed, and a path is nobody's business
        "languages": source[1],
        "sentences": len(sentences),
        "tokens": int(sentences.lengths.sum()),
        "data_fingerprint": fingerprint,
        "precision": precision,
        "overall": scores["overall"],
        "per_class": {t: scores["per_class"].get(t) for t in types},
        "intervals": {
            "overall": scores["intervals"]["overall"],
            "per_class": {t: scores["intervals"]["per_class"].get(t) for t in types},
        },
        "invalid_transitions": invalid_transitions(*flat_ids(predicted, sentences.names), sentences.names),
    }


def write_scored(
    folder: Path, metrics: dict[str, Any], sentences: Sentences, gold: list[list[str]], predicted: list[list[str]]
) -> None:
    """Writes `metrics.json` and `predictions.jsonl`, replacing the folder as a whole."""
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        new = Path(temporary) / "new"
        new.mkdir()
        write_json(new / "metrics.json", metrics)
        with open(new / "predictions.jsonl", "w", encoding="utf-8", newline="\n") as file:
            rows = zip(sentences.langs, sentences.token_lists(), gold, predicted, strict=True)
            for i, (lang, tokens, gold_tags, tags) in enumerate(rows):
                line = {"id": i, "lang": lang, "tokens": tokens, "gold": gold_tags, "predicted": tags}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        if folder.exists():
            keep_modes(folder, new)
            folder.rename(Path(temporary) / "old")
        new.rename(folder)


def environment() -> dict[str, Any]:
    """Versions, hardware and git commit of this process."""
    import torch

    accelerators = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "processor": cpu_name(),
        "threads": torch.get_num_threads(),
        "accelerators": accelerators,
        "git_commit": git_commit(),
    }


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def git_commit() -> str | None:
    """The commit of this repository, `-dirty` where tracked files differ from it; None outside git."""
    command = ["git", "-C", str(Path(__file__).parents[2]), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
