"""Fine-tune a tagger, as `arguments.py` says, and write a run folder.

python train.py                                              # the defaults of arguments.py
python train.py configs/distilbert_masked.yaml --seed 1      # experiment B
accelerate launch --num_processes 2 train.py configs/distilbert_default.yaml
"""

import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
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
    set_seed,
)
from transformers.trainer_callback import PrinterCallback, ProgressCallback
from transformers.trainer_pt_utils import LengthGroupedSampler
from transformers.utils import logging as transformers_logging

import checkpoints
import hub
from arguments import Arguments, TrainingArguments, described, parse, recorded
from audit import entity_surfaces
from data import TrainingData
from dropout import use_fast_dropout
from encoding import IGNORED, Encoded, window_size
from errors import InputError, run_script
from hardware import bfloat16_pays, keep_freed_memory, stay_in_bfloat16
from labels import tag_lists, types_of
from metrics import table
from ner_metric import ner_metric
from prepared import model_inputs, prepared_data
from runs import (
    SURFACES,
    environment,
    holds_run,
    remove_run,
    remove_stale,
    require_writable,
    scored,
    write_json,
    write_scored,
)
from tagging import batching_for, predict, torch_logits

log = logging.getLogger("ner")


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


def main(argv: list[str]) -> None:
    arguments = parse(argv, "Fine-tune a tagger and write a run folder.")
    transformers_logging.disable_progress_bar()
    warnings.filterwarnings("ignore", message=".*pin_memory.*")  # said at every evaluation where there is no GPU
    options, run = arguments.training, Path(arguments.training.output_dir)
    if arguments.given:
        log.info("%s", described(arguments))
    resumed = checkpoint_to_resume(options)
    goes_on = resumed is not None and Path(resumed).resolve().parent == run.resolve()
    if holds_run(run) and not goes_on and not options.overwrite_output_dir:
        raise InputError(
            f"--output_dir: {run} holds a run; expected a new folder; choose another, go on with "
            "--resume_from_checkpoint true, or replace it with --overwrite_output_dir true"
        )
    require_writable(run, "validation")
    # Trainer would push at every save, with a card of its own; hub.py pushes once, at the end.
    pushing, options.push_to_hub = options.push_to_hub, False
    repo_id = options.hub_model_id or run.resolve().name
    if pushing:
        hub.require_ready(repo_id, options.hub_token)
    recorded_text = yaml.safe_dump(recorded(arguments), sort_keys=False, allow_unicode=True)
    data = prepared_data(arguments.data)
    set_seed(options.seed)  # before the new classifier gets its weights
    model, tokenizer = checkpoints.for_training(
        arguments.model.model_checkpoint, data.names, arguments.data.masked_training, types_of(data.names)
    )
    window = window_size(tokenizer, model, arguments.model.max_length)
    train, validation = model_inputs(data, tokenizer, window, arguments.data.cache)
    if resumed:
        check_resumed(resumed, data.names)
    choose_what_is_fast(options, model)
    trainer = checked_trainer(options, model, tokenizer, train, validation, data)
    # Nothing that a person may have mistyped is left to fail: an old run goes only now.
    with options.main_process_first(desc="clearing the run folder"):
        if options.process_index == 0 and options.overwrite_output_dir and not goes_on:
            remove_run(run)

    batch = options.train_batch_size * options.gradient_accumulation_steps * options.world_size
    log.info("%d sentences an update, over %d process(es)", batch, options.world_size)
    result = trainer.train(resume_from_checkpoint=resumed)
    trainer.save_model()
    trainer.save_state()
    tags = validation_tags(trainer, data, validation)
    if trainer.is_world_process_zero():
        (run / "training_args.bin").unlink(missing_ok=True)  # a pickle, and args.yaml says the same
        remove_stale(run)  # what was made of the weights that were resumed
        (run / "args.yaml").write_text(recorded_text, encoding="utf-8")
        facts = {"update_steps": trainer.state.global_step, "train_seconds": round(result.metrics["train_runtime"], 1)}
        write_records(run, arguments, data, facts)
        print(table(score_validation(run, arguments, data, tags)))
        hub.write_card(run)
        log.info("the run is in %s; score the test split: python inference.py --checkpoint %s", run, run)
        if pushing:
            print(hub.push(run, repo_id, options.hub_private_repo, options.hub_token))
    trainer.accelerator.wait_for_everyone()
    trainer.accelerator.end_training()


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


