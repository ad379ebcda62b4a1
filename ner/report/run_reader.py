"""Run folders as a report reads them: predictions, classes and recorded arguments; and whether they can be compared."""

import json
import os
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ner.errors import InputError, nearest
from ner.files import optional_record
from ner.labels import classes_of, label_names
from ner.runs.files import METRICS, PREDICTIONS, SCORES
from ner.runs.predictions import Predictions, read_predictions

NAMES = ("output_dir", "run_name")  # arguments that only name a run


@dataclass(frozen=True)
class Run(Predictions):
    """A scored split of a run, by default the test split, and what its folder records."""

    name: str
    split: str
    classes: list[str]  # that the checkpoint knows, or if that is not recorded, those of the tags
    args: dict[str, Any]
    environment: dict[str, Any]
    metrics: dict[str, Any]  # of the split, empty if there is no metrics.json


def read_runs(folders: list[Path], split: str = "test") -> list[Run]:
    """The runs in some folders, as they were scored on a split. They are named by the folders, or where these share a
    name, by where they are.

    Raises `InputError` as `read_run` does, and for a folder that is given twice.
    """
    paths = [Path(os.path.abspath(folder)) for folder in folders]  # named as they are given, even if they are links
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise InputError(f"found {', '.join(map(str, folders))}; expected each run once; remove the repeated one")
    names = [path.name for path in paths]
    if len(set(names)) < len(names):
        above = os.path.commonpath([path.parent for path in paths])
        names = [str(path.relative_to(above)) for path in paths]
    return [read_run(path, name, split) for path, name in zip(folders, names, strict=True)]


def read_run(folder: Path, name: str, split: str = "test") -> Run:
    """The run in a folder, as it was scored on a split, under a name. The folder may also be that of some scores.

    Raises `InputError` for a folder without predictions, and for records that cannot be used.
    """
    place = folder / split
    if (folder / PREDICTIONS).is_file() and not place.exists():  # RUN/validation, or RUN/scores/...
        place = folder.resolve()
        split = optional_record(place / METRICS).get("split", place.name)
        folder = place.parents[1] if place.parent.name == SCORES else place.parent
    found = read_predictions(place / PREDICTIONS)
    labels = optional_record(folder / "config.json").get("id2label", {})
    used = {tag for tags in (*found.gold, *found.predicted) for tag in tags}
    try:
        classes = [classes_of(names) for names in (labels.values(), used)]
    except ValueError as error:
        raise InputError(f"{place}: {error}") from None
    return Run(
        **vars(found),
        name=name,
        split=split,
        classes=classes[0] or classes[1],
        args={name: value for name, value in optional_record(folder / "args.yaml").items() if name not in NAMES},
        environment=optional_record(folder / "environment.json"),
        metrics=optional_record(place / METRICS),
    )


def compared_classes(runs: list[Run], chosen: list[str] | None) -> list[str]:
    """The classes to compare the runs on: those that are `chosen`, or all that the runs share. They are in the order of
    `ner.labels.classes_of`.

    Raises `InputError` if there is none, or none with gold entities, if some run does not know a chosen one, or unless
    all runs have the same tokens, and the same gold tags on these classes.
    """
    shared = [c for c in runs[0].classes if all(c in run.classes for run in runs)]
    for name in chosen or []:
        if name not in shared:
            without = next(run.name for run in runs if name not in run.classes)
            raise InputError(f"--classes: found {name!r}, which {without} does not know{nearest(name, shared)}")
    classes = [c for c in shared if chosen is None or c in chosen]
    if not classes:
        known = "; ".join(f"{run.name}: {', '.join(run.classes)}" for run in runs)
        raise InputError(f"the runs have no class in common ({known}); expected at least one")
    kept = set(label_names(classes))
    if kept.isdisjoint(tag for tags in runs[0].gold for tag in tags if tag != "O"):
        raise InputError(
            f"the {runs[0].split} split has no gold entity of {', '.join(classes)}; expected at least one, because F1 "
            "is undefined without; compare other classes, or runs that were scored on other data"
        )

    def tagged(run: Run) -> list[tuple[list[str], list[str]]]:
        gold = ([tag if tag in kept else "O" for tag in tags] for tags in run.gold)
        return list(zip(run.tokens, gold, strict=True))

    first = tagged(runs[0])
    for run in runs[1:]:
        if (sentences := tagged(run)) != first:
            i = next(i for i, (a, b) in enumerate(zip_longest(first, sentences)) if a != b)
            raise InputError(
                f"{runs[0].name} ({len(first)} sentences) and {run.name} ({len(sentences)}) differ in tokens or gold "
                f"tags: the first is id {i}; score both on the same data, with the same --max_eval_sentences"
            )
    return classes


def runs_by_experiment(runs: list[Run]) -> list[list[int]]:
    """The positions of the runs of each experiment, in the order of their first runs.

    Runs whose recorded arguments differ only in their seed are one experiment, but only one for each seed:
    a repeated seed begins another experiment, so that the two are compared.
    """
    experiments: dict[tuple[str, int], list[int]] = {}
    earlier: list[tuple[str, Any]] = []
    for i, run in enumerate(runs):
        recorded = {name: value for name, value in run.args.items() if name != "seed"}
        key, seed = json.dumps(recorded, sort_keys=True, default=str) if run.args else run.name, run.args.get("seed")
        experiments.setdefault((key, earlier.count((key, seed))), []).append(i)
        earlier.append((key, seed))
    return list(experiments.values())
