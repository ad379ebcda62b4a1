"""Fine-tune a tagger and write a run folder.

python train.py                                              # the defaults of arguments.py
python train.py configs/distilbert_masked.yaml --seed 1      # experiment B
accelerate launch --multi_gpu --num_processes 2 train.py configs/distilbert_default.yaml
"""

from ner.errors import run_script
from ner.runs.first_check import asks_for_help, first_check

if __name__ == "__main__":
    run_script(lambda words: first_check(words, "model_checkpoint"))
    if asks_for_help():
        from arguments import parse

        run_script(lambda words: parse(words, __doc__))

import logging
import shlex
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from transformers import (
    EarlyStoppingCallback,
    EvalPrediction,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    TrainerCallback,
    set_seed,
)

from arguments import Arguments, DataArguments, parse, recorded
from data import training_data
from metrics import ner_metric
from ner.corpus.selection import TrainingData, require_entities
from ner.encoder.case_markers import has_case_markers, is_cased, loses_capitals, with_case_markers
from ner.encoder.checkpoints import CALIBRATION, load_for_training
from ner.encoder.encoding import IGNORED, UNLABELLED, Encoded, encode, window_size
from ner.encoder.precision import asked_precision, choose_precision, set_precision, use_one_gpu
from ner.errors import InputError, at
from ner.files import read_record, write_json, write_yaml
from ner.labels import classes_of, tag_lists
from ner.options import described
from ner.runs.environment import environment
from ner.runs.files import METRICS, PREDICTIONS, SCORES, STATE
from ner.runs.folder import in_first_process, require_trainable, training_in
from ner.runs.manifest import write_manifest
from ner.runs.model_card import write_card
from ner.runs.upload import push, require_repo_and_login
from ner.scoring.score_table import score_table
from ner.tagging.score import ScoredSplit, score
from ner.tagging.tagger import Tagger
from ner.training.callbacks import class_metrics
from ner.training.learning_rate import remark_on_rate
from ner.training.resuming import (
    RunRecord,
    checkpoint_to_resume,
    find_best_again,
    record_of,
    recorded_encoder,
    require_same,
)
from ner.training.trainer import TaggingTrainer, build_trainer, require_trackers, saving

log = logging.getLogger("ner")
# Options of the data that do nothing without another one.
SWITCHES = {"selected_categories": "masked_training", "upsample_categories": "upsample", "upsample_factor": "upsample"}


def main(argv: list[str], make_trainer: Callable[..., TaggingTrainer] = build_trainer) -> Path:
    """Trains as the options say, writes the run folder, prints the validation scores, and pushes if asked to.

    Returns the run folder.

    `make_trainer` takes the arguments of `build_trainer` and may give its trainer other parts, such as a loss.
    """
    arguments = parse(argv, __doc__)
    options, run = arguments.training, Path(arguments.training.output_dir)
    warnings.filterwarnings("ignore", message=".*pin_memory.*")  # without a GPU, it would appear at every evaluation
    for line in described(arguments.given, arguments.values):
        log.info("%s", line)
    for name, switch in SWITCHES.items():
        if not getattr(arguments.data, switch) and getattr(arguments.data, name) != getattr(DataArguments(), name):
            log.warning("--%s has no effect without --%s true", name, switch)
    use_one_gpu(options)
    if asked_precision(options) == "float16" and options.device.type == "cpu":
        raise InputError("--fp16: found no GPU; expected one; leave the option out, or resume the run on a GPU")

    in_first_process(lambda: require_trainable(run, options.resume_from_checkpoint))
    require_trackers(options.report_to)
    repository = push_target(arguments)
    token, options.hub_token = options.hub_token, None  # some trackers upload the options
    checkpoint = checkpoint_to_resume(run) if options.resume_from_checkpoint else None
    if checkpoint:
        arguments.values["model_checkpoint"] = recorded_encoder(checkpoint, arguments.model.model_checkpoint)

    data = training_data(arguments.data)
    arguments.values["tag_scheme"] = data.tag_scheme  # recorded: one split, as scoring reads it, may not show it
    require_entities(arguments.data.source.name(), "training", data.train)
    require_entities(arguments.data.source.name("validation"), "validation", data.validation)

    set_seed(options.seed)  # before the new classifier gets its weights
    model, tokenizer = load_model(arguments, data, checkpoint)
    facts = facts_of(arguments, data)  # only now, because one of them is whether it has case markers
    if checkpoint:
        require_same(checkpoint, facts)
    inputs = model_inputs(data, model, tokenizer)
    record = RunRecord(record_of(checkpoint)["seconds"] if checkpoint else 0.0, facts)
    callbacks: list[TrainerCallback] = [record]
    if options.early_stopping_patience is not None:
        callbacks.append(EarlyStoppingCallback(options.early_stopping_patience))
    trainer = make_trainer(options, model, tokenizer, inputs, epoch_scores(data), callbacks)

    with training_in(run):
        in_first_process(lambda: require_trainable(run, options.resume_from_checkpoint))  # another one may have ended
        if checkpoint:
            in_first_process(lambda: find_best_again(checkpoint, options.load_best_model_at_end))
        if options.should_save:
            write_yaml(run / "args.yaml", recorded(arguments))
        seconds = record.seconds + train(trainer, checkpoint)
        if options.load_best_model_at_end and trainer.state.best_model_checkpoint is None:
            log.warning("no evaluation chose a best checkpoint, so the run has the last weights: it made %d updates",
                        trainer.state.global_step)  # fmt: skip
        with saving(run):
            trainer.save_model(str(run))
        scored = score_validation(trainer, arguments, data)
        if options.should_save:
            write_results(run, trainer, arguments, data, scored, seconds)
    end_processes(trainer)
    if trainer.is_world_process_zero():
        named = shlex.quote(run.as_posix())
        log.info("the run is in %s; score the test split: python inference.py --checkpoint %s", run, named)
        log.info("scores of the validation split:")
        print(score_table(scored.metrics), flush=True)
        if repository:
            print(push(run, repository, options.hub_private_repo, token))
    return run


