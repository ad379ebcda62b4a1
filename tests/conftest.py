"""Tiny random checkpoints with their tokenizers, a small corpus with learnable classes, and runs trained on it."""

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from loopback_hub import LoopbackHub

# Before huggingface_hub is imported. No test asks a network: offline, but for those that ask the loopback server.
HUB = LoopbackHub()
os.environ |= {"HF_ENDPOINT": HUB.url, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_XET": "1"}
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="hub-cache-")

import huggingface_hub
import interrupted_runs
import pytest
import torch
import trained_runs
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForMaskedLM,
)

import train
from ner.errors import run_script
from ner.labels import MULTINERD_CLASSES, label_names

NAMES = label_names(MULTINERD_CLASSES)
ROOT = Path(__file__).parent.parent
# Files in which the tests train a model, start processes or open a browser. `make check` leaves them out.
SLOW = {
    "test_bad_checkpoints.py",
    "test_batches.py",
    "test_browser.py",
    "test_case_markers.py",
    "test_checkpoints.py",
    "test_dropout.py",
    "test_encoders.py",
    "test_experiment.py",
    "test_folder.py",
    "test_hub.py",
    "test_hub_files.py",
    "test_inference.py",
    "test_interrupted.py",
    "test_locks.py",
    "test_losses.py",
    "test_names.py",
    "test_onnx_export.py",
    "test_processes.py",
    "test_records.py",
    "test_refusals.py",
    "test_refused_resuming.py",
    "test_report.py",
    "test_resuming.py",
    "test_tagging.py",
    "test_text_lines.py",
    "test_train.py",
    "test_upload.py",
    "test_used_embedding.py",
    "test_word_dropout.py",
}
SHARED = ROOT.parent / "shared" / "data"
WORDS = "a storm hit the coast while people of town said nothing new about it and then left for home by night".split()
ENTITIES = {
    "PER": ["Ada Moss", "Jan Brink", "Li Wei", "O'Neill"],
    "ORG": ["Nordbank", "Union of Rail Workers", "Acme"],
    "LOC": ["Bergen", "Lake Inari", "New Haven", "Peru"],
    "DIS": ["rabies", "Lyme disease"],
    "ANIM": ["grey wolf", "bats"],
    "FOOD": ["rye bread", "coffee"],
    "TIME": ["Middle Ages"],
}
TEXT = [*WORDS, *(e for names in ENTITIES.values() for e in names), "Größe naïve 1,000 . , - '"] * 5
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.name in SLOW:
            item.add_marker(pytest.mark.slow)


def sentence(rng: random.Random) -> tuple[list[str], list[str]]:
    """Random words with one or two entities, and their tags."""
    tokens, tags = [], []
    for _ in range(rng.choice((1, 1, 2))):
        filler = rng.choices(WORDS, k=rng.randint(1, 5))
        class_ = rng.choice(list(ENTITIES))
        entity = rng.choice(ENTITIES[class_]).split()
        tokens += [*filler, *entity]
        tags += ["O"] * len(filler) + [f"B-{class_}", *[f"I-{class_}"] * (len(entity) - 1)]
    return [*tokens, "."], [*tags, "O"]


def launched(script: str, *words: object) -> subprocess.CompletedProcess:
    """A script of the repository in two processes on this machine, as `accelerate launch` starts them."""
    flags = "--num_processes 2 --num_machines 1 --mixed_precision no --dynamo_backend no --main_process_port 0"
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", *flags.split()]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [*launch, ROOT / script, *words]
    return subprocess.run(list(map(str, command)), capture_output=True, encoding="utf-8", env=environment)


