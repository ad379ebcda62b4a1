"""What is pushed: known files of the run, none of them with a local path, and nothing that a link leads to."""

import shutil
from pathlib import Path

import huggingface_hub
import pytest
import yaml
from conftest import ROOT
from trained_runs import content

import hub
from ner.runs.files import BASELINE
from ner.runs.manifest import write_manifest

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("loopback_hub")]


@pytest.fixture
def run(upsampled_run, tmp_path) -> Path:
    """A run in the form of one that was scored and exported: an export is a checkpoint with another file of weights."""
    folder = shutil.copytree(upsampled_run, tmp_path / "secret-place" / "tagger")
    shutil.copytree(folder / "validation", folder / "test")
    for name in ("onnx", "onnx_int8"):
        shutil.copytree(folder, folder / name, ignore=shutil.ignore_patterns("checkpoint-*", "onnx*", "model.*"))
        (folder / name / "model.onnx").write_bytes(b"model")
    shutil.copy(folder / "test" / "metrics.json", folder / BASELINE)
    write_manifest(folder)
    return folder


def pushed(run: Path, loopback_hub, repo_id: str) -> dict[str, bytes]:
    hub.main(["push", str(run), "--repo_id", repo_id])
    return loopback_hub.repos["models", repo_id]


@pytest.mark.parametrize("streamed", [False, True], ids=["", "streamed"])
def test_only_known_files_are_pushed_in_one_commit(streamed, run, loopback_hub, monkeypatch):
    """`streamed` is how the client uploads where `hf_xet` is installed, here without its storage of large files."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", not streamed)
    monkeypatch.setattr(loopback_hub, "large", () if streamed else loopback_hub.large)
    for name in ("notes/secret.model", "deep/er/metrics.json", "vocab.bak", "secret.model", "tokenizer-old.json",
                 "model-old.safetensors", "onnx/notes.json", "onnx/deep/metrics.json", "validation/notes.json", ".env",
                 "test/other/metrics.json", "checkpoint-2/metrics.json", "pytorch_model.bin"):  # fmt: skip
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text("{}")
    before, repo_id = content(run), f"someone/closed-list-{streamed}"
    files = pushed(run, loopback_hub, repo_id)
    checkpoint = {"args.yaml", "config.json", "tokenizer.json", "tokenizer_config.json", "test/metrics.json",
                  "validation/metrics.json"}  # fmt: skip
    exports = {f"{folder}/{name}" for folder in ("onnx", "onnx_int8") for name in {*checkpoint, "model.onnx"}}
    others = {"README.md", "environment.json", "manifest.json", "model.safetensors", BASELINE}
    assert set(files) == {*checkpoint, *exports, *others}
    assert files["model.safetensors"] == before["model.safetensors"]
    assert [message for repository, message in loopback_hub.commits if repository == repo_id] == [
        "tagger: weights, tokenizer, model card"
    ]
    assert content(run) == before


def test_parts_of_a_large_model_are_pushed(run, loopback_hub, fails):
    parts = [f"model-{i:05}-of-00002.safetensors" for i in (1, 2)]
    (run / "model.safetensors").unlink()
    write_manifest(run)
    assert "found no weights; expected model.safetensors" in fails(hub.main, "push", run, "--repo_id", "someone/parts")
    names = {*parts, "model.safetensors.index.json"}
    for name in names:
        (run / name).write_text("{}")
    write_manifest(run)
    assert names <= set(pushed(run, loopback_hub, "someone/parts"))


def test_no_pushed_file_names_a_local_path(run, upsampled_run, corpus, encoders, loopback_hub):
    with (run / "args.yaml").open("a") as args_yaml:
        on_windows = r"C:\users\ann\z"
        args_yaml.write(f"logging_dir: {run}/logs\nlr_scheduler_kwargs: {{x: {run}/y, z: '{on_windows}'}}\n")
    (run / "README.md").write_text(f"An older card, of {encoders['bert']}.\n")
    write_manifest(run)
    before = content(run)
    files = pushed(run, loopback_hub, "someone/no-paths")
    for place in (run.parent, upsampled_run.parent, corpus.parent, encoders["bert"].parent, ROOT, "site-packages"):
        assert not [name for name, text in files.items() if str(place).encode() in text], place
    args = yaml.safe_load(files["args.yaml"])
    assert args["dataset"] == corpus.name and args["model_checkpoint"] == encoders["bert"].name
    assert (args["output_dir"], args["logging_dir"]) == (upsampled_run.name, "logs")
    assert args["lr_scheduler_kwargs"] == {"x": "y", "z": "z"}
    assert yaml.safe_load(files["onnx/args.yaml"])["dataset"] == corpus.name
    assert f"fine-tuned from {encoders['bert'].name} on".encode() in files["README.md"].replace(b"\\", b"")
    assert content(run) == before  # the run is repeated by its args.yaml


@pytest.mark.parametrize("name", ["tokenizer.json", "test", "onnx"])
def test_links_out_of_the_run_are_not_followed(name, run, tmp_path, loopback_hub, fails):
    (run / name).rename(tmp_path / "outside")
    (run / name).symlink_to(tmp_path / "outside")
    message = fails(hub.main, "push", run, "--repo_id", f"someone/links-{name}")
    assert "leads out of the run folder" in message
    assert ("models", f"someone/links-{name}") not in loopback_hub.repos


def test_links_within_the_run_and_to_it_are_followed(run, tmp_path, loopback_hub):
    (run / "model.safetensors").rename(run / "weights")
    (run / "model.safetensors").symlink_to("weights")
    (tmp_path / "here").symlink_to(run)
    files = pushed(tmp_path / "here", loopback_hub, "someone/inner-links")
    assert files["model.safetensors"] == (run / "weights").read_bytes()


def test_the_id_that_the_hub_answers_is_advised(run, loopback_hub, capsys):
    hub.main(["push", str(run), "--repo_id", "me"])
    assert "--checkpoint someone/me --output_dir FOLDER\n" in capsys.readouterr().err
    assert "model.safetensors" in loopback_hub.repos["models", "someone/me"]


def test_a_second_push_leaves_nothing_of_the_first_run(run, loopback_hub):
    pushed(run, loopback_hub, "someone/twice")["LICENSE"] = b"of its owner"
    for name in ("onnx", "onnx_int8", "test"):
        shutil.rmtree(run / name)
    write_manifest(run)
    files = pushed(run, loopback_hub, "someone/twice")
    assert not [name for name in files if name.startswith(("onnx", "test/"))] and "LICENSE" in files
