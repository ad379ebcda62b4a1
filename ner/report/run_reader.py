"""Run folders as a report reads them: predictions, classes and recorded arguments; and whether they can be compared."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ner.errors import LONE_SURROGATE, InputError, nearest
from ner.files import optional_json
from ner.labels import classes_of, flat_ids, is_label, label_names, lookup_table
from ner.runs.files import SURFACES, recorded_args
from ner.scoring.scores import Counts, counts_of_ids

# Runs of one experiment may differ in these arguments.
NOT_THE_EXPERIMENT = ("seed", "output_dir")


@dataclass(frozen=True)
class Run:
    """The scored test split of a run, and what its folder records."""

    name: str
    tokens: list[list[str]]  # of each sentence
    gold: list[list[str]]
    predicted: list[list[str]]
    langs: list[str]  # [sentence]
    classes: list[str]  # that the checkpoint knows, or if that is not recorded, those of the tags
    args: dict[str, Any]
    environment: dict[str, Any]
    metrics: dict[str, Any]  # of the test split, empty if there is no metrics.json
    curve: list[tuple[float, float]]  # epoch and validation F1 in percent, during training
    seen: set[tuple[str, str]] | None  # class and surface form of each training entity, None if not recorded

    def counts(self, classes: list[str]) -> Counts:
        """Counts over some classes; every other tag counts as `O`, in gold and prediction."""
        names, shared = label_names(self.classes), label_names(classes)
        table = lookup_table(names, shared)
        (gold, lengths), (predicted, _) = flat_ids(self.gold, names), flat_ids(self.predicted, names)
        return counts_of_ids(table[gold], table[predicted], lengths, classes)

    def experiment_key(self) -> str:
        """A text that is the same for runs whose recorded arguments differ only in seed and output folder."""
        if not self.args:
            return self.name
        return json.dumps({k: str(v) for k, v in self.args.items() if k not in NOT_THE_EXPERIMENT}, sort_keys=True)


def read_runs(folders: list[Path]) -> list[Run]:
    """The runs in some folders, each named by the shortest end of its path that no other run shares.

    Raises `InputError` for a folder without predictions, for a line that is not a prediction, and for a folder that is
    given twice.
    """
    return [read_run(folder, name) for folder, name in zip(folders, short_names(folders), strict=True)]


def short_names(folders: list[Path]) -> list[str]:
    """The shortest ends of the folders' paths that differ. Raises `InputError` for a folder that is given twice."""
    # A name that is not UTF-8 cannot be written as it is: its odd bytes become \xNN.
    parts = [[os.fsencode(p).decode("utf-8", "backslashreplace") for p in f.resolve().parts] for f in folders]
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise InputError(f"found {', '.join(map(str, folders))}; expected each run once; remove the repeated one")
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(p[-length:]).lstrip("/") for p in parts]
        if len(set(names)) == len(names):
            return names
    return [str(Path(*p)) for p in parts]


def read_run(folder: Path, name: str) -> Run:
    """The run in a folder, under a name. Raises `InputError` as `read_runs` does, and for a broken record."""
    path = folder / "test" / "predictions.jsonl"
    rows = list(prediction_rows(path))
    if not rows:
        raise InputError(f"{path}: holds no sentence; expected at least one; score the run with inference.py")
    gold, predicted = [row["gold"] for row in rows], [row["predicted"] for row in rows]
    used = classes_of({tag for tags in (*gold, *predicted) for tag in tags})
    classes = known_classes(folder / "config.json") or used
    if set(used) - set(classes):
        raise InputError(
            f"{path}: found the classes {', '.join(used)}; config.json knows {', '.join(classes)}; score again"
        )
    history = optional_json(folder / "trainer_state.json").get("log_history", [])
    return Run(
        name,
        [row["tokens"] for row in rows],
        gold,
        predicted,
        [row.get("lang", "") for row in rows],
        classes,
        args=recorded_args(folder),
        environment=optional_json(folder / "environment.json"),
        metrics=optional_json(folder / "test" / "metrics.json"),
        curve=[(entry["epoch"], 100.0 * entry["eval_f1"]) for entry in history if {"epoch", "eval_f1"} <= entry.keys()],
        seen=training_surfaces(folder / SURFACES),
    )


