"""What does training only the used rows of the word embedding save? Seconds of an update, and memory.

    python -m benchmarks.embedding --dataset FOLDER --model_checkpoint ENCODER [--batch_size 16] [--rounds 3]

The encoder is trained on the sentences of FOLDER, with all rows and with the used ones in turn.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from transformers import TrainerCallback

from benchmarks import ours
from ner.training import trainer
from ner.training.speed import fast_dropout

WARM_UP = 5  # updates that are not counted


class Timer(TrainerCallback):
    """The seconds of each update."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_step_begin(self, *unused: Any, **named: Any) -> None:
        self.began = time.perf_counter()

    def on_step_end(self, *unused: Any, **named: Any) -> None:
        self.seconds.append(time.perf_counter() - self.began)


def measure(rows: str, options: argparse.Namespace, folder: str) -> dict[str, float]:
    """Seconds of an update (the median) and GB of memory at the peak, in this process."""
    if rows == "all":
        trainer.train_used_rows = lambda *unused: None
    timer = Timer()
    training = ours.trainer(options.dataset, options.model_checkpoint, folder, options.updates, options.batch_size)
    training.add_callback(timer)
    with fast_dropout(training.model):
        training.train()
    return {
        "seconds": statistics.median(timer.seconds[WARM_UP:]),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        "rows": len(training.model.get_input_embeddings().weight),
        "loss": training.state.log_history[-1]["train_loss"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--model_checkpoint", required=True)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--updates", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measured", choices=("all", "used"), help=argparse.SUPPRESS)  # in a process of its own
    options = parser.parse_args()
    if options.measured:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure(options.measured, options, folder)))
        return
    measured: dict[str, list[dict[str, float]]] = {"all": [], "used": []}
    for _ in range(options.rounds):
        for rows, results in measured.items():
            command = [sys.executable, "-m", "benchmarks.embedding", *sys.argv[1:], "--measured", rows]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
            results.append(json.loads(done.stdout))
    for rows, results in measured.items():
        seconds, memory = (statistics.median(r[key] for r in results) for key in ("seconds", "memory"))
        of_first = f"{results[0]['rows']:,.0f} rows, loss {results[0]['loss']:.6f}"
        print(f"{rows}: {seconds:.3f} s an update, {memory:.2f} GB, {of_first}")
    ratios = [a["seconds"] / u["seconds"] for a, u in zip(*measured.values(), strict=True)]
    print(f"{statistics.median(ratios):.2f} times as fast ({min(ratios):.2f}-{max(ratios):.2f})")


if __name__ == "__main__":
    main()
