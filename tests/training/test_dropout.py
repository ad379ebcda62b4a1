"""Fast dropout: the rate, the mean and the gradient of dropout, and attention equal to torch's."""

import pytest
import torch
from architectures import ARCHITECTURES, params, save

from ner.encoder import checkpoints
from ner.labels import label_names
from ner.training.speed import ATTENTION, SAME_ATTENTION, Dropout, attention, fast_dropout, keep_mask


@pytest.mark.parametrize("p", [0.1, 0.5, 2**-16])
def test_the_rate_and_the_mean_are_those_of_dropout(p):
    torch.manual_seed(0)
    mask = keep_mask(torch.ones(1000, 1003), p)
    deviation = (p * (1 - p) / mask.numel()) ** 0.5
    assert (mask == 0).double().mean() == pytest.approx(p, abs=4 * deviation + 2**-17)
    assert mask.double().mean() == pytest.approx(1, abs=4 * deviation / (1 - p))
    assert mask.unique().numel() == 2


def test_neighbours_are_independent():
    torch.manual_seed(0)
    dropped = keep_mask(torch.ones(4, 250_000), 0.5).flatten() == 0  # four elements share one random number
    for shift in (1, 2, 3, 4):
        both = (dropped[:-shift] & dropped[shift:]).double().mean()
        assert both == pytest.approx(0.25, abs=4 * (0.25 * 0.75 / 1e6) ** 0.5)


def test_gradients_pass_where_values_do():
    torch.manual_seed(0)
    values = torch.ones(100, 7, requires_grad=True)
    kept = Dropout(0.3)(values)
    kept.sum().backward()
    assert torch.equal(values.grad, kept.detach())


def test_nothing_is_dropped_outside_training_or_at_rate_0():
    values = torch.randn(5, 3)
    assert torch.equal(Dropout(0.5).eval()(values), values)
    assert torch.equal(Dropout(0.0)(values), values)


def test_attention_in_bfloat16_stays_there_and_is_finite_where_all_is_masked():
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 4, 9, 8)
    mask = torch.zeros(2, 1, 9, 9).masked_fill(torch.arange(9) > 6, torch.finfo(torch.float32).min)
    expected, _ = attention(torch.nn.Module(), query, key, value, mask)
    mask[0, 0, 8] = torch.finfo(torch.float32).min  # the padding of a model that attends to neighbours only
    for of_query in (torch.bfloat16, torch.float32):  # rotary embeddings may leave float32 to autocast
        with torch.autocast("cpu", torch.bfloat16):
            output, _ = attention(
                torch.nn.Module(), query.to(of_query), key.to(of_query), value.bfloat16(), mask, dropout=0
            )
        assert output.dtype == torch.bfloat16 and output.isfinite().all()
        assert torch.allclose(output[:, :8].float(), expected[:, :8], atol=0.02)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_what_is_kept_is_scaled(kind):
    torch.manual_seed(0)
    mask = keep_mask(torch.ones(64, 3, dtype=kind), 0.25)
    assert mask.dtype == kind
    assert torch.equal(mask.unique(), torch.tensor([0, 4 / 3], dtype=kind))


@pytest.mark.parametrize("name", params(ARCHITECTURES))
def test_a_model_with_it_drops_in_training_and_computes_the_same_outside(name, tmp_path):
    names = label_names(["PER"])
    model, tokenizer = checkpoints.load_for_training(str(save(tmp_path, name)), names, False)
    inputs = tokenizer(["a storm hit Lake Inari and Ada Moss left", "rabies"], padding=True, return_tensors="pt")
    inputs.pop("token_type_ids", None)
    real = inputs["attention_mask"].bool()
    with torch.no_grad():
        before = model.eval()(**inputs).logits[real]
        own_attention = model.config._attn_implementation
        with fast_dropout(model):
            after = model(**inputs).logits[real]
            first, second = (model.train()(**inputs).logits[real] for _ in range(2))
            assert (model.config._attn_implementation == ATTENTION) == (model.config.model_type in SAME_ATTENTION)
            assert {type(m) for m in model.modules() if isinstance(m, torch.nn.Dropout)} <= {Dropout}
    assert model.config._attn_implementation == own_attention
    assert not [m for m in model.modules() if isinstance(m, Dropout)]
    assert {m.training for m in model.modules()} == {True}
    assert torch.allclose(before, after, atol=1e-5)
    if name not in ("albert", "modernbert", "mmbert", "eurobert"):  # these come without dropout
        assert not torch.allclose(first, second, atol=1e-4)


def test_each_attention_that_is_replaced_is_tested():
    assert {architecture.model_type for architecture in ARCHITECTURES.values()} >= SAME_ATTENTION
