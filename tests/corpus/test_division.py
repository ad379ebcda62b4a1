"""A corpus without a validation split is divided: the same way at each run, and documents stay together."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import trained_runs
import yaml
from trained_runs import read_json

import inference
import train
from arguments import DataArguments
from data import training_data
from ner.corpus.readers import has_split, read_divided, read_raw
from ner.corpus.sources import Source
from ner.errors import InputError


def write(path, documents: list[int], mark: str = "-DOCSTART- O\n\n") -> str:
    """Documents of so many sentences; each sentence has a token that no other one has."""
    text, number = "", 0
    for i, sentences in enumerate(documents):
        text += mark
        for _ in range(sentences):
            text += f"word{number}.{i} O\nOslo B-LOC\n\n"
            number += 1
    path.write_text(text)
    return str(path)


def tokens(raw) -> list[str]:
    return [sentence[0] for sentence in raw.sentences.token_lists()]


def test_the_parts_are_all_of_it_in_order_and_equal_for_a_seed(tmp_path):
    source = Source(write(tmp_path / "all.conll", [1] * 200, mark=""))
    splits, about = read_divided(source)
    assert about == {"seed": 42, "by": "sentences", "train": 160, "validation": 20, "test": 20}
    assert {token for raw in splits.values() for token in tokens(raw)} == {f"word{i}.{i}" for i in range(200)}
    for raw in splits.values():
        numbers = [int(token.split(".")[1]) for token in tokens(raw)]
        assert numbers == sorted(numbers) and raw.place(0).endswith(f":{3 * numbers[0] + 1}")
    for name, raw in splits.items():
        assert tokens(read_raw(source, name)) == tokens(raw)
    other = read_divided(Source(source.dataset, split_seed=1))[0]
    assert tokens(other["test"]) != tokens(splits["test"]) and len(other["test"].sentences) == 20


def test_documents_stay_together(tmp_path):
    sizes = np.random.default_rng(0).integers(1, 9, 60).tolist()
    splits, about = read_divided(Source(write(tmp_path / "all.conll", sizes)))
    parts = {name: {token.split(".")[1] for token in tokens(raw)} for name, raw in splits.items()}
    assert about["by"] == "documents" and sum(map(len, parts.values())) == 60
    for name in ("validation", "test"):
        assert abs(about[name] - sum(sizes) / 10) < max(sizes)
    few = read_divided(Source(write(tmp_path / "few.conll", [10] * 9)))[1]
    assert few["by"] == "sentences"
    large = read_divided(Source(write(tmp_path / "large.conll", [30] + [1] * 11)))[1]
    assert (large["by"], large["train"], large["validation"], large["test"]) == ("sentences", 32, 5, 4)


def test_beside_a_test_split_only_validation_is_held_out(tmp_path):
    write(tmp_path / "train.conll", [1] * 50)
    write(tmp_path / "test.conll", [1] * 7)
    data = training_data(DataArguments(dataset=str(tmp_path)))
    assert data.division == {"seed": 42, "by": "documents", "train": 45, "validation": 5}
    assert not has_split(Source(str(tmp_path)), "validation")
    (tmp_path / "train.conll").write_text("Oslo B-LOC\n\nOslo\n")
    assert len(read_raw(Source(str(tmp_path)), "test").sentences) == 7  # without reading the training split


@pytest.mark.parametrize("name", ["dev_de.conll", "dev_set.conll", "test_de.conll"])
def test_data_are_not_divided_beside_a_split_in_another_language(tmp_path, name):
    write(tmp_path / "train.conll", [1] * 50)
    write(tmp_path / name, [1] * 7)
    with pytest.raises(InputError, match=rf"found no file for the .* split in the language en, but {name}; expected"):
        training_data(DataArguments(dataset=str(tmp_path)))


def test_too_few_sentences_are_not_divided(tmp_path):
    with pytest.raises(
        InputError, match=r"all.conll: found 9 sentences, and no validation split; .* --validation_file"
    ):
        training_data(DataArguments(dataset=write(tmp_path / "all.conll", [9])))


@pytest.mark.slow
def test_a_run_on_one_file_is_scored_on_its_own_part(tmp_path, encoders, fails, caplog):
    """Whatever --seed is: it does not change the data."""
    file, runs = write(tmp_path / "all.conll", [1] * 100), [tmp_path / "a", tmp_path / "b"]
    for seed, run in enumerate(runs):
        argv = trained_runs.argv(file, encoders["bert"], run, "--num_train_epochs", "1", "--seed", str(seed))
        train.main(argv)
        inference.main(["--checkpoint", str(run), *trained_runs.CPU])
    a, b = ([read_json(run / split / "metrics.json") for split in ("validation", "test")] for run in runs)
    assert [m["data_fingerprint"] for m in a] == [m["data_fingerprint"] for m in b]
    assert [m["sentences"] for m in a] == [10, 10] and a[1]["dataset"] == "all.conll"
    record = read_json(runs[0] / "environment.json")["division"]
    assert record == {"seed": 42, "by": "documents", "train": 80, "validation": 10, "test": 10}
    assert yaml.safe_load((runs[0] / "args.yaml").read_text())["split_seed"] == 42

    (tmp_path / "other.conll").write_text(Path(file).read_text().replace("word", "other"))
    other = str(tmp_path / "other.conll")
    message = fails(inference.main, "--checkpoint", runs[0], "--dataset", other, *trained_runs.CPU)
    assert "found one file" in message and "--test_file" in message
    assert "expected --validation_file with it" in fails(
        inference.main, "--checkpoint", runs[0], "--test_file", other, "--split", "validation", *trained_runs.CPU
    )
    assert inference.main(["--checkpoint", str(runs[0]), "--test_file", other, *trained_runs.CPU])["sentences"] == 100
    assert "training sentences of the checkpoint" not in caplog.text
    inference.main(["--checkpoint", str(runs[0]), "--test_file", file, *trained_runs.CPU])
    assert "80 of 100 sentences are also training sentences of the checkpoint" in caplog.text
    shutil.rmtree(runs[1] / "test")
    caplog.clear()
    inference.main(["--checkpoint", str(runs[1]), "--split_seed", "7", *trained_runs.CPU])  # another part of the file
    assert not (runs[1] / "test").exists() and "are also training sentences of the checkpoint" in caplog.text
    assert sorted(path.name[:15] for path in (runs[0] / "scores").iterdir()) == ["all.conll-test-", "other.conll-tes"]
