"""How often do the 95 % intervals contain the true value? It should be in about 95 % of samples.

    python -m benchmarks.coverage RUN [RUN ...] [--rounds 1000] [--sentences 300 1000 4000] [--only scores ...]

The scored test split of a run is the population, and its scores are the true values. Samples of its sentences are
drawn with replacement, and intervals are computed for each sample. Choose the parts with --only:

scores: the intervals of micro F1, macro F1 and the F1 of each class of the first run, by gold entities in the sample
differences: the paired intervals between the first run and each other run, on the classes of both
seeds: the intervals over seeds between two experiments that are equal. All RUNs must be seeds of one experiment. A
    simulated run takes the predictions of each sentence from a random one of them. It loses the entities of a share of
    its sentences; --spread is the standard deviation of that share over seeds
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ner.report.run_reader import Run, compared_classes, read_runs
from ner.scoring.intervals import intervals
from ner.scoring.scores import (
    Counts,
    cluster_ids,
    cluster_sums,
    counts_of_tags,
    f1_scores,
    gold_entities,
    mean_over_supported,
)
from ner.scoring.significance import differences, seed_comparison

PARTS = ("scores", "differences", "seeds")
SUPPORT = (1, 3, 5, 10, 20, 50)  # lowest number of gold entities in each column
SEEDS = (2, 3, 5)
LOST = 0.15  # mean share of the sentences of a simulated seed that lose their entities


class Coverage:
    """How many intervals contain the true value, by row and by gold entities: sums over samples, [row, column]."""

    def __init__(self, rows: int) -> None:
        self.covered = np.zeros((rows, len(SUPPORT)))
        self.samples = np.zeros((rows, len(SUPPORT)))

    def add(self, row: int, support: float, interval: Sequence[float] | None, truth: float) -> None:
        """Adds an interval, if there is one and the class has gold entities in the sample."""
        column = np.searchsorted(SUPPORT, support, side="right") - 1
        if column >= 0 and interval is not None:
            self.samples[row, column] += 1
            self.covered[row, column] += interval[0] - 1e-12 <= truth <= interval[1] + 1e-12

    def cells(self, row: int) -> str:
        """The share of intervals that contain the true value, by column; empty below 100 samples."""
        pairs = zip(self.covered[row], self.samples[row], strict=True)
        return "".join(f"{hits / n:>8.3f}" if n >= 100 else f"{'':>8}" for hits, n in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--sentences", type=int, nargs="+", default=[300, 1_000, 4_000])
    parser.add_argument("--spread", type=float, nargs="+", default=[0, 0.01, 0.05])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    runs = read_runs(options.runs)
    compared_classes(runs, None)  # refuses runs on other sentences
    for size in options.sentences:
        if "scores" in options.only:
            score_coverage(runs[0], size, options.rounds)
        if "differences" in options.only:
            for other in runs[1:]:
                difference_coverage(runs[0], other, size, options.rounds)
        if "seeds" in options.only and len(runs) > 1:
            for spread in options.spread:
                seed_coverage(runs, size, options.rounds, spread)


def counts_of(run: Run, classes: list[str]) -> np.ndarray:
    """The counts of each distinct sentence, [cluster, class, 3]."""
    return cluster_sums(counts_of_tags(run.gold, run.predicted, classes).entities, cluster_ids(run.tokens))


def gold_support(entities: np.ndarray) -> np.ndarray:
    """Gold entities of each class, [class], in counts [cluster, class, 3]."""
    return gold_entities(entities).sum(axis=0)


def macro_f1(f1: np.ndarray, support: np.ndarray) -> float:
    """The true macro F1 of a sample: the mean of f1 [2 + class] over the classes with gold entities in the sample."""
    return float(mean_over_supported(f1[2:], support > 0))


def print_head(title: str) -> None:
    """Prints the head of a table, with a column for each range of gold entities."""
    print(f"\n{title}\n{'gold entities in the sample':30}" + "".join(f"{f'{least}+':>8}" for least in SUPPORT))


def print_rows(coverage: Coverage, classes: list[str]) -> None:
    """Prints the rows of a table that have enough samples."""
    for i, name in enumerate(["micro", "macro", *classes]):
        if cells := coverage.cells(i).rstrip():
            print(f"{name:30}{cells}", flush=True)


def score_coverage(run: Run, size: int, rounds: int) -> None:
    """Prints the coverage of a run's intervals, in samples of `size` sentences."""
    population, rng = counts_of(run, run.classes), np.random.default_rng(0)
    truth, coverage = f1_scores(population.sum(axis=0)), Coverage(2 + len(run.classes))
    for _ in range(rounds):
        sample = population[rng.integers(len(population), size=size)]
        limits = intervals(Counts(run.classes, sample, np.ones((size, 2)), sample[:, :, 0]))
        support = gold_support(sample)
        coverage.add(0, support.sum(), limits["overall"]["f1"], truth[0])
        coverage.add(1, support[support > 0].min(), limits["overall"]["macro_f1"], macro_f1(truth, support))
        for i, name in enumerate(run.classes):
            if support[i]:
                coverage.add(2 + i, support[i], limits["per_class"][name]["f1"], truth[2 + i])
    print_head(f"F1 of {run.name}, samples of {size:,} sentences (macro F1: by the rarest class)")
    print_rows(coverage, run.classes)


