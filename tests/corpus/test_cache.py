"""The cache of prepared data: never stale, never half, never in the way."""

import json
import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import ROOT, save, write_jsonl
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerFast

import train
from arguments import DataArguments
from data import training_data
from ner.corpus import cache
from ner.errors import InputError
from ner.model.checkpoints import load_for_training
from ner.model.encoding import tokenizer_state
from ner.model.inputs import model_inputs

EXPERIMENTS = ({}, {"masked_training": True, "upsample": True}, {"max_train_sentences": 30, "max_eval_sentences": 9})


@pytest.fixture
def folder(tmp_path, monkeypatch, caplog) -> Path:
    """Where entries go, in this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    caplog.set_level(logging.INFO, "ner")
    return tmp_path / "home" / "multinerd-class-masking"


@pytest.fixture
def own(corpus, tmp_path) -> Path:
    """A copy of the corpus that a test may change."""
    return Path(shutil.copytree(corpus, tmp_path / "own"))


def options(dataset: Path, **changes) -> DataArguments:
    return DataArguments(dataset=str(dataset), **changes)


def tokenizer_of(folder: Path) -> PreTrainedTokenizerFast:
    return load_for_training(str(folder), ["O"], False, [])[1]


def assert_same(a, b) -> None:
    """Equal training data, or equal model inputs of training and validation."""
    for split in ("train", "validation"):
        first, second = getattr(a, split), getattr(b, split)
        assert first.table.equals(second.table) and first.table.schema.equals(second.table.schema, check_metadata=True)
        assert first.names == second.names
        assert first.tag_lists() == second.tag_lists()
    assert (a.rows, a.names) == (b.rows, b.names)
    assert (a.train_fingerprint, a.validation_fingerprint) == (b.train_fingerprint, b.validation_fingerprint)


def entries(folder: Path, kind: str = "") -> set[str]:
    return {path.name for path in folder.glob(f"{kind}*")}


@pytest.mark.parametrize("changes", EXPERIMENTS)
@pytest.mark.parametrize("window", [8, 64])
def test_what_comes_from_the_cache_equals_what_was_prepared(corpus, encoders, folder, changes, window, caplog):
    tokenizer = tokenizer_of(encoders["bert"])
    results, lines = [], []
    for cached in (False, True, True):
        caplog.clear()
        data = training_data(options(corpus, cache=cached, **changes))
        results.append((data, model_inputs(data.train, data.validation, tokenizer, window, cached)))
        lines.append([record.getMessage() for record in caplog.records])
    assert len(entries(folder)) == 2
    (plain, inputs), *others = results
    assert_same(plain, training_data(options(corpus, cache=False, **changes)))
    for data, encoded in others:
        assert_same(data, plain)
        for part, expected in zip(encoded, inputs, strict=True):
            for name in ("input_ids", "labels", "lengths"):
                ours, theirs = getattr(part, name), getattr(expected, name)
                assert ours.dtype == theirs.dtype and np.array_equal(ours, theirs)
            assert part.long_sentences == expected.long_sentences
            assert part.table().equals(expected.table())
    prepared_lines, first, second = lines
    assert any(line.startswith("train: read 120, dropped") for line in first)
    assert any("are split into several windows" in line for line in first) == (window == 8)
    assert first == prepared_lines
    assert [line for line in second if "from the cache" not in line] == first
    said = [line for line in second if "from the cache" in line]
    assert {line.split(", ")[1].split("; ")[0] for line in said} == {str(folder / name) for name in entries(folder)}
    assert all("--cache false" in line for line in said)


def test_an_edited_file_is_read_anew(own, folder):
    first = training_data(options(own))
    path = own / "train" / "train_en.jsonl"
    before = path.stat()
    path.write_text(path.read_text(encoding="utf-8").replace("storm", "sturm"), encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as large and as old as before
    second = training_data(options(own))
    assert second.train_fingerprint != first.train_fingerprint
    assert "sturm" in second.train.words.to_pylist()


def test_a_test_file_that_comes_or_goes_counts(own, folder):
    leak = json.loads((own / "train" / "train_en.jsonl").read_text(encoding="utf-8").splitlines()[0])
    write_jsonl(own / "test" / "test_en.jsonl", [leak])
    leaks_dropped = training_data(options(own)).rows["leaks_dropped"]
    (own / "test" / "test_en.jsonl").unlink()
    assert training_data(options(own)).rows["leaks_dropped"] == leaks_dropped - 1


@pytest.mark.parametrize(
    "changes",
    [{"max_train_sentences": 9}, {"masked_training": True}, {"masked_training": True, "selected_categories": ["PER"]},
     {"upsample": True}, {"upsample": True, "upsample_factor": 3}],
)  # fmt: skip
def test_each_option_has_its_own_entry(corpus, folder, changes):
    for others in EXPERIMENTS:
        training_data(options(corpus, **others))
    assert_same(training_data(options(corpus, **changes)), training_data(options(corpus, cache=False, **changes)))
    assert len(entries(folder)) == 4


def test_each_tokenizer_window_and_data_has_its_own_model_inputs(corpus, encoders, folder):
    data = training_data(options(corpus))
    masked = training_data(options(corpus, masked_training=True))
    bert, roberta = tokenizer_of(encoders["bert"]), tokenizer_of(encoders["roberta"])
    other_words = tokenizer_of(encoders["bert"])
    other_words.add_tokens(["storm"])
    other_unknown = tokenizer_of(encoders["bert"])
    other_unknown.unk_token = "[MASK]"
    cases = [(data, bert, 64), (data, bert, 32), (masked, bert, 64), (data, roberta, 64), (data, other_words, 64)]
    for i, (rows, *case) in enumerate([*cases, (data, other_unknown, 64)], 1):
        for _ in range(2):
            cached, fresh = (model_inputs(rows.train, rows.validation, *case, cache=c) for c in (True, False))
            assert all(np.array_equal(a.input_ids, b.input_ids) for a, b in zip(cached, fresh, strict=True))
            assert all(np.array_equal(a.labels, b.labels) for a, b in zip(cached, fresh, strict=True))
            assert len(entries(folder, "inputs")) == i


@pytest.mark.parametrize("changed", ["data.py", "ner/labels.py", "ner/corpus/a_new_reader.py"])
def test_changed_code_meets_no_old_entry(corpus, folder, tmp_path, monkeypatch, changed):
    training_data(options(corpus))
    shutil.copy(ROOT / "data.py", tmp_path)
    shutil.copytree(ROOT / "ner", tmp_path / "ner", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(cache, "ROOT", tmp_path)
    training_data(options(corpus))
    assert len(entries(folder)) == 1
    with open(tmp_path / changed, "a") as file:
        file.write("\n")
    training_data(options(corpus))
    assert len(entries(folder)) == 2


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [flipped, lambda c: c[:-100], lambda c: c[:20], lambda c: b"", lambda c: c + b"x"])
def test_a_damaged_entry_is_made_anew(corpus, folder, damage, caplog):
    expected = training_data(options(corpus))
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    caplog.clear()
    assert_same(training_data(options(corpus)), expected)
    assert "from the cache" not in caplog.text
    assert path.read_bytes() == whole
    training_data(options(corpus))
    assert "from the cache" in caplog.text


def test_a_cache_that_cannot_be_written_stops_nothing(corpus, encoders, tmp_path, folder, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    data = training_data(options(corpus))
    assert_same(data, training_data(options(corpus, cache=False)))
    model_inputs(data.train, data.validation, tokenizer_of(encoders["bert"]), 64, True)
    assert [m for m in caplog.messages if "not stored in the cache" in m and str(tmp_path / "file") in m] != []


def test_an_interrupted_write_leaves_nothing(corpus, folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        training_data(options(corpus))
    assert entries(folder) == set()
    training_data(options(corpus))
    assert len(entries(folder)) == 1


def test_wrong_input_is_an_error_each_time_and_nothing_is_kept(own, folder):
    write_jsonl(own / "val" / "val_en.jsonl", [{"tokens": ["a"], "ner_tags": [99]}])
    for _ in range(2):
        with pytest.raises(InputError, match=r"val_en\.jsonl:1: found the tag number 99"):
            training_data(options(own))
    assert entries(folder) == set()
    shutil.rmtree(own / "train")
    with pytest.raises(InputError, match=r"found neither train/train_en\.jsonl nor train_en\.tsv"):
        training_data(options(own))


def test_the_entries_used_longest_ago_are_dropped(corpus, folder, monkeypatch):
    monkeypatch.setattr(cache, "ENTRIES", 3)

    def new(size: int) -> str:
        """The entry of `size` sentences, which all others are made older than."""
        for path in folder.glob("*"):
            os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 100))
        before = entries(folder)
        training_data(options(corpus, max_train_sentences=size))
        return (entries(folder) - before or {""}).pop()

    names = [new(size) for size in (1, 2, 3)]
    assert new(1) == ""  # it was there, and is used now
    names.append(new(4))
    assert entries(folder) == {names[0], names[2], names[3]}


def test_what_is_logged_does_not_decide_what_is_stored(corpus, folder, caplog):
    caplog.set_level(logging.ERROR, "ner")
    training_data(options(corpus))
    assert len(entries(folder)) == 1
    caplog.set_level(logging.INFO, "ner")
    training_data(options(corpus))
    assert "from the cache" in caplog.text and "train: read 120, dropped" in caplog.text


def test_of_several_processes_the_first_one_writes_and_all_read(corpus, folder, monkeypatch, caplog):
    monkeypatch.setenv("LOCAL_RANK", "1")
    training_data(options(corpus))
    assert not folder.exists()
    monkeypatch.setenv("LOCAL_RANK", "0")
    training_data(options(corpus))
    assert len(entries(folder)) == 1 and "from the cache" not in caplog.text
    monkeypatch.setenv("LOCAL_RANK", "1")
    training_data(options(corpus))
    assert "from the cache" in caplog.text


@pytest.mark.slow
def test_training_from_the_cache_gives_the_same_run(corpus, tmp_path, folder, caplog):
    encoder = save(tmp_path / "encoder", "bert")
    settings = json.loads((encoder / "tokenizer.json").read_text())
    settings["truncation"] = {"direction": "Right", "max_length": 9, "strategy": "LongestFirst", "stride": 0}
    settings["padding"] = {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0,
                           "pad_type_id": 0, "pad_token": "[PAD]"}  # fmt: skip
    (encoder / "tokenizer.json").write_text(json.dumps(settings))
    argv = [
        "--dataset",
        corpus,
        "--model_checkpoint",
        encoder,
        "--use_cpu",
        "true",
        "--bf16",
        "true",
        "--max_steps",
        "2",
    ]
    for run, more in (("none", ["--cache", "false"]), ("first", []), ("second", [])):
        assert "from the cache" not in caplog.text
        train.main([str(a) for a in [*argv, "--output_dir", tmp_path / run, *more]])
        assert len(entries(folder)) == (0 if run == "none" else 2)
    assert caplog.text.count("from the cache") == 2
    first, second = (load_file(tmp_path / run / "model.safetensors") for run in ("none", "second"))
    assert all((first[name] == second[name]).all() for name in first)
    for name in ("tokenizer.json", "training_surfaces.tsv", "validation/predictions.jsonl", "validation/metrics.json"):
        assert len({(tmp_path / run / name).read_bytes() for run in ("none", "first", "second")}) == 1
    assert all("cache" not in yaml.safe_load((tmp_path / run / "args.yaml").read_text()) for run in ("none", "first"))


def test_a_tokenizers_state_is_the_same_before_and_after_its_use(encoders):
    tokenizer = tokenizer_of(encoders["bert"])
    tokenizer.backend_tokenizer.enable_truncation(9)
    before = tokenizer_state(tokenizer)
    tokenizer("some words", padding="max_length", max_length=20, truncation=True)
    assert tokenizer_state(tokenizer) == before
