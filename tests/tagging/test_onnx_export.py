"""Export to ONNX with the real commands: the same logits, the same tags, and nothing half-written or stale."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import ROOT
from trained_runs import read_json

import hub
import inference
import train
from ner.encoder import checkpoints
from ner.encoder.encoding import window_size
from ner.runs.files import BASELINE, ONNX_FOLDERS
from ner.runs.model_card import model_card
from ner.tagging import onnx_export
from ner.tagging.prediction import torch_logits

CPU = ("--use_cpu", "true", "--bf16", "false")


def trained(folder: Path, corpus: Path, encoder: Path, *more: str) -> Path:
    options = ("--num_train_epochs", "8", "--learning_rate", "1e-2", "--masked_training", "true", *CPU, *more)
    train.main(["--dataset", str(corpus), "--model_checkpoint", str(encoder), "--output_dir", str(folder), *options])
    return folder


@pytest.fixture(scope="module")
def run(corpus, encoders, tmp_path_factory) -> Path:
    """A masked run, scored and exported."""
    folder = trained(tmp_path_factory.mktemp("runs") / "tagger", corpus, encoders["bert"])
    inference.main(["--checkpoint", str(folder), *CPU])
    hub.main(["onnx", str(folder)])
    return folder


def predictions(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "test" / "predictions.jsonl").open(encoding="utf-8")]


def inputs(rows: int, positions: int, size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random sub-tokens in rows of random lengths, one of them full."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, positions + 1, size=(rows, 1))
    lengths[0] = positions
    mask = np.arange(positions) < lengths
    return np.where(mask, rng.integers(5, size, size=(rows, positions)), 1), mask.astype(np.int64)


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta"])
def test_logits_are_those_of_the_model_at_any_batch_and_length(kind, corpus, encoders, tmp_path):
    folder = trained(tmp_path / kind, corpus, encoders[kind], "--max_steps", "20")
    onnx_export.export(folder)
    loaded = checkpoints.load_for_tagging(str(folder), "checkpoint")
    model, tokenizer, names = loaded.model, loaded.tokenizer, loaded.label_names
    full, small = (onnx_export.onnx_logits(folder / f / "model.onnx", len(names), 1)[0] for f in ONNX_FOLDERS)
    expected = torch_logits(model)
    same = total = 0
    for rows, positions in ((1, 1), (1, 7), (2, 8), (5, 2), (3, 60), (17, 33)):
        input_ids, mask = inputs(rows, positions, len(tokenizer))
        wanted = expected(input_ids, mask)[mask == 1]
        np.testing.assert_allclose(full(input_ids, mask)[mask == 1], wanted, atol=1e-4, rtol=0)
        same += (small(input_ids, mask)[mask == 1].argmax(-1) == wanted.argmax(-1)).sum()
        total += len(wanted)
    assert same > 0.95 * total
    assert window_size(tokenizer, model, None) == {"bert": 64, "distilbert": 512, "roberta": 512}[kind]
    for name in ONNX_FOLDERS:  # the model without weights tells the window as well
        loaded = checkpoints.load_for_tagging(str(folder / name), "checkpoint")
        exported, tokenizer = loaded.model, loaded.tokenizer
        assert window_size(tokenizer, exported, None) == window_size(tokenizer, model, None)


def test_the_exports_score_and_tag_as_the_run_does(run, capsys):
    own = predictions(run)
    assert predictions(run / "onnx") == own
    tags, int8 = ([t for line in predictions(run / f) for t in line["predicted"]] for f in ("onnx", "onnx_int8"))
    assert sum(a == b for a, b in zip(tags, int8, strict=True)) > 0.97 * len(tags)
    metrics = read_json(run / "onnx_int8" / "test" / "metrics.json")
    assert metrics["data_fingerprint"] == read_json(run / "test" / "metrics.json")["data_fingerprint"]
    tagged = []
    for folder in (run, run / "onnx", run / "onnx_int8"):
        capsys.readouterr()
        inference.main(["--checkpoint", str(folder), "--text", "a storm hit Lake Inari.", *CPU])
        (entity,) = json.loads(capsys.readouterr().out)["entities"]
        tagged.append((entity["type"], entity["text"], entity["start"], entity["end"]))
    assert tagged == [("LOC", "Lake Inari", 12, 22)] * 3
    assert (run / "onnx_int8" / "model.onnx").stat().st_size < (run / "onnx" / "model.onnx").stat().st_size
    assert not [path for path in run.iterdir() if path.name.startswith(".")]


def test_int8_holds_every_layer_but_the_first_ones_projection_back(run):
    graph = onnx.load(run / "onnx_int8" / "model.onnx").graph
    assert sum(node.op_type == "MatMulInteger" for node in graph.node) == 2 * 6 + 1 - 1  # and the classifier
    full = [tuple(w.dims) for w in graph.initializer if len(w.dims) == 2 and w.data_type == onnx.TensorProto.FLOAT]
    assert full.count((64, 32)) == 1 + 1  # of the two layers one, and the table of 64 positions


def row(run: Path, name: str, folder: str, f1: float, against: float | None) -> str:
    """The card's row of a variant: its size, its F1, and what it costs against another."""
    size = sum(p.stat().st_size for p in (run / folder).glob("model.*") if p.suffix in (".onnx", ".safetensors"))
    return f"| {name} | {size / 1e6:.1f} | {f1:.2f} | {'' if against is None else f'{f1 - against:+.2f}'} |"


