"""transformers' Trainer as this repository uses it: its batches, its loss, and what its checkpoints hold.

`TaggingTrainer` overrides private methods of Trainer, because it has no public ones for this. A test fails if a new
version of transformers no longer has or calls them.
"""

import sys
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager, nullcontext, redirect_stdout
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler, SequentialSampler, Subset
from transformers import (
    DataCollatorForTokenClassification,
    EvalPrediction,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.integrations import get_available_reporting_integrations
from transformers.trainer_callback import PrinterCallback, ProgressCallback
from transformers.trainer_utils import TrainOutput

from ner.encoder.checkpoints import classifier_of, save_tokenizer
from ner.encoder.encoding import IGNORED, Encoded
from ner.errors import InputError, is_exhausted, message_of
from ner.tagging.decoding import best_tags
from ner.training.batches import BatchesOfLikeLength, require_mask, with_hidden_words
from ner.training.callbacks import LogLines, LogLinesAndBars, NoLastEvaluation
from ner.training.learning_rate import set_rate
from ner.training.losses import crf_loss, mean_loss
from ner.training.speed import fast_dropout, train_used_rows

# What libraries raise for an option or a file that they refuse.
REFUSALS = (ValueError, TypeError, ArithmeticError, ImportError, RuntimeError, EOFError, OSError, UnpicklingError)


class TaggingTrainer(Trainer):
    """Trainer with our batches, evaluation of the rows in the data's order, and no pickle of the options."""

    has_begun = False  # whether the model was trained on a batch
    words_per_row = 1.0  # of the validation data, on average

    def train(self, resume_from_checkpoint: str | None = None, **named: Any) -> TrainOutput:
        """Trains.

        Raises `InputError` for what a library refuses before the model was trained on a batch. Of a checkpoint, pickles
        are read as weights only, so that none of them can run code.
        """
        is_fast = self.args.fast_dropout and self.args.device.type == "cpu"
        # Trackers of experiments write to standard output, which is for results.
        with (
            refusals(self, resume_from_checkpoint), redirect_stdout(sys.stderr),
            fast_dropout(self.model) if is_fast else nullcontext(),
        ):  # fmt: skip
            return super().train(resume_from_checkpoint, **named)

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        with saving(Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"):
            super()._save_checkpoint(model, trial)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, torch.Tensor] | None = None) -> None:
        if self.args.should_save:
            folder = output_dir or self.args.output_dir
            # With the model's own names. With an old encoder's, such as `LayerNorm.gamma` of bert-base-cased, Trainer
            # would load the best checkpoint without these weights.
            self.model.save_pretrained(folder, state_dict=state_dict, save_original_format=False)
            save_tokenizer(self.processing_class, Path(folder))

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        """The optimizer, with the classifier's own learning rate if it has one."""
        is_new = self.optimizer is None
        optimizer = super().create_optimizer(model)
        if is_new and self.args.classifier_learning_rate is not None:
            set_rate(optimizer, classifier_of(self.model), self.args.classifier_learning_rate)
        return optimizer

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler | None:
        if self.args.train_sampling_strategy != "group_by_length":
            return super()._get_train_sampler(train_dataset)
        together = self.args.train_batch_size * self.args.world_size
        seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        lengths = self.train_dataset.lengths.tolist()
        multiple = together if self.args.world_size > 1 else 1
        return BatchesOfLikeLength(together * self.args.gradient_accumulation_steps, lengths, seed, multiple)

    def _get_eval_sampler(self, eval_dataset: Sized) -> SequentialSampler:
        return SequentialSampler(eval_dataset)

    def training_step(
        self, model: torch.nn.Module, inputs: dict[str, torch.Tensor], num_items_in_batch: torch.Tensor | None = None
    ) -> torch.Tensor:
        share = self.args.word_dropout
        if share > 0:
            inputs = {**inputs, "input_ids": with_hidden_words(inputs["input_ids"], share, self.processing_class)}
        loss = super().training_step(model, inputs, num_items_in_batch)
        self.has_begun = True
        return loss

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        if model.training:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        # In several processes, rows of the first batches fill up the last ones. They count nowhere.
        state, rows = self.accelerator.gradient_state, len(inputs["labels"])
        if state.end_of_dataloader and state.remainder > 0:
            rows = min(max(state.remainder - self.args.process_index * rows, 0), rows)
        labels = inputs["labels"].clone()
        labels[rows:] = IGNORED
        # Without a number of words, which is that of all processes, the loss is the mean over the words of this batch.
        # Of these losses, Trainer takes the mean over rows.
        loss, outputs = super().compute_loss(model, {**inputs, "labels": labels}, return_outputs=True)
        return loss * (labels != IGNORED).sum() / max(1, rows) / self.words_per_row, outputs

    def _run_epoch(self, *parts: Any, **named: Any) -> None:
        control = self.state.stateful_callbacks["TrainerControl"]["args"]
        if self.state.global_step == 0 or not control["should_training_stop"]:
            # After `skip_first_batches`, accelerate no longer tells the sampler of several processes its epoch.
            named["train_dataloader"].set_epoch(named["epoch"])
            super()._run_epoch(*parts, **named)
        # Otherwise the checkpoint is the last of a training that had ended, by its updates or by early stopping.


