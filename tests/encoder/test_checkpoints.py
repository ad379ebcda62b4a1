"""A stranger's checkpoint is loaded without running anything of it, or refused."""

import io
import json
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from architectures import save
from safetensors.torch import save_file
from trained_runs import CPU, argv, read_json, weights

import hub
import inference
import train
from ner.encoder.checkpoints import load_for_tagging, load_for_training
from ner.errors import InputError
from ner.labels import label_names
from ner.runs.manifest import write_manifest

pytestmark = pytest.mark.slow

CODE = """
open({mark!r}, "w").close()
from transformers import BertConfig, BertForTokenClassification
class Config(BertConfig):
    model_type = "evil"
class Model(BertForTokenClassification):
    config_class = Config
"""


def changed(checkpoint: Path, folder: Path, name: str, **values: object) -> Path:
    """A copy of a checkpoint with other values in one of its JSON files."""
    shutil.copytree(checkpoint, folder)
    (folder / name).write_text(json.dumps(read_json(folder / name) | values))
    return folder


def weights_set(run: Path, folder: Path, name: str, value: float) -> Path:
    """A copy of a run, not scored, with a value all through one of its tensors."""
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("test"))
    tensors = weights(folder)
    tensors[name].fill_(value)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture
def mark(tmp_path) -> Path:
    """The file that a stranger's code would make."""
    return tmp_path / "mark"


@pytest.fixture
def stranger(mark, encoders, tmp_path) -> Path:
    """A checkpoint of an unknown architecture, and Python code for it."""
    own = {"AutoConfig": "code.Config", "AutoModelForTokenClassification": "code.Model"}
    values = {"model_type": "evil", "id2label": dict(enumerate(label_names(["PER"]))), "auto_map": own}
    folder = changed(encoders["bert"], tmp_path / "stranger", "config.json", **values)
    (folder / "code.py").write_text(CODE.format(mark=str(mark)))
    write_manifest(folder)  # without one, it would not be exported
    return folder


ENTRIES = {
    "lines": (inference.main, ("--input_file", "-", "--checkpoint")),
    "score": (inference.main, ("--dataset", "sample", "--max_eval_sentences", "2", "--checkpoint")),
    "train": (train.main, ("--dataset", "sample", "--max_train_sentences", "2", "--model_checkpoint")),
    "onnx": (hub.main, ("onnx",)),
}