def test_the_card_shows_what_each_variant_costs(run, tmp_path):
    assert (run / "README.md").read_text(encoding="utf-8") == model_card(run)
    f1 = {f: 100 * read_json(run / f / "test" / "metrics.json")["overall"]["f1"] for f in (".", *ONNX_FOLDERS)}
    rows = [row(run, "this run in float32, safetensors", ".", f1["."], None)]
    rows += [
        row(run, f"`{f}/`, {n}", f, f1[f], f1["."]) for f, n in zip(ONNX_FOLDERS, ("float32", "int8"), strict=True)
    ]
    assert "\n".join(rows) + "\n" in model_card(run)
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    metrics = read_json(copy / "onnx" / "test" / "metrics.json") | {"data_fingerprint": "of other sentences"}
    (copy / "onnx" / "test" / "metrics.json").write_text(json.dumps(metrics))
    assert "`onnx/`" not in model_card(copy) and "`onnx_int8/`" in model_card(copy)
    shutil.rmtree(copy / "onnx_int8" / "test")
    assert "ONNX" not in model_card(copy)
    command = [sys.executable, "-c", f"import sys, hub; hub.model_card(hub.Path({str(run)!r})); print(*sys.modules)"]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "onnx", "onnxruntime"} & set(loaded)


def test_exports_are_not_blamed_for_the_bfloat16_of_the_runs_own_scores(run, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("onnx*"))
    own = 100 * read_json(run / "test" / "metrics.json")["overall"]["f1"]
    inference.main(["--checkpoint", str(copy), "--use_cpu", "true", "--bf16", "true"])
    metrics = read_json(copy / "test" / "metrics.json")
    assert metrics["precision"] == "bfloat16"
    metrics["overall"]["f1"] -= 0.02  # a cost that this small model has not
    low = 100 * metrics["overall"]["f1"]
    (copy / "test" / "metrics.json").write_text(json.dumps(metrics))
    capsys.readouterr()
    hub.main(["onnx", str(copy)])
    assert f"onnx: test F1 {own:.2f}, the run's in float32 {own:.2f}" in capsys.readouterr().out
    assert read_json(copy / "test" / "metrics.json") == metrics
    rows = [
        row(copy, "this run in float32, safetensors", ".", own, None),
        row(copy, "the same in bfloat16", ".", low, own),
        row(copy, "`onnx/`, float32", "onnx", own, own),
    ]
    assert "\n".join(rows) + "\n" in (copy / "README.md").read_text(encoding="utf-8")
    metrics["data_fingerprint"] = "of other sentences"
    (copy / "test" / "metrics.json").write_text(json.dumps(metrics))
    assert rows[1] not in model_card(copy) and rows[2] in model_card(copy)


