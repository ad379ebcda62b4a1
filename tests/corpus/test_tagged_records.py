"""Records with tokens and tags under usual and other names: JSON, Parquet, and Parquet on the Hub."""

import io
import json
import random
from unittest.mock import Mock

import datasets
import huggingface_hub
import pyarrow as pa
import pyarrow.parquet
import pytest
import trained_runs
from conftest import read, sentence
from trained_runs import CPU, read_json

import inference
import train
from arguments import DataArguments
from data import training_data
from ner.corpus import hub_data
from ner.errors import InputError

NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
ROWS = [(["Anna", "Bell", "in", "Oslo"], ["B-PER", "I-PER", "O", "B-LOC"]), ([], []), (["Hi"], ["O"])]
NUMBERS = [[NAMES.index(tag) for tag in tags] for _, tags in ROWS]


def records(column: str, values: list, tokens: str = "tokens", **more: object) -> list[dict]:
    return [{tokens: words, column: own} | more for (words, _), own in zip(ROWS, values, strict=True)]


def lines(rows: list[dict]) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


def parquet(rows: list[dict], tags: str = "ner_tags", names: list[str] | None = NAMES) -> bytes:
    """As the library `datasets` writes it, with the names of the numbers or without."""
    data, target = datasets.Dataset.from_list(rows), io.BytesIO()
    if names:
        data = data.cast_column(tags, datasets.List(datasets.ClassLabel(names=names)))
    data.to_parquet(target)
    return target.getvalue()


TAGS = [tags for _, tags in ROWS]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("train.JSONL", lines(records("ner_tags", TAGS, id=1))),
        ("train.jsonl", b"\xef\xbb\xbf" + lines(records("labels", TAGS, text=None))),
        ("train.json", lines(records("labels", TAGS))),
        ("train.JSON", json.dumps(records("tags", TAGS), indent=1).encode()),
        ("train.jsonl", lines(records("labels", NUMBERS))),
        ("Train.PARQUET", parquet(records("labels", NUMBERS), names=None)),
        ("train.parquet", parquet(records("ner_tags", NUMBERS, id="1"))),
        ("train-00000-of-00001.parquet", parquet(records("labels", NUMBERS), "labels")),
    ],
)
def test_each_form_gives_the_same_sentences(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    if "ClassLabel" not in str(content):
        (tmp_path / "labels.txt").write_text("\n".join(NAMES))
    result = read(str(tmp_path), ["nn"], "train")
    assert list(zip(result.token_lists(), result.tag_lists(), strict=True)) == ROWS
    assert (result.names, result.langs) == (NAMES, ["nn"] * 3)


def test_the_language_of_a_row_is_read_however_parquet_holds_text(tmp_path):
    columns = {"tokens": [["Hi"]], "tags": [["O"]], "lang": ["sv"]}
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())):
        table = pa.table(columns).set_column(2, "lang", pa.array(["sv"]).cast(kind))
        pyarrow.parquet.write_table(table, tmp_path / "train.parquet")
        assert read(str(tmp_path), ["nn"], "train").langs == ["sv"]