def write_jsonl(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def row(tokens: list[str], tags: list[str], lang: str = "en") -> dict:
    return {"tokens": tokens, "ner_tags": [NAMES.index(t) for t in tags], "lang": lang}


def write_corpus(folder: Path) -> Path:
    """MultiNERD's Hub layout: 120 / 40 / 40 sentences."""
    rng = random.Random(0)
    for split, size in (("train", 120), ("val", 40), ("test", 40)):
        write_jsonl(folder / split / f"{split}_en.jsonl", [row(*sentence(rng)) for _ in range(size)])
    return folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


def wordpiece() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(TEXT, trainers.WordPieceTrainer(vocab_size=300, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {f"{n}_token": f"[{n.upper()}]" for n in ("pad", "unk", "cls", "sep", "mask")}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=512, **names)


def byte_level() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
    tokenizer.train_from_iterator([" " + line for line in TEXT], trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    names = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=512, mask_token="<mask>", **names)


def save(folder: Path, kind: str) -> Path:
    """A masked language model without a label set, as pre-trained encoders come."""
    tokenizer = byte_level() if kind == "roberta" else wordpiece()
    size = len(tokenizer)
    torch.manual_seed(0)
    if kind == "bert":
        model = BertForMaskedLM(BertConfig(vocab_size=size, max_position_embeddings=64, **SIZES))
    elif kind == "distilbert":
        config = DistilBertConfig(
            vocab_size=size, dim=32, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=512
        )
        model = DistilBertForMaskedLM(config)
    else:
        config = RobertaConfig(vocab_size=size, max_position_embeddings=514, pad_token_id=1, **SIZES)
        model = RobertaForMaskedLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if kind == "roberta":  # as roberta-base is published: its class, and no space before a first word
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        settings |= {"tokenizer_class": "RobertaTokenizer", "add_prefix_space": False}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture(scope="session")
def encoders(tmp_path_factory) -> dict[str, Path]:
    """Folders of a tiny bert (window 64), distilbert and roberta."""
    return {kind: save(tmp_path_factory.mktemp(kind), kind) for kind in ("bert", "distilbert", "roberta")}


@pytest.fixture
def still(tmp_path) -> Path:
    """A tiny BERT without dropout."""
    folder = save(tmp_path / "still", "bert")
    config = trained_runs.read_json(folder / "config.json")
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


# Runs that several files need are trained once. A file's tests get a copy, because some of them change it.


@pytest.fixture(scope="session")
def upsampled_run(corpus, encoders, tmp_path_factory) -> Path:
    """Experiment B, up-sampled, from the tiny BERT."""
    folder = tmp_path_factory.mktemp("runs") / "b"
    options = ("--masked_training", "true", "--upsample", "true")
    train.main(trained_runs.argv(corpus, encoders["bert"], folder, *options))
    return folder


@pytest.fixture(scope="session")
def masked_run(corpus, encoders, tmp_path_factory) -> Path:
    """A masked run on the tiny corpus, good at it."""
    folder = tmp_path_factory.mktemp("runs") / "masked"
    options = ("--num_train_epochs", "8", "--learning_rate", "1e-2", "--masked_training", "true", *trained_runs.CPU)
    train.main(
        ["--dataset", str(corpus), "--model_checkpoint", str(encoders["bert"]), "--output_dir", str(folder), *options]
    )
    return folder


@pytest.fixture(scope="session")
def stopped_run(corpus, encoders, tmp_path_factory) -> Path:
    """Stopped early after the updates 8, 16, 24 and 32; the best checkpoint is the first, and the path relative."""
    folder = tmp_path_factory.mktemp("resuming")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        train.main(interrupted_runs.argv(corpus, encoders["bert"], "whole", "--bf16", "false"))
    return folder / "whole"


@pytest.fixture
def fails(monkeypatch, capsys):
    """Calls a script's main as from the command line; it must end with status 2, and its message is returned."""

    def call(main, *argv: str) -> str:
        monkeypatch.setattr(sys, "argv", ["script", *map(str, argv)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            run_script(main)
        printed = capsys.readouterr()
        assert stop.value.code == 2
        assert printed.out == ""
        message = printed.err[printed.err.index("error: ") :]
        assert message.count("\n") == 1, message
        return message

    return call


@pytest.fixture
def loopback_hub() -> LoopbackHub:
    return HUB


@pytest.fixture
def online(loopback_hub, monkeypatch):
    """The client may ask the loopback server, as somebody who is logged in, and does not wait between tries."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_loopback")
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    yield loopback_hub
    loopback_hub.broken = loopback_hub.failing = None
