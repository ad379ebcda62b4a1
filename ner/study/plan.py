"""The runs that a study file asks for, and what their number can find. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ner.errors import InputError, message_of, nearest
from ner.files import read_as, similar
from ner.runs.files import SPLITS
from ner.runs.first_check import option_names
from ner.scoring.removal_design import balanced_triples, detectable_effect, fits, one_at_a_time_runs
from ner.scoring.significance import ALPHA, SeedComparison

KEYS = {
    "question", "program", "datasets", "encoders", "common", "settings", "grid", "removal", "seeds", "comparisons",
    "split", "spread", "threads", "curves",
}  # fmt: skip
WHOLE = "all"  # the setting of a removal study that removes no class


@dataclass(frozen=True)
class PlannedRun:
    """A run: where it is below the study's folder, `[DATASET/][ENCODER/]SETTING-SEED`, its options, and these as words
    for `train.py`.

    `removed` has the classes that a run of a removal study takes out of its training data.
    """

    group: str
    setting: str
    seed: int
    options: dict[str, Any]
    words: list[str]
    removed: list[str]

    @property
    def name(self) -> str:
        """The place of the run below the study's folder."""
        return f"{self.group}/{self.setting}-{self.seed}".lstrip("/")


@dataclass(frozen=True)
class Study:
    """A study file, with the folders of the runs and of their records.

    `comparisons` names the settings that each report compares, the first one being the baseline.
    `split` is the one that is scored. `spread` is the standard deviation over seeds, in points, that is assumed of each
    score where no runs show it. Each run has `threads` threads, so that its numbers do not depend on how many runs are
    made at a time. `curves` are lines through the mean F1 of settings: for each score, its settings by their
    place across.
    """

    name: str
    question: str
    program: str
    runs: list[PlannedRun]
    comparisons: dict[str, list[str]]
    split: str
    spread: dict[str, float]
    threads: int
    removable: list[str]
    across: str
    curves: dict[str, dict[float, str]]
    output_dir: Path
    records: Path

    def runs_of(self, group: str, setting: str) -> list[PlannedRun]:
        """The runs of a setting in a group, one for each seed."""
        return [run for run in self.runs if (run.group, run.setting) == (group, setting)]

    @property
    def groups(self) -> list[str]:
        """The data set and the encoder of each group of runs that are compared, empty if there is one of each."""
        return list(dict.fromkeys(run.group for run in self.runs))


class TextLoader(yaml.BaseLoader):
    """Loads each value in a YAML file as its text (`no`, `3e-4`). Refuses a name that a mapping has twice, also in
    other capitals: where file names ignore case, their runs would share folders."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value.casefold() for key, _ in node.value]
        if twice := [key for key, _ in node.value if names.count(key.value.casefold()) > 1]:
            problem = f"found {twice[-1].value!r} twice; expected names that differ in more than capitals"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=twice[-1].start_mark)
        return super().construct_mapping(node, deep)


def read_study(
    path: Path, datasets: list[str] | None = None, encoders: list[str] | None = None, output_dir: Path | None = None,
    records: Path | None = None,
) -> Study:  # fmt: skip
    """The study in a YAML file, with other data sets or encoders if they are given.

    By default, its runs are in `runs/NAME`, and their records in `records/` there. Raises `InputError` for keys and
    values that a study does not have.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file{similar(path)}")
    content = read_as(path, partial(yaml.load, Loader=TextLoader))
    folder = output_dir or Path("runs") / path.stem
    try:
        return study_of(path.stem, content, datasets, encoders, folder, records or folder / "records")
    except (LookupError, TypeError, ValueError, AttributeError) as error:  # also an absent key, a wrong kind of value
        raise InputError(f"{path}: {message_of(error)}; docs/study.md says what a study file has") from None


