"""The markers after words with capitals."""

import json
import random

import architectures
import pytest
from conftest import NAMES, WORDS, row, write_jsonl
from trained_runs import CPU, argv, differ_by, interrupted, predictions, read_json, tagged, weights
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

import inference
import train
from ner.encoder.case_markers import RULES, loses_capitals, with_case_markers
from ner.encoder.checkpoints import load_tokenizer, save_tokenizer
from ner.encoder.encoding import word_prefix
from ner.files import read_record
from ner.tagging import onnx_export

pytestmark = pytest.mark.slow
OPTIONS = ("--case_markers", "true", "--num_train_epochs", 12, "--save_total_limit", 12)
MARKERS = list(RULES)


@pytest.fixture(scope="module")
def encoder(encoders):
    return encoders["bert"]


@pytest.fixture(scope="module")
def homonyms(tmp_path_factory):
    """A corpus in which nothing but a capital tells LOC from ANIM."""
    folder, rng = tmp_path_factory.mktemp("homonyms"), random.Random(0)
    for split, size in (("train", 120), ("val", 40), ("test", 40)):
        rows = []
        for _ in range(size):
            name = rng.choice(("Peru", "peru"))
            before = rng.choices(WORDS, k=rng.randint(2, 6))
            tags = ["O"] * len(before) + ["B-LOC" if name == "Peru" else "B-ANIM", "O"]
            rows.append(row([*before, name, "."], tags))
        write_jsonl(folder / split / f"{split}_en.jsonl", rows)
    (folder / "labels.txt").write_text("\n".join(NAMES))  # so few classes could be another corpus's numbers
    return folder


