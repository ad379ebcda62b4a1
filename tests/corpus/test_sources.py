"""Where the files of a split are, by their usual names and by options."""

import pytest

from arguments import DataArguments
from ner.corpus.readers import has_split
from ner.corpus.sources import SPLIT_WORDS, Source, split_files
from ner.errors import InputError
from ner.hub_files import MissingFileError


def make(folder, *names: str):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    return str(folder)


def found(source: Source, split: str) -> list[str]:
    return [str(path.relative_to(source.home)) for path, _ in split_files(source, split)]


def present_splits(source: Source) -> list[str]:
    return [split for split in SPLIT_WORDS if has_split(source, split)]


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train/train_en.jsonl", "val/val_en.jsonl", "test/test_en.jsonl"),  # MultiNERD on the Hub
        ("train_en.tsv", "dev_en.tsv", "test_en.tsv"),  # its original release
        ("eng.train", "eng.testa", "eng.testb"),  # CoNLL-2003
        ("train.txt", "valid.txt", "test.txt"),
        ("train.bio", "dev.iob", "test.iob2"),
        ("onto.train.ner", "onto.development.txt", "x"),  # neither ending nor word is known
        ("NER-de-train.tsv", "NER-de-dev.tsv", "NER-de-test.tsv"),  # GermEval
        ("data/train-00000-of-00001.parquet", "data/validation-00000-of-00001.parquet", "data/test.parquet"),
        ("Train.JSON", "VAL.json", "test_EN.spacy"),
    ],
)
def test_usual_names_are_found(tmp_path, train, validation, test):
    source = Source(make(tmp_path, train, validation, test, "labels.txt", "README.md", ".train.txt", "train.bak"))
    if test == "x":
        assert present_splits(source) == []
        return
    assert [found(source, split) for split in ("train", "validation", "test")] == [[train], [validation], [test]]
    assert present_splits(source) == ["train", "validation", "test"]


def test_a_language_in_the_name_is_the_one_that_is_wanted(tmp_path):
    folder = make(
        tmp_path, "train.conll", "train_en.conll", "train_sv.conll", "train_zh-CN.conll", "dev_sv.conll", "test.conll"
    )
    names = {"en": "train_en", "sv": "train_sv", "zh-CN": "train_zh-CN", "zh_CN": "train_zh-CN", "fi": "train"}
    for code, name in names.items():
        assert found(Source(folder, [code]), "train") == [f"{name}.conll"]
    assert found(Source(folder, ["sv", "en"]), "train") == ["train_sv.conll", "train_en.conll"]
    with pytest.raises(MissingFileError, match=r"for the validation split in the language en, but dev_sv.conll; "):
        split_files(Source(folder), "validation")
    with pytest.raises(MissingFileError, match=r"in the language fi, but train.conll"):
        split_files(Source(folder, ["en", "fi"]), "train")  # the file without a language may be that of any


def test_several_files_are_one_split_only_as_parts_of_parquet(tmp_path):
    parts = [f"data/train-0000{i}-of-00002.parquet" for i in (0, 1)]
    assert found(Source(make(tmp_path / "a", *parts)), "train") == parts
    hashed = [f"data/train-0000{i}-of-00002-6ef3991c06080e1{i}.parquet" for i in (0, 1)]
    assert found(Source(make(tmp_path / "d", *hashed)), "train") == hashed
    with pytest.raises(InputError, match=r"train-00001-of-00002.parquet: found 1 such files; expected 2, as the"):
        split_files(Source(make(tmp_path / "e", parts[1])), "train")
    for others in (
        ["train_v10.parquet", "train_v11.parquet"],
        ["train.parquet", "train-small.parquet"],
        ["de/train-0.parquet", "fr/train-0.parquet"],
    ):
        with pytest.raises(InputError, match="several files"):
            split_files(Source(make(tmp_path / others[1][:7], *others)), "train")
    folder = make(tmp_path / "b", "train.conll", "train.jsonl", "old/train.txt")
    with pytest.raises(InputError, match=r"several files for the train split: train.conll, train.jsonl; .*_file"):
        split_files(Source(folder), "train")
    assert found(Source(make(tmp_path / "c", "train.conll", "old/train.txt")), "train") == ["train.conll"]


def test_options_name_files(tmp_path):
    folder = make(tmp_path, "train.conll", "dev.conll", "test.conll", "mine/a.conll", "mine/b.conll")
    a, b = f"{folder}/mine/a.conll", f"{folder}/mine/b.conll"
    alone = DataArguments(train_file=a, test_file=b).source
    assert (found(alone, "train"), found(alone, "test")) == (["a.conll"], ["b.conll"])
    assert present_splits(alone) == ["train", "test"]  # and not MultiNERD's validation split
    with pytest.raises(MissingFileError, match=r"a.conll: is one file; name one for the validation split: --valid"):
        split_files(alone, "validation")
    beside = Source(folder, test_file=b)
    assert (found(beside, "train"), found(beside, "test")) == (["train.conll"], ["mine/b.conll"])
    one = Source(a)
    assert (found(one, "train"), present_splits(one)) == (["a.conll"], ["train"])
    with pytest.raises(InputError, match=r"--test_file: found no file 'nowhere'"):
        split_files(Source(folder, test_file="nowhere"), "test")
    with pytest.raises(InputError, match="--dataset, --train_file: found both"):
        DataArguments(dataset=folder, train_file=a)
    with pytest.raises(InputError, match=r"--languages: found en it, and .*a.conll has no language in its name"):
        split_files(Source(a, ["en", "it"]), "train")
