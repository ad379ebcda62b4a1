"""Fine-tune a tagger with the options of `arguments.py`, and write a run folder.

python train.py                                              # the defaults of arguments.py
python train.py configs/distilbert_masked.yaml --seed 1      # experiment B
accelerate launch --num_processes 2 train.py configs/distilbert_default.yaml
"""

import logging
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from transformers import EarlyStoppingCallback, EvalPrediction, TrainerCallback, set_seed
from transformers.utils import logging as transformers_logging

from arguments import Arguments, defaults, parse, recorded
from data import training_data
from metrics import ner_metric
from ner.corpus.audit import entity_surfaces
from ner.corpus.selection import TrainingData, require_entities
from ner.encoder.case_markers import with_case_markers
from ner.encoder.checkpoints import CALIBRATION, load_for_training
from ner.encoder.encoding import IGNORED, encode, require_embedded, window_size
from ner.encoder.precision import (
    choose_precision,
    keep_freed_memory,
    scoring_precision,
    set_precision,
    training_precision,
)
from ner.errors import InputError, run_script
from ner.files import read_record, write_json, write_text, writing
from ner.labels import classes_of, tag_lists
from ner.options import described
from ner.runs.environment import environment
from ner.runs.files import SURFACES, write_scores
from ner.runs.folder import UNFINISHED, holds_run, publish, remove_stale, remove_surplus, require_writable, training_in
from ner.runs.model_card import write_card
from ner.runs.upload import push, require_repo_and_login
from ner.scoring.calibration import Calibration
from ner.scoring.score_table import score_table
from ner.tagging.prediction import batching_for, torch_logits
from ner.tagging.scoring import ScoredSplit, score_sentences
from ner.tagging.tagger import NotFiniteError, Tagger
from ner.training.callbacks import divergence
from ner.training.resuming import (
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
from ner.training.speed import fast_dropout, trained_rows
from ner.training.trainer import TaggingTrainer, build_trainer, saving

log = logging.getLogger("ner")


def main(argv: list[str]) -> None:
    """Trains as the options say, writes the run folder, prints the validation scores, and pushes if asked to."""
    arguments = parse(argv, "Fine-tune a tagger and write a run folder.")
    transformers_logging.disable_progress_bar()
    warnings.filterwarnings("ignore", message=".*pin_memory.*")  # without a GPU, it would appear at every evaluation
    if arguments.given:
        for line in described(arguments.given, arguments.values):
            log.info("%s", line)
    if arguments.training.device.type == "cpu":
        keep_freed_memory()
    run = Path(arguments.training.output_dir)
    require_writable(run, "validation")
    with training_in(run, arguments.training.should_save):
        start = start_of(run, arguments)
        repository = push_target(run, arguments)
        data = load_data(arguments, start)
        trainer = load_trainer(arguments, data, start)
        metrics = train(run, trainer, arguments, data, start)
        finish(run, trainer, metrics, arguments, repository)


@dataclass(frozen=True)
class Start:
    """Where a training starts: the checkpoint that it resumes from, if any, and the seconds of training before that.

    `replaces_run` is true where the run folder holds another run, which is to be replaced.
    """

    checkpoint: str | None
    seconds: float
    replaces_run: bool


def start_of(run: Path, arguments: Arguments) -> Start:
    """Where the training of these options starts.

    Raises `InputError` if the folder holds a run that is neither resumed nor to be replaced, or if the run to resume
    had other options.
    """
    options = arguments.training
    checkpoint = checkpoint_to_resume(options)
    goes_on = checkpoint is not None and Path(checkpoint).resolve().parent == run.resolve()
    if holds_run(run) and not goes_on and not options.overwrite_output_dir:
        raise InputError(
            f"--output_dir: {run} holds a run; expected a new folder; choose another, continue the run with "
            "--resume_from_checkpoint true, or replace it with --overwrite_output_dir true"
        )
    if checkpoint is None:
        return Start(None, 0.0, holds_run(run))
    keep_precision(options, checkpoint)
    require_same_options(checkpoint, facts_of(arguments), defaults())
    return Start(checkpoint, record_of(checkpoint)["seconds"], holds_run(run) and not goes_on)


def facts_of(arguments: Arguments) -> dict[str, Any]:
    """What must be the same in a run that is resumed: its options, its encoder and its number of processes."""
    options = arguments.training
    return run_facts(recorded(arguments), arguments.model.model_checkpoint, options.world_size * max(1, options.n_gpu))


def push_target(run: Path, arguments: Arguments) -> str | None:
    """The repository to push to, or None. Raises `InputError` where a push would fail: now, not after the training."""
    options = arguments.training
    pushing, options.push_to_hub = options.push_to_hub, False  # Trainer would push at every save, with its own card
    if not pushing:
        return None
    repo_id = options.hub_model_id or run.resolve().name
    require_repo_and_login(repo_id, options.hub_token)
    return repo_id


def load_data(arguments: Arguments, start: Start) -> TrainingData:
    """The rows of the experiment. Raises `InputError` if they have no entity, or if the resumed run had other rows."""
    data = training_data(arguments.data)
    require_entities(arguments.data.dataset, "training", data.train)
    if start.checkpoint:
        require_same_data(start.checkpoint, arguments.data.dataset, fingerprints(data))
    return data


def fingerprints(data: TrainingData) -> list[str]:
    """The fingerprint of the training sentences, and that of the validation sentences."""
    return [data.train_fingerprint, data.validation_fingerprint]


def load_trainer(arguments: Arguments, data: TrainingData, start: Start) -> TaggingTrainer:
    """The Trainer with its model. Sets the precision in the options."""
    options, encoder = arguments.training, arguments.model.model_checkpoint
    set_seed(options.seed)  # before the new classifier gets its weights
    model, tokenizer = load_for_training(encoder, data.names, arguments.data.masked_training, classes_of(data.names))
    if arguments.model.case_markers:
        tokenizer = with_case_markers(tokenizer, model)
    model.config.constrained_decoding = arguments.model.constrained_decoding is not False
    set_precision(options, choose_precision(options, model.config.model_type))
    window = window_size(tokenizer, model, arguments.model.max_length)
    model.config.trained_window = window  # the run is scored with the window that it was trained with
    train, validation = (encode(s.words, s.tags, s.lengths, tokenizer, window) for s in (data.train, data.validation))
    for split, part in (("train", train), ("validation", validation)):
        require_embedded(part, tokenizer, model, f"--model_checkpoint {encoder}")
        if part.long_sentences:
            log.info("%s: %d sentences are longer than %d sub-tokens and are split into several windows", split,
                     part.long_sentences, window)  # fmt: skip
    best = best_checkpoint(start.checkpoint) if start.checkpoint and options.load_best_model_at_end else None
    record = RunRecord(start.seconds, fingerprints=fingerprints(data), **facts_of(arguments))
    callbacks: list[TrainerCallback] = [record]
    if options.early_stopping_patience is not None:
        callbacks.append(EarlyStoppingCallback(options.early_stopping_patience))
    trainer = build_trainer(
        options, model, tokenizer, (train, validation), epoch_scores(data), callbacks,
        args_yaml=yaml.safe_dump(recorded(arguments), sort_keys=False, allow_unicode=True),
        replaces_run=start.replaces_run, best_checkpoint=best,
    )  # fmt: skip
    record.facts["embedding_rows"] = trained_rows(model)
    if start.checkpoint:
        require_fits(start.checkpoint, model, encoder)
    return trainer


def epoch_scores(data: TrainingData) -> Callable[[EvalPrediction], dict[str, float]]:
    """What Trainer calls after each evaluation, with label ids [row, position]: the overall scores."""
    metric, gold = ner_metric(), data.validation.tag_lists()

    def compute_metrics(prediction: EvalPrediction) -> dict[str, float]:
        ids = prediction.predictions[prediction.label_ids != IGNORED]
        tags = tag_lists(ids, data.validation.lengths, data.names)
        return metric.compute(predictions=tags, references=gold)["overall"]

    return compute_metrics


def train(run: Path, trainer: TaggingTrainer, arguments: Arguments, data: TrainingData, start: Start) -> dict[str, Any]:
    """Trains, writes the run folder except its model card, and returns the validation scores."""
    options = arguments.training
    batch = options.train_batch_size * options.gradient_accumulation_steps * options.world_size
    order = options.train_sampling_strategy.replace("_", " ")
    log.info("order of the rows: %s; %d sentences an update, over %d process(es)", order, batch, options.world_size)
    with fast_dropout(trainer.model) if options.fast_dropout and options.device.type == "cpu" else nullcontext():
        result = trainer.train(resume_from_checkpoint=start.checkpoint)
    with saving(run):
        trainer.save_model(str(run / UNFINISHED))
    scores = score_validation(trainer, arguments, data)
    if options.should_save:
        seconds = start.seconds + result.metrics["train_runtime"]
        write_results(run, trainer, arguments, data, scores, seconds)
    return scores.metrics


def score_validation(trainer: TaggingTrainer, arguments: Arguments, data: TrainingData) -> ScoredSplit:
    """The scores of the trained model, computed as in `inference.py`, and the calibration that suits them.

    Every process must call this.
    """
    options, tokenizer = arguments.training, trainer.processing_class
    precision = scoring_precision(training_precision(options))
    model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)  # without autocast
    model.eval().to(getattr(torch, precision))
    batching = batching_for(options.per_device_eval_batch_size, options.device)
    tagger = Tagger(
        f"--output_dir {options.output_dir}", torch_logits(model), precision, model, tokenizer, data.names,
        model.config.trained_window, batching, model.config.constrained_decoding, Calibration(),
    )  # fmt: skip
    source = arguments.data.dataset, arguments.data.languages
    try:
        return score_sentences(
            tagger, data.validation, "validation", source, data.validation_fingerprint, not options.disable_tqdm,
            calibrates=True,
        )  # fmt: skip
    except NotFiniteError as error:
        raise divergence(options, "the scores of some validation words are not finite") from error