@pytest.fixture(scope="module")
def run(homonyms, encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "marked"
    train.main(argv(homonyms, encoder, folder, *OPTIONS))
    inference.main(["--checkpoint", str(folder), *CPU])
    return folder


def with_markers(place):
    """The tokenizer of a checkpoint with markers, and its model."""
    model = AutoModelForTokenClassification.from_pretrained(place)
    return with_case_markers(AutoTokenizer.from_pretrained(place), model), model


def tokens(tokenizer, text):
    return tokenizer.convert_ids_to_tokens(tokenizer(text, add_special_tokens=False)["input_ids"])


def expected(word):
    """The marker of a word of letters and digits, as its definition says."""
    capitals = [i for i, letter in enumerate(word) if letter.isupper()]
    return [] if not capitals else ["[title]"] if capitals == [0] else ["[capitals]"]


def test_each_word_with_a_capital_has_one_marker_after_its_sub_tokens(encoder):
    tokenizer, _ = with_markers(encoder)
    rng = random.Random(3)
    words = ["".join(rng.choices("abÉéßЖжΣ7北", k=rng.randint(1, 6))) for _ in range(500)]
    words += ["Paris", "iPhone", "NATO", "A", "x", "3D", "B2b", "2x", "E\u0301lyse\u0301e", "e\u0301A", "7"]
    for word in words:
        parts = tokens(tokenizer, word)
        assert [part for part in parts if part in MARKERS] == expected(word), word
        assert not expected(word) or (parts[-1] in MARKERS and len(parts) > 1), word
    assert [part for part in tokens(tokenizer, "McDonald's U.S. (Peru) x-Ray") if part in MARKERS] == [
        "[capitals]", "[title]", "[title]", "[title]", "[title]"]  # fmt: skip
    joined = " ".join(words)
    split = tokenizer(words, is_split_into_words=True)["input_ids"]
    assert tokenizer(joined)["input_ids"] == split
    assert word_prefix(tokenizer) == ""


def test_the_markers_are_all_that_changes(encoder):
    before, (after, _) = AutoTokenizer.from_pretrained(encoder), with_markers(encoder)
    text = "In 1998 Ada Moss and the UNION said NO to O'Neill"
    assert [part for part in tokens(after, text) if part not in MARKERS] == tokens(before, text)
    assert tokens(after, text.lower()) == tokens(before, text)
    assert after.special_tokens_map == before.special_tokens_map
    assert after.model_max_length == before.model_max_length


def test_the_checkpoint_carries_its_markers(run, capsys):
    """transformers' pipeline, and an export, tag as the run does, and offsets are those of the text."""
    parts = tokens(AutoTokenizer.from_pretrained(run), "Peru peru")
    assert parts.count("[title]") == 1 and parts[-1] not in MARKERS
    for text, class_ in (("people said Peru .", "LOC"), ("people said peru .", "ANIM")):
        (line,) = tagged(capsys, "--checkpoint", run, "--text", text)
        assert [(e["type"], e["start"], e["end"]) for e in line["entities"]] == [(class_, 12, 16)]
        own = pipeline("token-classification", str(run), aggregation_strategy="first", device="cpu")(text)
        assert [(e["entity_group"], e["start"], e["end"]) for e in own] == [(class_, 12, 16)]
    onnx_export.export(run)
    inference.main(["--checkpoint", str(run / "onnx"), *CPU])
    assert predictions(run / "onnx" / "test") == predictions(run / "test")


def test_a_checkpoint_with_markers_keeps_them_and_gets_no_second_ones(homonyms, run, tmp_path, caplog):
    again, name = tmp_path / "again", "bert.embeddings.word_embeddings.weight"
    more = ("--case_markers", "false", "--max_steps", 2, "--save_strategy", "steps", "--save_steps", 1,
            "--load_best_model_at_end", "false")  # fmt: skip
    train.main(argv(homonyms, run, again, *OPTIONS, *more))
    assert "case markers: the checkpoint has them" in caplog.text and "gets none" not in caplog.text
    assert read_record(again / "args.yaml")["case_markers"] is True
    assert weights(again)[name].shape == weights(run)[name].shape
    assert (again / "tokenizer.json").read_bytes() == (run / "tokenizer.json").read_bytes()
    interrupted(again, tmp_path / "resumed", 1)
    options = (*OPTIONS, *more, "--resume_from_checkpoint", "true")
    train.main(argv(homonyms, run, tmp_path / "resumed", *options))
    assert differ_by(again, tmp_path / "resumed") == 0


def test_a_title_case_digraph_or_a_circled_letter_is_no_capital(encoder):
    tokenizer, _ = with_markers(encoder)
    assert not set(MARKERS) & set(tokens(tokenizer, "ǅa aǅ ǅ Ⓐa aⒶ Ⓐ"))


def test_the_embedding_grows_by_the_rows_that_it_lacks(encoder, tmp_path):
    tokenizer, model = with_markers(encoder)
    assert model.config.vocab_size == len(tokenizer) + 6  # it had eight rows to spare
    full = architectures.save(tmp_path, "bert", vocab_size=len(tokenizer) - 2)
    before = AutoModelForTokenClassification.from_pretrained(full).get_input_embeddings().weight
    tokenizer, model = with_markers(full)
    after = model.get_input_embeddings().weight
    assert model.config.vocab_size == len(after) == len(tokenizer) == len(before) + 2
    assert (after[:-2] == before).all()


def test_a_run_of_a_cased_encoder_records_no_markers(corpus, encoders, tmp_path):
    more = ("--case_markers", "true", "--max_steps", 2)
    run = train.main(argv(corpus, encoders["roberta"], tmp_path / "run", *more))
    assert read_record(run / "args.yaml")["case_markers"] is False


def test_an_uncased_tokenizer_of_another_kind_gets_markers_too(tmp_path):
    """ALBERT's, whose sub-tokens mark the beginnings of words."""
    encoder = architectures.save(tmp_path / "albert", "albert")
    backend = read_json(encoder / "tokenizer.json")
    backend["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "Lowercase"}]}
    (encoder / "tokenizer.json").write_text(json.dumps(backend))
    tokenizer, model = with_markers(encoder)
    model.save_pretrained(tmp_path / "saved")
    save_tokenizer(tokenizer, tmp_path / "saved")
    for kind in (tokenizer, load_tokenizer(str(tmp_path / "saved"))):
        text = "In Bergen NATO said a storm hit"
        parts = tokens(kind, text)
        assert [part for part in parts if part in MARKERS] == ["[title]", "[title]", "[capitals]"]
        assert "".join(part for part in parts if part not in MARKERS) == "▁in▁bergen▁nato▁said▁a▁storm▁hit"
        assert kind(text.split(), is_split_into_words=True)["input_ids"] == kind(text)["input_ids"]
        assert word_prefix(kind) == ""


def test_a_cased_vocabulary_whose_capitals_are_removed_is_noticed(encoder):
    tokenizer = load_tokenizer(str(encoder))
    assert not loses_capitals(tokenizer)
    tokenizer.add_tokens([f"Name{number}" for number in range(20)])
    assert loses_capitals(tokenizer)
    marked, _ = with_markers(encoder)  # which keeps capitals, as markers
    marked.add_tokens([f"Name{number}" for number in range(20)])
    assert not loses_capitals(marked)
