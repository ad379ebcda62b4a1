"""What a training may replace in its folder, and when it does."""

import itertools
import os
import shutil
import time
from pathlib import Path

import pytest
from conftest import launched
from trained_runs import CPU, OVER, argv, content, differ_by, read_json

import inference
import train
from ner.runs.folder import PLACING, UNFINISHED, WHOLE, checkpoints_in, finish_publishing, locked, publish
from ner.training.trainer import TaggingTrainer

pytestmark = pytest.mark.slow

FOREIGN = (
    "checkpoint-notes/thesis.txt", "checkpoint-archive/model.safetensors", "checkpoint-8-backup/config.json",
    "checkpoint-/a", "model-comparison/table.md", "model-card-draft.md", "model-1-of-2.txt", "notes.txt",
    "test/notes.txt", "onnx/notes.txt", "data/findings.jsonl",
)  # fmt: skip


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")


@pytest.fixture(scope="module")
def finished(corpus, encoders, tmp_path_factory) -> Path:
    """A run of six epochs with a checkpoint for each."""
    folder = tmp_path_factory.mktemp("runs") / "a"
    train.main(argv(corpus, encoders["bert"], folder))
    return folder


@pytest.fixture
def run(finished, tmp_path) -> Path:
    return shutil.copytree(finished, tmp_path / "run")


@pytest.mark.parametrize("over", [(), OVER])
@pytest.mark.parametrize(
    "name",
    ["README.md", "environment.json", "tokenizer.json", "vocab.txt", "trainer_state.json", "config.json",
     "model.safetensors", "model-00001-of-00002.safetensors", "training_surfaces.tsv", "validation/metrics.json",
     "test/predictions.jsonl", "checkpoint-7/notes.txt", "onnx/model.onnx"],
)  # fmt: skip
def test_a_folder_that_holds_what_no_run_wrote_is_refused(name, over, corpus, encoders, tmp_path, fails):
    write(tmp_path, name, "notes.txt")
    if name == "environment.json":
        (tmp_path / name).write_text('{"name": "mine"}')
    before, changed = content(tmp_path), tmp_path.stat().st_mtime_ns
    message = fails(train.main, *argv(corpus, encoders["bert"], tmp_path, *over))
    assert f"{tmp_path} holds {name.removesuffix('/notes.txt')}, which a run would replace" in message
    assert content(tmp_path) == before and tmp_path.stat().st_mtime_ns == changed


def test_the_current_folder_is_no_exception(corpus, encoders, tmp_path, monkeypatch, fails):
    write(tmp_path, "README.md", "train.py")
    monkeypatch.chdir(tmp_path)
    assert "holds README.md" in fails(train.main, *argv(corpus, encoders["bert"], "."))
    assert sorted(content(tmp_path)) == ["README.md", "train.py"]


def test_records_of_the_same_names_make_no_run(run, corpus, encoders, fails):
    (run / "environment.json").write_text('{"python": "3.12"}')
    message = fails(train.main, *argv(corpus, encoders["bert"], run, *OVER))
    assert "holds README.md, which a run would replace but no finished run wrote" in message
    (run / "args.yaml").write_text("dataset: mine\n")
    assert "holds README.md" in fails(train.main, *argv(corpus, encoders["bert"], run, *OVER))
    before = content(run)
    inference.main(["--checkpoint", str(run), "--dataset", str(corpus), *CPU])  # writes no card over that README.md
    after = content(run)
    assert after.keys() - before.keys() == {"test/metrics.json", "test/predictions.jsonl"}
    assert {name: after[name] for name in before} == before


def test_a_file_that_somebody_put_beside_an_interrupted_run_is_kept(run, corpus, encoders, tmp_path, fails):
    begun = tmp_path / "begun"
    shutil.copytree(checkpoints_in(run)[0], begun / "checkpoint-8")  # as an earlier version left it
    write(begun, "README.md")
    options = argv(corpus, encoders["bert"], begun, "--resume_from_checkpoint", "true")
    assert "holds README.md" in fails(train.main, *options)
    (begun / "README.md").unlink()
    train.main(options)
    assert differ_by(run, begun) == 0


