"""How often does the comparison call noise a difference? It should be about as often as its level says: 5 %.

    python -m benchmarks.significance RUN [--rounds 200] [--runs 6]

Independent noise of the same rate is added to copies of a run's predictions, so no copy is better than another. The
output is the share of rounds in which a report over --runs copies would show some difference from the first copy, in
micro F1 and in any class. Both are corrected by Holm's method, so the share should be 5 % at most. The shares without
the correction are printed too.
"""

import argparse
from pathlib import Path

import numpy as np

from ner.labels import flat_ids, label_names
from ner.report.run_reader import read_run
from ner.scoring.scores import cluster_ids, cluster_sums, counts_of_ids, gold_entities
from ner.scoring.significance import differences, holm

NOISE = 0.05  # share of the tags that are replaced by random ones
ALPHA = 0.05
RANDOMISATION_ROUNDS = 4_000  # enough for the small p values that Holm's method needs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--runs", type=int, default=6)
    options = parser.parse_args()
    run = read_run(options.run, "run")
    names = label_names(run.classes)
    (gold, lengths), (predicted, _) = flat_ids(run.gold, run.classes), flat_ids(run.predicted, run.classes)
    cluster, rng = cluster_ids(run.tokens), np.random.default_rng(0)

    def noisy_counts() -> np.ndarray:
        drawn = rng.integers(len(names), size=len(predicted))
        tags = np.where(rng.random(len(predicted)) < NOISE, drawn, predicted)
        return cluster_sums(counts_of_ids(gold, tags, lengths, run.classes).entities, cluster)

    called = dict.fromkeys(("micro F1", "micro F1, not corrected", "a class", "a class, not corrected"), 0)
    for _ in range(options.rounds):
        first = noisy_counts()
        compared = [differences(first, noisy_counts(), rounds=RANDOMISATION_ROUNDS) for _ in range(options.runs - 1)]
        supported = np.flatnonzero(gold_entities(first).sum(axis=0))
        families = {
            "micro F1": [d[0].p for d in compared],
            "a class": [d[2 + i].p for d in compared for i in supported],
        }
        for name, p in families.items():
            called[name] += min(holm(p)) < ALPHA
            called[f"{name}, not corrected"] += min(p) < ALPHA
    print(f"{options.runs} equal runs, {len(lengths):,} sentences, {options.rounds} rounds: some difference shown in")
    for name, times in called.items():
        print(f"{name:30}{100 * times / options.rounds:6.1f} %")


if __name__ == "__main__":
    main()