def test_options_name_other_columns(tmp_path):
    rows = records("entities", TAGS, "words", lang="sv", tags=[["NN"]])
    for name, content in (("train.jsonl", lines(rows)), ("train.parquet", parquet(rows, names=None))):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_bytes(content)
        other = [row | {"words": ["x", *row["words"]], "entities": ["O", *row["entities"]]} for row in rows]
        (folder / f"dev.{name.split('.')[1]}").write_bytes(
            lines(other) if "json" in name else parquet(other, names=None)
        )
        data = training_data(DataArguments(dataset=str(folder), token_column="words", tag_column="entities"))
        assert data.train.tag_lists() == TAGS and data.validation.langs == ["sv"] * 3
        for more, message in (
            ({}, r"found words, entities, .*; expected tokens, and exactly one of .*; name the columns: --token"),
            ({"token_column": "word"}, r"found words, entities, .*; expected word, and exactly one of tags, ner_tags"),
            ({"token_column": "words", "tag_column": "tokens"}, r"expected words, and exactly one of tokens; name the"),
        ):
            with pytest.raises(InputError, match=message):
                training_data(DataArguments(dataset=str(folder), **more))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train.json", b"[\n{}\n{}]", r"train.json:3: cannot be read as JSON: Expecting ',' delimiter; correct"),
        ("train.json", b"[{]", r"train.json:1: cannot be read as JSON: "),
        ("train.json", b"[" * 100_000, r"train.json:1: cannot be read as JSON: maximum recursion depth"),
        ("train.json", b'[{"tokens": ["a"], "tags": ["O"], "tags": ["B-A"]}]', r"json:1: .* key 'tags' is there twice"),
        ("train.jsonl", b'{"text": "a", "label": [[0, 1, "A"]], "label": []}', r"json.:1: .* key 'label' is there twi"),
        ("train.json", b'[{}, {"tokens": ["a"], "tags": ["O"]}]', r"train.json:1: found no keys; expected tokens"),
        ("train.json", b'[{"tokens": ["a"], "tags": ["O"]}, {"tokens": ["b"]}]', r"json:2: found null inst"),
        ("train.json", b'[{"text": "a", "label": []}, 3]', r"json:2: found no JSON object"),
        ("train.json", b'[{"tokens": ["a"], "tags": ["O"]}, {"tokens": ["a"], "tags": [1]}]', r"json:2: .*/tags/"),
        ("train.json", b'[{"tokens": ["a"], "ner_tags": [' + b"9" * 20 + b"]}]", r"train.json: Failed to conv"),
        ("train.jsonl", b'{"tokens": ["a"], "labels": [1]}', r"numbers in labels and the key 'labels', .* labels.txt"),
        ("train.parquet", parquet([{"tokens": [], "tags": [], "lang": ["en"]}], names=None), r"in lang; expected text"),
        ("train.jsonl", b'{"tokens": ["a"], "tags": ["B-micro"]}', r"train.jsonl: found the class 'micro'; expected"),
        ("train.parquet", b"PAR1", r"train.parquet: cannot be read as Parquet"),
        ("train.parquet", parquet([{"tokens": ["a"], "ner_tags": [None]}], names=None), r"parquet:1: found null inst"),
        ("train.parquet", parquet([{"tokens": [None], "tags": ["O"]}], names=None), r"parquet:1: found null inst"),
    ],
)
def test_wrong_records_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(str(tmp_path), ["en"], "train")


