"""What the Hub does not have, and what it cannot be asked, are different answers."""

from pathlib import Path

import huggingface_hub
import pytest
from trained_runs import CPU, read_json

import inference
from ner.errors import InputError
from ner.hub_files import fetch, public_name

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("loopback_hub")]


@pytest.fixture
def pushed(upsampled_run, corpus, loopback_hub, tmp_path, monkeypatch):
    """A repository whose args.yaml names a data set on the Hub in another language than the default's."""
    repo_id = f"someone/{tmp_path.name}"
    names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
    files = {name: (upsampled_run / name).read_bytes() for name in names}
    loopback_hub.repos["models", repo_id] = files | {"args.yaml": b"dataset: Babelscape/multinerd\nlanguages: [it]\n"}
    test = (corpus / "test" / "test_en.jsonl").read_bytes()
    data = {f"test/test_{code}.jsonl": test for code in ("en", "it")}
    monkeypatch.setitem(loopback_hub.repos, ("datasets", "Babelscape/multinerd"), data)
    return repo_id


def scoring(repo_id: str, tmp_path: Path, *more: object) -> list[str]:
    return [str(o) for o in ("--checkpoint", repo_id, "--output_dir", tmp_path / "out", *more, *CPU)]


def scored_on(tmp_path: Path) -> str:
    (path,) = (tmp_path / "out").glob("*/test/metrics.json")
    return " ".join([read_json(path)["dataset"], *read_json(path)["languages"]])


def test_a_pushed_run_is_scored_on_the_data_that_it_names(pushed, tmp_path):
    inference.main(scoring(pushed, tmp_path))
    assert scored_on(tmp_path) == "Babelscape/multinerd it"


@pytest.mark.parametrize("how", ["failing", "broken"])
def test_an_args_yaml_that_cannot_be_asked_for_is_no_reason_for_other_data(how, pushed, tmp_path, loopback_hub, fails):
    setattr(loopback_hub, how, "args.yaml")
    message = fails(inference.main, *scoring(pushed, tmp_path))
    assert "args.yaml" in message and "name the data with --dataset and --languages" in message
    assert not (tmp_path / "out").exists()
    inference.main(scoring(pushed, tmp_path, "--dataset", "Babelscape/multinerd", "--languages", "en"))
    assert scored_on(tmp_path) == "Babelscape/multinerd en"


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        (401, {}, "401"),
        (403, {"X-Error-Code": "GatedRepo"}, "Cannot access gated repo"),
        (429, {}, "429"),
        (503, {}, "503"),
        (200, {}, "check your firewall and proxy settings"),  # a network that wants a login first
    ],
)
def test_what_the_hub_refuses_is_one_message(status, headers, reason, loopback_hub, tmp_path):
    loopback_hub.failing, loopback_hub.status, loopback_hub.headers = "config.json", status, headers
    with pytest.raises(InputError) as error:
        fetch(f"someone/{tmp_path.name}", "config.json", "model", "name another")
    assert reason in str(error.value) and "\n" not in str(error.value)


def test_offline_it_is_unknown_what_is_not_cached(pushed, tmp_path, monkeypatch, fails):
    inference.main(scoring(pushed, tmp_path, "--text", "a"))  # which needs no args.yaml
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    message = fails(inference.main, *scoring(pushed, tmp_path))
    assert "args.yaml cannot be fetched" in message and "--dataset and --languages" in message


def test_a_repository_without_an_args_yaml_is_scored_on_the_default_data(pushed, tmp_path, loopback_hub):
    del loopback_hub.repos["models", pushed]["args.yaml"]
    inference.main(scoring(pushed, tmp_path))
    assert scored_on(tmp_path) == "Babelscape/multinerd en"


def test_public_names(tmp_path, monkeypatch):
    (tmp_path / "private" / "mydata").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    names = {
        "sample": "sample", "Babelscape/multinerd": "Babelscape/multinerd", "private/mydata": "mydata",
        "~/texts": "texts", "/srv/data/": "data", "../data/mine": "mine", "package:p/model": "package:p/model",
        str(tmp_path): tmp_path.name, r"C:\users\ann\corpus": "corpus",
    }  # fmt: skip
    assert {name: public_name(name) for name in names} == names
