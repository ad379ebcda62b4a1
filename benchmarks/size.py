"""Seconds and peak memory of preparing a large corpus, and of starting to train on it.

    python -m benchmarks.corpus --source FOLDER [FOLDER ...] --output LARGE     # makes one
    python -m benchmarks.size --dataset LARGE --model_checkpoint PATH [--rounds 3] [--processes 2]

All ten languages are masked and up-sampled. Each part runs in a process of its own, or in several at the same time, as
in a distributed training. The peak memory and the CPU seconds are those of a whole process, with imports and the model.
The seconds do not include imports and loading the model, except in `first update`: these are from the start of the
process to the end of the first update.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from arguments import parse
from benchmarks import ours
from benchmarks.corpus import LANGUAGES
from ner.files import ROOT
from ner.runs.environment import cpu_name


def prepare(dataset: Path, encoder: str) -> float:
    return ours.prepare(dataset, encoder, LANGUAGES)


def first_update(dataset: Path, encoder: str) -> float:
    """Seconds from the start of the process to the end of the first update."""
    with tempfile.TemporaryDirectory() as folder:
        options = (
            "--dataset", dataset, "--languages", *LANGUAGES, "--model_checkpoint", encoder, "--output_dir", folder,
            "--masked_training", "true", "--upsample", "true", "--max_steps", 1, "--eval_strategy", "no",
            "--save_strategy", "no", "--load_best_model_at_end", "false", "--logging_strategy", "no", *ours.COMMON,
        )  # fmt: skip
        ours.untrained(parse([str(o) for o in options], "")).train()
    return time.time() - float(os.environ["STARTED"])


PARTS: dict[str, Callable[[Path, str], float]] = {"preparation": prepare, "first update": first_update}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--model_checkpoint", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=1, help="how many do the same thing at the same time")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)  # what a process of its own runs
    options = parser.parse_args()
    if options.part:
        print(PARTS[options.part](options.dataset, options.model_checkpoint))
        return
    print(f"{cpu_name()}, {torch.get_num_threads()} threads, {options.processes} process(es) at a time")
    print(f"{'':28}{'seconds':>9}   lowest-highest   {'CPU seconds':>11} {'MB':>7}, each")
    for part in options.only:
        measured = [one for _ in range(options.rounds) for one in measurements(part, options)]
        seconds, cpu_seconds, peaks = zip(*measured, strict=True)
        print(f"{part:28}{np.median(seconds):9.1f}   {min(seconds):6.1f}-{max(seconds):<7.1f}   "
              f"{np.median(cpu_seconds):11.1f} {max(peaks):7,.0f}", flush=True)  # fmt: skip


def measurements(part: str, options: argparse.Namespace) -> list[tuple[float, float, float]]:
    """Seconds, CPU seconds and peak memory in megabytes of each of the processes that run a part at the same time."""
    command = [sys.executable, "-m", "benchmarks.size", "--part", part, "--dataset", str(options.dataset.resolve()),
               "--model_checkpoint", options.model_checkpoint]  # fmt: skip
    environment = os.environ | {"STARTED": str(time.time())}
    processes = [
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for _ in range(options.processes)
    ]
    result = []
    for process in processes:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{part}: failed; STARTED=0 {shlex.join(command)} shows why")
        result.append((float(printed), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6))
    return result


if __name__ == "__main__":
    main()
