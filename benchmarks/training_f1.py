"""Does fast training cost F1? Both recipes at their best learning rates, over seeds, on the validation split.

    python -m benchmarks.training_f1 --dataset FOLDER --model_checkpoint PATH

FOLDER and PATH are those of `speed.py`. The plain recipe has batches of 16, this repository those of `--batches`. Each
recipe tries its learning rates with the first seed, and trains with the other seeds at the best rate. All are scored
after their last epoch. `--jobs` trainings run at once and share the cores. `--plain_rates` without a rate leaves out
the plain recipe.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import plain
from ner import checkpoint_names

ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--model_checkpoint", required=True)
    parser.add_argument("--sentences", type=int, help="train on the first ones only")
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 1, 2])
    parser.add_argument("--plain_rates", type=float, nargs="*", default=[1e-4, 3e-4, 5e-4])
    parser.add_argument("--our_rates", type=float, nargs="+", default=[5e-4, 8e-4])
    parser.add_argument("--batches", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(max(1, os.cpu_count() // options.jobs))
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(options.jobs, context, max_tasks_per_child=1) as pool,
    ):
        recipes = {"plain": (partial(plain_f1, options, folder), options.plain_rates)} if options.plain_rates else {}
        for batch in options.batches:
            recipes[f"ours, batches of {batch}"] = partial(our_f1, options, folder, batch), options.our_rates
        first, *others = options.seeds
        trying = {(name, rate): pool.submit(f1, first, rate) for name, (f1, rates) in recipes.items() for rate in rates}
        training = {}
        for name, (f1, rates) in recipes.items():
            for rate in rates:
                print(f"{name}: learning rate {rate:g}, seed {first}: {trying[name, rate].result():.2f}", flush=True)
            best = max(rates, key=lambda rate: trying[name, rate].result())
            training[name] = best, [trying[name, best], *(pool.submit(f1, seed, best) for seed in others)]
        scores = {}
        for name, (rate, futures) in training.items():
            scores[name] = np.array([future.result() for future in futures])
            each = ", ".join(f"{value:.2f}" for value in scores[name])
            mean, deviation = scores[name].mean(), scores[name].std(ddof=1)
            print(f"{name}: learning rate {rate:g}: {mean:.2f} ± {deviation:.2f} over seeds ({each})", flush=True)
    theirs = scores.pop("plain", None)
    if theirs is None:
        return
    for name in scores:
        difference = scores[name].mean() - theirs.mean()
        error = np.hypot(scores[name].std(ddof=1), theirs.std(ddof=1)) / np.sqrt(len(options.seeds))
        print(f"{name}: {difference:+.2f} points against plain, standard error over seeds {error:.2f}")


def plain_f1(options: argparse.Namespace, folder: str, seed: int, rate: float) -> float:
    """Validation F1, in percent, of the plain recipe."""
    encoder = checkpoint_names.resolve_checkpoint(options.model_checkpoint)
    own = f"{folder}/plain-{seed}-{rate:g}"
    return 100 * plain.validation_f1(options.dataset, encoder, own, options.sentences, seed, rate, options.epochs)


def our_f1(options: argparse.Namespace, folder: str, batch: int, seed: int, rate: float) -> float:
    """Validation F1, in percent, of `train.py`."""
    run = Path(folder) / f"{batch}-{seed}-{rate:g}"
    limit = ["--max_train_sentences", options.sentences] if options.sentences else []
    command = [
        sys.executable, ROOT / "train.py", "--dataset", options.dataset, "--model_checkpoint", options.model_checkpoint,
        "--output_dir", run, "--seed", seed, "--learning_rate", rate, "--num_train_epochs", options.epochs,
        "--per_device_train_batch_size", batch, "--eval_strategy", "no", "--save_strategy", "no",
        "--load_best_model_at_end", "false", "--use_cpu", "true", *limit,
    ]  # fmt: skip
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return 100 * json.loads((run / "validation" / "metrics.json").read_text())["overall"]["f1"]


if __name__ == "__main__":
    main()
