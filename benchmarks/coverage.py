"""How often do the 95 % intervals cover the truth? In 95 % of samples, or they are wrong.

    python benchmarks/coverage.py RUN [RUN ...] [--rounds 1000] [--sentences 300 1000 4000] [--only scores ...]

The scored test split of a run is taken for the population, whose scores are the truth. Samples of its sentences are
drawn with replacement, and each gets its intervals.

scores: the intervals of F1 of the first run's classes, by the gold entities in the sample, of micro and of macro F1
differences: the paired intervals between the first run and each other one, on the classes of both
seeds: the intervals over seeds between two experiments that are equal. The RUNs must be seeds of one experiment. A
    simulated run takes each sentence's predictions from one of them, and loses a share of its sentences' entities,
    which varies from seed to seed by --spread
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ner.report.run_reader import Run, read_runs
from ner.scoring.intervals import intervals
from ner.scoring.scores import Counts, cluster_sums, clusters, f1_scores
from ner.scoring.significance import differences, seed_differences

PARTS = ("scores", "differences", "seeds")
SUPPORT = (1, 3, 5, 10, 20, 50)  # lowest gold support of each column
SEEDS = (2, 3, 5)
LOST = 0.15  # mean share of a simulated seed's sentences whose entities are lost
HOLM_OF_SEVEN = 0.05 / 7  # the p below which the first of seven tests is called a difference


class Coverage:
    """Intervals that cover the truth, by row and by gold support: sums over samples, each [row, column]."""

    def __init__(self, rows: int):
        self.covered = np.zeros((rows, len(SUPPORT)))
        self.samples = np.zeros((rows, len(SUPPORT)))

    def add(self, row: int, support: float, interval: Sequence[float] | None, truth: float) -> None:
        column = np.searchsorted(SUPPORT, support, side="right") - 1
        if column >= 0 and interval is not None:
            self.samples[row, column] += 1
            self.covered[row, column] += interval[0] - 1e-12 <= truth <= interval[1] + 1e-12

    def cells(self, row: int) -> str:
        """The share of each column, empty below 100 samples."""
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
    for size in options.sentences:
        if "scores" in options.only:
            of_scores(runs[0], size, options.rounds)
        if "differences" in options.only:
            for other in runs[1:]:
                of_differences(runs[0], other, size, options.rounds)
        if "seeds" in options.only and len(runs) > 1:
            for spread in options.spread:
                of_seeds(runs, size, options.rounds, spread)


def counts_of(run: Run, classes: list[str]) -> np.ndarray:
    """The counts of each distinct sentence, [cluster, class, 3]."""
    return cluster_sums(run.counts(classes).entities, clusters(run.tokens))


def gold_support(entities: np.ndarray) -> np.ndarray:
    return entities[:, :, [0, 2]].sum(axis=(0, 2))


def macro_f1(f1: np.ndarray, support: np.ndarray) -> float:
    """The truth of a sample's macro F1: the mean F1, [2 + class], over the classes of which it has gold entities."""
    return float(f1[2:][support > 0].mean())


def print_head(title: str) -> None:
    print(f"\n{title}\n{'gold entities in the sample':30}" + "".join(f"{f'{least}+':>8}" for least in SUPPORT))


def print_rows(coverage: Coverage, classes: list[str]) -> None:
    for i, name in enumerate(["micro", "macro", *classes]):
        if cells := coverage.cells(i).rstrip():
            print(f"{name:30}{cells}", flush=True)


def of_scores(run: Run, size: int, rounds: int) -> None:
    population, rng = counts_of(run, run.classes), np.random.default_rng(0)
    truth, coverage = f1_scores(population.sum(axis=0)), Coverage(2 + len(run.classes))
    for _ in range(rounds):
        sample = population[rng.integers(len(population), size=size)]
        found = intervals(Counts(run.classes, sample, np.ones((size, 2)), sample[:, :, 0]))
        support = gold_support(sample)
        coverage.add(0, support.sum(), found["overall"]["f1"], truth[0])
        coverage.add(1, support[support > 0].min(), found["overall"]["macro_f1"], macro_f1(truth, support))
        for i, name in enumerate(run.classes):
            if support[i]:
                coverage.add(2 + i, support[i], found["per_class"][name]["f1"], truth[2 + i])
    print_head(f"F1 of {run.name}, samples of {size:,} sentences (macro F1: by the rarest class)")
    print_rows(coverage, run.classes)


def of_differences(run: Run, other: Run, size: int, rounds: int) -> None:
    classes, rng = [c for c in run.classes if c in other.classes], np.random.default_rng(0)
    a, b = counts_of(run, classes), counts_of(other, classes)
    truth, coverage = f1_scores(b.sum(axis=0)) - f1_scores(a.sum(axis=0)), Coverage(2 + len(classes))
    for _ in range(rounds):
        drawn = rng.integers(len(a), size=size)
        found, support = differences(a[drawn], b[drawn], rounds=1), gold_support(a[drawn])
        rarest = support[support > 0].min()
        for i, (n, d) in enumerate(zip([support.sum(), rarest, *support], found, strict=True)):
            coverage.add(i, n, (d.low, d.high), macro_f1(truth, support) if i == 1 else truth[i])
    print_head(f"{other.name} against {run.name}, samples of {size:,} sentences (macro F1: by the rarest class)")
    print_rows(coverage, classes)


def of_seeds(runs: list[Run], size: int, rounds: int, spread: float) -> None:
    classes = runs[0].classes
    population, rng = np.stack([counts_of(run, classes) for run in runs]), np.random.default_rng(0)

    def simulated(drawn: np.ndarray) -> np.ndarray:
        entities = population[rng.integers(len(runs), size=size), drawn].copy()
        lost = rng.random(size) < np.clip(LOST + spread * rng.standard_normal(), 0, 1)
        entities[lost, :, 2] += entities[lost, :, 0]
        entities[lost, :, 0] = 0
        return entities

    for k in SEEDS:
        coverage, deviations, small = Coverage(2 + len(classes)), [], 0
        for _ in range(rounds):
            drawn = rng.integers(population.shape[1], size=size)
            first, other = ([simulated(drawn) for _ in range(k)] for _ in "ab")
            support = gold_support(first[0])
            found = seed_differences(first, other)
            for i, (n, d) in enumerate(zip([support.sum(), support[support > 0].min(), *support], found, strict=True)):
                coverage.add(i, n, (d.low, d.high), 0)
            deviations.append(np.std([f1_scores(run.sum(axis=0))[0] for run in first], ddof=1))
            small += found[0].p < HOLM_OF_SEVEN
        print_head(
            f"{k} seeds against {k} equal ones, samples of {size:,} sentences, standard deviation of micro F1 over "
            f"seeds {100 * np.mean(deviations):.1f} points; micro p < .05 / 7 in {100 * small / rounds:.1f} %"
        )
        print_rows(coverage, classes)


if __name__ == "__main__":
    main()