def test_overwriting_removes_what_the_run_wrote_and_nothing_else(run, corpus, encoders):
    inference.main(["--checkpoint", str(run), *CPU])
    for name in ("onnx/model.onnx", "onnx/test/metrics.json", "onnx/run_in_float32.json", "spiece.model",
                 "model-00001-of-00002.safetensors", "model.safetensors.index.json", "checkpoint-999/model.safetensors",
                 *FOREIGN):  # fmt: skip
        write(run, name)
    train.main(argv(corpus, encoders["bert"], run, *OVER, "--max_steps", "2", "--save_total_limit", "1"))
    assert {name for name, text in content(run).items() if text == b"mine"} == set(FOREIGN)
    assert [path.name for path in checkpoints_in(run)] == ["checkpoint-2"]
    assert not list(run.glob(".*")) and os.listdir(run / "onnx") == os.listdir(run / "test") == ["notes.txt"]


@pytest.mark.parametrize(("limit", "left"), [("1", 1), ("2", 2), ("9", 6)])
def test_training_removes_its_own_surplus_checkpoints_only(limit, left, run, corpus, encoders, tmp_path):
    write(tmp_path / "new", *FOREIGN)
    train.main(argv(corpus, encoders["bert"], tmp_path / "new", "--save_total_limit", limit))
    assert {name for name, text in content(tmp_path / "new").items() if text == b"mine"} == set(FOREIGN)
    kept = [path.name for path in checkpoints_in(tmp_path / "new")]
    best = Path(read_json(tmp_path / "new" / "trainer_state.json")["best_model_checkpoint"])
    assert len(kept) == left and best.name in kept and best.parent == tmp_path / "new"
    assert differ_by(run, tmp_path / "new") == 0


@pytest.mark.parametrize("name", ["checkpoint-8", "validation", "test"])
def test_links_are_not_written_through(name, run, corpus, encoders, tmp_path, fails):
    inference.main(["--checkpoint", str(run), *CPU])
    (run / name).rename(tmp_path / "elsewhere")
    (run / name).symlink_to(tmp_path / "elsewhere")
    before = content(tmp_path)
    for option in (OVER, ("--resume_from_checkpoint", "true")):
        message = fails(train.main, *argv(corpus, encoders["bert"], run, *option))
        assert f"{run / name}: found a link" in message
    assert content(tmp_path) == before


