"""Scoring labelled sentences with a tagger: the one sequence for the validation data of a training and for a split."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ner.corpus.sentences import Sentences
from ner.labels import Spans, equal_spans, spans, tag_lists
from ner.runs.files import metrics_record
from ner.scoring.calibration import Calibration, confidence, fitted
from ner.scoring.intervals import scores_with_intervals
from ner.tagging.tagger import Tagger


@dataclass(frozen=True)
class ScoredSplit:
    """The content of `metrics.json`, the gold and predicted tags, a list of label names for each sentence, and the
    calibration of the scores."""

    metrics: dict[str, Any]
    gold: list[list[str]]
    predicted: list[list[str]]
    calibration: Calibration


def score_sentences(
    tagger: Tagger,
    sentences: Sentences,
    split: str,
    source: tuple[str, list[str]],
    fingerprint: str,
    progress: bool,
    calibrates: bool = False,
) -> ScoredSplit:
    """Tags sentences that have the tagger's labels and scores the tags.

    The calibration is the tagger's, or if `calibrates`, it is fitted on these sentences.

    `source` is the name of the data set and its languages; `fingerprint` is that of the split in its own labels.
    Raises `NotFiniteError` where the model gives no finite scores.
    """
    tagged = tagger.tag(sentences.words, sentences.lengths, progress)
    tags, gold = tag_lists(tagged.ids, sentences.lengths, tagger.names), sentences.tag_lists()
    scores = scores_with_intervals(gold, tags, sentences.token_lists())
    metrics = metrics_record(split, source, sentences, fingerprint, tagger.precision, tagger.constrained, tags, scores)
    right = are_right(tagged.entities, spans(sentences.tags, sentences.lengths, tagger.names))
    calibration = fitted(tagged.probabilities, right) if calibrates else tagger.calibration
    sentence = np.repeat(np.arange(len(sentences)), sentences.lengths)[tagged.entities.start]
    metrics["confidence"] = confidence(tagged.probabilities, calibration, right, sentence)
    return ScoredSplit(metrics, gold, tags, calibration)


def are_right(predicted: Spans, gold: Spans) -> np.ndarray:
    """True [predicted entity] where a gold entity has the same words and class."""
    right = np.zeros(len(predicted.start), dtype=bool)
    right[equal_spans(predicted, gold)[0]] = True
    return right
