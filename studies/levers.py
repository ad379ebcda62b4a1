"""A training with techniques that are not options of `train.py`, to see what each does to the scores.

    python -m studies.levers --layer_decay 0.9 --loss focal [OPTIONS OF TRAIN.PY]

Each technique changes the training only. The checkpoint is that of `train.py`, and so are its scores. results/levers
has what came of them.
"""

import argparse
import sys
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel
from transformers import PreTrainedModel, TrainerCallback

import train
from ner.encoder.encoding import IGNORED, Encoded
from ner.errors import CommandParser, InputError, run_script
from ner.labels import ranges
from ner.training.trainer import TaggingTrainer, build_trainer
from studies.losses import LOSSES
from studies.soup import Soup


def main(argv: list[str]) -> None:
    parser = CommandParser(description=__doc__)
    parser.add_argument("--layer_decay", type=float, default=1, help="each layer's learning rate over the one above")
    parser.add_argument("--dropout", type=float, help="the probability of every torch.nn.Dropout layer")
    parser.add_argument("--average", type=float, default=0, help="average the weights over this last share of updates")
    parser.add_argument("--cycles", type=int, default=1, help="cycles of the learning rate, averaged at their ends")
    parser.add_argument("--soup_members", type=int, default=1, help="trainings from the same start, averaged")
    parser.add_argument("--all_sub_tokens", action="store_true", help="train labels on all sub-tokens of a word")
    parser.add_argument("--repeat", choices=("sCR", "nsCRD"), help="repeat sentences by the entities they have")
    parser.add_argument("--loss", choices=LOSSES, help="another loss than cross-entropy")
    parser.add_argument("--strength", type=float, default=1, help="the parameter of the loss")
    levers, others = parser.parse_known_args(argv)
    train.main(others, partial(with_levers, levers))


def with_levers(
    levers: argparse.Namespace, options: Any, model: PreTrainedModel, tokenizer: Any, inputs: tuple[Encoded, Encoded],
    *others: Any, **named: Any,
) -> TaggingTrainer:  # fmt: skip
    """`build_trainer` with the techniques asked for."""
    training, validation = inputs
    if options.resume_from_checkpoint and (levers.average or max(levers.cycles, levers.soup_members) > 1):
        raise InputError("--resume_from_checkpoint: no checkpoint has the average; delete the run, and begin again")
    if levers.layer_decay != 1 and options.classifier_learning_rate is not None:
        raise InputError("--layer_decay, --classifier_learning_rate: found both; expected one; leave one out")
    if levers.repeat:
        training = repeated(training, model.config.id2label, levers.repeat)
    if levers.all_sub_tokens:
        training = with_labels_on_all(training, tokenizer.all_special_ids)
    if levers.dropout is not None:
        for layer in (module for module in model.modules() if isinstance(module, torch.nn.Dropout)):
            layer.p = levers.dropout
    trainer: Any = build_trainer(options, model, tokenizer, (training, validation), *others, **named)
    if levers.loss:
        trainer.compute_loss_func = LOSSES[levers.loss](
            np.bincount(training.labels[training.labels != IGNORED], minlength=model.config.num_labels), levers.strength
        )
    if levers.layer_decay != 1:
        trainer.optimizer = optimizer(trainer, levers.layer_decay)
    if levers.cycles > 1:
        Soup(trainer, levers.cycles, restart=False)
    if levers.soup_members > 1:
        Soup(trainer, levers.soup_members, restart=True)
    if levers.average:
        trainer.add_callback(AveragedWeights(levers.average))
    return trainer


def optimizer(trainer: TaggingTrainer, layer_decay: float) -> torch.optim.Optimizer:
    """AdamW with a learning rate for each layer of the encoder."""
    model, options = trainer.model, trainer.args
    decays = set(trainer.get_decay_parameter_names(model))
    layers = model.config.num_hidden_layers
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, weights in model.named_parameters():
        if ".layer." in name or ".layers." in name:
            depth = layers - 1 - int(name.split("layer.")[-1].split("layers.")[-1].split(".")[0])
        else:
            depth = layers if "embeddings" in name else 0
        rate = options.learning_rate * layer_decay**depth
        groups.setdefault((rate, options.weight_decay if name in decays else 0.0), []).append(weights)
    kind, arguments = trainer.get_optimizer_cls_and_kwargs(options, model)
    return kind([{"params": p, "lr": lr, "weight_decay": d} for (lr, d), p in groups.items()], **arguments)


class AveragedWeights(TrainerCallback):
    """The mean of the weights after each update of the last `share` of a training takes their place at its end."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.mean: AveragedModel | None = None

    def on_step_end(self, args: Any, state: Any, control: Any, *, model: PreTrainedModel, **kwargs: Any) -> None:
        if state.global_step > state.max_steps * (1 - self.share):
            self.mean = self.mean or AveragedModel(model)
            self.mean.update_parameters(model)
            if state.global_step == state.max_steps:
                model.load_state_dict(self.mean.module.state_dict())


def with_labels_on_all(inputs: Encoded, special: list[int]) -> Encoded:
    """The further sub-tokens of a word get its label, and after a `B-` label the `I-` label of the same class."""
    labels = inputs.labels.copy()
    first = labels != IGNORED
    places = np.maximum.accumulate(np.where(first, np.arange(len(labels)), 0))
    further = ~first & ~np.isin(inputs.input_ids, special)
    own = labels[places[further]]
    labels[further] = np.where(own % 2 == 1, own + 1, own)  # O is 0, B-X odd, I-X the next
    return replace(inputs, labels=labels)


def repeated(inputs: Encoded, names: dict[int, str], method: str) -> Encoded:
    """The rows, each as often as Wang and Wang (2022) say for its entity tokens, their rareness, and its length."""
    rows = np.repeat(np.arange(len(inputs)), inputs.lengths)
    word = inputs.labels != IGNORED
    classes = (np.maximum(inputs.labels, 0) + 1) // 2  # 0 is O
    counts = np.zeros((len(inputs), (len(names) + 1) // 2))
    np.add.at(counts, (rows[word], classes[word]), 1)
    words, counts = counts.sum(axis=1), counts[:, 1:]
    rareness = -np.log2(np.maximum(counts.sum(axis=0), 1) / words.sum())
    if method == "sCR":
        times = np.sqrt(1 + counts @ rareness)
    else:
        times = (1 + np.sqrt(counts) @ rareness) / np.sqrt(np.maximum(words, 1))
    times = np.where(counts.any(axis=1), np.ceil(times), 1).astype(int)
    order = np.repeat(np.arange(len(inputs)), times)
    lengths = inputs.lengths[order]
    places = ranges(inputs.starts[order], lengths)
    print(f"repeated: {len(inputs):,} rows became {len(order):,}", file=sys.stderr)
    return Encoded(inputs.input_ids[places], inputs.labels[places], lengths)


if __name__ == "__main__":
    run_script(main)
