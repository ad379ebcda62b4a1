"""transformers' Trainer as this repository uses it: its batches, its loss and scores, and what it shows."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, Sampler, SequentialSampler
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
from transformers.utils import is_liger_kernel_available

from arguments import TrainingArguments
from data import TrainingData
from metrics import ner_metric
from ner.errors import InputError
from ner.labels import tag_lists
from ner.model.checkpoints import only_errors
from ner.model.encoding import IGNORED, Encoded
from ner.model.prediction import PAIRS
from ner.model.resuming import RunRecord
from ner.runs.folder import UNFINISHED, publish, remove_surplus
from ner.writing import write_text, writing


class BatchesOfLikeLength(LengthGroupedSampler):
    """transformers' batches of sentences of like length, in random order instead of from long to short.

    The order depends on seed and epoch alone: a run resumed within an epoch repeats it. The row after the
    last one, which teaches nothing, is repeated up to a multiple of `multiple` rows, which several processes share
    evenly.
    """

    epoch = 0

    def __init__(self, batch_size: int, lengths: list[int], seed: int, multiple: int = 1):
        super().__init__(batch_size, lengths=lengths)
        self.seed, self.fill = seed, -len(lengths) % multiple

    def __len__(self) -> int:
        return len(self.lengths) + self.fill

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
        yield from [len(rows)] * self.fill


class TaggingTrainer(Trainer):
    """Trainer with our batches, evaluation of all rows in the data's order, and checkpoints that are there when whole.

    A folder checkpoint-N appears in the run folder when it is whole, with `recorded`, the run's `args.yaml`. The first
    one takes the place of the run that the folder may hold. Of other folders there Trainer would delete some. `best` is
    the best checkpoint of a run that is resumed.
    """

    best: str | None = None
    recorded, replaces_a_run = "", False

    def __init__(self, *, args: TrainingArguments, **parts: Any):
        super().__init__(args=args, **parts)
        self.save_total_limit, args.save_total_limit = args.save_total_limit, None  # Trainer then removes nothing

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        run, name = self.args.output_dir, f"checkpoint-{self.state.global_step}"
        new = Path(run) / UNFINISHED
        self.args.output_dir = str(new)
        try:
            with saving(Path(run) / name):
                super()._save_checkpoint(model, trial)
        finally:
            self.args.output_dir = run
        if self.state.best_model_checkpoint == str(new / name):
            self.state.best_model_checkpoint = str(Path(run) / name)
        self.accelerator.wait_for_everyone()  # each has saved its random state
        if self.args.should_save:
            with writing(new / name):
                self.state.save_to_json(str(new / name / "trainer_state.json"))
            write_text(new / "args.yaml", self.recorded)
            publish(Path(run), self.replaces_a_run)
            best = Path(self.state.best_model_checkpoint or name).name
            remove_surplus(Path(run), self.save_total_limit, [name, best])
        self.replaces_a_run = False
        self.accelerator.wait_for_everyone()

    def get_eval_dataloader(self, eval_dataset: Dataset | None = None) -> DataLoader:
        dropped, self.args.dataloader_drop_last = self.args.dataloader_drop_last, False
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.args.dataloader_drop_last = dropped

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler | None:
        if self.args.train_sampling_strategy != "group_by_length":
            return super()._get_train_sampler(train_dataset)
        together = self.args.train_batch_size * self.args.world_size
        seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        lengths = [length for length in self.train_dataset["length"] if length]  # without the row that teaches nothing
        multiple = together if self.args.world_size > 1 else 1
        return BatchesOfLikeLength(together * self.args.gradient_accumulation_steps, lengths, seed, multiple)

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

    def _init_training_state(self, max_steps, *others: Any) -> tuple[int, int]:
        with only_errors():  # warns of a best checkpoint that was moved with the run, and of another logging_steps
            done = super()._init_training_state(max_steps, *others)
        if self.best is not None:
            self.state.best_model_checkpoint = self.best
        self.state.compute_steps(self.args, max_steps)
        return done

    def _run_epoch(self, *parts: Any, **named: Any) -> None:
        # The last checkpoint of a training that had ended: by its updates, or by early stopping.
        if not self.state.stateful_callbacks["TrainerControl"]["args"].get("should_training_stop"):
            super()._run_epoch(*parts, **named)


@contextmanager
def saving(place: Path) -> Iterator[None]:
    """Turns whatever stops a file from being written, such as a full disk, into an `InputError`."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # torch, safetensors and tokenizers each have an exception of their own
        raise InputError(
            f"{place}: cannot be saved: {' '.join(str(error).split())[:200]}; expected a place with room; make some, "
            "and go on from the last whole checkpoint with --resume_from_checkpoint true"
        ) from error


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


