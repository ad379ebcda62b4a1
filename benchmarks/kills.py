"""Is a run ever lost? Trainings that replace an old run are killed at random moments, continued, and compared.

    python -m benchmarks.kills [--kills 20] [--seed 0]

The corpus is small and the model is tiny. Both are made here, and trained with in float32 on one thread. The folder of
the old run also holds files that no run wrote. A kill is SIGKILL before an update, or before a change to a file: in an
epoch, in a save, or in the swap of the old run for the new one. Then the old run must be whole, or the new one must
continue from a checkpoint. At the end, weights and predictions must equal those of an uninterrupted training, and the
other files must be as they were.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import traceback
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

import train
from ner.runs.folder import PLACING, UNFINISHED, WHOLE
from ner.training.trainer import TaggingTrainer

WORDS = "a storm hit the coast while people of town said nothing new about it and left for home by night".split()
ENTITIES = {"PER": ["Ada Moss", "Li Wei"], "LOC": ["Bergen", "Lake Inari"], "DIS": ["rabies", "Lyme disease"]}
FOREIGN = ("checkpoint-notes/thesis.txt", "checkpoint-8-backup/config.json", "model-card-draft.md", "test/notes.txt")
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir"}


def write_corpus(folder: Path) -> None:
    rng = random.Random(0)
    for split, name, size in (("train", "train", 160), ("val", "dev", 40)):
        lines: list[str] = []
        for _ in range(size):
            class_ = rng.choice(list(ENTITIES))
            entity = rng.choice(ENTITIES[class_]).split()
            tags = [f"B-{class_}", *[f"I-{class_}"] * (len(entity) - 1)]
            filler = rng.choices(WORDS, k=rng.randint(2, 9))
            rows = [*((word, "O") for word in filler), *zip(entity, tags, strict=True), (f"{split}{len(lines)}", "O")]
            lines += [*(f"{word}\t{tag}\n" for word, tag in rows), "\n"]
        folder.mkdir(exist_ok=True)
        (folder / f"{name}_en.tsv").write_text("".join(lines))


def write_encoder(folder: Path) -> None:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    text = [*WORDS, *(entity for names in ENTITIES.values() for entity in names), "0123456789"]
    tokenizer.train_from_iterator(text, trainers.WordPieceTrainer(vocab_size=200, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names).save_pretrained(folder)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertForMaskedLM(BertConfig(vocab_size=200, max_position_embeddings=64, **sizes)).save_pretrained(folder)


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


def watched(run: Path, argv: list[str], at: int | None, record: Path | None) -> None:
    """Trains; is killed before event number `at`, or writes down in which phase each event was."""
    phases: list[str] = []
    update: Callable[..., Any] = TaggingTrainer.training_step

    def phase(event: str) -> str:
        if event == "update":
            return "epoch"
        first = "swap" not in phases or phases[-1] == "swap"
        swapping = (run / WHOLE).exists() or (first and (run / PLACING).exists())
        return "swap" if swapping else "save" if phases else "start"

    def heard(event: str, args: tuple) -> None:
        writes = event == "open" and str(args[0]).startswith(str(run)) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if event not in CHANGES and event != "update" and not writes:
            return
        if len(phases) == at:
            os.kill(os.getpid(), signal.SIGKILL)
        phases.append(phase(event))

    def training_step(self: TaggingTrainer, *args: object, **more: object) -> object:
        sys.audit("update")
        return update(self, *args, **more)

    patched: Any = TaggingTrainer
    patched.training_step = training_step
    sys.addaudithook(heard)
    train.main(argv)
    if record is not None:
        record.write_text(json.dumps(phases))


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def fault(before: dict[str, bytes], run: Path, whole: Path) -> str | None:
    """What is wrong with a run that was killed and continued; None if nothing is."""
    files, expected = content(run), content(whole)
    for name in ("model.safetensors", "validation/predictions.jsonl", "config.json"):
        if files.get(name) != expected[name]:
            return f"another {name}"
    odd = sorted(name for name in FOREIGN if files.get(name) != before[name])
    return f"{odd[0]} was touched" if odd else None if files.keys() == expected.keys() else "other files"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        sys.exit(1 if kill_all(Path(temporary), options.kills, options.seed) else 0)


def command_lines(folder: Path) -> dict[str, list[str]]:
    """The options of `train.py` for the old run, for the new one that replaces it, and for the new one resumed."""
    common = [
        "--dataset", str(folder / "corpus"), "--model_checkpoint", str(folder / "encoder"), "--use_cpu", "true",
        "--bf16", "false", "--learning_rate", "1e-2",
    ]  # fmt: skip
    new = [*common, "--output_dir", str(folder / "run"), "--num_train_epochs", "3"]
    return {
        "old": [*common, "--output_dir", str(folder / "old"), "--seed", "7", "--num_train_epochs", "2"],
        "again": [*new, "--overwrite_output_dir", "true"],
        "resume": [*new, "--resume_from_checkpoint", "true"],
    }


def kill_all(folder: Path, kills: int, seed: int) -> int:
    """Prints a line for each kill, and returns how many were not survived."""
    log, old, whole, run = (folder / name for name in ("log", "old", "whole", "run"))
    write_corpus(folder / "corpus")
    in_child(lambda: write_encoder(folder / "encoder"), log)
    commands = command_lines(folder)

    def trained(name: str, at: int | None = None, record: Path | None = None) -> int:
        place = Path(commands[name][commands[name].index("--output_dir") + 1])
        return in_child(lambda: watched(place, commands[name], at, record), log)

    assert trained("old") == 0, log.read_text()
    for name in FOREIGN:
        (old / name).parent.mkdir(exist_ok=True)
        (old / name).write_text("mine")
    shutil.copytree(old, run)
    assert trained("again", record=folder / "phases") == 0, log.read_text()
    run.rename(whole)
    moments = defaultdict(list)
    for number, phase in enumerate(json.loads((folder / "phases").read_text())):
        moments[phase].append(number)
    print("events:", ", ".join(f"{len(moments[phase])} {phase}" for phase in ("epoch", "save", "swap")))
    before, rng, failed = content(old), random.Random(seed), 0
    print(f"{'kill':>4}  {'in':5} {'event':>5}  {'left behind':28} {'then':12} result")
    for kill in range(kills):
        phase = ("epoch", "save", "swap")[kill % 3]
        at = rng.choice(moments[phase])
        shutil.copytree(old, run)
        status = trained("again", at)
        assert status == -signal.SIGKILL, log.read_text()
        files = content(run)
        kept = all(files.get(name) == data for name, data in before.items())
        begun = [name for name in (UNFINISHED, WHOLE, PLACING) if (run / name).exists()]
        name = "again" if kept else "resume"
        wrong = None if trained(name) == 0 else log.read_text().strip().splitlines()[-1]
        wrong = wrong or fault(before, run, whole)
        left = " + ".join(["old run" if kept else "new run", *begun])
        print(f"{kill + 1:4}  {phase:5} {at:5}  {left:28} {name:12} {wrong or 'equal'}", flush=True)
        failed += wrong is not None
        shutil.rmtree(run)
    print(f"{kills - failed} of {kills} equal the uninterrupted training, bit for bit")
    return failed


if __name__ == "__main__":
    main()
