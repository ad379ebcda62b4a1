"""Pictures, by matplotlib, which only this module imports."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # no screen
import matplotlib.pyplot as plt
import numpy as np

plt.rcParams["text.parse_math"] = False  # a run's name may hold a dollar sign


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


def class_f1(runs: dict[str, dict[str, tuple[float, float, float] | None]], path: Path) -> None:
    """F1 with its interval for each class and run: (f1, low, high) in percent, None without support."""
    classes = list(next(iter(runs.values())))
    figure, axes = plt.subplots(figsize=(max(6, 1.1 * len(classes) + 2), 3.8), layout="constrained")
    places, step = np.arange(len(classes)), 0.7 / len(runs)
    for i, (name, values) in enumerate(runs.items()):
        known = [(x, v) for x, v in zip(places, values.values(), strict=True) if v is not None]
        x = [x + (i - (len(runs) - 1) / 2) * step for x, _ in known]
        f1 = [v[0] for _, v in known]
        bars = [[v[0] - v[1] for _, v in known], [v[2] - v[0] for _, v in known]]
        axes.errorbar(x, f1, yerr=np.maximum(bars, 0), fmt="o", capsize=3, label=name)
    axes.set_xticks(places, classes)
    axes.set_ylabel("F1, percent")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    # A legend leaves names out that begin with an underscore, unless it is told them.
    axes.legend(axes.containers, list(runs), frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
    save(figure, path)


def confusion_matrix(table: list[list[int]], classes: list[str], title: str, path: Path) -> None:
    """Gold classes and `spurious` in rows, predicted classes and `missed` in columns; shaded by share of the row."""
    counts = np.array(table)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 1.6 + 0.55 * len(classes)
    figure, axes = plt.subplots(figsize=(size + 1, size), layout="constrained")
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(counts.shape):
        if counts[i, j]:
            colour = "white" if share[i, j] > 0.5 else "black"
            axes.text(j, i, f"{counts[i, j]:,}", ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(classes) + 1), [*classes, "missed"], rotation=45, ha="right")
    axes.set_yticks(range(len(classes) + 1), [*classes, "spurious"])
    axes.set_xlabel("predicted")
    axes.set_ylabel("gold")
    axes.set_title(title, fontsize=10)
    save(figure, path)


def learning_curves(curves: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """Validation F1 (percent) over epochs, a line for each run."""
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for name, points in curves.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set_xlabel("epoch")
    axes.set_ylabel("validation F1, percent")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    axes.legend(axes.lines, list(curves), frameon=False)
    save(figure, path)


def save(figure: plt.Figure, path: Path) -> None:
    figure.savefig(path, dpi=150)
    plt.close(figure)
