"""Run folders as a report reads them: predictions, label sets, recorded arguments. No model, no torch."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ner.corpus.readers import HALF_A_PAIR
from ner.errors import InputError
from ner.labels import flat_ids, is_label, label_names, lookup_table, types_of
from ner.runs.files import SURFACES, optional_json, recorded_args
from ner.scoring.scores import Counts, counts_of_ids

# Arguments in which runs of one experiment may differ.
NOT_THE_EXPERIMENT = ("seed", "output_dir")


@dataclass(frozen=True)
class Run:
    """The scored test split of a run; `classes` are those that its checkpoint knows, where that is recorded."""

    name: str
    tokens: list[list[str]]
    gold: list[list[str]]
    predicted: list[list[str]]
    langs: list[str]
    classes: list[str]
    args: dict[str, Any]
    environment: dict[str, Any]
    scored: dict[str, Any]  # the split's metrics.json, empty where there is none
    curve: list[tuple[float, float]]  # epoch and validation F1 in percent, while it was trained
    seen: set[tuple[str, str]] | None  # class and surface of the training entities, where they are recorded

    def counts(self, classes: list[str]) -> Counts:
        """Counts over some classes, every other tag turned into `O` on both sides."""
        names, shown = label_names(self.classes), label_names(classes)
        table = lookup_table(names, shown)
        (gold, lengths), (predicted, _) = flat_ids(self.gold, names), flat_ids(self.predicted, names)
        return counts_of_ids(table[gold], table[predicted], lengths, classes)

    def experiment(self) -> str:
        """A key that is equal for runs whose recorded arguments differ in seed and output folder only."""
        if not self.args:
            return self.name
        return json.dumps({k: str(v) for k, v in self.args.items() if k not in NOT_THE_EXPERIMENT}, sort_keys=True)


def read_runs(folders: list[Path]) -> list[Run]:
    """The runs of some folders, under the shortest path suffixes that tell them apart.

    Raises `InputError` for a folder without predictions, a line that is none, and a folder that stands twice.
    """
    return [read_run(folder, name) for folder, name in zip(folders, short_names(folders), strict=True)]


def short_names(folders: list[Path]) -> list[str]:
    # As it can be written: of a name that is no UTF-8, the odd bytes as \xNN.
    parts = [[os.fsencode(p).decode("utf-8", "backslashreplace") for p in f.resolve().parts] for f in folders]
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise InputError(f"found {', '.join(map(str, folders))}; expected each run once; remove the repeated one")
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(p[-length:]).lstrip("/") for p in parts]
        if len(set(names)) == len(names):
            return names
    return [str(Path(*p)) for p in parts]


def read_run(folder: Path, name: str) -> Run:
    path = folder / "test" / "predictions.jsonl"
    rows = list(prediction_rows(path))
    if not rows:
        raise InputError(f"{path}: holds no sentence; expected at least one; score the run with inference.py")
    gold, predicted = [row["gold"] for row in rows], [row["predicted"] for row in rows]
    known = known_types(folder / "config.json")
    seen = types_of({tag for tags in (*gold, *predicted) for tag in tags})
    classes = known or seen
    if set(seen) - set(classes):
        raise InputError(
            f"{path}: found the classes {', '.join(seen)}; config.json knows {', '.join(classes)}; score again"
        )
    langs = [row.get("lang", "") for row in rows]
    tokens = [row["tokens"] for row in rows]
    environment = optional_json(folder / "environment.json")
    history = optional_json(folder / "trainer_state.json").get("log_history", [])
    curve = [(entry["epoch"], 100 * entry["eval_f1"]) for entry in history if {"epoch", "eval_f1"} <= entry.keys()]
    args, surfaces = recorded_args(folder), training_surfaces(folder / SURFACES)
    scored = optional_json(folder / "test" / "metrics.json")
    return Run(name, tokens, gold, predicted, langs, classes, args, environment, scored, curve, surfaces)


def known_types(path: Path) -> list[str]:
    """The classes that a checkpoint's `config.json` names; none where there is no such file."""
    labels = list(optional_json(path).get("id2label", {}).values())
    if not all(map(is_label, labels)) or HALF_A_PAIR.search("".join(labels)):
        raise InputError(f"{path}: found no BIO label names in id2label; expected those of a trained tagger")
    return types_of(labels)


def training_surfaces(path: Path) -> set[tuple[str, str]] | None:
    if not path.is_file():
        return None
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    return {(kind, surface) for kind, _, surface in (line.partition("\t") for line in lines if line)}


def prediction_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a `predictions.jsonl`, each with as many gold and predicted BIO tags as tokens."""
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
            or not all(is_label(tag) for tag in (*sides[1], *sides[2]))
            or not isinstance(row.get("lang", ""), str)
            or HALF_A_PAIR.search("".join([*sides[0], *sides[1], *sides[2], row.get("lang", "")]))
        ):
            raise InputError(f"{path}:{number}: expected tokens, and a gold and a predicted BIO tag for each token")
        yield row


def shared_classes(runs: list[Run]) -> list[str]:
    """The classes that all runs know. Raises `InputError` where there are none, or the runs cannot be compared:
    other tokens, or other gold on those classes."""
    classes = [c for c in runs[0].classes if all(c in run.classes for run in runs)]
    if not classes:
        known = "; ".join(f"{run.name}: {', '.join(run.classes)}" for run in runs)
        raise InputError(f"the runs have no class in common ({known}); expected at least one")
    first = runs[0]
    for run in runs[1:]:
        pairs = zip(first.tokens, run.tokens, strict=False)
        differs = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
        if differs is None and len(first.tokens) != len(run.tokens):
            differs = min(len(first.tokens), len(run.tokens))
        if differs is not None:
            raise InputError(
                f"{first.name} ({len(first.tokens)} sentences) and {run.name} ({len(run.tokens)}) tag other sentences: "
                f"the first is id {differs}; score both on one split, with the same max_eval_sentences"
            )
        for i, (a, b) in enumerate(zip(first.gold, run.gold, strict=True)):
            if projected(a, classes) != projected(b, classes):
                raise InputError(
                    f"{first.name} and {run.name} have other gold tags on {', '.join(classes)}: the first in id {i}; "
                    "score both on one split"
                )
    return classes


def projected(tags: list[str], classes: list[str]) -> list[str]:
    return [tag if tag[2:] in classes else "O" for tag in tags]


def seeds_of(runs: list[Run]) -> dict[str, np.ndarray]:
    """The positions of each experiment's runs, in the order of their first run; a seed counts once."""
    groups: dict[str, dict[Any, int]] = {}
    for i, run in enumerate(runs):
        groups.setdefault(run.experiment(), {}).setdefault(run.args.get("seed"), i)
    return {key: np.array(list(members.values())) for key, members in groups.items()}
