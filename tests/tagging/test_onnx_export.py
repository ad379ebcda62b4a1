"""Export to ONNX with the real commands: the same logits, the same tags, and nothing half-written or stale."""

import json
import shutil
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import yaml
from architectures import KINDS
from trained_runs import CPU, content, predictions, read_json

import hub
import inference
from ner.encoder import checkpoints
from ner.encoder.encoding import window_size
from ner.runs.files import ONNX_FOLDERS
from ner.runs.manifest import require_intact, write_manifest
from ner.runs.model_card import model_card
from ner.tagging import onnx_export
from ner.tagging.prediction import torch_logits
from ner.tagging.tagger import Tagger

pytestmark = pytest.mark.slow


@pytest.fixture
def copy(exported_run, tmp_path) -> Path:
    return shutil.copytree(exported_run, tmp_path / "copy")


@pytest.fixture
def unexported(exported_run, tmp_path) -> Path:
    return shutil.copytree(exported_run, tmp_path / "copy", ignore=shutil.ignore_patterns("onnx*"))


@pytest.fixture
def known_model(exported_run, monkeypatch) -> None:
    """An export of the same weights takes the model that was exported before, since exporting takes seconds."""
    monkeypatch.setattr(
        onnx_export, "write_onnx", lambda model, path: shutil.copy(exported_run / "onnx" / "model.onnx", path)
    )


def inputs(rows: int, positions: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Random sub-tokens in rows of random lengths, one of them full."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, positions + 1, size=(rows, 1))
    lengths[0] = positions
    mask = np.arange(positions) < lengths
    return np.where(mask, rng.integers(5, size, size=(rows, positions)), 1), mask.astype(np.int64)


@pytest.mark.parametrize("name", KINDS)
def test_logits_are_those_of_the_model_at_any_batch_and_length(name, run_of_encoder):
    folder = run_of_encoder(name)
    model, tokenizer = checkpoints.load_for_tagging(str(folder))
    full, small = (onnx_export.onnx_logits(folder / f / "model.onnx", 1)[0] for f in ONNX_FOLDERS)
    expected = torch_logits(model)
    same = total = 0
    for rows, positions in ((1, 1), (1, 7), (2, 8), (5, 2), (3, 60), (17, 33)):
        input_ids, mask = inputs(rows, positions, len(tokenizer))
        wanted = expected(input_ids, mask)[mask == 1]
        np.testing.assert_allclose(full(input_ids, mask)[mask == 1], wanted, atol=1e-4, rtol=0)
        same += (small(input_ids, mask)[mask == 1].argmax(-1) == wanted.argmax(-1)).sum()
        total += len(wanted)
    assert same > 0.9 * total
    for export in ONNX_FOLDERS:  # the model without weights tells the window as well
        shape, same_tokenizer = checkpoints.load_for_tagging(str(folder / export))
        assert window_size(same_tokenizer, shape, None) == window_size(tokenizer, model, None)


@pytest.mark.parametrize(("has", "exact"), [("avx512_vnni", False), ("avx_vnni", False), ("avx2", True)])
def test_int8_products_that_overflow_are_not_used(has, exact, exported_run, monkeypatch):
    """Those of onnxruntime do on x86 CPUs without VNNI."""
    options = onnxruntime.SessionOptions()
    monkeypatch.setattr(onnxruntime, "SessionOptions", lambda: options)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {has: True})
    onnx_export.onnx_logits(exported_run / "onnx_int8" / "model.onnx", 1)
    if exact:
        assert options.get_session_config_entry("session.x64quantprecision") == "1"
    else:
        with pytest.raises(RuntimeError):
            options.get_session_config_entry("session.x64quantprecision")


def test_the_exports_score_as_the_run_does(exported_run):
    own, full, small = (predictions(exported_run / f / "test") for f in (".", *ONNX_FOLDERS))
    assert full == own
    tags, int8 = ([t for line in lines for t in line["predicted"]] for lines in (own, small))
    assert sum(a == b for a, b in zip(tags, int8, strict=True)) > 0.97 * len(tags)
    fingerprints = {read_json(exported_run / f / "test/metrics.json")["data_fingerprint"] for f in (".", *ONNX_FOLDERS)}
    assert len(fingerprints) == 1
    full_size, small_size = ((exported_run / f / "model.onnx").stat().st_size for f in ONNX_FOLDERS)
    assert small_size < full_size
    assert not list(exported_run.glob(".*"))


def test_int8_tags_a_line_alone_as_among_others(exported_run):
    tagger = Tagger.load(exported_run / "onnx_int8")
    texts = ["Ada Moss sailed to Bergen", "a storm", "Bergen", "the storm that hit Oslo killed the bats of Ada Moss"]
    assert tagger.tag(texts) == [tagger.tag([text])[0] for text in texts]


def test_int8_holds_every_layer_but_the_first_ones_projection_back(exported_run):
    graph = onnx.load(exported_run / "onnx_int8" / "model.onnx").graph
    assert sum(node.op_type == "MatMulInteger" for node in graph.node) == 2 * 6 + 1 - 1  # and the classifier
    full = [tuple(w.dims) for w in graph.initializer if len(w.dims) == 2 and w.data_type == onnx.TensorProto.FLOAT]
    assert full.count((64, 32)) == 1 + 1  # of the two layers one, and the table of 64 positions


def row(run: Path, name: str, folder: str, f1: float, own_f1: float) -> str:
    """The card's row of a variant: its size, its F1, and what it costs against the run's own."""
    size = sum(p.stat().st_size for p in (run / folder).glob("model.*") if p.suffix in (".onnx", ".safetensors"))
    return f"| {name} | {size / 1e6:.1f} | {f1:.2f} | {f1 - own_f1:+.2f} |"


