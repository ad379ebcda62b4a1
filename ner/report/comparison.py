"""The comparison of runs as `report.json` holds it: scores, differences from the first experiment, errors. Fractions,
not percent.

Runs that differ in their seed only are one experiment, and most experiments have one run.
"""

import re
from dataclasses import asdict
from typing import Any

import numpy as np

from ner.report.findings import class_names, enumeration
from ner.report.run_reader import Run, runs_by_experiment
from ner.runs.environment import PACKAGES
from ner.scoring.error_analysis import Entities, entities_of, error_analysis, errors
from ner.scoring.intervals import scores_and_intervals, scores_by_language
from ner.scoring.scores import Counts, cluster_ids, cluster_sums, counts_of_tags, gold_entities
from ner.scoring.significance import ALPHA, differences, holm, seed_comparison, seed_scores

# Arguments that an experiment varies, that change no number, or that show in the environment.
NOT_COMPARED = {
    "masked_training", "selected_categories", "masking", "masked_share", "upsample", "upsample_categories",
    "upsample_factor", "upsample_at_random", "seed", "bf16", "fp16", "setting",
}  # fmt: skip
ENVIRONMENT = (
    "precision", "update_steps", "data_fingerprint", "python", "device", "processor", "threads", "processes",
    "accelerators", "git_commit", *PACKAGES,
)  # fmt: skip
SCORING = ("precision", "constrained_decoding", "data_fingerprint")


def entities_by_run(runs: list[Run], classes: list[str]) -> list[Entities]:
    """The gold and predicted entities of each run on `classes`, and its errors; all runs have the same gold there."""
    gold, predicted = entities_of(runs[0].gold, classes), [entities_of(run.predicted, classes) for run in runs]
    return [Entities(gold, each, list(map(errors, gold, each))) for each in predicted]


def comparison(runs: list[Run], classes: list[str], entities: list[Entities]) -> dict[str, Any]:
    """Compares the runs with the first experiment on `classes`; `entities` holds those of each run on these classes.

    `by_language` is only there if there are several languages.
    """
    counts = [counts_of_tags(run.gold, run.predicted, classes) for run in runs]
    cluster = cluster_ids(runs[0].tokens)
    sums = [cluster_sums(c.entities, cluster) for c in counts]
    support = dict(zip(classes, map(int, gold_entities(sums[0].sum(axis=0))), strict=True))
    experiments = runs_by_experiment(runs)
    members = [[runs[i].name for i in each] for each in experiments]
    texts, records = trained_texts(runs, experiments), experiment_records(sums, experiments, support)
    named = zip(experiment_names(members), members, texts, records, strict=True)
    result = {
        "classes": classes,
        "support": support,
        "split": runs[0].split,
        "sentences": len(runs[0].tokens),
        "clusters": int(cluster.max() + 1),
        "groups": [{"name": name, "runs": each, "trained": text} | record for name, each, text, record in named],
        "runs": {run.name: run_record(run, c, cluster) for run, c in zip(runs, counts, strict=True)},
        "errors": {run.name: error_analysis(each, classes) for run, each in zip(runs, entities, strict=True)},
    }
    if len(set(runs[0].langs)) > 1:
        result["by_language"] = language_records(runs, counts, cluster, experiments)
    return result | setup_comparison(runs)


def experiment_names(groups: list[list[str]]) -> list[str]:
    """For each experiment, the name of its first run, without its number if the experiment has several runs.

    The number stays if nothing else would be left, or two experiments would have the same name.
    """
    names = [re.sub(r"[\W_]*(seed)?[\W_]*\d*$", "", runs[0]) if len(runs) > 1 else runs[0] for runs in groups]
    return names if all(names) and len(set(names)) == len(names) else [runs[0] for runs in groups]


