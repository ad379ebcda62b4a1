"""How many times as fast is this repository as the plain recipe (`plain.py`)?

    python -m benchmarks.speed --dataset FOLDER --model_checkpoint PATH [--only training tagging ...]

FOLDER is laid out like MultiNERD (`train/train_en.jsonl`, ...) and PATH holds an encoder. Each recipe runs in its own
process. They take turns, A B A B, and a ratio compares one turn of each. The medians, and the lowest and highest ratio,
are printed. `--run` names a run to tag with, scored by `inference.py` and then exported by `hub.py onnx`. Without it,
one is trained for an epoch. `--only embedding` compares updates with all rows of the word embedding ("plain") and with
those that are used.
"""

import argparse
import json
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import ours, plain
from ner.checkpoint_names import resolve_checkpoint
from ner.files import ROOT
from ner.runs.environment import cpu_name
from ner.runs.files import BASELINE

PARTS = ("embedding", "training", "tagging", "preparation", "scoring", "memory")
MULTINERD_ROWS = 131_280
HEAD = f"{'':34}{'plain':>11}{'ours':>11}{'ratio':>8}   lowest-highest"

Pool = ProcessPoolExecutor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--model_checkpoint", required=True)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32, help="sentences a training batch here; the plain recipe: 16")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS[1:])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        print(f"{cpu_name()}, {torch.get_num_threads()} threads, torch {torch.__version__}", flush=True)
        run = options.run
        if run is None and {"tagging", "memory"} & set(options.only):
            run = trained(options, folder / "run")
        print(HEAD)
        if "training" in options.only:
            training(options, folder)
        if "embedding" in options.only:
            embedding(options, folder)
        if "tagging" in options.only:
            tagging(options, run)
        if "preparation" in options.only:
            preparation(options, folder)
        if "scoring" in options.only:
            scoring(options)
        if "memory" in options.only:
            memory(options, run, folder)


@contextmanager
def two_processes() -> Iterator[tuple[Pool, Pool]]:
    context = multiprocessing.get_context("spawn")
    with Pool(1, mp_context=context) as a, Pool(1, mp_context=context) as b:
        yield a, b


def alternate(rounds: int, a: Callable[[], float], b: Callable[[], float]) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of both, [round], in turns."""
    pairs = np.array([(a(), b()) for _ in range(rounds)])
    return pairs[:, 0], pairs[:, 1]


def row(name: str, plain_rate: np.ndarray, our_rate: np.ndarray) -> None:
    ratios = our_rate / plain_rate
    print(f"{name:34}{np.median(plain_rate):9,.1f}/s{np.median(our_rate):9,.1f}/s{np.median(ratios):8.1f}   "
          f"{ratios.min():.1f}-{ratios.max():.1f}", flush=True)  # fmt: skip


def in_process(pool: Pool, function: Callable[..., float], *arguments: Any) -> Callable[[], float]:
    return lambda: pool.submit(function, *arguments).result()


def training(options: argparse.Namespace, folder: Path, plain_steps: int = 80, our_steps: int = 50) -> None:
    encoder = resolve_checkpoint(options.model_checkpoint)
    with two_processes() as (a, b):
        theirs = in_process(a, plain.train, options.dataset, encoder, str(folder / "a"), plain_steps)
        our = in_process(b, ours.train, options.dataset, encoder, str(folder / "b"), our_steps, options.batch)
        alternate(1, theirs, our)  # loads, and warms up
        plain_seconds, our_seconds = alternate(options.rounds, theirs, our)
    row("training, sentences", plain_steps * 16 / plain_seconds, our_steps * options.batch / our_seconds)


def embedding(options: argparse.Namespace, folder: Path, steps: int = 40, batch: int = 16) -> None:
    """Updates with all rows of the word embedding, and with those that are used; the memory of both."""
    encoder = resolve_checkpoint(options.model_checkpoint)
    with two_processes() as (a, b):
        a.submit(ours.train_all_rows).result()
        all_rows = in_process(a, ours.train, options.dataset, encoder, str(folder / "all"), steps, batch)
        used_rows = in_process(b, ours.train, options.dataset, encoder, str(folder / "used"), steps, batch)
        alternate(1, all_rows, used_rows)  # loads, and warms up
        seconds = alternate(options.rounds, all_rows, used_rows)
        peaks = [pool.submit(peak_memory).result() for pool in (a, b)]
    row("updates, all and used embeddings", *(steps / s for s in seconds))
    print("  at most {:,.0f} and {:,.0f} MiB".format(*peaks))


def trained(options: argparse.Namespace, run: Path) -> Path:
    """A run of one epoch, with its exports and the F1 that they cost."""
    encoder = ("--model_checkpoint", options.model_checkpoint, "--per_device_train_batch_size", str(options.batch))
    script("train.py", "--dataset", str(options.dataset), "--output_dir", str(run), "--num_train_epochs", "1",
           "--learning_rate", "5e-4", "--use_cpu", "true", *encoder)  # fmt: skip
    script("inference.py", "--checkpoint", str(run), "--use_cpu", "true")
    script("hub.py", "onnx", str(run))
    return run


def script(name: str, *words: str) -> None:
    subprocess.run([sys.executable, str(ROOT / name), *words], check=True, stdout=subprocess.DEVNULL)


def token_lists(dataset: Path) -> list[list[str]]:
    with open(dataset / "train" / "train_en.jsonl", encoding="utf-8") as file:
        return [json.loads(line)["tokens"] for line in file]


def tagging(options: argparse.Namespace, run: Path) -> None:
    texts = [" ".join(tokens) for tokens in token_lists(options.dataset)]
    lines = list(dict.fromkeys(texts))
    random.Random(0).shuffle(lines)
    few, some, many = lines[:200], lines[200:840], lines[840 : 840 + 2 * ours.inference.LINES]
    with two_processes() as (a, b):
        for name, checkpoint in (("", run), ("int8 ", run / "onnx_int8")):
            our = in_process(b, ours.tag, str(checkpoint), many)
            for batch_size, part in ((None, few), (32, some)):
                if batch_size is None and name:
                    continue
                theirs = in_process(a, plain.tag, str(run), part, batch_size)
                alternate(1, theirs, our)
                taken, our_taken = alternate(options.rounds, theirs, our)
                against = "one by one" if batch_size is None else f"batches of {batch_size}"
                row(f"{name}tagging, lines, {against}", len(part) / taken, len(many) / our_taken)
    scored = {"float32": run / BASELINE, "int8": run / "onnx_int8" / "test" / "metrics.json"}
    f1 = {name: json.loads(path.read_text())["overall"]["f1"] for name, path in scored.items()}
    print(f"  test F1 in float32 {100 * f1['float32']:.2f}, int8 {100 * f1['int8']:.2f}")


def preparation(options: argparse.Namespace, folder: Path) -> None:
    corpus = folder / "corpus"
    write_corpus(options.dataset, corpus)
    encoder = resolve_checkpoint(options.model_checkpoint)
    with two_processes() as (a, b):
        theirs, our = in_process(a, plain.prepare, corpus, encoder), in_process(b, ours.prepare, corpus, encoder)
        seconds = alternate(min(options.rounds, 3), theirs, our)
        peak = b.submit(peak_memory).result()
    row("preparation, sentences", *(MULTINERD_ROWS / s for s in seconds))
    print("  plain {:.1f} s, ours {:.1f} s; ours at most {:,.0f} MiB".format(*map(np.median, seconds), peak))


def write_corpus(source: Path, target: Path) -> None:
    """A corpus of MultiNERD's size: copies of the training sentences, one token of each made unique."""
    rng = random.Random(0)
    for split in ("train", "val", "test"):
        content = (source / split / f"{split}_en.jsonl").read_text(encoding="utf-8")
        if split == "train":
            rows = [json.loads(line) for line in content.splitlines()]
            made = []
            for i in range(MULTINERD_ROWS):
                tokens = list(rows[i % len(rows)]["tokens"])
                place = rng.randrange(len(tokens))
                tokens[place] += str(i)
                made.append(json.dumps(rows[i % len(rows)] | {"tokens": tokens}, ensure_ascii=False))
            content = "\n".join(made)
        (target / split).mkdir(parents=True)
        (target / split / f"{split}_en.jsonl").write_text(content, encoding="utf-8")


