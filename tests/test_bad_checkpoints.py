"""Checkpoints with missing parts, or with weights, windows or tokens that cannot be used, are refused."""

import json
import shutil
from pathlib import Path

import onnx
import pytest
from safetensors.torch import load_file, save_file
from trained_runs import CPU, argv, read_json, tagged
from transformers import AutoTokenizer

import hub
import inference
import train

pytestmark = pytest.mark.slow


def changed(run: Path, folder: Path, name: str, **values: object) -> Path:
    """A copy of a run with other values in one of its JSON files."""
    shutil.copytree(run, folder)
    (folder / name).write_text(json.dumps(read_json(folder / name) | values))
    return folder


def weights_set(run: Path, folder: Path, name: str, value: float) -> Path:
    """A copy of a run, not scored, with a value all through one of its tensors."""
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("test"))
    weights = load_file(folder / "model.safetensors")
    weights[name].fill_(value)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_checkpoints_that_are_not_whole_are_refused(masked_run, corpus, encoders, tmp_path, fails):
    headless = tmp_path / "headless"
    shutil.copytree(encoders["bert"], headless)
    shutil.copy(masked_run / "config.json", headless)
    assert "such as classifier." in fails(inference.main, "--checkpoint", headless, "--text", "a")
    config = read_json(headless / "config.json")
    (headless / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    assert "expected a whole checkpoint" in fails(train.main, *argv(corpus, headless, tmp_path / "run"))
    bare = tmp_path / "bare"
    shutil.copytree(encoders["bert"], bare)
    for file in bare.glob("tokenizer*"):
        file.unlink()
    message = fails(train.main, *argv(corpus, bare, tmp_path / "run"))
    assert "cannot be loaded" in message or "no usable tokenizer" in message
    (bare / "config.json").write_text('{"model_type": "bert", "hidden_size": "x"}')
    assert "config.json cannot be used" in fails(train.main, *argv(corpus, bare, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_weights_that_are_not_finite_are_refused(value, masked_run, corpus, tmp_path, fails):
    name = "bert.encoder.layer.1.output.dense.bias"
    broken = weights_set(masked_run, tmp_path / "broken", name, float(value))
    expected = f"{broken}: its safetensors hold NaN or infinity in 1 tensor(s), such as {name}"
    for words in (("--text", "a"), ("--split", "validation")):
        assert f"--checkpoint {expected}" in fails(inference.main, "--checkpoint", broken, *words, *CPU)
    assert expected in fails(hub.main, "onnx", broken)
    train_argv = ("--dataset", corpus, "--model_checkpoint", broken, "--output_dir", tmp_path / "new", *CPU)
    assert f"--model_checkpoint {expected}" in fails(train.main, *train_argv)
    assert not (tmp_path / "new").exists() and not (broken / "onnx").exists()


@pytest.mark.parametrize("exported", [False, True])
def test_scores_that_are_not_finite_are_one_error(exported, exported_run, tmp_path, fails):
    """Finite weights whose products are not."""
    large = weights_set(exported_run, tmp_path / "large", "classifier.weight", 3e38)
    if exported:
        large /= "onnx"
        model = onnx.load(large / "model.onnx")
        (weights,) = [w for w in model.graph.initializer if sorted(w.dims) == [11, 32]]  # of the classifier
        weights.CopyFrom(onnx.numpy_helper.from_array(0 * onnx.numpy_helper.to_array(weights) + 3e38, weights.name))
        onnx.save(model, large / "model.onnx")
    (tmp_path / "in.txt").write_text("a storm hit Bergen\n")
    out = tmp_path / "out.jsonl"
    for words in (("--text", "a"), ("--input_file", tmp_path / "in.txt", "--output_file", out), ("--split", "test")):
        message = fails(inference.main, "--checkpoint", large, *words, *CPU)
        assert f"--checkpoint {large}: gives NaN instead of scores for" in message and "in float32" in message
    assert not out.exists() and not (large / "test").exists()


NUMBER, CALIBRATION = "a number of at least 4", "the numbers intercept and slope"
WRONG = [
    *(("tokenizer_config.json", "model_max_length", v, NUMBER) for v in (2, 1, 0, -5, "512", True, float("nan"))),
    *(("config.json", "trained_window", v, NUMBER) for v in (3, "64", True, 64.0)),
    *(("config.json", "score_calibration", v, CALIBRATION) for v in ("high", [1, 0], {"slope": 1})),
    *(("config.json", "score_calibration", {"slope": v, "intercept": 0}, CALIBRATION) for v in (True, 1e999)),
]


@pytest.mark.parametrize(("file", "key", "value", "expected"), WRONG)
def test_a_setting_that_cannot_be_used_is_refused(file, key, value, expected, masked_run, corpus, tmp_path, fails):
    broken = changed(masked_run, tmp_path / "broken", file, **{key: value})
    message = f"{broken}: {file}: found {key} {value!r}; expected {expected}"
    assert message in fails(inference.main, "--checkpoint", broken, "--text", "a", *CPU)
    if key == "model_max_length":  # the other two come from a training, and the next one replaces them
        train_argv = ("--dataset", corpus, "--model_checkpoint", broken, "--output_dir", tmp_path / "new", *CPU)
        assert f"--model_checkpoint {message}" in fails(train.main, *train_argv)


def test_a_tokenizer_without_a_limit_has_the_models_window(masked_run, tmp_path, capsys):
    for number, value in enumerate((None, 1e30, float("inf"), 512.0)):
        other = changed(masked_run, tmp_path / str(number), "tokenizer_config.json", model_max_length=value)
        assert tagged(capsys, "--checkpoint", other, "--text", "a storm hit Bergen")[0]["entities"]


def test_tokens_beyond_the_embeddings_are_refused(exported_run, corpus, tmp_path, fails, capsys):
    """The tokenizer of another model; but a token that no text holds does no harm."""
    other = shutil.copytree(exported_run, tmp_path / "other")
    vocabulary = read_json(other / "tokenizer.json")
    rows = read_json(other / "config.json")["vocab_size"]
    vocabulary["model"]["vocab"]["storm"] = rows + 6
    for folder in (other, other / "onnx"):
        (folder / "tokenizer.json").write_text(json.dumps(vocabulary))
        assert tagged(capsys, "--checkpoint", folder, "--text", "Lake Inari")[0]["entities"]
        expected = (
            f"{folder}: tokenizer.json gave the id {rows + 6}; expected ids below {rows}, the rows of the model's"
        )
        assert f"--checkpoint {expected}" in fails(inference.main, "--checkpoint", folder, "--text", "a storm", *CPU)
    train_argv = ("--dataset", corpus, "--model_checkpoint", other, "--output_dir", tmp_path / "new", *CPU)
    message = fails(train.main, *train_argv)
    assert f"--model_checkpoint {other}: tokenizer.json gave the id {rows + 6}; expected ids below {rows}" in message


def test_a_padding_id_beyond_the_embeddings_is_refused(masked_run, tmp_path, fails):
    other = shutil.copytree(masked_run, tmp_path / "other")
    tokenizer = AutoTokenizer.from_pretrained(other)
    tokenizer.add_tokens([f"[{number}]" for number in range(8)])  # those that the embedding has rows for
    tokenizer.add_special_tokens({"pad_token": "[NEW]"})
    tokenizer.save_pretrained(other)
    assert f"gave the id {len(tokenizer) - 1}" in fails(inference.main, "--checkpoint", other, "--text", "a", *CPU)