def known_classes(path: Path) -> list[str]:
    """The classes that a checkpoint's `config.json` names; none if there is no such file."""
    labels = list(optional_json(path).get("id2label", {}).values())
    if not all(map(is_label, labels)) or LONE_SURROGATE.search("".join(labels)):
        raise InputError(f"{path}: found no BIO label names in id2label; expected those of a trained tagger")
    return classes_of(labels)


def training_surfaces(path: Path) -> set[tuple[str, str]] | None:
    """Class and surface form of each entity in the training data; None if there is no such file."""
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    return {(class_name, surface) for class_name, _, surface in (line.partition("\t") for line in lines if line)}


def prediction_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The sentences of a `predictions.jsonl`, each with as many gold and predicted BIO tags as tokens.

    Raises `InputError` with file and line for any other line.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}; score the run with inference.py first") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: found bytes that are not UTF-8; score the run again") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            sides = [row[key] for key in ("tokens", "gold", "predicted")]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise InputError(
                f"{path}:{number}: expected an object with tokens, gold and predicted; score the run again"
            ) from None
        if (
            not all(isinstance(side, list) and set(map(type, side)) <= {str} for side in sides)
            or len({len(side) for side in sides}) != 1
            or not all(map(is_label, {*sides[1], *sides[2]}))
            or not isinstance(row.get("lang", ""), str)
            or LONE_SURROGATE.search("".join([*sides[0], *sides[1], *sides[2], row.get("lang", "")]))
        ):
            raise InputError(f"{path}:{number}: expected tokens, and a gold and a predicted BIO tag for each token")
        yield row


def shared_classes(runs: list[Run]) -> list[str]:
    """The classes that all runs know, in the order of `ner.labels.classes_of`."""
    return [c for c in runs[0].classes if all(c in run.classes for run in runs)]


def compared_classes(runs: list[Run], chosen: list[str] | None) -> list[str]:
    """The classes to compare the runs on: those that are `chosen`, or all that the runs share.

    Raises `InputError` if the runs share none, if some run does not know a chosen one, or if the runs cannot be
    compared on them.
    """
    shared = shared_classes(runs)
    if not shared:
        known = "; ".join(f"{run.name}: {', '.join(run.classes)}" for run in runs)
        raise InputError(f"the runs have no class in common ({known}); expected at least one")
    for name in chosen or []:
        if name not in shared:
            without = next(run.name for run in runs if name not in run.classes)
            raise InputError(
                f"--classes: found {name!r}, which {without} does not know; expected classes that all runs know: "
                f"{', '.join(shared)}{nearest(name, shared)}"
            )
    classes = [c for c in shared if chosen is None or c in chosen]
    require_same_gold(runs, classes)
    return classes


def require_same_gold(runs: list[Run], classes: list[str]) -> None:
    """Raises `InputError` unless all runs have the same tokens, and the same gold tags on some classes."""

    def on_classes(run: Run) -> list[list[str]]:
        return [[tag if tag[2:] in classes else "O" for tag in tags] for tags in run.gold]

    first, gold = runs[0], on_classes(runs[0])
    for run in runs[1:]:
        i = first_difference(first.tokens, run.tokens)
        if i is not None:
            raise InputError(
                f"{first.name} ({len(first.tokens)} sentences) and {run.name} ({len(run.tokens)}) differ in sentences: "
                f"the first is id {i}; score both on one split, with the same max_eval_sentences"
            )
        i = first_difference(gold, on_classes(run))
        if i is not None:
            raise InputError(
                f"{first.name} and {run.name} differ in gold tags on {', '.join(classes)}: the first in id {i}; "
                "score both on one split"
            )


def first_difference(some: list[list[str]], others: list[list[str]]) -> int | None:
    """Where two lists differ first, or one ends; None if they are equal."""
    return next((i for i, (a, b) in enumerate(zip_longest(some, others)) if a != b), None)


def runs_by_experiment(runs: list[Run]) -> list[list[int]]:
    """The positions of the runs of each experiment, in the order of their first runs; a repeated seed counts once."""
    experiments: dict[str, dict[Any, int]] = {}
    for i, run in enumerate(runs):
        experiments.setdefault(run.experiment_key(), {}).setdefault(run.args.get("seed"), i)
    return [list(members.values()) for members in experiments.values()]
