"""Does fast training cost F1? Both recipes at their best learning rates, over seeds, on the validation split.

    python benchmarks/training_f1.py --dataset FOLDER --model_checkpoint PATH

FOLDER and PATH as in `speed.py`. Each recipe tries its learning rates with the first seed, and trains with the others
at the best of them; both are scored after their last epoch.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

import plain
from speed import BATCH

import checkpoints

ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--model_checkpoint", required=True)
    parser.add_argument("--sentences", type=int, help="train on the first ones only")
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 1, 2])
    parser.add_argument("--plain_rates", type=float, nargs="+", default=[1e-4, 3e-4, 5e-4])
    parser.add_argument("--our_rates", type=float, nargs="+", default=[5e-4, 8e-4])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:

        def of_plain(seed: int, rate: float) -> float:
            encoder = checkpoints.located(options.model_checkpoint, "model_checkpoint")
            return plain.validation_f1(options.dataset, encoder, folder, options.sentences, seed, rate, options.epochs)

        ours = over_seeds(
            "ours", lambda seed, rate: our_f1(options, folder, seed, rate), options.seeds, options.our_rates
        )
        theirs = over_seeds("plain", of_plain, options.seeds, options.plain_rates)
    error = np.hypot(np.std(ours, ddof=1), np.std(theirs, ddof=1)) / np.sqrt(len(ours))
    print(f"difference {np.mean(ours) - np.mean(theirs):+.2f} points, standard error over seeds {error:.2f}")


def over_seeds(name: str, f1: Callable[[int, float], float], seeds: list[int], rates: list[float]) -> list[float]:
    """F1 in percent for each seed, at the learning rate that is best for the first one."""
    tried = {rate: 100 * f1(seeds[0], rate) for rate in rates}
    for rate, found in tried.items():
        print(f"{name}: learning rate {rate:g}, seed {seeds[0]}: {found:.2f}", flush=True)
    best = max(tried, key=tried.get)
    found = [tried[best], *(100 * f1(seed, best) for seed in seeds[1:])]
    each = ", ".join(f"{value:.2f}" for value in found)
    print(f"{name}: learning rate {best:g}: {np.mean(found):.2f} ± {np.std(found, ddof=1):.2f} over seeds ({each})")
    return found


def our_f1(options: argparse.Namespace, folder: str, seed: int, rate: float) -> float:
    run = Path(folder) / f"{seed}-{rate:g}"
    limit = ["--max_train_sentences", options.sentences] if options.sentences else []
    command = [
        sys.executable, ROOT / "train.py", "--dataset", options.dataset, "--model_checkpoint", options.model_checkpoint,
        "--output_dir", run, "--seed", seed, "--learning_rate", rate, "--num_train_epochs", options.epochs,
        "--per_device_train_batch_size", BATCH, "--eval_strategy", "no", "--save_strategy", "no",
        "--load_best_model_at_end", "false", "--use_cpu", "true", *limit,
    ]  # fmt: skip
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return json.loads((run / "validation" / "metrics.json").read_text())["overall"]["f1"]


if __name__ == "__main__":
    main()