def choose_what_is_fast(options: TrainingArguments, model: PreTrainedModel) -> None:
    """Settles, and says, what no option decided: bfloat16 where it was measured to pay, and how dropout is drawn."""
    if options.bf16 is None:
        options.bf16 = options.mixed_precision == "no" and bfloat16_pays(options.device, model.config)
        if options.bf16:
            options.mixed_precision = "bf16"
    fast_dropout = options.fast_dropout and options.device.type == "cpu"
    if fast_dropout:
        use_fast_dropout(model)
    if options.device.type == "cpu":
        keep_freed_memory()
        if options.bf16:
            stay_in_bfloat16(model)
    log.info(
        "fast dropout %s, batches %s, optimizer %s, torch.compile %s",
        "on" if fast_dropout else "off",
        "of like length" if options.train_sampling_strategy == "group_by_length" else "at random",
        options.optim.value, "on" if options.torch_compile else "off",
    )  # fmt: skip


def checkpoint_to_resume(options: TrainingArguments) -> str | None:
    """The folder to resume from: `true` stands for the run folder's last checkpoint."""
    wanted = options.resume_from_checkpoint
    if wanted is None or wanted.lower() == "false":
        return None
    if wanted.lower() != "true":
        if not (Path(wanted) / "trainer_state.json").is_file():
            raise InputError(f"--resume_from_checkpoint: {wanted} is no checkpoint; expected a folder checkpoint-N")
        return wanted
    # trainer_state.json is the last file of a save: without it, the save was interrupted.
    whole = [path.parent for path in Path(options.output_dir).glob("checkpoint-*/trainer_state.json")]
    if not whole:
        raise InputError(
            f"--resume_from_checkpoint: found no checkpoint-N in {options.output_dir}; expected one; leave it out"
        )
    return str(max(whole, key=lambda folder: int(folder.name.removeprefix("checkpoint-"))))


def check_resumed(folder: str, names: list[str]) -> None:
    found = list(checkpoints.config_of(folder, "resume_from_checkpoint").id2label.values())
    if found != names:
        raise InputError(
            f"--resume_from_checkpoint: {folder} has {len(found)} labels, the data {len(names)}, or in another order; "
            "expected the same; resume with the run's own masked_training and selected_categories"
        )


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

    callbacks: list[TrainerCallback] = [Progress()]
    if options.early_stopping_patience is not None:
        callbacks.append(EarlyStoppingCallback(options.early_stopping_patience))
    trainer = TaggingTrainer(
        model=model,
        args=options,
        train_dataset=Dataset(train.table()),
        eval_dataset=Dataset(validation.table()),
        processing_class=tokenizer,
        data_collator=DataCollatorForTokenClassification(
            tokenizer, pad_to_multiple_of=8 if options.device.type == "cuda" else 2, label_pad_token_id=IGNORED
        ),  # fewer shapes, each of which costs a set-up; GPUs multiply by eights
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


def write_records(run: Path, arguments: Arguments, data: TrainingData, facts: dict[str, float]) -> None:
    """Writes `environment.json` and the surfaces of the training entities."""
    surfaces = sorted({f"{kind}\t{surface}\n" for _, surface, kind in entity_surfaces(data.train)})
    (run / SURFACES).write_text("".join(surfaces), encoding="utf-8")
    processes = {"processes": arguments.training.world_size, "device": str(arguments.training.device.type)}
    about = {
        "seed": arguments.training.seed,
        "bfloat16": bool(arguments.training.bf16),
        "data_fingerprint": data.train_fingerprint,
        "rows": data.rows,
    }
    write_json(run / "environment.json", environment() | processes | about | facts)


def validation_tags(trainer: Trainer, data: TrainingData, validation: Encoded) -> list[list[str]]:
    """The tags of the validation sentences; every process has to take part."""
    batches = batching_for(trainer.args.per_device_eval_batch_size, trainer.args.device)
    logits, progress = torch_logits(trainer.model.eval()), not trainer.args.disable_tqdm
    predicted = predict(logits, trainer.processing_class, validation, batches, progress)
    return tag_lists(predicted.ids, data.validation.lengths, data.names)


def score_validation(run: Path, arguments: Arguments, data: TrainingData, tags: list[list[str]]) -> dict[str, Any]:
    """Scores the tags of the validation sentences, writes `validation/`, and returns the metrics."""
    gold = data.validation.tag_lists()
    scores = ner_metric().compute(predictions=tags, references=gold, with_intervals=True)
    source = arguments.data.dataset, arguments.data.languages
    metrics = scored("validation", source, data.validation, data.validation_fingerprint, tags, scores)
    write_scored(run / "validation", metrics, data.validation, gold, tags)
    return metrics


if __name__ == "__main__":
    run_script(main)