def push_target(arguments: Arguments) -> str | None:
    """The repository to push to, or None. Raises `InputError` where a push would fail: now, not after the training."""
    options = arguments.training
    pushing, options.push_to_hub = options.push_to_hub, False  # Trainer would push at every save, with its own card
    if not pushing:
        return None
    repo_id = options.hub_model_id or Path(options.output_dir).resolve().name
    require_repo_and_login(repo_id, options.hub_token)
    return repo_id


def facts_of(arguments: Arguments, data: TrainingData) -> dict[str, Any]:
    """What must be the same in a run that is resumed."""
    options = {f"--{name}": value for name, value in recorded(arguments).items()}
    return options | {
        "processes": arguments.training.world_size,
        "training data": data.train_fingerprint,
        "validation data": data.validation_fingerprint,
    }


def load_model(
    arguments: Arguments, data: TrainingData, checkpoint: Path | None
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The encoder with a classifier for the labels of the data, or the model of the checkpoint that is resumed.

    Sets the precision in the options, and whether there are case markers. Logs what does not suit the encoder.
    """
    options, chosen = arguments.training, arguments.model
    with at("--model_checkpoint"):
        model, tokenizer = load_for_training(
            str(checkpoint or chosen.model_checkpoint), data.train.names, arguments.data.removes_classes
        )
    if loses_capitals(tokenizer):
        log.warning(
            "%s: its tokenizer removes capitals, but its vocabulary has them; if the encoder is cased, add "
            '"do_lower_case": false to tokenizer_config.json', tokenizer.name_or_path,
        )  # fmt: skip
    if has_case_markers(tokenizer):
        log.info("case markers: the checkpoint has them")
        chosen.case_markers = True  # for the record
    elif chosen.case_markers and is_cased(tokenizer):
        log.info("case markers: not added, because the tokenizer is cased")
        chosen.case_markers = False
    elif chosen.case_markers and checkpoint is None:
        tokenizer = with_case_markers(tokenizer, model)
    model.config.constrained_decoding = chosen.constrained_decoding is not False
    model.config.trained_window = window_size(tokenizer, model, chosen.max_length)  # the run is scored with it too
    precision = choose_precision(asked_precision(options), options.device, model.config.model_type)
    set_precision(options, precision)
    remark_on_rate(model.config, options.learning_rate)
    return model, tokenizer


def model_inputs(
    data: TrainingData, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast
) -> tuple[Encoded, Encoded]:
    """The inputs of training and of validation."""
    window, inputs = model.config.trained_window, []
    for split, s in (("train", data.train), ("validation", data.validation)):
        tags = s.tags if s.unlabelled is None else np.where(s.unlabelled, np.int16(UNLABELLED), s.tags)
        encoded = encode(s.words, tags, s.lengths, tokenizer, window)
        if len(encoded) > len(s):
            log.info("%s: %d sentences became %d windows of up to %d sub-tokens", split, len(s), len(encoded), window)
        inputs.append(encoded)
    return inputs[0], inputs[1]


def epoch_scores(data: TrainingData) -> Callable[[EvalPrediction], dict[str, float]]:
    """A function for Trainer that gives the scores of an evaluation, from label ids [row, position].

    They are the overall ones, and the F1 of each class that the validation sentences contain.
    """
    metric, gold = ner_metric(), data.validation.tag_lists()
    names = class_metrics(classes_of(data.train.names))

    def compute_metrics(prediction: EvalPrediction) -> dict[str, float]:
        ids = prediction.predictions[prediction.label_ids != IGNORED]
        tags = tag_lists(ids, data.validation.lengths, data.train.names)
        found = metric.compute(predictions=tags, references=gold)
        return found["overall"] | {names[c]: values["f1"] for c, values in found["per_class"].items() if values}

    return compute_metrics


def train(trainer: TaggingTrainer, checkpoint: Path | None) -> float:
    """Trains, and returns the seconds that it took."""
    options = trainer.args
    batch = options.train_batch_size * options.gradient_accumulation_steps * options.world_size
    order = options.train_sampling_strategy.replace("_", " ")
    log.info("order of the rows: %s; %d sentences per update, over %d process(es)", order, batch, options.world_size)
    result = trainer.train(str(checkpoint) if checkpoint else None)
    return result.metrics["train_runtime"]


def score_validation(trainer: TaggingTrainer, arguments: Arguments, data: TrainingData) -> ScoredSplit:
    """The validation sentences as `inference.py` tags them with the saved model, with a calibration that suits them.

    Every process must call this.
    """
    options = arguments.training
    trainer.accelerator.wait_for_everyone()  # the first one has saved the model then
    tagger = Tagger.load(
        options.output_dir,
        device=options.device,
        precision=asked_precision(options),
        batch_size=options.per_device_eval_batch_size,
    )
    return score(
        tagger,
        data.validation,
        arguments.data.source,
        "validation",
        fingerprint=data.validation_fingerprint,
        calibrate=True,
        progress=trainer.is_world_process_zero() and not options.disable_tqdm,
    )


def write_results(
    run: Path, trainer: TaggingTrainer, arguments: Arguments, data: TrainingData, scored: ScoredSplit, seconds: float
) -> None:
    """Writes the records and scores of the trained model into the run folder, and last its manifest."""
    for path in (*run.glob("test/*"), *run.glob(f"{SCORES}/*/*")):
        if path.name in (METRICS, PREDICTIONS):
            log.warning("deleted %s: the run was scored before its training ended, maybe with other weights", path)
            path.unlink()
    trainer.state.save_to_json(str(run / STATE))
    config = read_record(run / "config.json")
    write_json(run / "config.json", config | {CALIBRATION: asdict(scored.calibration)})
    options = arguments.training
    about = {
        "processes": options.world_size, "device": options.device.type, "seed": options.seed,
        "data_fingerprint": data.train_fingerprint, "rows": data.rows, "precision": asked_precision(options),
        "update_steps": trainer.state.global_step, "train_seconds": round(seconds, 1),
    }  # fmt: skip
    if data.division:
        about["division"] = data.division
    write_json(run / "environment.json", environment(options.device) | about)
    scored.write(run / "validation")
    write_card(run)
    write_manifest(run)


def end_processes(trainer: TaggingTrainer) -> None:
    """Waits for all processes, and ends their group."""
    trainer.accelerator.wait_for_everyone()
    # DistributedDataParallel is freed before the process group. Otherwise freeing it would end the group, which waits
    # for a thread that may itself wait for Python's lock.
    trainer.model_wrapped = trainer.model
    trainer.accelerator.free_memory()
    trainer.accelerator.end_training()


if __name__ == "__main__":
    run_script(main)