def test_dropping_the_last_batch_is_for_training_only(run, corpus, encoders, tmp_path, fails):
    drop = ("--dataloader_drop_last", "true")
    message = fails(
        train.main, *argv(corpus, encoders["bert"], run, *OVER, *drop, "--per_device_train_batch_size", 500)
    )
    assert "make no batch of 500" in message and differ_by(run, run) == 0
    train.main(argv(corpus, encoders["bert"], tmp_path / "new", *drop, "--num_train_epochs", "2"))
    facts = read_json(tmp_path / "new" / "environment.json")
    assert facts["rows"]["training_rows"] % 16 and facts["update_steps"] == 2 * (facts["rows"]["training_rows"] // 16)
    assert read_json(tmp_path / "new" / "validation" / "metrics.json")["sentences"] == 40


class Stop(BaseException):
    pass


def test_the_old_run_goes_when_the_new_one_has_something_whole(run, corpus, encoders, tmp_path, monkeypatch):
    """A training that ends before its first checkpoint, one in it, and one after it."""
    before, kept = content(run), TaggingTrainer._save_checkpoint

    def stopped(*args: object) -> None:
        raise Stop

    more = ("--learning_rate", "5e-3")
    for owner, name in ((TaggingTrainer, "_save_checkpoint"), (TaggingTrainer, "_save_rng_state")):
        with monkeypatch.context() as patch, pytest.raises(Stop):
            patch.setattr(owner, name, stopped)
            train.main(argv(corpus, encoders["bert"], run, *OVER, *more))
        assert content(run) == before

    def twice(self: TaggingTrainer, *args: object) -> None:
        kept(self, *args)
        if self.state.global_step > 8:
            raise Stop

    monkeypatch.setattr(TaggingTrainer, "_save_checkpoint", twice)
    with pytest.raises(Stop):
        train.main(argv(corpus, encoders["bert"], run, *OVER, *more))
    monkeypatch.undo()
    assert sorted(os.listdir(run)) == ["args.yaml", "checkpoint-16", "checkpoint-8"]
    train.main(argv(corpus, encoders["bert"], run, "--resume_from_checkpoint", "true", *more))
    train.main(argv(corpus, encoders["bert"], tmp_path / "whole", *more))
    assert differ_by(run, tmp_path / "whole") == 0


def test_a_run_without_checkpoints_replaces_an_old_one_at_its_end(run, corpus, encoders, monkeypatch, fails):
    before = content(run)
    more = ("--save_strategy", "no", "--load_best_model_at_end", "false", "--max_steps", "2")
    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(train, "environment", lambda *args: (_ for _ in ()).throw(Stop))
        train.main(argv(corpus, encoders["bert"], run, *OVER, *more))
    assert content(run) == before
    train.main(argv(corpus, encoders["bert"], run, *OVER, *more))
    assert not checkpoints_in(run) and read_json(run / "environment.json")["update_steps"] == 2


@pytest.mark.parametrize("replaces", [True, False])
def test_publishing_that_is_interrupted_anywhere_goes_on(replaces, tmp_path, monkeypatch):
    old = ("README.md", "args.yaml", "config.json", "model.safetensors", "checkpoint-3/a", "checkpoint-9/a",
           "validation/metrics.json", "test/metrics.json", "onnx/model.onnx", *FOREIGN)  # fmt: skip
    new = ("args.yaml", "checkpoint-3/a", "checkpoint-3/b", "validation/metrics.json")
    expected = dict.fromkeys(FOREIGN if replaces else old, "mine") | dict.fromkeys(new, "new")
    changes = ("rename", "replace", "unlink", "rmdir", "mkdir")
    for moment in itertools.count(1):
        run = tmp_path / str(moment)
        write(run, *old)
        write(run / UNFINISHED, *new)
        for name in new:
            (run / UNFINISHED / name).write_text("new")
        calls = itertools.count(1)

        def counted(change, *args, calls=calls, moment=moment, **more):
            if next(calls) == moment:
                raise Stop
            return change(*args, **more)

        with monkeypatch.context() as patch:
            for name in changes:
                change = getattr(os, name)
                patch.setattr(os, name, lambda *args, change=change, **more: counted(change, *args, **more))
            try:
                publish(run, replaces)
            except Stop:
                interrupted = True
            else:
                interrupted = False
        contents = {name: text.decode() for name, text in content(run).items()}
        assert {name: contents.get(name) for name in FOREIGN} == dict.fromkeys(FOREIGN, "mine")
        if (run / UNFINISHED).exists():
            assert {name: contents.get(name) for name in old} == dict.fromkeys(old, "mine")
            continue
        assert (run / WHOLE).exists() or (run / PLACING).exists() or not interrupted
        finish_publishing(run)
        assert {name: text.decode() for name, text in content(run).items()} == expected
        assert not (run / WHOLE).exists() and not (run / PLACING).exists()
        if not interrupted:
            break
    assert moment > (15 if replaces else 5)


def test_a_training_finishes_what_a_killed_one_had_begun_to_replace(run, corpus, encoders, tmp_path):
    begun = tmp_path / "begun"
    options = ("--num_train_epochs", "2", "--learning_rate", "5e-3")
    train.main(argv(corpus, encoders["bert"], begun, *options))
    write(run, *FOREIGN)
    (run / WHOLE).mkdir()
    shutil.move(begun / "checkpoint-8", run / WHOLE)
    (run / "environment.json").unlink()
    write(run / UNFINISHED, "checkpoint-16/config.json")
    train.main(argv(corpus, encoders["bert"], run, *options, "--resume_from_checkpoint", "true"))
    assert [path.name for path in checkpoints_in(run)] == ["checkpoint-8", "checkpoint-16"]
    assert {name for name, text in content(run).items() if text == b"mine"} == set(FOREIGN)
    assert not list(run.glob(".*"))


def test_of_several_processes_all_learn_of_a_refusal(corpus, encoders, tmp_path):
    run = tmp_path / "run"
    with locked(run):
        start = time.monotonic()
        done = launched("train.py", *argv(corpus, encoders["bert"], run))
        assert done.returncode != 0 and time.monotonic() - start < 300
    assert done.stderr.count("error: ") == 1 and f"{run}: another program" in done.stderr
    assert not run.exists()
    write(run, "README.md")
    done = launched("train.py", *argv(corpus, encoders["bert"], run))
    assert done.returncode != 0 and done.stderr.count("holds README.md") == 1
    assert sorted(content(run)) == ["README.md"]