def difference_coverage(run: Run, other: Run, size: int, rounds: int) -> None:
    """Prints the coverage of the intervals of the differences between two runs."""
    classes, rng = [c for c in run.classes if c in other.classes], np.random.default_rng(0)
    a, b = counts_of(run, classes), counts_of(other, classes)
    truth, coverage = f1_scores(b.sum(axis=0)) - f1_scores(a.sum(axis=0)), Coverage(2 + len(classes))
    for _ in range(rounds):
        drawn = rng.integers(len(a), size=size)
        compared, support = differences(a[drawn], b[drawn], rounds=1), gold_support(a[drawn])
        rarest = support[support > 0].min()
        for i, (n, d) in enumerate(zip([support.sum(), rarest, *support], compared, strict=True)):
            coverage.add(i, n, (d.low, d.high), macro_f1(truth, support) if i == 1 else truth[i])
    print_head(f"{other.name} against {run.name}, samples of {size:,} sentences (macro F1: by the rarest class)")
    print_rows(coverage, classes)


def seed_coverage(runs: list[Run], size: int, rounds: int, spread: float) -> None:
    """Prints the coverage of the intervals over seeds, whose true difference is 0."""
    classes = runs[0].classes
    population, rng = np.stack([counts_of(run, classes) for run in runs]), np.random.default_rng(0)

    def simulated(drawn: np.ndarray) -> np.ndarray:
        entities = population[rng.integers(len(runs), size=size), drawn].copy()
        lost = rng.random(size) < np.clip(LOST + spread * rng.standard_normal(), 0, 1)
        entities[lost, :, 2] += entities[lost, :, 0]
        entities[lost, :, 0] = 0
        return entities

    for k in SEEDS:
        coverage, deviations = Coverage(2 + len(classes)), []
        for _ in range(rounds):
            drawn = rng.integers(population.shape[1], size=size)
            first, other = ([simulated(drawn) for _ in range(k)] for _ in "ab")
            support = gold_support(first[0])
            compared = seed_comparison(first, other).differences()
            for i, (n, d) in enumerate(
                zip([support.sum(), support[support > 0].min(), *support], compared, strict=True)
            ):
                coverage.add(i, n, (d.low, d.high), 0)
            deviations.append(np.std([f1_scores(run.sum(axis=0))[0] for run in first], ddof=1))
        print_head(
            f"{k} seeds against {k} equal ones, samples of {size:,} sentences, standard deviation of micro F1 over "
            f"seeds {100 * np.mean(deviations):.1f} points"
        )
        print_rows(coverage, classes)


if __name__ == "__main__":
    main()
