"""Whether a run is as it was written: a changed bit, a cut file or an edited score is found, and the file named."""

import json
import random
import shutil
from pathlib import Path

import pytest
import yaml
from scored_runs import ROWS
from seqeval.metrics import f1_score

import hub
import report
from ner.errors import InputError
from ner.runs.manifest import require_intact, write_manifest
from ner.scoring.intervals import scores_and_intervals, scores_by_language
from ner.scoring.scores import cluster_ids, counts_of_tags

ARGS = {"dataset": "sample", "model_checkpoint": "encoder", "masked_training": False, "output_dir": "run"}
SCORED = ("validation", "test", "scores/other-test-0123abcd", "onnx/test")


@pytest.fixture
def run(tmp_path) -> Path:
    """What looks like a run that was scored and exported; its scores are those of its predictions."""
    folder = tmp_path / "run"
    for place in SCORED:
        (folder / place).mkdir(parents=True)
        text = "".join(json.dumps(row) + "\n" for row in ROWS)
        (folder / place / "predictions.jsonl").write_text(text)
        gold, predicted, tokens, langs = (
            [row[side] for row in ROWS] for side in ("gold", "predicted", "tokens", "lang")
        )
        counted = counts_of_tags(gold, predicted), cluster_ids(tokens)
        per_language = scores_by_language(*counted, langs)
        sizes = {"sentences": len(ROWS), "tokens": sum(len(row["tokens"]) for row in ROWS)}
        metrics = sizes | scores_and_intervals(*counted) | {"per_language": per_language}
        (folder / place / "metrics.json").write_text(json.dumps(metrics))
    (folder / "args.yaml").write_text(yaml.safe_dump(ARGS))
    for name in ("config.json", "environment.json", "trainer_state.json", "tokenizer.json", "model.safetensors",
                 "training_surfaces.tsv", "README.md", "onnx/model.onnx"):  # fmt: skip
        (folder / name).write_text(f'{{"name": "{name}"}}')
    write_manifest(folder)
    return folder


def edit(path: Path, **changes: object) -> None:
    """Changes scores in a metrics.json."""
    metrics = json.loads(path.read_text())
    path.write_text(json.dumps(metrics | {"overall": metrics["overall"] | changes}))


def test_one_changed_bit_is_found_in_every_file(run):
    rng, names = random.Random(0), [str(p.relative_to(run)) for p in sorted(run.rglob("*")) if p.is_file()]
    assert len(names) == 2 * len(SCORED) + 10
    for name in names:
        whole = (run / name).read_bytes()
        at = rng.randrange(len(whole))
        changed = bytes([whole[at] ^ 1 << rng.randrange(8)])
        (run / name).write_bytes(whole[:at] + changed + whole[at + 1 :])
        own = name == "manifest.json"
        with pytest.raises(InputError, match="manifest.json" if own else rf"records it: {name} has changed; copy"):
            require_intact(run)
        (run / name).write_bytes(whole)
    assert require_intact(run)[0] == f"{len(names) - 1} files are as manifest.json records them"


def test_files_that_are_cut_missing_or_of_others_are_named(run, fails):
    (run / "model.safetensors").write_bytes(b"{")
    (run / "tokenizer.json").unlink()
    (run / "added_tokens.json").write_text("{}")
    message = fails(hub.main, "verify", run)
    for fault in (
        "model.safetensors has 1 bytes instead of 29",
        "tokenizer.json is missing",
        "added_tokens.json is not",
    ):
        assert fault in message
    (run / "manifest.json").unlink()
    message = fails(hub.main, "verify", run)
    assert f"{run}: holds no manifest.json; expected the folder of a finished run; finish its training with" in message
    assert "expected a checkpoint's folder or a Hub id" in fails(hub.main, "verify", run / "none")


def test_what_others_put_there_and_what_an_owner_deletes_as_a_whole_is_no_damage(run):
    (run / "checkpoint-8").mkdir()
    for name in ("checkpoint-8/config.json", "notes.txt", "onnx/notes.txt"):
        (run / name).write_text("{}")
    before = require_intact(run)
    shutil.rmtree(run / "onnx")
    shutil.rmtree(run / "scores")
    lines = require_intact(run)
    assert len(lines) == len(before) - 2 and (before[0].split()[0], lines[0].split()[0]) == ("17", "12")
    shutil.rmtree(run / "test")
    with pytest.raises(InputError, match=r"test/metrics.json is missing; test/predictions.jsonl is missing"):
        require_intact(run)


def test_entering_new_scores_hides_no_damage(run):
    (run / "model.safetensors").write_bytes(b"damaged")
    edit(run / "validation" / "metrics.json", f1=0.1)
    write = run / "test" / "predictions.jsonl"
    write.write_text(write.read_text())
    write_manifest(run, ("test/", "README.md"))
    with pytest.raises(InputError, match=r"it: model.safetensors has 7 bytes .*; validation/metrics.json has"):
        require_intact(run)


def test_scores_that_the_predictions_do_not_give_are_refused(run, tmp_path, fails):
    """Even where a manifest has entered them. seqeval is the oracle."""
    f1 = f1_score([row["gold"] for row in ROWS], [row["predicted"] for row in ROWS])
    assert require_intact(run)[-1] == f"validation: its scores are those of predictions.jsonl: F1 {100 * f1:.2f}"
    place = run / "test"
    whole = {path: path.read_text() for path in place.iterdir()}

    def refused(found: str) -> None:
        write_manifest(run, ("test/",))
        for main, *argv in ((hub.main, "verify", run), (report.main, run, "--output_dir", tmp_path / "out")):
            assert f"test/metrics.json: found {found}" in fails(main, *argv)
        for path, text in whole.items():
            path.write_text(text)

    edit(place / "metrics.json", f1=f1 + 0.001)
    refused(f"f1 {f1 + 0.001}, but predictions.jsonl gives {f1}; expected the same")
    lines = whole[place / "predictions.jsonl"].splitlines(keepends=True)
    (place / "predictions.jsonl").write_text("".join(lines[:70]))
    refused("sentences 80, but predictions.jsonl gives 70")
    metrics = json.loads(whole[place / "metrics.json"])
    (place / "metrics.json").write_text(json.dumps(metrics | {"per_class": metrics["per_class"] | {"PER": None}}))
    refused("support of PER 0, but")
    metrics["per_language"]["de"]["overall"]["f1"] += 0.001
    (place / "metrics.json").write_text(json.dumps(metrics))
    refused("f1 in de 0.")
    (place / "metrics.json").write_text("{}")
    write_manifest(run, ("test/",))
    assert "test/metrics.json" in fails(hub.main, "verify", run)
    (place / "metrics.json").write_text(whole[place / "metrics.json"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "onnx/../../secret"])
def test_a_manifest_of_others_reads_nothing_outside_its_folder(run, name):
    (run.parent / "secret").write_text("mine")
    (run / "manifest.json").write_text(json.dumps({"files": {name: {"sha256": "0", "size": 4}}}))
    with pytest.raises(InputError, match="expected the name of a file within the run"):
        require_intact(run)
