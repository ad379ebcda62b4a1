"""transformers' Trainer as this repository uses it: its batches, its loss and scores, and what it shows."""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch.utils.data import Sampler, SequentialSampler
from transformers import (
    DataCollatorForTokenClassification,
    EarlyStoppingCallback,
    EvalPrediction,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    get_scheduler,
)
from transformers.trainer_callback import PrinterCallback, ProgressCallback
from transformers.trainer_pt_utils import LengthGroupedSampler

from arguments import TrainingArguments
from data import TrainingData
from encoding import IGNORED, Encoded
from errors import InputError
from labels import tag_lists
from ner_metric import ner_metric
from tagging import PAIRS


class BatchesOfLikeLength(LengthGroupedSampler):
    """transformers' batches of sentences of like length, in random order instead of from long to short.

    The order depends on seed and epoch alone: a run resumed within an epoch finds it again.
    """

    epoch = 0

    def __init__(self, batch_size: int, lengths: list[int], seed: int):
        super().__init__(batch_size, lengths=lengths)
        self.seed = seed

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        seed = np.random.SeedSequence((self.seed, self.epoch)).generate_state(1)
        self.generator = torch.Generator().manual_seed(int(seed[0]))
        rows = list(super().__iter__())
        whole = len(rows) // self.batch_size
        for batch in torch.randperm(whole, generator=self.generator).tolist():
            yield from rows[batch * self.batch_size : (batch + 1) * self.batch_size]
        yield from rows[whole * self.batch_size :]