@pytest.mark.parametrize("where", ["folder", "hub"])
@pytest.mark.parametrize("entry", ENTRIES)
def test_code_of_a_checkpoint_is_not_run(entry, where, stranger, mark, tmp_path, loopback_hub, monkeypatch, fails):
    if entry == "onnx" and where == "hub":
        pytest.skip("only a folder is exported")
    answer = io.BytesIO(b"1\nobama\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(answer))
    name = str(stranger)
    if where == "hub":
        name = f"stranger/{entry}"
        loopback_hub.repos["models", name] = {p.name: p.read_bytes() for p in stranger.iterdir()}
    main, words = ENTRIES[entry]
    more = () if entry == "onnx" else ("--output_dir", tmp_path / "run", *CPU)
    message = fails(main, *words, name, *more)
    assert "needs its own code, which this project never runs" in message
    assert "trust_remote_code" not in message
    assert not mark.exists()
    assert answer.tell() == 0


def test_compiled_kernels_of_a_repository_are_refused(encoders, tmp_path):
    folder = changed(encoders["bert"], tmp_path / "kernels", "config.json", attn_implementation="stranger/kernel")
    with pytest.raises(InputError, match="needs its own code"):
        load_for_training(str(folder), ["O"], False)


@pytest.mark.parametrize("labels", [{"0": 5, "1": 6}, {"0": "O", "1": None}, {"0": "LABEL_0", "1": "LABEL_1"}])
def test_label_names_that_are_none_of_a_tagger_are_refused(labels, encoders, tmp_path):
    folder = changed(encoders["bert"], tmp_path / "labels", "config.json", id2label=labels)
    with pytest.raises(InputError, match="expected O, B-CLASS, I-CLASS"):
        load_for_tagging(str(folder))
    model, _ = load_for_training(str(folder), label_names(["PER"]), False)
    assert model.num_labels == 3


@pytest.mark.parametrize(
    ("classes", "kept"),
    [(["DIS", "PER", "ANIM", "LOC", "ORG"], True), (["PER", "ORG", "LOC", "FOOD", "DIS"], False), (["PER"], False)],
)
def test_a_classifier_is_kept_for_the_same_labels_in_any_order(classes, kept, masked_run, caplog):
    own, names, old = label_names(["PER", "ORG", "LOC", "ANIM", "DIS"]), label_names(classes), weights(masked_run)
    model, _ = load_for_training(str(masked_run), names, False)
    assert list(model.config.id2label.values()) == names and model.config.masked_training is False
    assert ("classifier: the checkpoint's" if kept else "classifier: new") in caplog.text
    for i, name in enumerate(names):
        row, bias = model.classifier.weight[i], model.classifier.bias[i]
        if kept:
            old_row = own.index(name)
            assert torch.equal(row, old["classifier.weight"][old_row]) and bias == old["classifier.bias"][old_row]
        else:
            assert not (old["classifier.weight"] == row).all(dim=1).any() and bias == 0
    name = "bert.encoder.layer.1.output.dense.weight"
    assert torch.equal(model.get_parameter(name), old[name])


def test_an_encoder_of_half_precision_is_trained_in_float32(encoders, tmp_path):
    folder = changed(encoders["bert"], tmp_path / "half", "config.json", dtype="bfloat16")
    halves = {name: values.bfloat16() for name, values in weights(folder).items()}
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    model, _ = load_for_training(str(folder), label_names(["PER"]), False)
    assert {values.dtype for values in model.parameters()} == {torch.float32}


def test_a_classifier_whose_labels_mean_something_else_is_not_kept(masked_run, tmp_path, caplog):
    labels = {str(i): f"LABEL_{i}" for i in range(11)}
    folder = changed(masked_run, tmp_path / "other", "config.json", id2label=labels)
    model, _ = load_for_training(str(folder), label_names(["PER", "ORG", "LOC", "ANIM", "DIS"]), False)
    assert "classifier: new" in caplog.text and not model.classifier.bias.any()
    assert not torch.equal(model.classifier.weight, weights(masked_run)["classifier.weight"])


@pytest.mark.parametrize(
    "name", ["tokenizer_config.json", "special_tokens_map.json", "model.safetensors", "config.json"]
)
def test_a_file_that_the_hub_fails_to_send_is_not_taken_for_absent(name, encoders, tmp_path, loopback_hub, fails):
    repo_id = f"someone/failing-{name.split('.')[0]}"
    loopback_hub.repos["models", repo_id] = {p.name: p.read_bytes() for p in encoders["bert"].iterdir()}
    loopback_hub.failing = name
    options = ("--dataset", "sample", "--max_train_sentences", "2", "--output_dir", tmp_path / "run", *CPU)
    message = fails(train.main, *options, "--model_checkpoint", repo_id)
    assert name in message and "cannot be fetched" in message


def test_checkpoints_that_are_not_whole_are_refused(masked_run, encoders, tmp_path):
    headless = shutil.copytree(encoders["bert"], tmp_path / "headless")
    shutil.copy(masked_run / "config.json", headless)
    with pytest.raises(InputError, match=r"lack \d tensors of its config.json, such as classifier\."):
        load_for_tagging(str(headless))
    with pytest.raises(InputError, match="such as classifier"):
        load_for_training(str(headless), label_names(["PER", "ORG", "LOC", "ANIM", "DIS"]), True)
    deeper = changed(headless, tmp_path / "deeper", "config.json", num_hidden_layers=3)
    with pytest.raises(InputError, match="expected a whole checkpoint"):
        load_for_training(str(deeper), ["O"], False)
    for name, message in (("model.safetensors", "holds no safetensors"), ("tokenizer*", "no usable tokenizer")):
        bare = shutil.copytree(encoders["bert"], tmp_path / name, ignore=shutil.ignore_patterns(name))
        with pytest.raises(InputError, match=message):
            load_for_training(str(bare), ["O"], False)
    for name, content in (("model.safetensors", "short"), ("config.json", '{"model_type": "bert", "id2label": "x"}')):
        damaged = shutil.copytree(encoders["bert"], tmp_path / f"damaged-{name}")
        (damaged / name).write_text(content)
        with pytest.raises(InputError, match="cannot be loaded"):
            load_for_training(str(damaged), ["O"], False)


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weights_that_are_not_finite_are_refused(value, masked_run, tmp_path):
    name = "bert.encoder.layer.1.output.dense.bias"
    broken = str(weights_set(masked_run, tmp_path / "broken", name, value))
    for load in (load_for_tagging, lambda place: load_for_training(place, ["O"], False)):
        with pytest.raises(InputError, match=f"{broken}: found NaN or infinity in 1 of its tensors, such as {name}"):
            load(broken)


def test_scores_that_are_not_finite_are_one_error(masked_run, tmp_path, fails):
    """Finite weights whose products are not."""
    large = weights_set(masked_run, tmp_path / "large", "classifier.weight", 3e38)
    (tmp_path / "in.txt").write_text("a storm hit Bergen\n")
    out = tmp_path / "out.jsonl"
    for words in (("--input_file", tmp_path / "in.txt", "--output_file", out), ("--split", "test")):
        message = fails(inference.main, "--checkpoint", large, *words, *CPU)
        assert f"{large}: gives NaN instead of scores for" in message and "in float32" in message
    assert not out.exists() and not (large / "test").exists()


def test_an_encoder_that_gives_its_hidden_states_is_trained_and_evaluated(corpus, encoders, tmp_path):
    encoder = changed(encoders["bert"], tmp_path / "encoder", "config.json", output_hidden_states=True)
    assert (train.main(argv(corpus, encoder, tmp_path / "run", "--max_steps", 2)) / "manifest.json").is_file()


@pytest.mark.parametrize("name", ["deberta v3", "t5 encoder", "xlm-roberta", "roberta"])
def test_a_checkpoint_without_its_tokenizers_file_is_refused(name, tmp_path):
    """transformers then makes a tokenizer to which every word is unknown."""
    folder = save(tmp_path, name)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"no usable tokenizer\.json"):
        load_for_training(str(folder), ["O"], False)


@pytest.mark.skipif(any(map(find_spec, ("sentencepiece", "tiktoken"))), reason="transformers then reads the file")
def test_a_sentencepiece_file_is_no_usable_tokenizer(tmp_path):
    folder = save(tmp_path, "deberta v3")
    (folder / "tokenizer.json").unlink()
    (folder / "spm.model").write_bytes(b"no sentencepiece model")
    with pytest.raises(InputError, match=r"no usable tokenizer\.json.*pip install sentencepiece"):
        load_for_training(str(folder), ["O"], False)