def write_results(
    run: Path, trainer: TaggingTrainer, arguments: Arguments, data: TrainingData, scores: ScoredSplit, seconds: float
) -> None:
    """Writes the records and scores of the model that is in UNFINISHED, and moves them all into the run folder."""
    new = run / UNFINISHED
    with writing(new):
        (new / "training_args.bin").unlink(missing_ok=True)  # a pickle; args.yaml records the same
        trainer.state.save_to_json(str(new / "trainer_state.json"))
    config = read_record(new / "config.json")
    write_json(new / "config.json", config | {CALIBRATION: asdict(scores.calibration)})
    write_text(new / "args.yaml", trainer.args_yaml)
    surfaces = sorted({f"{class_}\t{surface}\n" for _, surface, class_ in entity_surfaces(data.train)})
    write_text(new / SURFACES, "".join(surfaces))
    options = arguments.training
    about = {
        "processes": options.world_size, "device": str(options.device.type), "seed": options.seed,
        "data_fingerprint": data.train_fingerprint, "rows": data.rows, "precision": training_precision(options),
        "update_steps": trainer.state.global_step, "train_seconds": round(seconds, 1),
    }  # fmt: skip
    write_json(new / "environment.json", environment() | about)
    write_scores(new / "validation", scores.metrics, data.validation, scores.gold, scores.predicted)
    if not trainer.replaces_run:
        remove_stale(run)  # test scores and exports of the weights before
    publish(run, trainer.replaces_run)
    if trainer.state.best_model_checkpoint is not None:  # until here, the last one was kept too, to resume from
        remove_surplus(run, trainer.checkpoint_limit, [Path(trainer.state.best_model_checkpoint).name])


def finish(
    run: Path, trainer: TaggingTrainer, metrics: dict[str, Any], arguments: Arguments, repository: str | None
) -> None:
    """Writes the model card, ends all processes except the first, prints the scores, and pushes the run."""
    first = trainer.is_world_process_zero()
    if first:
        write_card(run)
        log.info("the run is in %s; score the test split: python inference.py --checkpoint %s", run, run)
    trainer.accelerator.wait_for_everyone()
    # DistributedDataParallel is freed before the process group. Otherwise freeing it would end the group, which waits
    # for a thread that may itself wait for Python's lock.
    trainer.model_wrapped = trainer.model
    trainer.accelerator.free_memory()
    trainer.accelerator.end_training()
    if not first:
        return
    options, address = arguments.training, None
    try:
        if repository:
            address = push(run, repository, options.hub_private_repo, options.hub_token)
    finally:  # last, since the reader of a pipe may be gone
        print(score_table(metrics), flush=True)
    if address:
        print(address)


if __name__ == "__main__":
    run_script(main)
