"""Two processes on one machine (gloo) score and tag as one does."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import launched

import inference
import train

ONE = ("--use_cpu", "true", "--bf16", "false")


@pytest.fixture(scope="module")
def run(corpus, encoders, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("processes") / "run"
    options = ("--dataset", corpus, "--model_checkpoint", encoders["bert"], "--output_dir", folder, "--learning_rate",
               "1e-2", "--num_train_epochs", 8, *ONE)  # fmt: skip
    train.main(list(map(str, options)))
    return folder


def test_two_processes_score_as_one(run, tmp_path):
    other = shutil.copytree(run, tmp_path / "run")
    inference.main(["--checkpoint", str(run), *ONE])
    done = launched("inference.py", "--checkpoint", other, *ONE)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("overall") == 1
    for name in ("metrics.json", "predictions.jsonl"):
        assert (run / "test" / name).read_bytes() == (other / "test" / name).read_bytes()


def test_two_processes_tag_as_one_and_write_one_ordered_result(run, tmp_path):
    lines = [f"a storm hit Bergen {'and Ada Moss left ' * (i % 7)}{i}." if i % 5 else "" for i in range(5_000)]
    source = tmp_path / "lines.txt"
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    inference.main(["--checkpoint", str(run), "--input_file", str(source), "--output_file", str(one), *ONE])
    done = launched("inference.py", "--checkpoint", run, "--input_file", source, "--output_file", two, *ONE)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = ([json.loads(line) for line in p.read_text(encoding="utf-8").splitlines()] for p in (one, two))
    assert [tagged["text"] for tagged in second] == lines
    places = [
        [[(e["type"], e["start"], e["end"]) for e in t["entities"]] for t in tagged] for tagged in (first, second)
    ]
    assert places[0] == places[1] and any(places[0])


def test_a_persons_mistake_ends_both(run, tmp_path):
    source = tmp_path / "latin1.txt"
    source.write_bytes(b"fine\n" * 5_000 + "K\xf6ln\n".encode("latin-1"))
    done = launched(
        "inference.py", "--checkpoint", run, "--input_file", source, "--output_file", tmp_path / "tagged.jsonl", *ONE
    )
    assert done.returncode != 0
    assert f"error: {source}:5001: found bytes that are not UTF-8" in done.stderr
    assert not (tmp_path / "tagged.jsonl").exists()
