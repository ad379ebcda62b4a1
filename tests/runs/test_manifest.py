"""Whether a run is as it was written: a changed bit or a cut file is found, and the file named."""

import random
import shutil
from pathlib import Path

import pytest

import hub
from ner.errors import InputError
from ner.runs.manifest import require_intact, write_manifest

SCORED = ("validation", "test", "scores/other-test-0123abcd", "onnx/test")


@pytest.fixture
def run(tmp_path) -> Path:
    """What looks like a run that was scored and exported."""
    folder = tmp_path / "run"
    scores = [f"{place}/{name}" for place in SCORED for name in ("metrics.json", "predictions.jsonl")]
    for name in ("config.json", "environment.json", "trainer_state.json", "tokenizer.json", "model.safetensors",
                 "README.md", "onnx/model.onnx", "args.yaml", *scores):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f'{{"name": "{name}"}}')
    write_manifest(folder)
    return folder


def test_one_changed_bit_is_found_in_every_file(run):
    rng, names = random.Random(0), [str(p.relative_to(run)) for p in sorted(run.rglob("*")) if p.is_file()]
    assert len(names) == 2 * len(SCORED) + 9
    for name in names:
        whole = (run / name).read_bytes()
        at = rng.randrange(len(whole))
        changed = bytes([whole[at] ^ 1 << rng.randrange(8)])
        (run / name).write_bytes(whole[:at] + changed + whole[at + 1 :])
        own = name == "manifest.json"
        with pytest.raises(
            InputError, match="manifest.json" if own else rf"match manifest.json: {name} has changed; copy"
        ):
            require_intact(run)
        (run / name).write_bytes(whole)
    assert require_intact(run) == len(names) - 1


def test_files_that_are_cut_or_missing_are_named(run, fails):
    (run / "model.safetensors").write_bytes(b"{")
    (run / "tokenizer.json").unlink()
    message = fails(hub.main, "verify", run)
    assert (
        "match manifest.json: model.safetensors has changed; tokenizer.json is missing; copy the run again" in message
    )
    (run / "manifest.json").write_text('{"filds": {}}')
    assert f"{run / 'manifest.json'}: found no list of files; copy" in fails(hub.main, "verify", run)
    (run / "manifest.json").unlink()
    message = fails(hub.main, "verify", run)
    assert f"{run}: holds no manifest.json; expected the folder of a finished run; finish its training with" in message


def test_what_others_put_there_and_what_an_owner_deletes_as_a_whole_is_no_damage(run):
    (run / "checkpoint-8").mkdir()
    for name in ("checkpoint-8/config.json", "notes.txt", "onnx/notes.txt"):
        (run / name).write_text("{}")
    assert require_intact(run) == 16
    shutil.rmtree(run / "onnx")
    shutil.rmtree(run / "scores")
    assert require_intact(run) == 11
    shutil.rmtree(run / "test")
    with pytest.raises(InputError, match=r"test/metrics.json is missing; test/predictions.jsonl is missing"):
        require_intact(run)


def test_entering_new_scores_hides_no_damage(run):
    (run / "model.safetensors").write_bytes(b"damaged")
    (run / "validation" / "metrics.json").write_text("{}")
    (run / "test" / "metrics.json").write_text("{}")
    write_manifest(run, ("test/", "README.md"))
    with pytest.raises(InputError, match=r": model.safetensors has changed; validation/metrics.json has changed; c"):
        require_intact(run)
