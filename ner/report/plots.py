"""Bar charts of a data set's classes. No other module imports matplotlib, which takes a while."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # needs no screen
import matplotlib.pyplot as plt
import numpy as np

from ner.files import writing

plt.rcParams["text.parse_math"] = False  # a data set's name may hold a dollar sign


def class_bars(counts: dict[str, dict[str, int]], title: str, path: Path) -> None:
    """Writes a PNG with the number of entities of each class, a bar for each split, on a logarithmic axis.

    `counts` holds the number of entities by split and class.
    """
    splits = list(counts)
    classes = list(next(iter(counts.values())))
    figure, axes = plt.subplots(figsize=(9, 3.6), layout="constrained")
    places = np.arange(len(classes))
    width = 0.8 / len(splits)
    for i, split in enumerate(splits):
        values = [counts[split].get(c, 0) for c in classes]
        axes.bar(places + (i - (len(splits) - 1) / 2) * width, values, width, label=split)
    axes.set_yscale("symlog", linthresh=1)
    axes.set_xticks(places, classes)
    axes.set_ylabel("entities")
    axes.set_title(title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    with writing(path):
        figure.savefig(path, dpi=150)
    plt.close(figure)
