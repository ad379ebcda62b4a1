"""How often does the comparison call noise a difference? About as often as its level says, or it is wrong.

    python benchmarks/calibration.py RUN [--pairs 200]

Two copies of a run's prediction file get independent noise of the same rate, so that neither is better; the share of
pairs with p < 0.05 is printed for micro F1, and should lie near 5 %.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from comparison import differences
from labels import flat_ids, label_names
from metrics import cluster_sums, clusters, counts_of_ids
from predictions import read_run

RATE = 0.05  # tags that are drawn anew


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--pairs", type=int, default=200)
    options = parser.parse_args()
    run = read_run(options.run, "run")
    names = label_names(run.classes)
    (gold, lengths), (predicted, _) = flat_ids(run.gold, names), flat_ids(run.predicted, names)
    cluster, rng = clusters(run.tokens), np.random.default_rng(0)

    def noisy() -> np.ndarray:
        drawn = rng.integers(len(names), size=len(predicted))
        tags = np.where(rng.random(len(predicted)) < RATE, drawn, predicted)
        return cluster_sums(counts_of_ids(gold, tags, lengths, run.classes).entities, cluster)

    p = [differences(noisy(), noisy(), rounds=1_000)[0].p for _ in range(options.pairs)]
    hits = sum(value < 0.05 for value in p)
    print(
        f"p < 0.05 in {hits} of {options.pairs} pairs ({100 * hits / options.pairs:.1f} %), {len(lengths):,} sentences"
    )


if __name__ == "__main__":
    main()
