"""A stranger's checkpoint is loaded without running anything of it, or refused."""

import io
import json
import shutil
import sys
from pathlib import Path

import pytest

import hub
import inference
import train
from ner.labels import label_names

pytestmark = pytest.mark.slow

CPU = ("--use_cpu", "true", "--bf16", "false")
CODE = """
open({mark!r}, "w").close()
from transformers import BertConfig, BertForTokenClassification
class Config(BertConfig):
    model_type = "evil"
class Model(BertForTokenClassification):
    config_class = Config
"""


@pytest.fixture
def mark(tmp_path) -> Path:
    """The file that a stranger's code would make."""
    return tmp_path / "mark"


@pytest.fixture
def stranger(mark, encoders, tmp_path) -> Path:
    """A checkpoint of an unknown architecture, and Python code for it."""
    folder = shutil.copytree(encoders["bert"], tmp_path / "stranger")
    (folder / "code.py").write_text(CODE.format(mark=str(mark)))
    own = {"AutoConfig": "code.Config", "AutoModelForTokenClassification": "code.Model"}
    labels = dict(enumerate(label_names(["PER"])))
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "evil", "id2label": labels}
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": own}))
    return folder


ENTRIES = {
    "text": (inference.main, ("--text", "obama", "--checkpoint")),
    "lines": (inference.main, ("--input_file", "-", "--checkpoint")),
    "score": (inference.main, ("--dataset", "sample", "--max_eval_sentences", "2", "--checkpoint")),
    "train": (train.main, ("--dataset", "sample", "--max_train_sentences", "2", "--model_checkpoint")),
    "onnx": (hub.main, ("onnx",)),
}


@pytest.mark.parametrize("where", ["folder", "hub"])
@pytest.mark.parametrize("entry", ENTRIES)
def test_code_of_a_checkpoint_is_not_run(entry, where, stranger, mark, tmp_path, online, monkeypatch, fails):
    if entry == "onnx" and where == "hub":
        pytest.skip("only a folder is exported")
    answer = io.BytesIO(b"1\nobama\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(answer))
    name = str(stranger)
    if where == "hub":
        name = f"stranger/{entry}"
        online.repos["models", name] = {p.name: p.read_bytes() for p in stranger.iterdir()}
    main, words = ENTRIES[entry]
    more = () if entry == "onnx" else ("--output_dir", tmp_path / "run", *CPU)
    message = fails(main, *words, name, *more)
    assert "needs its own code, which this project never runs" in message
    assert "trust_remote_code" not in message
    assert not mark.exists()
    assert answer.tell() == 0


def test_compiled_kernels_of_a_repository_are_refused(encoders, tmp_path, fails):
    folder = shutil.copytree(encoders["bert"], tmp_path / "kernels")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"attn_implementation": "stranger/kernel"}))
    assert "needs its own code" in fails(inference.main, "--checkpoint", folder, "--text", "a", *CPU)


@pytest.mark.parametrize("labels", [{"0": 5, "1": 6}, {"0": "O", "1": None}])
def test_label_names_that_are_no_text_are_those_of_no_tagger(labels, encoders, tmp_path, fails):
    folder = shutil.copytree(encoders["bert"], tmp_path / "labels")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"id2label": labels}))
    assert "expected O, B-CLASS, I-CLASS" in fails(inference.main, "--checkpoint", folder, "--text", "a", *CPU)
    options = ("--dataset", "sample", "--max_train_sentences", 2, "--max_steps", 1, "--output_dir", tmp_path / "run")
    train.main([str(o) for o in (*options, "--model_checkpoint", folder, *CPU)])
    assert (tmp_path / "run" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    "name", ["tokenizer_config.json", "special_tokens_map.json", "model.safetensors", "config.json"]
)
@pytest.mark.parametrize("how", ["failing", "broken"])
def test_a_file_that_the_hub_fails_to_send_is_not_taken_for_absent(how, name, encoders, tmp_path, online, fails):
    repo_id = f"someone/{how}-{name.split('.')[0]}"
    online.repos["models", repo_id] = {p.name: p.read_bytes() for p in encoders["bert"].iterdir()}
    setattr(online, how, name)
    options = ("--dataset", "sample", "--max_train_sentences", "2", "--output_dir", tmp_path / "run", *CPU)
    message = fails(train.main, *options, "--model_checkpoint", repo_id)
    assert name in message and "cannot be fetched" in message
