"""How often does the comparison call noise a difference? About as often as its level says, or it is wrong.

    python benchmarks/calibration.py RUN [--rounds 200] [--runs 6]

Copies of a run's prediction file get independent noise of the same rate, so that none is better. Printed is how often
a report over so many of them would call some difference to the first one a difference, in micro F1 and in a class:
near 5 % of rounds at most, since both are corrected by Holm's method. Beside it is the share without a correction.
"""

import argparse
from pathlib import Path

import numpy as np

from ner.labels import flat_ids, label_names
from ner.report.run_reader import read_run
from ner.scoring.scores import cluster_sums, clusters, counts_of_ids
from ner.scoring.significance import differences, holm

RATE = 0.05  # tags that are drawn anew
LEVEL = 0.05
ROUNDS = 4_000  # of the randomisation: Holm needs small p values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--runs", type=int, default=2)
    options = parser.parse_args()
    run = read_run(options.run, "run")
    names = label_names(run.classes)
    (gold, lengths), (predicted, _) = flat_ids(run.gold, names), flat_ids(run.predicted, names)
    cluster, rng = clusters(run.tokens), np.random.default_rng(0)

    def noisy() -> np.ndarray:
        drawn = rng.integers(len(names), size=len(predicted))
        tags = np.where(rng.random(len(predicted)) < RATE, drawn, predicted)
        return cluster_sums(counts_of_ids(gold, tags, lengths, run.classes).entities, cluster)

    called = dict.fromkeys(("micro F1", "micro F1, not corrected", "a class", "a class, not corrected"), 0)
    for _ in range(options.rounds):
        first = noisy()
        found = [differences(first, noisy(), rounds=ROUNDS) for _ in range(options.runs - 1)]
        supported = np.flatnonzero(first[:, :, [0, 2]].sum(axis=(0, 2)))
        families = {"micro F1": [d[0].p for d in found], "a class": [d[2 + i].p for d in found for i in supported]}
        for name, p in families.items():
            called[name] += min(holm(p)) < LEVEL
            called[f"{name}, not corrected"] += min(p) < LEVEL
    print(f"{options.runs} equal runs, {len(lengths):,} sentences, {options.rounds} rounds: some difference shown in")
    for name, times in called.items():
        print(f"{name:30}{100 * times / options.rounds:6.1f} %")


if __name__ == "__main__":
    main()
