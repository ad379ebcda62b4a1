"""This repository's scores as an `evaluate.Metric`. Importing `evaluate` loads torch and takes seconds."""

import datasets
import evaluate

from ner.scoring.intervals import intervals
from ner.scoring.scores import clustered, clusters, counts, scores

DESCRIPTION = "Entity-level precision, recall and F1 (equal to seqeval's default mode), accuracy, and intervals."
TAGS = datasets.List(datasets.Value("string"))
Tags = list[list[str]]  # a list of strings for each sentence


class NerMetric(evaluate.Metric):
    """`compute(predictions=..., references=...)` takes a list of BIO tags for each sentence, and gives
    `overall` and `per_class` scores. With the sentences' tokens in `tokens` it gives their 95 % `intervals` too, for
    which copies of a sentence count as one."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation="",
            inputs_description=self.__class__.__doc__,
            features=datasets.Features({"predictions": TAGS, "references": TAGS}),
        )

    def compute(
        self, *, predictions: Tags | None = None, references: Tags | None = None, tokens: Tags | None = None
    ) -> dict:
        """As evaluate's, without the copy through Arrow, most of its time, where all rows are given at once."""
        if predictions is not None and references is not None and len(self) == 0:
            return self._compute(predictions, references, tokens)
        return super().compute(predictions=predictions, references=references, tokens=tokens)

    def _compute(self, predictions: Tags, references: Tags, tokens: Tags | None = None) -> dict:
        counted = counts(references, predictions)
        result = scores(counted)
        return result if tokens is None else result | {"intervals": intervals(clustered(counted, clusters(tokens)))}


def ner_metric() -> NerMetric:
    """The metric, its rows kept in memory: each process scores what it was given."""
    return NerMetric(keep_in_memory=True)
