import json
import random
import shutil

import numpy as np
import pyarrow as pa
import pytest
import torch
from architectures import ARCHITECTURES, NAMES, ROBERTA, SIZES, TEXT, WORDS, params, save, unigram
from tokenizers import Tokenizer, models, processors
from transformers import AutoConfig, AutoModelForTokenClassification, AutoTokenizer, PreTrainedTokenizerFast

from ner.encoder import checkpoints, encoding
from ner.encoder.case_markers import with_case_markers
from ner.encoder.encoding import IGNORED, Encoded, encode, sentence_windows, window_size
from ner.errors import InputError

HARD = ["Lake", "O'Neill", "Größe", "1,000", "\u200b", "\u00ad", "", "a" * 300, "naïve", "!!", "..."]


def random_sentences(rng: random.Random, count: int, words: list[str], longest: int) -> list[list[str]]:
    return [rng.choices(words, k=rng.randint(0, longest)) for _ in range(count)]


def encoded(sentences, tokenizer, window):
    words = pa.array([w for s in sentences for w in s], type=pa.string())
    lengths = np.array([len(s) for s in sentences])
    return encode(words, np.arange(len(words)) % 1000, lengths, tokenizer, window), len(words)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_input_ids_and_labels_equal_the_tokenizers_own_alignment(encoders, kind):
    _, tokenizer = checkpoints.load_for_training(str(encoders[kind]), ["O", "B-X", "I-X"], False)
    words = [w for w in (*WORDS, *HARD, *TEXT) if tokenizer.tokenize(w)]
    sentences = [s for s in random_sentences(random.Random(1), 200, words, 12) if s]
    result, _ = encoded(sentences, tokenizer, 10_000)
    starts = np.concatenate([[0], np.cumsum(result.lengths)])
    label = 0
    for i, sentence in enumerate(sentences):
        oracle = tokenizer(sentence, is_split_into_words=True)
        labels, before = [], None
        for word in oracle.word_ids():
            new = word is not None and word != before
            labels.append(label % 1000 if new else IGNORED)
            label += new
            before = word
        ours = slice(starts[i], starts[i + 1])
        assert result.input_ids[ours].tolist() == oracle["input_ids"]
        assert result.labels[ours].tolist() == labels


@pytest.mark.parametrize("name", params(ARCHITECTURES))
def test_words_have_the_sub_tokens_of_the_sentences_text(name, tmp_path):
    tokenizer = checkpoints.load_tokenizer(str(save(tmp_path, name)))
    words = [*WORDS, *NAMES, "Größe", "1,000", "-", "a.b"]
    sentences = [s for s in random_sentences(random.Random(5), 60, words, 12) if s]
    result, _ = encoded(sentences, tokenizer, 10_000)
    texts = [tokenizer(" ".join(sentence))["input_ids"] for sentence in sentences]
    assert result.input_ids.tolist() == [i for text in texts for i in text]
    opens_with_space = name not in ("modernbert", "mmbert", "eurobert")
    assert (tokenizer("storm")["input_ids"] == tokenizer(" storm")["input_ids"]) == opens_with_space


@pytest.mark.parametrize("name", params(ARCHITECTURES))
def test_a_saved_tokenizer_is_of_a_class_that_transformers_4_knows(name, tmp_path):
    """And splits alike without our way of loading it. `benchmarks/transformers4.py` loads it in version 4."""
    encoder = str(save(tmp_path / "encoder", name))
    tokenizers = {name: checkpoints.load_tokenizer(encoder)}
    if name == "bert":
        model = AutoModelForTokenClassification.from_pretrained(encoder)
        tokenizers["marked"] = with_case_markers(checkpoints.load_tokenizer(encoder), model)
    for kind, one in tokenizers.items():
        folder = tmp_path / kind
        AutoConfig.from_pretrained(encoder).save_pretrained(folder)
        checkpoints.save_tokenizer(one, folder)
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        assert settings["tokenizer_class"] != "TokenizersBackend" and "extra_special_tokens" not in settings
        assert kind != "marked" or settings["tokenizer_class"] == "PreTrainedTokenizerFast"
        again = AutoTokenizer.from_pretrained(folder)
        text = "In Bergen , Ada Moss said Größe ' s 1,000"
        assert again(text)["input_ids"] == one(text)["input_ids"]
        split = {"is_split_into_words": True}
        assert again([text.split()], **split)["input_ids"] == one([text.split()], **split)["input_ids"]
        assert again.all_special_ids == one.all_special_ids and again.model_input_names == one.model_input_names