def trained_texts(runs: list[Run], experiments: list[list[int]]) -> list[str]:
    """How each experiment was trained, from the classes and the recorded options that differ; empty if none do."""
    firsts = [runs[members[0]] for members in experiments]
    differing = differing_options(firsts)
    others = [name for name in differing if name not in NOT_COMPARED]
    ways = {masking_text(run) for run in firsts}
    texts = []
    for run in firsts:
        parts = []
        if any(run.classes != each.classes for each in firsts):
            partly = run.args.get("masking") == "drop_others" or run.args.get("masked_share", 1) < 1
            whole = partly or run.args.get("masked_training") is False
            parts.append(f"on all {len(run.classes)} classes" if whole else f"on {class_names(run.classes)}")
        if masking_text(run) and len(ways) > 1:
            parts.append(masking_text(run))
        if run.args.get("upsample") and any(name.startswith("upsample") for name in differing):
            rare, times = " or ".join(run.args["upsample_categories"]), run.args["upsample_factor"]
            which = "as many random sentences as contain" if run.args.get("upsample_at_random") else "sentences with"
            parts.append(f"up-sampled ({which} {rare} appear {times} times)")
        if others:
            parts.append(f"with {enumeration([f'{name} {text_of(run.args.get(name))}' for name in others])}")
        texts.append(", ".join(parts))
    return texts


def masking_text(run: Run) -> str:
    """How the training of a run removed classes, in words; empty if it did not."""
    if not run.args.get("masked_training"):
        return ""
    masking, share = run.args.get("masking", "as_O"), run.args.get("masked_share", 1)
    if masking == "drop_sentences":
        return "without the sentences that contain another class"
    removed = class_names([c for c in run.classes if c not in run.args.get("selected_categories", [])])
    if masking == "drop_others":
        return f"without as many other sentences as contain {removed}"
    how = "left out of the loss" if masking == "ignore" else "as O"
    if share < 1:
        return f"with {100 * share:g} % of the mentions of {removed} {how}"
    return f"with the other classes {how}"


def differing_options(runs: list[Run]) -> list[str]:
    """The recorded options in which some runs differ; none if a run has no record."""
    if not all(run.args for run in runs):
        return []
    names = dict.fromkeys(name for run in runs for name in run.args)
    return [name for name in names if any(run.args.get(name) != runs[0].args.get(name) for run in runs)]


def run_record(run: Run, shared: Counts, cluster: np.ndarray) -> dict[str, Any]:
    """The scores of a run on the compared classes, and under `own` those on all classes that it knows."""
    scores = scores_and_intervals(shared, cluster)
    if run.classes == shared.classes:
        own = scores
    else:
        own = scores_and_intervals(counts_of_tags(run.gold, run.predicted, run.classes), cluster)
    return scores | {"own": {"classes": run.classes} | own, "update_steps": run.environment.get("update_steps")}


def experiment_records(
    sums: list[np.ndarray], experiments: list[list[int]], support: dict[str, int]
) -> list[dict[str, Any]]:
    """F1 over the seeds of each experiment, and how its mean differs from that of the first: `f1` and `difference`.

    `sums` are the counts [cluster, class, 3] of each run. Micro F1 is the primary test: one family under Holm's
    correction, over the experiments. The classes with gold entities are a second family, over classes and experiments;
    a class without is None. Over several seeds, `detectable` is the minimal detectable difference if it is the only
    real difference in its family; macro F1 has no family.
    """
    titles = ["micro", "macro", *support]
    others = sum(len(members) > 1 for members in experiments[1:])  # one seed against several is not tested
    tested = [c for c, n in support.items() if n]
    tests = {"micro": others} | dict.fromkeys(tested, others * len(tested))  # in the family of each
    levels = np.array([ALPHA / (tests.get(title) or 1) for title in titles])
    first, *_ = groups = [[sums[i] for i in members] for members in experiments]
    records: list[dict[str, Any]] = []
    for group in groups:
        over_seeds = zip(titles, *seed_scores(group), strict=True)
        f1 = {title: without_nan({"mean": mean, "sd": sd}) for title, mean, sd in over_seeds}
        difference: dict[str, Any] = {}
        if records:
            detectable = np.full(len(titles), np.nan)
            if len(first) == len(group) == 1:
                found = differences(first[0], group[0])
            else:
                compared = seed_comparison(first, group)
                found, detectable = compared.differences(), compared.detectable(levels)
            for title, d, least in zip(titles, found, detectable, strict=True):
                difference[title] = without_nan(asdict(d) | {"detectable": least}) if support.get(title, 1) else None
        records.append({"f1": f1, "difference": difference})
    for family in (["micro"], tested):
        add_corrected_p([record["difference"][title] for record in records[1:] for title in family])
    return records