def study_of(
    name: str, content: Any, datasets: list[str] | None, encoders: list[str] | None, output_dir: Path, records: Path
) -> Study:
    """The study that the content of a file describes. Raises an error without the file's name."""
    for key in content:
        if key not in KEYS:
            raise InputError(f"found the key {key!r}; expected {', '.join(sorted(KEYS))}{nearest(key, KEYS)}")
    removal = content.get("removal") or {}
    if removal and (others := sorted(content.keys() & {"settings", "grid", "seeds"})):
        raise InputError(f"found removal and {others[0]}; expected no {others[0]}: a map has its own")
    settings = {setting: options or {} for setting, options in (content.get("settings") or {}).items()}
    settings |= grid(content.get("grid") or {})
    seeds = content.get("seeds", "1")
    seeds = seeds if isinstance(seeds, list) else list(map(str, range(1, int(seeds) + 1)))
    if not seeds or len({int(seed) for seed in seeds}) < len(seeds):
        raise InputError(f"seeds: found {' '.join(seeds) or 'none'}; expected one or more different seeds")
    places = (named(datasets or content.get("datasets") or [""]), named(encoders or content.get("encoders") or [""]))
    common, runs = content.get("common") or {}, []
    if not settings and not removal:
        raise InputError("found no settings; expected at least one, a name with options of train.py")
    if wrong := [each for each in (*settings, *(content.get("comparisons") or {})) if "/" in each]:
        raise InputError(f"found the name {wrong[0]!r}; expected one without /: it names a folder")
    known = option_names() | {"config"}
    for setting, options in settings.items():
        given = [*common, *options]
        for option in given if "program" not in content else ():
            if option not in known:
                raise InputError(f"{setting}: unknown option {option}{nearest(option, known)}")
        for option, key, asked in (
            ("seed", "seeds", None), ("dataset", "datasets", datasets), ("model_checkpoint", "encoders", encoders),
        ):  # fmt: skip
            if asked and option in options:
                raise InputError(f"{setting}: found {option}, which --{key} would replace; leave one out")
            if option in given and (key == "seeds" or key in content):
                raise InputError(f"{setting}: found {option}; expected {key}, a key of the study, in its place")
        if "selected_categories" in options and not {"masked_training", "config"}.intersection(given):
            raise InputError(f"{setting}: found selected_categories; expected masked_training: true with it")
    for dataset, encoder in product(*places):
        group = "/".join(name for name, place in zip((dataset, encoder), places, strict=True) if len(place) > 1)
        where = {"dataset": places[0].get(dataset), "model_checkpoint": places[1].get(encoder)}
        where = {name: value for name, value in where.items() if value}  # else those of the config file
        of_seeds = [(seed, *setting, list[str]()) for seed, setting in product(seeds, settings.items())]
        for seed, setting, options, removed in removals(**removal) if removal else of_seeds:
            all_options = common | options | where | {"seed": seed}
            runs.append(PlannedRun(group, setting, int(seed), all_options, words_of(all_options), removed))
    comparisons = content.get("comparisons") or ({"report": list(settings)} if settings else {})
    curves = content.get("curves") or {}
    across = str(curves.pop("across", ""))
    lines = {score: {float(place): setting for place, setting in line.items()} for score, line in curves.items()}
    for shown, chosen in [*comparisons.items(), *((y, line.values()) for y, line in lines.items())]:
        if not chosen:
            raise InputError(f"{shown}: found no setting; expected some of {', '.join(settings)}")
        for setting in chosen:
            if setting not in settings:
                raise InputError(f"{shown}: found the setting {setting!r}; expected some of {', '.join(settings)}")
    threads = int(content.get("threads", 1))
    if threads < 1:
        raise InputError(f"threads: found {threads}; expected 1 or more")
    split = content.get("split", "test")
    if split not in SPLITS:
        raise InputError(f"split: found {split!r}; expected test or validation")
    return Study(
        name, str(content.get("question", name)), str(content.get("program", "train.py")), runs, comparisons,
        split, {name: float(points) for name, points in (content.get("spread") or {}).items()},
        threads, removal.get("classes", []), across, lines, output_dir, records,
    )  # fmt: skip


def named(values: Mapping[str, str] | list[str] | str) -> dict[str, str]:
    """Data sets or encoders by their names, which for a path is its last part."""
    if isinstance(values, Mapping):
        return dict(values)
    values = listed(values)
    names = {Path(value).name: value for value in values}
    if len(names) < len(values):
        raise InputError(f"found {', '.join(values)}; expected different last parts, by which runs are named")
    return names