def training_table(train: Encoded, options: TrainingArguments) -> pa.Table:
    """The rows of training, and for `BatchesOfLikeLength` in several processes one of length 0 that teaches nothing."""
    table = train.table()
    if options.world_size == 1 or options.train_sampling_strategy != "group_by_length":
        return table
    row = table.slice(0, 1).to_pylist()[0]
    empty = {"input_ids": row["input_ids"], "labels": [IGNORED] * len(row["labels"]), "length": 0}
    return pa.concat_tables([table, pa.Table.from_pylist([empty], schema=table.schema)])


def checked_trainer(options: TrainingArguments, *parts: Any) -> TaggingTrainer:
    """The Trainer of `trainer_for`, with an optimizer: options that it or its libraries refuse are a person's."""
    try:
        trainer = trainer_for(options, *parts)
        trainer.create_optimizer()
        require_usable(options, trainer)
        kwargs = dict(options.lr_scheduler_kwargs or {})
        get_scheduler(options.lr_scheduler_type, trainer.optimizer, 0, 1, kwargs)
        # It was made to see that it can be; Trainer makes its own when the model stands where it runs.
        trainer.optimizer = None
    except InputError:
        raise
    except (ValueError, TypeError, ArithmeticError, ImportError, RuntimeError) as error:
        raise InputError(f"training arguments: {' '.join(str(error).split())}") from error
    return trainer


def require_usable(options: TrainingArguments, trainer: Trainer) -> None:
    """Raises an error for options at which training would fail only after it had begun."""
    if options.use_liger_kernel and not is_liger_kernel_available():
        raise InputError("--use_liger_kernel: liger-kernel is not installed; install it, or leave the option out")
    if options.torch_compile:
        torch.compile(torch.nn.Identity(), backend=options.torch_compile_backend, mode=options.torch_compile_mode)
    if options.activation_checkpointing:
        kwargs = options.activation_checkpointing_kwargs or {}
        if not isinstance(kwargs, dict):
            raise InputError(
                f'--activation_checkpointing_kwargs: found {kwargs!r}; expected JSON such as {{"use_reentrant": false}}'
            )
        own = {k: v for k, v in kwargs.items() if k in ("every_n_layers", "offload")}
        theirs = {k: v for k, v in kwargs.items() if k not in own}
        trainer.model.activation_checkpointing_enable(theirs or None, **own)
        checkpoint(torch.nn.Identity(), torch.ones(1, requires_grad=True), **(theirs or {"use_reentrant": False}))
    rows, batch = len(trainer.train_dataset), options.train_batch_size * options.world_size
    if options.dataloader_drop_last and rows < batch:
        raise InputError(
            f"--dataloader_drop_last: {rows} training rows make no batch of {batch}; expected at least one; "
            "lower --per_device_train_batch_size"
        )


def trainer_for(
    options: TrainingArguments,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    train: Encoded,
    validation: Encoded,
    data: TrainingData,
    record: RunRecord,
) -> TaggingTrainer:
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
    callbacks: list[TrainerCallback] = [record, Progress(), StopAtDivergence()]
    if options.early_stopping_patience is not None:
        callbacks.append(EarlyStoppingCallback(options.early_stopping_patience))
    trainer = TaggingTrainer(
        model=model,
        args=options,
        train_dataset=Dataset(training_table(train, options)),
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
    options.restore_callback_states_from_checkpoint = True  # the record, and how patient early stopping still is
    trainer.remove_callback(PrinterCallback)
    trainer.callback_handler.callbacks = [
        c for c in trainer.callback_handler.callbacks if type(c) is not ProgressCallback
    ]
    return trainer
