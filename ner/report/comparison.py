"""The comparison of runs as `report.json` holds it: scores, differences from the first run, errors. Fractions, not
percent."""

from dataclasses import asdict
from typing import Any

import numpy as np

from ner.report.run_reader import Run, runs_by_experiment, shared_classes
from ner.scoring.error_analysis import Entities, entities_of, error_analysis, scores_by_seen, strict_scores
from ner.scoring.intervals import scores_and_intervals
from ner.scoring.scores import Counts, cluster_ids, cluster_sums, gold_entities
from ner.scoring.significance import ALPHA, Difference, differences, holm, seed_comparison, seed_scores


def entities_by_run(runs: list[Run], classes: list[str]) -> list[Entities]:
    """The gold and predicted entities of each run, restricted to `classes`; all runs have the same gold on them."""
    gold = entities_of(runs[0].gold, classes)
    return [Entities(gold, entities_of(run.predicted, classes)) for run in runs]


def comparison(runs: list[Run], classes: list[str], entities: list[Entities]) -> dict[str, Any]:
    """Compares the runs with the first one on `classes`; `entities` holds those of each run on the same classes.

    `groups` is only there if some experiment has several seeds, `languages` and `by_language` only if there are several
    languages, and `not_compared` only if the runs share more classes.
    """
    counts = [run.counts(classes) for run in runs]
    cluster = cluster_ids(runs[0].tokens)
    sums = [cluster_sums(c.entities, cluster) for c in counts]
    support = dict(zip(classes, map(int, gold_entities(sums[0].sum(axis=0))), strict=True))
    result = {
        "classes": classes,
        "support": support,
        "sentences": len(runs[0].tokens),
        "clusters": int(cluster.max() + 1),
        "first": runs[0].name,
        "runs": {run.name: run_record(run, c, cluster) for run, c in zip(runs, counts, strict=True)},
        "differences": difference_records(runs, sums, support),
        "errors": {
            run.name: error_analysis(each, run.predicted, classes)
            | {"strict": strict_scores(each, run.gold, run.predicted)}
            | {"by_seen": scores_by_seen(each, run.tokens, run.seen)}
            for run, each in zip(runs, entities, strict=True)
        },
    }
    experiments = runs_by_experiment(runs)
    if any(len(members) > 1 for members in experiments):
        result["groups"] = experiment_records(runs, sums, experiments, support)
    if len(set(runs[0].langs)) > 1:
        result |= language_records(runs, counts, cluster)
    if others := [c for c in shared_classes(runs) if c not in classes]:
        result["not_compared"] = others
    return result


def run_record(run: Run, shared: Counts, cluster: np.ndarray) -> dict[str, Any]:
    """The scores of a run on the compared classes, and under `own` those on all classes that it knows."""
    scores = score_record(shared, cluster)
    own = scores if run.classes == shared.classes else score_record(run.counts(run.classes), cluster)
    return scores | {
        "own": {"classes": run.classes} | own,
        "update_steps": run.environment.get("update_steps"),
        "seed": run.args.get("seed"),
    }


def score_record(counts: Counts, cluster: np.ndarray) -> dict[str, Any]:
    """Scores and their intervals; a class without gold entities is None."""
    scores = scores_and_intervals(counts, cluster)
    intervals = scores["intervals"]
    return {
        "overall": scores["overall"] | {"intervals": intervals["overall"]},
        "per_class": {
            name: None if values is None else values | {"intervals": intervals["per_class"][name]}
            for name, values in scores["per_class"].items()
        },
    }


def difference_records(runs: list[Run], sums: list[np.ndarray], support: dict[str, int]) -> dict[str, dict[str, Any]]:
    """How F1 of each run differs from that of the first, from counts [cluster, class, 3] of each.

    Micro F1 is the primary test: one family under Holm's correction, over the runs. The classes with gold entities are
    a second family, over classes and runs. A class without gold entities cannot be tested and is None.
    """
    records: dict[str, dict[str, Any]] = {}
    for run, counts in zip(runs[1:], sums[1:], strict=True):
        micro, macro, *per_class = map(difference_record, differences(sums[0], counts))
        classes = zip(support.items(), per_class, strict=True)
        by_class = {name: record if entities else None for (name, entities), record in classes}
        records[run.name] = {"micro": micro, "macro": macro, "per_class": by_class}
    add_corrected_p([each["micro"] for each in records.values()])
    add_corrected_p([d for each in records.values() for d in each["per_class"].values() if d])
    return records


