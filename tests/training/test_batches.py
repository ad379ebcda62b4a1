"""Which sentences are in a batch, in which order, and that the size of a batch changes no result."""

import functools
import itertools
import shutil

import numpy as np
import pytest
import torch
from architectures import save
from conftest import write_jsonl
from trained_runs import argv, differ_by, predictions, read_json
from transformers import BertForTokenClassification

import train
from ner.training.trainer import BatchesOfLikeLength


@pytest.mark.slow
def test_gradient_accumulation_agrees_with_one_large_batch(corpus, still, tmp_path):
    for batch, steps in ((16, 1), (4, 4)):
        sizes = ("--per_device_train_batch_size", batch, "--gradient_accumulation_steps", steps)
        more = ("--train_sampling_strategy", "sequential", "--max_steps", 5, "--optim", "sgd")
        train.main(argv(corpus, still, tmp_path / str(steps), *sizes, *more))
    assert differ_by(tmp_path / "1", tmp_path / "4") < 1e-6


@pytest.mark.slow
def test_evaluation_keeps_the_datas_order_when_training_groups_by_length(corpus, encoders, tmp_path):
    train.main(argv(corpus, encoders["bert"], tmp_path, "--train_sampling_strategy", "group_by_length"))
    history = read_json(tmp_path / "trainer_state.json")["log_history"]
    best = max(entry["eval_f1"] for entry in history if "eval_f1" in entry)
    assert best > 0.5
    assert read_json(tmp_path / "validation" / "metrics.json")["overall"]["f1"] == pytest.approx(best)


@pytest.mark.slow
def test_an_odd_table_of_positions_is_not_padded_beyond(corpus, tmp_path):
    odd = save(tmp_path / "odd", "bert", max_position_embeddings=7)
    train.main(argv(corpus, odd, tmp_path / "run", "--max_steps", "2"))
    assert read_json(tmp_path / "run" / "config.json")["trained_window"] == 7


@pytest.mark.slow
def test_evaluation_bounds_the_pairs_of_positions_of_a_batch(corpus, tmp_path, monkeypatch):
    """A long sentence has many windows, and attention compares each position of a window with each other one."""
    rows = [{"tokens": ["storm"] * 2_000, "ner_tags": [0] * 2_000}, {"tokens": ["Bergen"], "ner_tags": [5]}] * 2
    data = shutil.copytree(corpus, tmp_path / "data")
    write_jsonl(data / "val" / "val_en.jsonl", rows)
    encoder = save(tmp_path / "encoder", "bert", max_position_embeddings=1024)
    shapes, losses = [], []
    forward = BertForTokenClassification.forward

    @functools.wraps(forward)  # Trainer looks at its parameters
    def noted(self, input_ids, **inputs):
        shapes.append(input_ids.shape)
        return forward(self, input_ids=input_ids, **inputs)

    monkeypatch.setattr(BertForTokenClassification, "forward", noted)
    for size in (3, 1):
        run = tmp_path / str(size)
        more = ("--max_steps", "1", "--learning_rate", "0", "--per_device_eval_batch_size", size)
        train.main(argv(data, encoder, run, *more))
        losses += [e["eval_loss"] for e in read_json(run / "trainer_state.json")["log_history"] if "eval_loss" in e]
        assert max(n * length**2 for n, length in shapes) <= max(3 * 512**2, 1024**2)
        assert len(predictions(run / "validation")) == 4
    one, three = (tmp_path / size / "validation" / "predictions.jsonl" for size in ("1", "3"))
    assert one.read_bytes() == three.read_bytes()
    assert len(losses) == 2


def test_batches_of_like_length_come_in_random_order():
    lengths = torch.randint(5, 60, (203,), generator=torch.Generator().manual_seed(0)).tolist()

    def rows_of(seed: int, epoch: int) -> list[int]:
        sampler = BatchesOfLikeLength(4, lengths, seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    rows = rows_of(0, 0)
    assert sorted(rows) == list(range(203)) and rows == rows_of(0, 0)
    assert all(rows != rows_of(*other) for other in ((0, 1), (1, 0)))
    batches = [[lengths[i] for i in rows[start : start + 4]] for start in range(0, 200, 4)]
    assert np.mean([max(batch) - min(batch) for batch in batches]) < 6  # of 27 where rows are drawn at random
    falls = np.mean([max(a) >= max(b) for a, b in itertools.pairwise(batches)])
    assert 0.3 < falls < 0.7  # half in random order, nearly all from long to short
