"""Fine-tune a tagger, as `arguments.py` says, and write a run folder.

python train.py                                              # the defaults of arguments.py
python train.py configs/distilbert_masked.yaml --seed 1      # experiment B
accelerate launch --num_processes 2 train.py configs/distilbert_default.yaml
"""

import copy
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from transformers import PreTrainedModel, Trainer, set_seed
from transformers.utils import logging as transformers_logging

import hub
from arguments import Arguments, TrainingArguments, described, parse
from data import TrainingData, require_entities
from metrics import ner_metric
from ner.corpus.audit import entity_surfaces
from ner.errors import InputError, run_script
from ner.labels import tag_lists, types_of
from ner.model import checkpoints
from ner.model.dropout import use_fast_dropout, use_plain_attention
from ner.model.encoding import Encoded, require_embedded, window_size
from ner.model.hardware import keep_freed_memory, scoring_precision, settle_precision, stay_in_bfloat16
from ner.model.prediction import batching_for, predict, torch_logits
from ner.model.prepared import model_inputs, prepared_data
from ner.model.resuming import (
    RunRecord,
    best_checkpoint,
    checkpoint_to_resume,
    keep_precision,
    record_of,
    require_fits,
    require_same_data,
    require_same_options,
    run_facts,
)
from ner.model.trainer import checked_trainer, diverged, saving
from ner.runs.files import SURFACES, environment, scored, write_json, write_scored
from ner.runs.folder import UNFINISHED, holds_run, publish, remove_stale, remove_surplus, require_writable, training_in
from ner.scoring.score_table import score_table

log = logging.getLogger("ner")


def main(argv: list[str]) -> None:
    arguments = parse(argv, "Fine-tune a tagger and write a run folder.")
    transformers_logging.disable_progress_bar()
    warnings.filterwarnings("ignore", message=".*pin_memory.*")  # said at every evaluation where there is no GPU
    if arguments.given:
        for line in described(arguments).split("\n"):
            log.info("%s", line)
    run = Path(arguments.training.output_dir)
    require_writable(run, "validation")
    with training_in(run, arguments.training.should_save):
        train_into(run, arguments)


def train_into(run: Path, arguments: Arguments) -> None:
    """Trains as the arguments say, and writes a run folder that no other training is at work in.

    A run that the folder holds and that is to be replaced stays whole until something of this one is.
    """
    options = arguments.training
    resumed = checkpoint_to_resume(options)
    goes_on = resumed is not None and Path(resumed).resolve().parent == run.resolve()
    if holds_run(run) and not goes_on and not options.overwrite_output_dir:
        raise InputError(
            f"--output_dir: {run} holds a run; expected a new folder; choose another, go on with "
            "--resume_from_checkpoint true, or replace it with --overwrite_output_dir true"
        )
    # Trainer would push at every save, with a card of its own; hub.py pushes once, at the end.
    pushing, options.push_to_hub = options.push_to_hub, False
    repo_id = options.hub_model_id or run.resolve().name
    if pushing:
        hub.require_ready(repo_id, options.hub_token)
    if resumed:
        keep_precision(options, resumed)
        require_same_options(resumed, run_facts(arguments))
    data = prepared_data(arguments.data)
    require_entities(arguments.data.dataset, "training", data.train)
    fingerprints = [data.train_fingerprint, data.validation_fingerprint]
    if resumed:
        require_same_data(resumed, arguments.data.dataset, fingerprints)
    set_seed(options.seed)  # before the new classifier gets its weights
    model, tokenizer = checkpoints.for_training(
        arguments.model.model_checkpoint, data.names, arguments.data.masked_training, types_of(data.names)
    )
    precision = settle_precision(options, model.config.model_type)
    told = run_facts(arguments)
    recorded_text = yaml.safe_dump(told["options"], sort_keys=False, allow_unicode=True)
    window = window_size(tokenizer, model, arguments.model.max_length)
    model.config.trained_window = window  # scored as it was trained
    train, validation = model_inputs(data, tokenizer, window, arguments.data.cache)
    for part in (train, validation):
        require_embedded(part, tokenizer, model, f"--model_checkpoint {arguments.model.model_checkpoint}")
    if resumed:
        require_fits(resumed, model, arguments.model.model_checkpoint)
    choose_what_is_fast(options, model)
    seconds = record_of(resumed)["seconds"] if resumed else 0.0
    record = RunRecord(seconds, fingerprints=fingerprints, **told)
    trainer = checked_trainer(options, model, tokenizer, train, validation, data, record)
    trainer.recorded, trainer.replaces_a_run = recorded_text, holds_run(run) and not goes_on
    if resumed and options.load_best_model_at_end:
        trainer.best = best_checkpoint(resumed)

    batch = options.train_batch_size * options.gradient_accumulation_steps * options.world_size
    log.info("%d sentences an update, over %d process(es)", batch, options.world_size)
    result = trainer.train(resume_from_checkpoint=resumed)
    with saving(run):
        trainer.save_model(str(run / UNFINISHED))
    tags = validation_tags(trainer, data, validation)
    if options.should_save:
        facts = {"precision": precision, "update_steps": trainer.state.global_step}
        facts["train_seconds"] = round(seconds + result.metrics["train_runtime"], 1)
        metrics = write_results(run, trainer, arguments, data, tags, facts)
    if trainer.is_world_process_zero():
        hub.write_card(run)
        log.info("the run is in %s; score the test split: python inference.py --checkpoint %s", run, run)
    trainer.accelerator.wait_for_everyone()
    # DistributedDataParallel goes before the process group. Otherwise its end would be that of the group, which waits
    # for a thread that may wait for Python's lock.
    trainer.model_wrapped = trainer.model
    trainer.accelerator.free_memory()
    trainer.accelerator.end_training()
    if trainer.is_world_process_zero():
        try:
            repository = hub.push(run, repo_id, options.hub_private_repo, options.hub_token) if pushing else None
        finally:  # last, since the reader of a pipe may be gone
            print(score_table(metrics), flush=True)
        if repository:
            print(repository)