def difference_record(difference: Difference) -> dict[str, float | None]:
    """The difference as JSON takes it: None instead of NaN."""
    return {name: None if np.isnan(value) else value for name, value in asdict(difference).items()}


def add_corrected_p(family: list[dict[str, Any]]) -> None:
    """Adds `p_holm`, corrected by Holm's method, to the difference records of a family that have a p."""
    tested = [record for record in family if record["p"] is not None]
    for record, p in zip(tested, holm([record["p"] for record in tested]), strict=True):
        record["p_holm"] = p


def experiment_records(
    runs: list[Run], sums: list[np.ndarray], experiments: list[list[int]], support: dict[str, int]
) -> list[dict[str, Any]]:
    """F1 over the seeds of each experiment, and how its mean differs from the mean of the first experiment.

    Micro F1 is one family of tests under Holm's correction, the classes with gold entities are another. The minimal
    detectable difference, `detectable`, is that of the only real difference in its family; macro F1 has no family.
    """
    titles = ["micro", "macro", *support]
    others, tested = len(experiments) - 1, [c for c, n in support.items() if n]
    tests = {"micro": others} | dict.fromkeys(tested, others * len(tested))  # in the family of each
    first = [sums[i] for i in experiments[0]]
    records: list[dict[str, Any]] = []
    for members in experiments:
        own = [sums[i] for i in members]
        f1 = seed_scores(own)
        record: dict[str, Any] = {"runs": [runs[i].name for i in members], "f1": {}, "difference": {}}
        for title, mean, deviation in zip(titles, f1.means, f1.deviations, strict=True):
            record["f1"][title] = {"mean": float(mean), "sd": None if np.isnan(deviation) else float(deviation)}
        if records:
            compared = seed_comparison(first, own)
            detectable = compared.detectable(np.array([ALPHA / tests.get(title, 1) for title in titles]))
            for title, d, least in zip(titles, compared.differences(), detectable, strict=True):
                of_class = difference_record(d) | {"detectable": None if np.isnan(least) else float(least)}
                record["difference"][title] = of_class if support.get(title, 1) else None
        records.append(record)
    for family in (["micro"], list(support)):
        add_corrected_p([d for record in records for title in family if (d := record["difference"].get(title))])
    return records


def language_records(runs: list[Run], counts: list[Counts], cluster: np.ndarray) -> dict[str, Any]:
    """The runs on the sentences in each language alone, from the counts of each run.

    `languages` holds the overall scores of each run. `by_language` holds the numbers of sentences and gold entities,
    and how micro F1 of each run differs from that of the first: one family under Holm's correction, over languages
    and runs. A language without gold entities cannot be tested, and its differences are None.
    """
    langs = np.array(runs[0].langs)
    scores: dict[str, Any] = {}
    compared: dict[str, Any] = {}
    for lang in sorted(set(runs[0].langs)):
        rows = np.flatnonzero(langs == lang)
        own_cluster = np.unique(cluster[rows], return_inverse=True)[1]
        parts = [Counts(c.classes, c.entities[rows], c.tokens[rows], c.wrong_tokens[rows]) for c in counts]
        scores[lang] = {
            run.name: score_record(part, own_cluster)["overall"] for run, part in zip(runs, parts, strict=True)
        }
        first, *others = (cluster_sums(part.entities, own_cluster) for part in parts)
        entities = int(gold_entities(first).sum())
        by_run = {
            run.name: difference_record(differences(first, other)[0]) if entities else None
            for run, other in zip(runs[1:], others, strict=True)
        }
        compared[lang] = {"sentences": len(rows), "gold_entities": entities, "differences": by_run}
    add_corrected_p([d for each in compared.values() for d in each["differences"].values() if d])
    return {"languages": scores, "by_language": compared}
