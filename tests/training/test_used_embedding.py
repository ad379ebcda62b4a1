"""Training only the word embeddings that the data use gives the weights that training all of them gives."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from architectures import SIZES
from trained_runs import argv, read_json, weights
from transformers import (
    AutoModelForTokenClassification,
    BartConfig,
    BartModel,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5EncoderModel,
)

import train
from ner.training import trainer
from ner.training.speed import UsedEmbedding, train_used_rows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pair(corpus, encoders, tmp_path_factory) -> tuple[Path, Path]:
    """A run that trains the used rows of RoBERTa's embedding, and one that trains all."""
    folder = tmp_path_factory.mktemp("embedding")
    train.main(argv(corpus, encoders["roberta"], folder / "used"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(trainer, "train_used_rows", lambda *_: None)
        train.main(argv(corpus, encoders["roberta"], folder / "whole"))
    return folder / "used", folder / "whole"


def embedding(run: Path) -> torch.Tensor:
    return weights(run)["roberta.embeddings.word_embeddings.weight"]


def test_scores_and_trained_weights_are_those_of_training_the_whole_embedding(pair, encoders):
    used, whole = map(weights, pair)
    before = AutoModelForTokenClassification.from_pretrained(encoders["roberta"]).get_input_embeddings().weight
    untouched = (embedding(pair[0]) == before).all(dim=1)
    assert 0 < untouched.sum() < len(before)
    for name in used:
        rows = ~untouched if name.endswith("word_embeddings.weight") else slice(None)
        torch.testing.assert_close(used[name][rows], whole[name][rows], atol=1e-6, rtol=0)
    # Weight decay shrinks the rows that nothing uses in a whole embedding.
    shrunk = embedding(pair[1])[untouched].norm() / before[untouched].norm()
    assert 0.99 < shrunk < 0.999
    same = ("overall", "per_class", "invalid_transitions")
    scores = [read_json(run / "validation" / "metrics.json") for run in pair]
    assert [scores[0][key] for key in same] == [scores[1][key] for key in same] and scores[0]["overall"]["f1"] > 0.5


def test_every_checkpoint_is_whole_and_loads_anywhere(pair):
    for folder in (pair[0], *pair[0].glob("checkpoint-*")):
        model, info = AutoModelForTokenClassification.from_pretrained(folder, output_loading_info=True)
        assert len(model.get_input_embeddings().weight) == model.config.vocab_size
        assert not any(info.values())


def test_an_embedding_gives_its_rows_and_refuses_other_ids():
    whole = torch.nn.Embedding(9, 2, padding_idx=1)
    small = UsedEmbedding(whole, torch.tensor([0, 1, 4, 8]))
    ids = torch.tensor([[8, 4], [1, 0]])
    assert small.weight.shape == (4, 2) and small(ids).equal(whole(ids))
    small(ids).sum().backward()
    assert small.weight.grad.tolist() == [[1, 1], [0, 0], [1, 1], [1, 1]]  # nothing for padding
    with pytest.raises(IndexError):
        small(torch.tensor([3]))


def test_a_state_dict_holds_the_whole_embedding_and_gives_it_back():
    small = UsedEmbedding(torch.nn.Embedding(5, 2), torch.tensor([1, 3]))
    whole = small.state_dict()["weight"].clone()
    with torch.no_grad():
        small.weight += 1
    assert (small.state_dict()["weight"] - whole).round().tolist() == [[0, 0], [1, 1], [0, 0], [1, 1], [0, 0]]
    small.load_state_dict({"weight": whole})
    assert small.state_dict()["weight"].equal(whole) and small.weight.equal(whole[[1, 3]])


def test_embeddings_that_are_shared_or_of_another_kind_stay_as_they_are():
    inputs = (SimpleNamespace(input_ids=np.array([3, 5])),)
    bart = {"d_model": 8, "encoder_ffn_dim": 8, "decoder_ffn_dim": 8, "encoder_layers": 1, "decoder_layers": 1,
            "encoder_attention_heads": 2, "decoder_attention_heads": 2}  # fmt: skip
    others = [
        T5EncoderModel(T5Config(vocab_size=50, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)),
        BartModel(BartConfig(vocab_size=50, **bart)),
    ]
    for model in others:
        train_used_rows(model, inputs, [0])
        assert not any(isinstance(module, UsedEmbedding) for module in model.modules())
    model = RobertaModel(RobertaConfig(vocab_size=50, pad_token_id=1, **SIZES))
    train_used_rows(model, inputs, [7])
    assert model.get_input_embeddings().used.tolist() == [1, 3, 5, 7]