def test_a_truncation_and_padding_of_the_tokenizers_file_change_nothing(encoders, tmp_path):
    before = checkpoints.load_tokenizer(str(encoders["bert"]))
    limited = shutil.copytree(encoders["bert"], tmp_path / "limited")
    backend = Tokenizer.from_file(str(limited / "tokenizer.json"))
    backend.enable_truncation(2)
    backend.enable_padding(length=999)
    backend.save(str(limited / "tokenizer.json"))
    found, expected = (encoding.sub_tokens(TEXT, t) for t in (checkpoints.load_tokenizer(str(limited)), before))
    assert all(map(np.array_equal, found, expected))


@pytest.mark.parametrize("scheme", ["first", "always", None])
def test_a_words_sub_tokens_are_those_it_has_alone(encoders, scheme, monkeypatch):
    """Also where the tokenizer marks the beginning of a text: each word is one."""
    _, tokenizer = checkpoints.load_for_training(str(encoders["bert"]), ["O"], False)
    if scheme:
        tokenizer = unigram(ROBERTA, scheme=scheme)
    words = [*WORDS, *HARD, *TEXT]
    monkeypatch.setattr(encoding, "SEQUENCE", 7)
    ids, counts = encoding.sub_tokens(words, tokenizer)
    alone = [tokenizer([[w]], is_split_into_words=True, add_special_tokens=False)["input_ids"][0] for w in words]
    alone = [pieces or [tokenizer.unk_token_id] for pieces in alone]
    assert counts.tolist() == list(map(len, alone))
    assert ids.tolist() == [i for pieces in alone for i in pieces]


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize("window", [5, 8, 30])
def test_each_word_is_labelled_once_in_order_whatever_the_window(encoders, kind, window):
    _, tokenizer = checkpoints.load_for_training(str(encoders[kind]), ["O"], False)
    result, count = encoded(random_sentences(random.Random(2), 60, WORDS + HARD, 90), tokenizer, window)
    labels = result.labels[result.labels != IGNORED]
    assert labels.tolist() == (np.arange(count) % 1000).tolist()
    assert result.lengths.max() <= window
    assert len(result) > 60 + 30  # half of the sentences are longer than a window
    assert (result.input_ids[np.cumsum(result.lengths) - 1] == tokenizer.sep_token_id).all()


def test_windows_are_a_data_set_without_the_row_that_teaches_nothing():
    inputs = Encoded(np.arange(5), np.array([IGNORED, 1, IGNORED, 2, 0], np.int16), np.array([2, 3]))
    rows = [{"input_ids": [0, 1], "labels": [IGNORED, 1]}, {"input_ids": [2, 3, 4], "labels": [IGNORED, 2, 0]}]
    assert list(inputs) == rows and inputs[None] == {"input_ids": [0, 1], "labels": [IGNORED, IGNORED]}


def test_blocks_of_sentences_give_the_same_inputs(encoders, monkeypatch):
    _, tokenizer = checkpoints.load_for_training(str(encoders["roberta"]), ["O"], False)
    sentences = random_sentences(random.Random(6), 60, WORDS + HARD, 20)
    whole, _ = encoded(sentences, tokenizer, 8)
    monkeypatch.setattr(encoding, "SENTENCES", 7)
    parts, _ = encoded(sentences, tokenizer, 8)
    for name in ("input_ids", "labels", "lengths"):
        assert np.array_equal(getattr(parts, name), getattr(whole, name))


def test_without_special_tokens_an_empty_sentence_has_no_window(encoders):
    _, tokenizer = checkpoints.load_for_training(str(encoders["roberta"]), ["O"], False)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(single="$A", special_tokens=[])
    result, count = encoded([[], ["Lake"], [], ["storm", "Lake"], []], tokenizer, 30)
    assert len(result) == 2 and result.lengths.min() > 0 and (result.labels != IGNORED).sum() == count == 3