def grid(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A setting for each combination of the values of options, named by its values."""
    settings = {}
    for chosen in product(*map(listed, values.values())) if values else ():
        options = dict(zip(values, chosen, strict=True))
        settings["_".join(f"{name}-{value}" for name, value in options.items()).replace("/", "-")] = options
    return settings


def removals(
    classes: list[str], replicates: str = "1", unmasked: str = "5"
) -> list[tuple[str, str, dict[str, Any], list[str]]]:
    """The runs of a removal study, each with a new seed: seed, setting, options and the classes that they remove.

    They remove the sets of a balanced design from the training data. As many as `unmasked` runs that remove none are
    spread among them. All runs remove the data's other classes.
    """
    sets = [each for replicate in range(int(replicates)) for each in balanced_triples(classes, replicate)]
    for place in reversed(np.linspace(0, len(sets), int(unmasked), endpoint=False).astype(int).tolist()):
        sets.insert(place, [])
    found = []
    for seed, removed in enumerate(sets, 101):
        kept = [name for name in classes if name not in removed]
        options = {"masked_training": "true", "selected_categories": kept}
        setting = f"without_{'_'.join(removed)}" if removed else WHOLE
        found.append((str(seed), setting, options, removed))
    return found


def removal_table(runs: list[PlannedRun], classes: list[str]) -> np.ndarray:
    """True where a run removes a class, [run, class]."""
    return np.array([[name in run.removed for name in classes] for run in runs])


def words_of(options: dict[str, str | list[str]]) -> list[str]:
    """Options as the words of a command line. The config file, named by `config`, comes first."""
    words = [str(options["config"])] if "config" in options else []
    for name, value in options.items():
        if any(isinstance(each, dict) for each in listed(value)):
            raise ValueError(f"the option {name}: found {value!r}; expected its JSON in quotes, such as '{{\"a\": 1}}'")
        if name != "config":
            words += [f"--{name}", *listed(value)]
    return words


def listed(value: Any) -> list[Any]:
    """A list as it is, and any other value as a list of one."""
    return value if isinstance(value, list) else [value]


def what_runs_find(study: Study, spread: Mapping[str, float]) -> list[str]:
    """A line for each comparison and for a map: which differences the runs of a group will find in four of five tries.

    `spread` is the standard deviation of each score over seeds, in points. A comparison without it has no line.
    """
    lines = []
    for name, settings in study.comparisons.items() if spread else ():
        seeds = min(sum(run.setting == setting for run in study.runs) for setting in settings)
        if seeds > 1 and len(settings) > 1:
            others = len(settings) - 1  # the report corrects micro F1 for these, and the classes for all their tests
            tests = {y: others * (1 if y == "micro" else len(spread.keys() - {"micro"})) for y in spread}
            found = {y: detectable(sd, seeds, tests[y]) for y, sd in spread.items()}
            least = ", ".join(f"{y} {points:.1f}" if points < 100 else f"{y} none" for y, points in found.items())
            about = f"{name}: with {seeds} seeds each, differences from {settings[0]} that are detected in 4 of 5 tries"
            most = max(tests.values())
            lines.append(f"{about}{f', corrected for up to {most} tests' if most > 1 else ''}, in points: {least}")
    if study.removable:
        classes = study.removable
        removed = removal_table(study.runs, classes)
        pairs = len(classes) * (len(classes) - 1)
        of_classes = [fit for fit in fits(removed, ~removed) if fit.degrees_of_freedom]
        errors = np.array([fit.standard_errors for fit in of_classes])
        if (known := int((~np.isnan(errors)).sum())) < pairs:
            lines.append(f"map: these runs cannot tell {pairs - known} of {pairs} effects from others; add replicates "
                         "or unmasked runs before the first run, because most runs then get other seeds")  # fmt: skip
        if not known:
            return lines
        error = float(np.nanmean(errors))
        effect = detectable_effect(error, min(fit.degrees_of_freedom for fit in of_classes), pairs)
        points = ", ".join(f"{y} {effect * spread[y]:.1f}" for y in classes if y in spread)
        lines.append(
            f"map: the standard error of an effect is {error:.2f} standard deviations over seeds (one class at a time "
            f"would take {one_at_a_time_runs(error, len(classes))} runs for that), and effects of {effect:.1f} "
            "standard deviations are detected in 4 of 5 tries" + (f"; in points: {points}" if points else "")
        )
    return lines


def detectable(spread: float, seeds: int, tests: int) -> float:
    """The smallest true difference of two settings that a test finds in four of five tries, in the unit of `spread`.

    `spread` is the standard deviation over seeds, and `tests` the number of tests that Holm's method corrects for. The
    report's own is another one, because new sentences vary too, and because it knows by how much at least seeds vary.
    """
    variance = np.full((2, 1), spread**2 / seeds)
    compared = SeedComparison(np.zeros(1), variance, np.zeros((2, 1)), np.zeros(1), np.full((2, 1), seeds))
    return float(compared.detectable(np.array([ALPHA / tests]))[0])
