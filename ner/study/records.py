"""What is kept of a run: its scores, options and environment, without a word of the data."""

import logging
import shutil
import statistics
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from ner.files import PlainLoader, from_yaml, optional_record, read_as, write_json, write_yaml
from ner.hub_files import public_name
from ner.runs.files import METRICS, NOT_RECORDED, PREDICTIONS, SPLITS
from ner.runs.folder import checkpoints_in, is_finished
from ner.runs.manifest import write_manifest
from ner.runs.upload import without_local_paths
from ner.study.plan import PlannedRun, Study, listed

log = logging.getLogger("ner")
# What a run may record otherwise than it was given, or not at all.
NO_PART = {"config", "output_dir", "tag_scheme", "case_markers", *NOT_RECORDED}


def is_recorded(study: Study, run: PlannedRun) -> bool:
    """Whether a run has a record, and was scored on the study's split. The record is written last."""
    folder = study.records / run.name
    return (folder / "environment.json").is_file() and (folder / study.split / METRICS).is_file()


def predictions_of(study: Study, run: PlannedRun) -> Path | None:
    """The predictions of a recorded run; None where there are none, or of other scores than the record has."""
    scored, recorded = (folder / run.name / study.split for folder in (study.output_dir, study.records))
    is_same = optional_record(scored / METRICS) == optional_record(recorded / METRICS)
    return scored / PREDICTIONS if is_same and (scored / PREDICTIONS).is_file() else None


def record(run: Path, folder: Path) -> None:
    """Writes what a run folder records into another folder, without local paths and without the data's text."""
    for split in SPLITS:
        if (run / split / METRICS).is_file():
            (folder / split).mkdir(parents=True, exist_ok=True)
            write_json(folder / split / METRICS, optional_record(run / split / METRICS))
    write_yaml(folder / "args.yaml", without_local_paths(optional_record(run / "args.yaml")))
    write_json(folder / "environment.json", without_local_paths(optional_record(run / "environment.json")))


def warn_of_other_options(study: Study) -> None:
    """Warns of each option that finished runs have with another value than the study or its config file."""
    found: Counter[tuple[str, str, str]] = Counter()
    for run in study.runs:
        folder = study.records / run.name
        if not is_recorded(study, run) and is_finished(study.output_dir / run.name):
            folder = study.output_dir / run.name
        args = optional_record(folder / "args.yaml")
        config = Path(run.options.get("config", ""))
        if not args or (study.removable and not run.removed):
            continue
        given = read_as(config, from_yaml) if config.is_file() else None
        given = {name.replace("-", "_"): value for name, value in (given or {}).items()}
        options = {name: value for name, value in (given | run.options).items() if value is not None}
        if "train_file" in options:
            options["dataset"] = options.pop("train_file")  # as args.yaml has it
        names = {name for name in options if name not in NO_PART and not name.startswith("hub_")}
        args = (default_values() if names - args.keys() else {}) | args
        for name in names & args.keys():
            planned, recorded = ([str(value) for value in listed(of[name])] for of in (options, args))
            if list(map(meant, planned)) != list(map(meant, recorded)):
                found[name, " ".join(recorded), " ".join(planned)] += 1
    for (name, recorded_as, planned_as), count in found.items():
        log.warning(
            "--%s is %s instead of %s in finished runs (%d), which are not repeated; for new runs, name another "
            "--output_dir, and another --records if you give one", name, recorded_as, planned_as, count,
        )  # fmt: skip


def default_values() -> dict[str, Any]:
    """transformers' training arguments, of which a run records those that differ from their defaults."""
    from transformers import TrainingArguments  # here, because it takes seconds to load

    return {field.name: field.default for field in fields(TrainingArguments)}


def meant(text: str) -> Any:
    """What a value of an option means, however it is written; of a path, its last part."""
    try:
        return yaml.load(text, PlainLoader) if "/" not in text else Path(public_name(text)).name
    except yaml.YAMLError:  # such as @name
        return text


def drop_checkpoints(run: Path) -> None:
    """Removes a run's weights and the states for resuming it, which no report needs, and renews its manifest."""
    for path in run.glob("*.safetensors*"):
        path.unlink()
    for checkpoint in checkpoints_in(run):
        shutil.rmtree(checkpoint)
    write_manifest(run)


def recorded_scores(study: Study, run: PlannedRun) -> dict[str, Any]:
    """The F1 of a recorded run, `micro` and that of each class, as fractions; the fingerprint of the `data` that were
    scored, its updates, and the seconds it took. An old record has no `data` or `seconds`: None.
    """
    folder = study.records / run.name
    metrics, environment = optional_record(folder / study.split / METRICS), optional_record(folder / "environment.json")
    classes = {c: scores["f1"] for c, scores in metrics["per_class"].items() if scores}
    return {
        "f1": {"micro": metrics["overall"]["f1"]} | classes,
        "data": metrics.get("data_fingerprint"),
        "updates": environment["update_steps"],
        "seconds": environment.get("train_seconds"),
    }


def observed_spread(study: Study) -> dict[str, float]:
    """The standard deviation of each score over the seeds of a setting, in points, pooled over the recorded runs.

    It has the scores that vary, and that all settings have, unless the study is one that removes classes.
    """
    found: dict[str, dict[tuple[str, str], list[float]]] = {}  # the F1 of runs, by score and setting
    for run in study.runs:
        if is_recorded(study, run):
            for title, f1 in recorded_scores(study, run)["f1"].items():
                found.setdefault(title, {}).setdefault((run.group, run.setting), []).append(100 * f1)
    spread = {}
    for title, settings in found.items():
        points = pooled_sd(list(settings.values()))
        if points and (study.removable or len(settings) == len(found["micro"])):
            spread[title] = points
    return spread


def pooled_sd(samples: list[list[float]]) -> float | None:
    """The standard deviation within samples, pooled over those of several values; None if there are none."""
    several = [values for values in samples if len(values) > 1]
    if not several:
        return None
    squares = sum(statistics.variance(values) * (len(values) - 1) for values in several)
    return (squares / sum(len(values) - 1 for values in several)) ** 0.5