class TaggingTrainer(Trainer):
    """Trainer with batches of like length in random order, and evaluation rows in the data's order in any case."""

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler | None:
        if self.args.train_sampling_strategy != "group_by_length":
            return super()._get_train_sampler(train_dataset)
        sentences = self.args.train_batch_size * self.args.gradient_accumulation_steps
        seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        return BatchesOfLikeLength(sentences, list(self.train_dataset["length"]), seed)

    def _get_eval_sampler(self, eval_dataset: Dataset) -> SequentialSampler:
        return SequentialSampler(eval_dataset)

    def prediction_step(self, model, inputs, prediction_loss_only, ignore_keys=None) -> tuple[torch.Tensor, ...]:
        """As Trainer's, but with the rows of a batch in several parts where they have too many pairs of positions."""
        rows, positions = inputs["input_ids"].shape
        size = max(1, PAIRS * self.args.per_device_eval_batch_size // positions**2)
        step = super().prediction_step
        if rows <= size:
            return step(model, inputs, prediction_loss_only, ignore_keys)
        parts = []
        for start in range(0, rows, size):
            part = {name: values[start : start + size] for name, values in inputs.items()}
            parts.append(step(model, part, prediction_loss_only, ignore_keys))
        losses, logits, labels = zip(*parts, strict=True)
        words = torch.stack([(part != IGNORED).sum() for part in labels])
        mean = (torch.stack(losses) * words)[words > 0].sum() / words.sum()
        return mean, torch.cat(logits), torch.cat(labels)


class Progress(ProgressCallback):
    """Progress bars and log lines on standard error; standard output is for results."""

    def on_train_begin(self, args, state, control, **kwargs) -> None:
        self.current_step = state.global_step
        if state.is_world_process_zero and not args.disable_tqdm:
            super().on_train_begin(args, state, control, **kwargs)

    def on_step_end(self, args, state, control, **kwargs) -> None:
        if self.training_bar is not None:
            super().on_step_end(args, state, control, **kwargs)

    def on_prediction_step(self, args, state, control, eval_dataloader=None, **kwargs) -> None:
        if not args.disable_tqdm:
            super().on_prediction_step(args, state, control, eval_dataloader, **kwargs)

    def on_log(self, args, state, control, logs=None, **kwargs) -> None:
        if state.is_world_process_zero:
            shown = {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in logs.items() if k != "total_flos"}
            line = "  ".join(f"{k.removeprefix('eval_')} {v}" for k, v in shown.items())
            self.training_bar.write(line, file=sys.stderr) if self.training_bar else print(line, file=sys.stderr)

    def on_train_end(self, args, state, control, **kwargs) -> None:
        if self.training_bar is not None:
            super().on_train_end(args, state, control, **kwargs)


class StopAtDivergence(TrainerCallback):
    """Ends a training whose weights are no longer finite, after the update that made them so, in every process.

    Looks at the weights of the last layer: what is not finite anywhere reaches them within an update.
    """

    def on_step_end(self, args, state, control, model=None, **kwargs) -> None:
        *_, last = (weights for weights in model.parameters() if weights.requires_grad)
        if not last.isfinite().all():
            raise diverged(args, f"after update {state.global_step:,} the weights are not finite")


def diverged(options: TrainingArguments, found: str) -> InputError:
    """The error of a training that ended in NaN or infinity."""
    return InputError(
        f"{options.output_dir}: training diverged: {found}; expected finite numbers; "
        f"lower --learning_rate (it was {options.learning_rate:g}){' or try --bf16 false' if options.bf16 else ''}"
    )


def checked_trainer(options: TrainingArguments, *parts: Any) -> Trainer:
    """The Trainer of `trainer_for`, with an optimizer: options that it or its libraries refuse are a person's."""
    try:
        trainer = trainer_for(options, *parts)
        trainer.create_optimizer()
        kwargs = dict(options.lr_scheduler_kwargs or {})
        get_scheduler(options.lr_scheduler_type, trainer.optimizer, 0, 1, kwargs)
        # It was made to see that it can be; Trainer makes its own when the model stands where it runs.
        trainer.optimizer = None
    except (ValueError, TypeError, ImportError, RuntimeError) as error:
        raise InputError(f"training arguments: {' '.join(str(error).split())}") from error
    return trainer


def trainer_for(
    options: TrainingArguments,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    train: Encoded,
    validation: Encoded,
    data: TrainingData,
) -> Trainer:
    metric = ner_metric()
    gold = data.validation.tag_lists()

    def compute_metrics(prediction: EvalPrediction) -> dict[str, float]:
        ids = prediction.predictions[prediction.label_ids != IGNORED]
        tags = tag_lists(ids, data.validation.lengths, data.names)
        return metric.compute(predictions=tags, references=gold)["overall"]

    def loss(outputs, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None) -> torch.Tensor:
        # The mean over the words of the whole batch, which several steps of accumulation or processes may share.
        logits = outputs["logits"].flatten(0, 1).float()
        total = torch.nn.functional.cross_entropy(
            logits, labels.flatten(), ignore_index=IGNORED, reduction="sum",
            label_smoothing=options.label_smoothing_factor,
        )  # fmt: skip
        return total / (num_items_in_batch if num_items_in_batch is not None else (labels != IGNORED).sum())

    # Fewer shapes, each of which costs a set-up; GPUs multiply by eights. No window grows beyond the model's positions.
    multiple = 8 if options.device.type == "cuda" else 2
    if model.config.trained_window % multiple:
        multiple = 1
    callbacks: list[TrainerCallback] = [Progress(), StopAtDivergence()]
    if options.early_stopping_patience is not None:
        callbacks.append(EarlyStoppingCallback(options.early_stopping_patience))
    trainer = TaggingTrainer(
        model=model,
        args=options,
        train_dataset=Dataset(train.table()),
        eval_dataset=Dataset(validation.table()),
        processing_class=tokenizer,
        data_collator=DataCollatorForTokenClassification(
            tokenizer, pad_to_multiple_of=multiple, label_pad_token_id=IGNORED
        ),
        compute_loss_func=loss,
        compute_metrics=compute_metrics,
        preprocess_logits_for_metrics=lambda logits, labels: logits.argmax(-1),
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.callback_handler.callbacks = [
        c for c in trainer.callback_handler.callbacks if type(c) is not ProgressCallback
    ]
    return trainer