def require_trackers(names: list[str]) -> None:
    """Raises `InputError` where a tracker of experiments that `--report_to` names is not installed."""
    # Two of them are not always listed where they are installed.
    absent = sorted({*names} - {*get_available_reporting_integrations(), "azure_ml", "flyte"})
    if absent:
        raise InputError(
            f"--report_to: found {absent[0]}, which is not installed; expected the trackers of this environment; "
            "install its package, or leave the option out"
        )


@contextmanager
def refusals(trainer: TaggingTrainer | None = None, checkpoint: str | None = None) -> Iterator[None]:
    """Turns what a library raises before a training has begun into an `InputError`: for an option that it refuses, for
    a tracker that is not set up, or for a damaged file of the checkpoint that is resumed."""
    try:
        yield
    except Exception as error:
        if isinstance(error, InputError) or is_exhausted(error) or (trainer and trainer.has_begun):
            raise
        tracker = type(error).__module__.partition(".")[0]  # they raise exceptions of their own
        if trainer and tracker in trainer.args.report_to:
            raise InputError(f"--report_to: {tracker} cannot begin: {message_of(error)}") from error
        if not isinstance(error, REFUSALS) or getattr(error, "filename", None):
            raise
        if checkpoint:
            # torch's own message advises to run the code in the pickle.
            found = "a damaged pickle" if isinstance(error, UnpicklingError) else message_of(error, 120)
            raise InputError(
                f"--resume_from_checkpoint: {checkpoint} cannot be continued: found {found}; expected undamaged files; "
                "delete that folder, and resume from an earlier checkpoint or begin again"
            ) from error
        raise InputError(f"training arguments: the training cannot begin: {message_of(error)}") from error


@contextmanager
def saving(place: Path) -> Iterator[None]:
    """Turns whatever stops a file from being written, such as a full disk, into an `InputError`."""
    try:
        yield
    except Exception as error:  # torch, safetensors and tokenizers each raise other exceptions
        if isinstance(error, InputError) or is_exhausted(error):
            raise
        raise InputError(
            f"{place}: cannot be saved: {message_of(error, 200)}; expected free space; make some, "
            "and go on with --resume_from_checkpoint true, from the last whole checkpoint if there is one"
        ) from error


def build_trainer(
    options: TrainingArguments,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    inputs: tuple[Encoded, Encoded],
    compute_metrics: Callable[[EvalPrediction], dict[str, float]],
    callbacks: list[TrainerCallback],
) -> TaggingTrainer:
    """The Trainer for the model inputs of training and validation.

    `compute_metrics` receives label ids [row, position], of valid sequences if the model's config asks for
    them. Raises `InputError` for options that transformers or its libraries refuse.
    """
    train, validation = inputs
    by_length = np.argsort(-validation.lengths, kind="stable")  # batches of like length have little padding
    options.restore_callback_states_from_checkpoint = True  # `RunRecord`, and the patience that early stopping has left
    # Fewer lengths of batches need fewer set-ups, and GPUs prefer eight. No window grows beyond the model's positions.
    multiple = 8 if options.device.type == "cuda" else 2
    multiple = 1 if model.config.trained_window % multiple else multiple
    smoothed = partial(mean_loss, label_smoothing=options.label_smoothing_factor)
    with refusals():
        trainer = TaggingTrainer(
            model=model,
            args=options,
            train_dataset=train,
            eval_dataset=Subset(validation, by_length.tolist()),
            processing_class=tokenizer,
            data_collator=DataCollatorForTokenClassification(
                tokenizer, pad_to_multiple_of=multiple, label_pad_token_id=IGNORED
            ),
            compute_loss_func=crf_loss if options.crf_loss else smoothed,
            compute_metrics=lambda found: compute_metrics(in_order(found, by_length)),
            preprocess_logits_for_metrics=partial(decoded, constrained=model.config.constrained_decoding),
            callbacks=callbacks,
        )
    if trainer.is_fsdp_enabled and "FULL" not in str(trainer.accelerator.state.fsdp_plugin.state_dict_type):
        raise InputError(
            "accelerate launch: with FSDP, the model would be saved in parts that nothing here reads; expected "
            "--fsdp_state_dict_type FULL_STATE_DICT"
        )
    trainer.words_per_row = float((validation.labels != IGNORED).sum() / max(1, len(validation)))
    for callback in (PrinterCallback, ProgressCallback):  # they write to standard output, which is for results
        trainer.remove_callback(callback)
    trainer.add_callback(LogLines if options.disable_tqdm else LogLinesAndBars)
    trainer.add_callback(NoLastEvaluation)
    others = [tokenizer.pad_token_id, require_mask(tokenizer) if options.word_dropout > 0 else None]
    if not (trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled):  # they divide the matrices by themselves
        train_used_rows(model, inputs, others)
    return trainer


def in_order(found: EvalPrediction, rows: np.ndarray) -> EvalPrediction:
    """The predictions and labels of `rows` [row], in the order of their numbers."""
    back = np.argsort(rows)
    return EvalPrediction(found.predictions[back], found.label_ids[back])


def decoded(logits: torch.Tensor, labels: torch.Tensor, constrained: bool) -> torch.Tensor:
    """The label ids [row, position] for logits [row, position, label]; 0 where there is no word.

    Each window of a long sentence is decoded by itself, so an entity does not go on from one to the next. `Tagger`
    decodes whole sentences.
    """
    words = (labels != IGNORED).cpu().numpy()
    ids = np.zeros(words.shape, dtype=np.int64)
    ids[words] = best_tags(logits.float().cpu().numpy()[words], words.sum(axis=1), constrained)
    return torch.from_numpy(ids).to(labels.device)