def peak_memory() -> float:
    """MiB of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def scoring(options: argparse.Namespace, sentences: int = 33_000) -> None:
    """Gold tags of the training split, repeated, against the same tags, of which one in twenty is random."""
    rng = random.Random(0)
    with open(options.dataset / "train" / "train_en.jsonl", encoding="utf-8") as file:
        tags = [[plain.LABELS[i] for i in json.loads(line)["ner_tags"]] for line in file]
    gold = [tags[i % len(tags)] for i in range(sentences)]
    drawn = [[rng.choice(plain.LABELS) if rng.random() < 0.05 else tag for tag in sentence] for sentence in gold]
    with two_processes() as (a, b):
        theirs, our = in_process(a, plain.score, gold, drawn), in_process(b, ours.score, gold, drawn)
        alternate(1, theirs, our)
        row("scoring, sentences", *(sentences / s for s in alternate(options.rounds, theirs, our)))


def memory(options: argparse.Namespace, run: Path, folder: Path) -> None:
    """Peak memory of `inference.py` over files of 50,000 and 200,000 distinct lines, of up to four words each."""
    texts, peaks = [" ".join(tokens[:3]) for tokens in token_lists(options.dataset)], []
    for count in (50_000, 200_000):
        source, target = folder / f"{count}.txt", folder / f"{count}.jsonl"
        source.write_text("".join(f"{texts[i % len(texts)]} {i}\n" for i in range(count)), encoding="utf-8")
        command = [sys.executable, str(ROOT / "inference.py"), "--checkpoint", str(run), "--use_cpu", "true",
                   "--input_file", str(source), "--output_file", str(target)]  # fmt: skip
        start = time.perf_counter()
        _, status, usage = os.wait4(subprocess.Popen(command, stderr=subprocess.DEVNULL).pid, 0)
        assert status == 0 and len(target.read_text(encoding="utf-8").splitlines()) == count
        peaks.append(usage.ru_maxrss / 1024)
        print(
            f"tagging {count:7,} lines: {peaks[-1]:,.0f} MiB at most, {time.perf_counter() - start:,.0f} s", flush=True
        )
    print(f"  ratio of the two {peaks[1] / peaks[0]:.3f}")


if __name__ == "__main__":
    main()
