"""A small corpus with learnable classes, tiny encoders, and runs trained on them."""

import functools
import gc
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from loopback_hub import LoopbackHub

# Before huggingface_hub is imported. No test uses a network: all are offline, except those that use the loopback
# server, and none goes through a proxy. None uses a cache, a token or a setting of the person who runs it.
for name in [n for n in os.environ if n.startswith(("HF_", "HUGGING", "TRANSFORMERS_", "ACCELERATE_"))]:
    del os.environ[name]
HUB = LoopbackHub()
os.environ |= {"no_proxy": "127.0.0.1,localhost", "NO_PROXY": "127.0.0.1,localhost"}
os.environ |= {"HF_ENDPOINT": HUB.url, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_XET": "1", "CUDA_VISIBLE_DEVICES": ""}
os.environ |= {"HF_HUB_ETAG_TIMEOUT": "600", "HF_HUB_DOWNLOAD_TIMEOUT": "600"}  # seconds, for a busy machine
os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: models this small are slower with two
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="hub-cache-")

import architectures
import huggingface_hub
import pytest
import trained_runs
from architectures import ENTITIES, WORDS

import hub
import inference
import train
from ner.corpus.readers import read_whole
from ner.corpus.rows import common_scheme, in_bio
from ner.corpus.sentences import Sentences
from ner.corpus.sources import Source
from ner.errors import run_script
from ner.labels import MULTINERD_CLASSES, label_names

NAMES = label_names(MULTINERD_CLASSES)
ROOT = Path(__file__).parent.parent
STANDIN = ROOT.parent / "shared" / "data" / "standin_en" / "test" / "test_en.jsonl"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that no process begins one when the other ends."""
    items.sort(key=lambda item: item.path.stem not in ("test_processes", "test_encoders", "test_train", "test_browser"))


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["HF_HOME"], ignore_errors=True)


@pytest.fixture(scope="module", autouse=True)
def frozen() -> None:
    """Takes all that was imported out of the garbage collection that Trainer starts after each training, which would
    take longer than a quick training itself."""
    gc.collect()
    gc.freeze()


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


def launched(script: str, *words: object, how: str = "--multi_gpu") -> subprocess.CompletedProcess:
    """A script of the repository in two processes on this machine, as `accelerate launch` starts them."""
    flags = f"{how} --num_processes 2 --num_machines 1 --mixed_precision no --dynamo_backend no --main_process_port 0"
    launch = [sys.executable, "-m", "accelerate.commands.launch", *flags.split()]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [*launch, ROOT / script, *words]
    return subprocess.run(list(map(str, command)), capture_output=True, encoding="utf-8", env=environment, timeout=600)


@pytest.fixture(scope="session")
def in_two_processes(tmp_path_factory):
    """Runs a script as `launched` does, without its imports for each."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, ROOT / "tests" / "process_server.py"]
    server = subprocess.Popen(command, stdin=-1, stdout=-1, encoding="utf-8", env=environment)

    def run(script: str, *words: object) -> subprocess.CompletedProcess:
        folder = tmp_path_factory.mktemp("processes")
        print(json.dumps([str(folder), script, *map(str, words)]), file=server.stdin, flush=True)
        status = next(filter(None, json.loads(server.stdout.readline())), 0)
        return subprocess.CompletedProcess(script, status, *((folder / name).read_text() for name in ("out", "err")))

    yield run
    server.stdin.close()
    server.wait()


@pytest.fixture
def undrawn(monkeypatch):
    """Pictures have tests of their own, and take most of a report's time."""
    monkeypatch.setattr("ner.report.pictures.draw", lambda picture, title, path: [b"", b""])


def write_jsonl(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def row(tokens: list[str], tags: list[str], lang: str = "en") -> dict:
    return {"tokens": tokens, "ner_tags": [NAMES.index(t) for t in tags], "lang": lang}


def write_splits(folder: Path, lang: str = "en", **splits: list[dict]) -> Path:
    """A folder in MultiNERD's layout on the Hub: train/train_en.jsonl and so on."""
    for split, rows in splits.items():
        write_jsonl(folder / split / f"{split}_{lang}.jsonl", rows)
    return folder


def read(dataset: str, languages: Sequence[str], split: str, known_classes: Sequence[str] | None = None) -> Sentences:
    """The sentences of a split, in BIO, read by itself as scoring does. A class outside `known_classes` is an error."""
    raw = read_whole(Source(dataset, languages), split)
    return in_bio(raw, common_scheme([raw]), known_classes)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    """120 / 40 / 40 sentences."""
    rng, sizes = random.Random(0), {"train": 120, "val": 40, "test": 40}
    splits = {split: [row(*sentence(rng)) for _ in range(size)] for split, size in sizes.items()}
    return write_splits(tmp_path_factory.mktemp("corpus"), **splits)


@pytest.fixture(scope="session")
def encoders(tmp_path_factory) -> dict[str, Path]:
    """Folders of a tiny bert (window 64, two layers), distilbert and roberta."""
    changes = {"bert": {"num_hidden_layers": 2, "max_position_embeddings": 64}, "distilbert": {}, "roberta": {}}
    return {kind: architectures.save(tmp_path_factory.mktemp(kind), kind, **more) for kind, more in changes.items()}


@pytest.fixture
def still(tmp_path) -> Path:
    """A tiny BERT of two layers without dropout."""
    rates = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return architectures.save(tmp_path / "still", "bert", num_hidden_layers=2, **rates)


# Runs that several files need are trained once. A file's tests get a copy if they change it.


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
    options = ("--num_train_epochs", 8, "--masked_training", "true", "--save_total_limit", 1)
    train.main(trained_runs.argv(corpus, encoders["bert"], folder, *options))
    return folder


@pytest.fixture(scope="module")
def run(masked_run, tmp_path_factory) -> Path:
    """A copy of the masked run for the tests of one file."""
    return shutil.copytree(masked_run, tmp_path_factory.mktemp("runs") / "masked")


@pytest.fixture(scope="session")
def quick_run(corpus, encoders, tmp_path_factory) -> Path:
    """A run of two updates, only to be read."""
    run = tmp_path_factory.mktemp("runs") / "tagger"
    return train.main(trained_runs.argv(corpus, encoders["bert"], run, "--max_steps", 2))


@pytest.fixture(scope="session")
def exported_run(masked_run, tmp_path_factory) -> Path:
    """The masked run, scored on the test split and exported."""
    folder = shutil.copytree(masked_run, tmp_path_factory.mktemp("runs") / "exported")
    inference.main(["--checkpoint", str(folder), *trained_runs.CPU])
    hub.main(["onnx", str(folder)])
    return folder


@pytest.fixture(scope="session")
def run_of_encoder(corpus, tmp_path_factory):
    """Gives the run of an architecture, which is made once."""
    return functools.cache(lambda name: trained_runs.encoder_run(name, corpus, tmp_path_factory.mktemp("encoder")))


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
def loopback_hub(monkeypatch) -> Iterator[LoopbackHub]:
    """The server, which the client may ask, as somebody who is logged in and who does not wait between tries."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_loopback")
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    yield HUB
    HUB.broken = HUB.failing = None
    HUB.status, HUB.headers = 503, {}