def test_the_precision_of_an_export_is_that_of_its_model_file(run, tmp_path):
    for folder, precision in zip(ONNX_FOLDERS, ("float32", "int8"), strict=True):
        assert read_json(run / folder / "test" / "metrics.json")["precision"] == precision
        renamed = tmp_path / f"renamed-{precision}"
        shutil.copytree(run / folder, renamed)
        inference.main(["--checkpoint", str(renamed), "--use_cpu", "true", "--bf16", "true"])
        assert read_json(renamed / "test" / "metrics.json")["precision"] == precision


def test_onnxruntime_is_for_exports_only(run):
    command = [sys.executable, "-c", "import sys, inference\n"
               f"inference.main(['--checkpoint', {str(run)!r}, '--text', 'a', '--use_cpu', 'true'])\n"
               "sys.exit('onnxruntime' in sys.modules or 'onnx' in sys.modules)"]  # fmt: skip
    assert subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0


def test_a_run_that_was_not_scored_is_exported_and_says_so(run, tmp_path, caplog):
    caplog.set_level("INFO", "ner")
    copy = tmp_path / "copy"
    shutil.copytree(run, copy, ignore=shutil.ignore_patterns("test", "onnx*"))
    hub.main(["onnx", str(copy)])
    assert f"python inference.py --checkpoint {copy}" in caplog.text
    assert (copy / "onnx_int8" / "model.onnx").is_file() and not (copy / "onnx_int8" / "test").exists()


def test_training_again_removes_the_exports(run, corpus, encoders, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    trained(copy, corpus, encoders["bert"], "--max_steps", "2", "--overwrite_output_dir", "true")
    assert not any((copy / folder).exists() for folder in (*ONNX_FOLDERS, "test"))
    shutil.rmtree(copy)
    shutil.copytree(run, copy)
    trained(copy, corpus, encoders["bert"], "--resume_from_checkpoint", "true")
    assert not any((copy / folder).exists() for folder in (*ONNX_FOLDERS, "test"))


def test_damaged_exports_and_folders_that_are_none(run, tmp_path, fails):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    model = copy / "onnx" / "model.onnx"
    (copy / "onnx" / "notes.txt").write_text("mine")
    assert "onnx: holds notes.txt, which an export would replace" in fails(hub.main, "onnx", copy)
    (copy / "onnx" / "notes.txt").unlink()
    tag = ("--checkpoint", copy / "onnx", "--text", "a", *CPU)
    content = model.read_bytes()
    model.write_bytes(content[: len(content) // 2])
    assert "model.onnx: cannot be loaded" in fails(inference.main, *tag)
    model.write_bytes(content)
    config = read_json(copy / "onnx" / "config.json")
    fewer = {i: name for i, name in config["id2label"].items() if name != "I-ANIM"}
    renumbered = dict(enumerate(fewer.values()))
    labels = {"id2label": renumbered, "label2id": {name: i for i, name in renumbered.items()}}
    (copy / "onnx" / "config.json").write_text(json.dumps(config | labels))
    assert "and 10 labels" in fails(inference.main, *tag)
    model.unlink()
    assert "or the model.onnx of an export" in fails(inference.main, *tag)
    assert "expected an earlier export or nothing" in fails(hub.main, "onnx", copy)
    assert "expected the folder of a finished run" in fails(hub.main, "onnx", tmp_path / "nothing")
    (copy / "model.safetensors").write_bytes(b"short")
    shutil.rmtree(copy / "onnx")
    before = sorted(copy.rglob("*"))
    assert "cannot be loaded" in fails(hub.main, "onnx", copy)
    assert sorted(copy.rglob("*")) == before


def test_exports_are_pushed_without_the_data(run, loopback_hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_loopback")
    hub.main(["push", str(run), "--repo_id", "someone/exported"])
    files = loopback_hub.repos["models", "someone/exported"]
    for folder in ONNX_FOLDERS:
        assert sorted(name for name in files if name.startswith(f"{folder}/") and name != BASELINE) == [
            f"{folder}/{name}" for name in ("args.yaml", "config.json", "model.onnx", "test/metrics.json",
                                            "tokenizer.json", "tokenizer_config.json")
        ]  # fmt: skip
    assert files["onnx/model.onnx"] == (run / "onnx" / "model.onnx").read_bytes()
