"""The techniques of `studies/`, each against a slow computation by hand."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional

from ner.encoder.encoding import IGNORED, Encoded
from ner.errors import InputError
from ner.training.losses import crf_loss
from studies import levers
from studies.losses import LOSSES
from studies.soup import Soup

ROWS = Encoded(  # two rows with [CLS] 1 and [SEP] 2; O, B-X, (rest of the word), I-X; and O, O
    np.array([1, 5, 6, 7, 8, 2, 1, 9, 10, 2]),
    np.array([IGNORED, 0, 1, IGNORED, 2, IGNORED, IGNORED, 0, 0, IGNORED]),
    np.array([6, 4]),
)
LABELS = torch.tensor([[IGNORED, 0, 1, 2], [IGNORED, 3, IGNORED, IGNORED]])


def logits(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(3).normal(size=shape).astype(np.float32))


def test_losses_for_rare_labels():
    outputs, counts = {"logits": logits(2, 4, 5)}, np.array([400, 100, 25, 4, 1])
    words = LABELS != IGNORED
    each = functional.cross_entropy(outputs["logits"][words], LABELS[words], reduction="none")
    p = torch.exp(-each)
    assert LOSSES["focal"](counts, 2)(outputs, LABELS) == pytest.approx((each * (1 - p) ** 2).mean())
    weights = torch.tensor([1.0, 1.0, 2.0, 3.0])  # of the labels 0, 1, 2, 3: the square root of 100 / 4 is capped
    assert LOSSES["weighted"](counts, 3)(outputs, LABELS) == pytest.approx((each * weights).mean())
    shifted = outputs["logits"] + 0.5 * torch.log(torch.tensor(counts / counts.sum(), dtype=torch.float32))
    expected = functional.cross_entropy(shifted[words], LABELS[words])
    assert LOSSES["adjusted"](counts, 0.5)(outputs, LABELS) == pytest.approx(expected)
    assert LOSSES["crf"](counts, 0.5)(outputs, LABELS) == crf_loss(outputs, LABELS, cross_entropy=0.5)


def test_labels_on_all_sub_tokens():
    labels = levers.with_labels_on_all(ROWS, [1, 2]).labels
    assert labels.tolist() == [IGNORED, 0, 1, 2, 2, IGNORED, IGNORED, 0, 0, IGNORED]


def test_sentences_are_repeated_by_their_entities():
    names = dict(enumerate(["O", "B-X", "I-X", "B-Y", "I-Y"]))
    rareness = -math.log2(2 / 5)
    for method, times in (("sCR", math.sqrt(1 + 2 * rareness)), ("nsCRD", (1 + 2**0.5 * rareness) / 3**0.5)):
        rows = levers.repeated(ROWS, names, method)
        assert rows.lengths.tolist() == [6] * math.ceil(times) + [4]
        assert rows.input_ids.tolist() == ROWS.input_ids[:6].tolist() * math.ceil(times) + [1, 9, 10, 2]


def test_the_weights_are_averaged_over_the_last_updates():
    model = torch.nn.Linear(1, 1, bias=False)
    average = levers.AveragedWeights(0.5)
    for step in range(1, 7):
        model.weight.data.fill_(step**2)
        average.on_step_end(None, SimpleNamespace(global_step=step, max_steps=6), None, model=model)
    assert model.weight.item() == pytest.approx((16 + 25 + 36) / 3)


def test_an_average_is_not_resumed():
    asked = SimpleNamespace(average=0.5, cycles=1, soup_members=1)
    with pytest.raises(InputError, match="--resume_from_checkpoint: no checkpoint has the average"):
        levers.with_levers(asked, SimpleNamespace(resume_from_checkpoint=True), None, None, (ROWS, ROWS))


@pytest.mark.parametrize("restart", [True, False])
def test_a_soup_is_the_mean_of_its_members(restart):
    model = torch.nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(5)
    optimizer = torch.optim.SGD(model.parameters(), lr=1)
    trainer = SimpleNamespace(
        model=model,
        add_callback=lambda callback: None,
        create_scheduler=lambda updates: torch.optim.lr_scheduler.LambdaLR(optimizer, lambda u: 1 - u / updates),
    )
    soup, control = Soup(trainer, 2, restart), SimpleNamespace(should_training_stop=False)
    scheduler = trainer.create_scheduler(num_training_steps=9)
    state, seen = SimpleNamespace(global_step=0, max_steps=9), []
    while not control.should_training_stop:
        soup.on_step_begin(None, state, control, model=model, optimizer=SimpleNamespace(optimizer=optimizer))
        before, rate = model.weight.item(), optimizer.param_groups[0]["lr"]
        model.weight.grad = torch.ones(1, 1)
        optimizer.step()
        seen.append((before, rate, model.weight.item()))
        scheduler.step()
        state.global_step += 1
        soup.on_step_end(None, state, control, model=model)
    assert [rate for _, rate, _ in seen] == [1, 0.75, 0.5, 0.25] * 2  # a ninth update would not divide by two members
    assert seen[3][2] == 2.5 and seen[4][0] == (5 if restart else 2.5)
    assert model.weight.item() == (2.5 + seen[7][2]) / 2
