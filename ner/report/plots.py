"""Pictures of a data set's classes, by matplotlib, which only this module imports."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no screen
import matplotlib.pyplot as plt
import numpy as np

from ner.writing import writing

plt.rcParams["text.parse_math"] = False  # a data set's name may hold a dollar sign


def class_bars(counts: dict[str, dict[str, int]], title: str, path: Path) -> None:
    """Entities of each class, a bar for each split, on a logarithmic axis; written as PNG."""
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
    save(figure, path)


def save(figure: plt.Figure, path: Path) -> None:
    with writing(path):
        figure.savefig(path, dpi=150)
    plt.close(figure)