@pytest.fixture
def hub(loopback_hub, tmp_path, monkeypatch):
    """The loopback Hub, with empty caches of the library `datasets` and of ours."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    hub_data.loaded.cache_clear()
    yield loopback_hub
    hub_data.loaded.cache_clear()
    for key in [key for key in loopback_hub.repos if key[1].startswith("someone/ner-")]:
        del loopback_hub.repos[key]


def corpus(*sizes: int) -> dict[str, bytes]:
    """Parquet files of the sentences that tests train on, with names for their numbers."""
    rng, files = random.Random(0), {}
    splits = list(zip(("train", "validation", "test"), sizes, strict=False))
    sentences = {name: [sentence(rng) for _ in range(size)] for name, size in splits}
    names = ["O", *sorted({tag for its in sentences.values() for _, tags in its for tag in tags if tag != "O"})]
    for name, its in sentences.items():
        rows = [{"id": "0", "tokens": words, "ner_tags": [names.index(t) for t in tags]} for words, tags in its]
        files[f"data/{name}-00000-of-00001.parquet"] = parquet(rows, names=names)
    return files


@pytest.mark.slow
def test_a_data_set_of_the_hub_is_trained_on_and_scored(hub, encoders, tmp_path, caplog):
    hub.repos["datasets", "someone/ner-whole"] = corpus(120, 40, 40)
    run = tmp_path / "run"
    train.main(trained_runs.argv("someone/ner-whole", encoders["bert"], run, "--num_train_epochs", "1"))
    metrics = inference.main(["--checkpoint", str(run), *CPU])
    assert (metrics["sentences"], metrics["dataset"]) == (40, "someone/ner-whole")
    assert "train: train, Parquet on the Hub with tokens and ner_tags; BIO; 120 sentences, " in caplog.text
    assert "division" not in read_json(run / "environment.json")
    assert "datasets:\n- someone/ner-whole" in (run / "README.md").read_text()


def test_the_hub_gives_configs_and_conversions_and_is_divided(hub, caplog):
    (small,) = corpus(30).values()
    config = "configs:\n- config_name: {0}\n  data_files: {0}/train.parquet\n"
    card = f"---\n{config.format('a')}{config.format('b')[9:]}---\n".encode()
    hub.repos["datasets", "someone/ner-two"] = {"README.md": card, "a/train.parquet": small, "b/train.parquet": small}
    with pytest.raises(InputError, match=r"someone/ner-two \(dataset on the Hub\): Config name is missing.*'a', 'b'"):
        training_data(DataArguments(dataset="someone/ner-two"))
    data = training_data(DataArguments(dataset="someone/ner-two", dataset_config="b", max_train_sentences=20))
    assert data.division == {"seed": 42, "by": "sentences", "train": 24, "validation": 3, "test": 3}

    hub.repos["datasets", "someone/ner-script"] = {"ner-script.py": b"raise SystemExit('this is never run')"}
    hub.repos["converted", "someone/ner-script"] = {"a/train/0000.parquet": small}
    for config in (None, "a"):  # the second time, the library has it in its cache
        hub_data.loaded.cache_clear()
        assert training_data(DataArguments(dataset="someone/ner-script", dataset_config=config)).rows["read"] == 24
    assert "has a loading script, which is not run; reading the Hub's conversion to Parquet" in caplog.text
    hub.repos["converted", "someone/ner-script"]["b/train/0000.parquet"] = small
    hub_data.loaded.cache_clear()
    with pytest.raises(InputError, match=r"someone/ner-script .*: found the configs a, b; check the name and --"):
        training_data(DataArguments(dataset="someone/ner-script"))


def test_what_was_loaded_from_the_hub_is_there_while_it_fails(hub):
    hub.repos["datasets", "someone/ner-kept"] = corpus(30, 10)
    first = training_data(DataArguments(dataset="someone/ner-kept"))
    hub_data.loaded.cache_clear()
    hub.failing = "ner-kept"
    assert training_data(DataArguments(dataset="someone/ner-kept")).train_fingerprint == first.train_fingerprint
    hub.failing = None


CARD = b"---\nconfigs:\n- config_name: default\n  data_files:\n" + b"".join(
    b"  - {split: %s, path: a.parquet}\n" % split for split in (b"train", b"dev", b"testa")
) + b"---\n"  # fmt: skip


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            None,
            r"\(dataset on the Hub\): .* doesn't exist on the Hub or cannot be accessed; check the name and --dataset",
        ),
        (
            {"train.csv": b"tokens,tags\na,O\n"},
            r"found files of the kind csv; expected Parquet; download it with `hf d",
        ),
        ({"ner-x2.py": b""}, r"\(dataset on the Hub\): .*; check the name and --dataset_config, or log in"),
        ({"train.parquet": b"PAR1"}, r"\(dataset on the Hub\): Parquet file size is 4 bytes"),
        (
            {"train.parquet": parquet(records("ner_tags", NUMBERS, id=1), names=None)},
            r"someone/ner-x4/train: found numbers in ner_tags and the key 'id', .* to labels.txt",
        ),
        ({"test.parquet": parquet(records("tags", TAGS), names=None)}, r"has no train split, but test"),
        (
            {"README.md": CARD.replace(b"train", b"train_en"), "a.parquet": parquet(records("tags", TAGS), names=None)},
            r"has no train split, but train_en, dev, testa",
        ),
        (
            {"README.md": CARD, "a.parquet": parquet(records("tags", TAGS), names=None)},
            r"found the splits dev and testa; expected one for validation; download .*: --validation_file",
        ),
    ],
)
def test_other_repositories_of_the_hub_are_refused(hub, files, message, request):
    """Each has its own name, because the client remembers what a repository holds."""
    name = f"someone/ner-x{next(iter(request.node.callspec.indices.values()))}"
    if files is not None:
        hub.repos["datasets", name] = files
    with pytest.raises(InputError, match=message):
        training_data(DataArguments(dataset=name))


def test_a_proxy_that_refuses_is_one_message(monkeypatch):
    refused = Mock(side_effect=huggingface_hub.errors.HTTPError("403 Forbidden"))
    monkeypatch.setattr(datasets, "load_dataset_builder", refused)
    with pytest.raises(InputError, match=r"someone/ner-proxy \(dataset on the Hub\): 403 Forbidden; check the name"):
        training_data(DataArguments(dataset="someone/ner-proxy"))