def test_a_word_is_scored_in_the_window_with_most_context():
    rng = random.Random(3)
    for _ in range(300):
        room = rng.randint(4, 20)
        bounds = np.cumsum([0, *(rng.randint(1, max(1, room // 4)) for _ in range(rng.randint(25, 60)))])
        end = len(bounds) - 1
        if bounds[-1] <= room:
            continue
        first, last, scored = sentence_windows(bounds, 0, end, room)
        assert scored.sum() == end
        assert (bounds[last] - bounds[first] <= room).all()
        for word, window in enumerate(np.repeat(np.arange(len(first)), scored)):

            def context(k, word=word):
                if not first[k] <= word < last[k]:
                    return -1
                left = bounds[word] - bounds[first[k]] if first[k] > 0 else 10**6
                right = bounds[last[k]] - bounds[word + 1] if last[k] < end else 10**6
                return min(left, right)

            assert context(window) == max(context(k) for k in range(len(first)))


def test_words_that_nearly_fill_a_window_are_scored_once_in_it():
    rng = random.Random(4)
    for _ in range(300):
        room = rng.randint(2, 20)
        bounds = np.cumsum([0, *(rng.choice((1, room // 2 + 1, room)) for _ in range(rng.randint(25, 60)))])
        end = len(bounds) - 1
        first, last, scored = sentence_windows(bounds, 0, end, room)
        assert (bounds[last] - bounds[first] <= room).all() and (np.diff(last) > 0).all()
        word, window = np.arange(end), np.repeat(np.arange(len(first)), scored)
        assert ((first[window] <= word) & (word < last[window])).all()


def test_one_endless_line_has_few_windows():
    bounds = np.arange(400_001)
    first, last, scored = sentence_windows(bounds, 0, 400_000, 100)
    assert scored.sum() == 400_000 and len(first) < 9_000 and last[-1] == 400_000


def test_the_window_is_the_models(encoders):
    for kind, size in (("bert", 64), ("distilbert", 512), ("roberta", 512)):
        model, tokenizer = checkpoints.load_for_training(str(encoders[kind]), ["O"], False)
        assert window_size(tokenizer, model, None) == size
        assert window_size(tokenizer, model, 16) == 16
        with pytest.raises(InputError, match=f"found 1000; expected at most {size}"):
            window_size(tokenizer, model, 1000)


MORE = {"luke": {"entity_vocab_size": 5, "entity_emb_size": 8}, "mra": {}, "nystromformer": {}, "yoso": {}, "ibert": {}}


@pytest.mark.parametrize("kind", ["bert", "roberta", "mpnet", *MORE])
def test_a_window_is_as_long_as_the_table_of_positions_and_no_longer(kind):
    sizes = SIZES | {"vocab_size": 50, "max_position_embeddings": 20, "pad_token_id": 1} | MORE.get(kind, {})
    config = AutoConfig.for_model(kind, **sizes)
    model = AutoModelForTokenClassification.from_config(config).eval()
    size = window_size(PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE())), model, None)
    assert size in (20, 18)
    inputs = {"attention_mask": torch.ones(1, size + 1, dtype=torch.int64), "input_ids": torch.full((1, size + 1), 5)}
    model(**{name: values[:, :size] for name, values in inputs.items()})
    with pytest.raises((IndexError, RuntimeError)):
        model(**inputs)


@pytest.mark.parametrize("name", ["xlnet", "mt5 encoder"])
def test_a_window_without_a_limit_is_what_such_models_were_trained_with(name, tmp_path):
    model, tokenizer = checkpoints.load_for_training(str(save(tmp_path, name)), ["O"], False)
    assert tokenizer.model_max_length > 10**9
    assert window_size(tokenizer, model, None) == 512
    assert window_size(tokenizer, model, 2_000) == 2_000
    for limit, size in ((None, 512), (float("inf"), 512), (64.0, 64)):
        tokenizer.model_max_length = limit
        assert window_size(tokenizer, model, None) == size
