"""The scores of lists of BIO tags as an `evaluate.Metric`.

    from metrics import ner_metric
    ner_metric().compute(predictions=[["B-PER", "O"]], references=[["B-PER", "O"]])["overall"]["f1"]

Importing this file imports `evaluate`, which loads torch and takes seconds. `ner.scoring` computes the same scores
without it.
"""

import tempfile
from typing import Any

import datasets
import evaluate

from ner.scoring.scores import counts_of_tags, scores

DESCRIPTION = "Entity-level precision, recall and F1 (equal to seqeval's default mode), and accuracy."
TAGS = datasets.List(datasets.Value("string"))
Tags = list[list[str]]  # a list of strings for each sentence


class NerMetric(evaluate.Metric):
    """`compute(predictions=..., references=...)` takes a list of BIO tags for each sentence and returns `overall` and
    `per_class` scores."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation="",
            inputs_description=self.__class__.__doc__,
            features=datasets.Features({"predictions": TAGS, "references": TAGS}),
        )

    def compute(self, *, predictions: Tags | None = None, references: Tags | None = None) -> dict[str, Any]:
        """The scores of these sentences, or of those added before with `add` and `add_batch`.

        Sentences that are all given at once are not copied through Arrow, which would take most of the time.
        """
        if predictions is not None and references is not None and len(self) == 0:
            return self._compute(predictions, references)
        return super().compute(predictions=predictions, references=references)

    def _compute(self, predictions: Tags, references: Tags) -> dict[str, Any]:
        return scores(counts_of_tags(references, predictions))


def ner_metric() -> NerMetric:
    """The metric, with its sentences kept in memory. Each process scores only the sentences it was given."""
    with tempfile.TemporaryDirectory() as folder:  # `evaluate` makes one that nothing uses; a home may be read-only
        return NerMetric(keep_in_memory=True, cache_dir=folder)