def choose_what_is_fast(options: TrainingArguments, model: PreTrainedModel) -> None:
    """Makes the model fast where it trains, after `settle_precision`, and says what that changes."""
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


def write_results(
    run: Path, trainer: Trainer, arguments: Arguments, data: TrainingData, tags: list[list[str]], facts: dict[str, Any]
) -> dict[str, Any]:
    """Writes the records and scores of a model that UNFINISHED holds, publishes it, and returns the scores."""
    new = run / UNFINISHED
    (new / "training_args.bin").unlink(missing_ok=True)  # a pickle, and args.yaml says the same
    trainer.state.save_to_json(str(new / "trainer_state.json"))
    (new / "args.yaml").write_text(trainer.recorded, encoding="utf-8")
    write_records(new, arguments, data, facts)
    metrics = score_validation(new, arguments, data, tags)
    if not trainer.replaces_a_run:
        remove_stale(run)  # what was made of the weights that were resumed
    publish(run, trainer.replaces_a_run)
    if trainer.state.best_model_checkpoint is not None:  # the last one was kept for resuming until here
        remove_surplus(run, trainer.save_total_limit, [Path(trainer.state.best_model_checkpoint).name])
    return metrics


def write_records(run: Path, arguments: Arguments, data: TrainingData, facts: dict[str, Any]) -> None:
    """Writes `environment.json` and the surfaces of the training entities."""
    surfaces = sorted({f"{kind}\t{surface}\n" for _, surface, kind in entity_surfaces(data.train)})
    (run / SURFACES).write_text("".join(surfaces), encoding="utf-8")
    processes = {"processes": arguments.training.world_size, "device": str(arguments.training.device.type)}
    about = {
        "seed": arguments.training.seed,
        "data_fingerprint": data.train_fingerprint,
        "rows": data.rows,
    }
    write_json(run / "environment.json", environment() | processes | about | facts)


def validation_tags(trainer: Trainer, data: TrainingData, validation: Encoded) -> list[list[str]]:
    """The tags of the validation sentences as `inference.py` finds them; every process has to take part."""
    options = trainer.args
    batches = batching_for(options.per_device_eval_batch_size, options.device)
    logits = torch_logits(as_loaded(trainer.model, scoring_precision(options)))
    predicted = predict(logits, trainer.processing_class, validation, batches, not options.disable_tqdm)
    if np.isnan(predicted.probabilities).any():
        raise diverged(options, "the scores of some validation words are not finite")
    return tag_lists(predicted.ids, data.validation.lengths, data.names)


def as_loaded(model: PreTrainedModel, precision: str) -> PreTrainedModel:
    """A copy of a trained model as it will be loaded: without autocast and the attention of fast dropout."""
    copied = copy.deepcopy(model).eval()
    for name in ("forward", "_original_forward"):  # accelerate's, with autocast, in the place of the class's own
        vars(copied).pop(name, None)
    use_plain_attention(copied)
    return copied.to(getattr(torch, precision))


def score_validation(run: Path, arguments: Arguments, data: TrainingData, tags: list[list[str]]) -> dict[str, Any]:
    """Scores the tags of the validation sentences, writes `validation/`, and returns the metrics."""
    gold = data.validation.tag_lists()
    scores = ner_metric().compute(predictions=tags, references=gold, tokens=data.validation.token_lists())
    source = arguments.data.dataset, arguments.data.languages
    precision = scoring_precision(arguments.training)
    metrics = scored("validation", source, data.validation, data.validation_fingerprint, precision, tags, scores)
    write_scored(run / "validation", metrics, data.validation, gold, tags)
    return metrics


if __name__ == "__main__":
    run_script(main)
