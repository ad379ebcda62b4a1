"""What the Hub does not have, and what it cannot be asked, are different answers."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest
from trained_runs import CPU, read_json

import inference
from ner.errors import InputError
from ner.hub_files import fetch, public_name

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("online")]


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
        (401, {}, "the Hub gives no access (status 401); log in with `hf auth login`, or set HF_TOKEN"),
        (403, {}, "the Hub gives no access (status 403); log in with `hf auth login`, or set HF_TOKEN"),
        (401, {"X-Error-Code": "GatedRepo"}, "the Hub gives no access (status 401); log in with `hf auth login`"),
        (429, {}, "too many requests to the Hub (status 429); wait a few minutes, or log in to be allowed more"),
        (503, {}, "the Hub answers with status 503"),
        (200, {}, "another server answers in place of the Hub; log in to your network, or check its proxy"),
    ],
)
def test_what_the_hub_refuses_is_one_message_with_a_remedy(status, headers, reason, loopback_hub, tmp_path, caplog):
    loopback_hub.failing, loopback_hub.status, loopback_hub.headers = "config.json", status, headers
    with pytest.raises(InputError) as error:
        fetch(f"someone/{tmp_path.name}", "config.json", "model", "name another")
    assert reason in str(error.value) and "\n" not in str(error.value)
    waits = [record for record in caplog.records if "Retry" in record.getMessage()]
    assert len(waits) == (5 if status in (429, 503) else 0) and not logging.getLogger("huggingface_hub").handlers


def test_a_web_page_in_place_of_a_file_is_named(pushed, tmp_path, loopback_hub, monkeypatch, fails):
    """A proxy sends it with the headers of the Hub, so that the client takes it for the file."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    loopback_hub.failing, loopback_hub.status = "config.json", 200
    loopback_hub.headers = {"X-Repo-Commit": "0" * 40, "ETag": '"page"'}
    message = fails(inference.main, *scoring(pushed, tmp_path))
    assert "config.json: this file in the cache of the Hub is damaged; remove it, and try again: hf cache rm" in message


def test_a_damaged_file_in_the_cache_is_named_and_the_remedy_works(pushed, tmp_path, monkeypatch, fails):
    cache = tmp_path / "cache"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    score_it = scoring(pushed, tmp_path)
    inference.main(score_it)
    for path in cache.glob("*/snapshots/*/**/*"):
        if path.is_file():
            whole = path.read_bytes()
            path.resolve().write_bytes(whole[:9])
            message = fails(inference.main, *score_it)
            assert f"{path}: this file in the cache of the Hub is damaged" in message
            path.resolve().write_bytes(whole)
    path.resolve().write_bytes(b"")
    *_, command = fails(inference.main, *score_it).strip().split(": hf ")
    hf, environment = Path(sys.executable).with_name("hf"), os.environ | {"HF_HUB_CACHE": str(cache)}
    subprocess.run([hf, *command.split(), "--yes"], check=True, capture_output=True, env=environment)
    inference.main(score_it)


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
        str(tmp_path): tmp_path.name,
    }  # fmt: skip
    assert {name: public_name(name) for name in names} == names
