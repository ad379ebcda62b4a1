"""This repository's scores as an `evaluate.Metric`. Importing `evaluate` loads torch and takes seconds."""

import datasets
import evaluate

from metrics import counts, intervals, scores

DESCRIPTION = "Entity-level precision, recall and F1 (equal to seqeval's default mode), accuracy, and intervals."
TAGS = datasets.List(datasets.Value("string"))


class NerMetric(evaluate.Metric):
    """`compute(predictions=..., references=...)` takes a list of BIO tags for each sentence, and gives
    `overall` and `per_class` scores, with `with_intervals=True` their 95 % bootstrap `intervals` too."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation="",
            inputs_description=self.__class__.__doc__,
            features=datasets.Features({"predictions": TAGS, "references": TAGS}),
        )

    def compute(self, *, predictions: list | None = None, references: list | None = None, **options: bool) -> dict:
        """As evaluate's, without the copy through Arrow, most of its time, where all rows are given at once."""
        if predictions is not None and references is not None and len(self) == 0:
            return self._compute(predictions, references, **options)
        return super().compute(predictions=predictions, references=references, **options)

    def _compute(self, predictions: list[list[str]], references: list[list[str]], with_intervals: bool = False) -> dict:
        counted = counts(references, predictions)
        return scores(counted) | ({"intervals": intervals(counted)} if with_intervals else {})


def ner_metric() -> NerMetric:
    """The metric, its rows kept in memory: each process scores what it was given."""
    return NerMetric(keep_in_memory=True)
