"""Scoring labelled sentences with a tagger: the one sequence for the validation data of a training and for a split."""

from dataclasses import dataclass
from typing import Any

from ner.corpus.sentences import Sentences
from ner.labels import tag_lists
from ner.model.tagger import Tagger
from ner.runs.files import metrics_record
from ner.scoring.intervals import scores_with_intervals


@dataclass(frozen=True)
class ScoredSplit:
    """The content of `metrics.json`, and the gold and predicted tags, a list of label names for each sentence."""

    metrics: dict[str, Any]
    gold: list[list[str]]
    predicted: list[list[str]]


def score_sentences(
    tagger: Tagger, sentences: Sentences, split: str, source: tuple[str, list[str]], fingerprint: str, progress: bool
) -> ScoredSplit:
    """Tags sentences that have the tagger's labels and scores the tags.

    `source` is the name of the data set and its languages; `fingerprint` is that of the split in its own labels.
    Raises `NotFiniteError` where the model gives no finite scores.
    """
    predicted = tagger.tag(sentences.words, sentences.lengths, progress)
    tags, gold = tag_lists(predicted.ids, sentences.lengths, tagger.names), sentences.tag_lists()
    scores = scores_with_intervals(gold, tags, sentences.token_lists())
    metrics = metrics_record(split, source, sentences, fingerprint, tagger.precision, tagger.constrained, tags, scores)
    return ScoredSplit(metrics, gold, tags)