def without_nan(numbers: dict[str, Any]) -> dict[str, float | None]:
    """Numbers as JSON takes them: None instead of NaN."""
    return {name: None if np.isnan(value) else float(value) for name, value in numbers.items()}


def add_corrected_p(family: list[dict[str, Any]]) -> None:
    """Adds `p_holm`, corrected by Holm's method, to the difference records of a family that have a p."""
    tested = [record for record in family if record["p"] is not None]
    for record, p in zip(tested, holm([record["p"] for record in tested]), strict=True):
        record["p_holm"] = p


def language_records(
    runs: list[Run], counts: list[Counts], cluster: np.ndarray, experiments: list[list[int]]
) -> dict[str, Any]:
    """The runs on the sentences in each language alone, from the counts of each run.

    `runs` holds the scores of each run, and `differences` how micro F1 of each experiment but the first differs from
    that of the first: one family under Holm's correction, over languages and experiments. A language without gold
    entities cannot be tested, and its differences are None.
    """
    langs, of_runs = np.array(runs[0].langs), [scores_by_language(c, cluster, runs[0].langs) for c in counts]
    records: dict[str, Any] = {}
    for lang, first in of_runs[0].items():
        own_cluster = np.unique(cluster[langs == lang], return_inverse=True)[1]
        sums = [cluster_sums(c.entities[langs == lang], own_cluster) for c in counts]
        support = {c: values["support"] if values else 0 for c, values in first["per_class"].items()}
        _, *others = experiment_records(sums, experiments, support)
        for other in others:
            del other["difference"]["micro"]["detectable"]  # that of a family without the other languages
        records[lang] = {
            "sentences": first["sentences"],
            "gold_entities": first["support"],
            "runs": {run.name: scores[lang] for run, scores in zip(runs, of_runs, strict=True)},
            "differences": [other["difference"]["micro"] if first["support"] else None for other in others],
        }
    add_corrected_p([d for each in records.values() for d in each["differences"] if d])
    return records


def setup_comparison(runs: list[Run]) -> dict[str, Any]:
    """How the runs differ apart from what an experiment varies.

    `differing` is a list of {"what": what is recorded, "values": {run: text}}, and `unrecorded` names the files that
    some run lacks, and that are not compared.
    """
    result: dict[str, Any] = {"differing": [], "unrecorded": []}
    arguments = dict.fromkeys(name for run in runs for name in run.args if name not in NOT_COMPARED)
    environments = [run.environment | run.environment.get("packages", {}) for run in runs]
    for file, what, absent, names, records in (
        ("args.yaml", "--{}", "default", arguments, [run.args for run in runs]),  # without transformers' defaults
        ("environment.json", "{} in training", "not recorded", ENVIRONMENT, environments),
        (f"{runs[0].split}/metrics.json", "{} in scoring", "not recorded", SCORING, [run.metrics for run in runs]),
    ):
        if not all(records):
            result["unrecorded"].append(file)
            continue
        for name in names:
            values = {run.name: text_of(record.get(name), absent) for run, record in zip(runs, records, strict=True)}
            if len(set(values.values())) > 1:
                result["differing"].append({"what": what.format(name), "values": values})
    return result


def text_of(value: Any, absent: str = "default") -> str:
    """A recorded value as text."""
    if value is None:
        return absent
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