def test_the_card_shows_what_each_variant_costs(exported_run, copy):
    assert (exported_run / "README.md").read_text(encoding="utf-8") == model_card(exported_run)
    f1 = {f: 100 * read_json(exported_run / f / "test/metrics.json")["overall"]["f1"] for f in (".", *ONNX_FOLDERS)}
    rows = [row(exported_run, "this run in float32, safetensors", ".", f1["."], f1["."])]
    for folder, precision in zip(ONNX_FOLDERS, ("float32", "int8"), strict=True):
        rows.append(row(exported_run, f"{folder}/, {precision}", folder, f1[folder], f1["."]))
    assert "\n".join(rows) + "\n" in model_card(exported_run)
    metrics = read_json(copy / "onnx" / "test" / "metrics.json") | {"data_fingerprint": "of other sentences"}
    (copy / "onnx" / "test" / "metrics.json").write_text(json.dumps(metrics))
    assert "onnx/, " not in model_card(copy) and "onnx_int8/, " in model_card(copy)
    shutil.rmtree(copy / "onnx")
    assert "ONNX" not in model_card(copy)


def test_exports_are_not_blamed_for_the_bfloat16_of_the_runs_own_scores(copy, known_model, capsys):
    own = 100 * read_json(copy / "test" / "metrics.json")["overall"]["f1"]
    inference.main(["--checkpoint", str(copy), "--use_cpu", "true", "--bf16", "true"])
    metrics = read_json(copy / "test" / "metrics.json")
    assert metrics["precision"] == "bfloat16"
    capsys.readouterr()
    hub.main(["onnx", str(copy)])
    assert f"onnx: test F1 {own:.2f}, the run's in float32 {own:.2f}" in capsys.readouterr().out
    assert read_json(copy / "test" / "metrics.json") == metrics
    rows = [row(copy, "this run in float32, safetensors", ".", own, own), row(copy, "onnx/, float32", "onnx", own, own)]
    assert "\n".join(rows) + "\n" in (copy / "README.md").read_text(encoding="utf-8")


def test_the_precision_of_an_export_is_that_of_its_model_file(copy):
    for folder, precision in zip(ONNX_FOLDERS, ("float32", "int8"), strict=True):
        assert read_json(copy / folder / "test" / "metrics.json")["precision"] == precision
        renamed = (copy / folder).rename(copy.parent / f"renamed-{precision}")
        inference.main(["--checkpoint", str(renamed), "--use_cpu", "true", "--bf16", "true"])
        assert read_json(renamed / "test" / "metrics.json")["precision"] == precision


def test_a_run_that_was_not_scored_is_exported_and_says_so(unexported, known_model, caplog):
    shutil.rmtree(unexported / "test")
    write_manifest(unexported)
    hub.main(["onnx", str(unexported)])
    assert f"python inference.py --checkpoint {unexported}" in caplog.text
    assert (unexported / "onnx_int8" / "model.onnx").is_file() and not (unexported / "onnx_int8" / "test").exists()


def test_exports_of_a_run_whose_data_are_gone_are_not_compared(unexported, known_model, caplog):
    args = yaml.safe_load((unexported / "args.yaml").read_text())
    (unexported / "args.yaml").write_text(yaml.safe_dump(args | {"dataset": "/gone"}))
    write_manifest(unexported)
    hub.main(["onnx", str(unexported)])
    assert "not compared with the run, because its data cannot be read: --dataset: found no file" in caplog.text
    assert (unexported / "onnx_int8" / "model.onnx").is_file() and not (unexported / "onnx_int8" / "test").exists()


def test_an_export_without_its_model_is_refused(copy, fails):
    (copy / "onnx_int8" / "model.onnx").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    assert "onnx_int8: cannot be loaded: " in fails(
        inference.main, "--checkpoint", copy / "onnx_int8", "--text", "a", *CPU
    )
    (copy / "onnx" / "model.onnx").unlink()
    message = fails(inference.main, "--checkpoint", copy / "onnx", "--text", "a", *CPU)
    assert "or the model.onnx of an export" in message


def test_a_model_that_is_too_large_for_a_file_is_refused(unexported, monkeypatch, fails):
    monkeypatch.setattr(onnx_export, "LARGEST", 1000)
    assert "GB of weights in float32; expected at most" in fails(hub.main, "onnx", unexported)


def test_an_export_replaces_nothing(copy, caplog):
    before = content(copy)
    onnx_export.export(copy)
    assert "exported before; to export it again, delete its onnx and onnx_int8 first" in caplog.text
    assert content(copy) == before


def test_an_export_that_is_interrupted_leaves_nothing(unexported, known_model, monkeypatch):
    before = content(unexported)
    monkeypatch.setattr(onnx_export, "write_int8", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        onnx_export.export(unexported)
    assert content(unexported) == before and not list(unexported.glob(".*"))


def test_scores_of_an_export_are_entered_into_its_run(copy, monkeypatch):
    for folder, name in ((copy, "onnx"), (copy / "onnx_int8", ".")):
        monkeypatch.chdir(folder)
        shutil.rmtree(Path(name) / "test")
        write_manifest(copy)
        others = require_intact(copy)
        inference.main(["--checkpoint", name, *CPU])
        assert require_intact(copy) == others + 2


@pytest.mark.parametrize("place", ["ner.tagging.score.score", "hub.write_card"])
def test_the_command_completes_an_export_that_was_interrupted(place, unexported, known_model, monkeypatch):
    """Before the exports are scored."""
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(place, Mock(side_effect=KeyboardInterrupt))
        hub.main(["onnx", str(unexported)])
    hub.main(["onnx", str(unexported)])
    assert require_intact(unexported)
