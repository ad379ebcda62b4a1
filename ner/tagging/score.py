"""From a tagger and a labelled split to its scores: the one path that training, `inference.py` and `hub.py` take."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ner.corpus.sentences import Sentences
from ner.corpus.sources import Source
from ner.errors import InputError
from ner.files import write_json, write_jsonl, written_together
from ner.hub_files import public_name
from ner.labels import classes_of, label_names, spans, spans_in, tag_lists, wrong_transitions
from ner.runs.files import METRICS, PREDICTIONS
from ner.scoring.calibration import Calibration, confidence, fitted
from ner.scoring.intervals import scores_and_intervals, scores_by_language
from ner.scoring.scores import cluster_ids, counts_of_ids
from ner.tagging.tagger import Tagger

log = logging.getLogger("ner")


@dataclass(frozen=True)
class ScoredSplit:
    """A split as a tagger tagged it: the sentences, with the labels that the tagger knows, the id of each word's
    predicted label, int16 [token], the calibration of the scores, and the content of `metrics.json`."""

    sentences: Sentences
    ids: np.ndarray
    calibration: Calibration
    metrics: dict[str, Any]

    def write(self, folder: Path) -> None:
        """Writes `predictions.jsonl` and `metrics.json` into a folder: both when both are whole."""
        s = self.sentences
        predicted = tag_lists(self.ids, s.lengths, s.names)
        rows = zip(s.langs, s.token_lists(), s.tag_lists(), predicted, strict=True)
        records = (
            {"id": i, "lang": lang, "tokens": tokens, "gold": gold, "predicted": tags}
            for i, (lang, tokens, gold, tags) in enumerate(rows)
        )
        with written_together(folder) as new:
            write_jsonl(new / PREDICTIONS, records)
            write_json(new / METRICS, self.metrics)


def score(
    tagger: Tagger,
    sentences: Sentences,
    source: Source,
    split: str,
    *,
    fingerprint: str | None = None,
    calibrate: bool = False,
    progress: bool = False,
) -> ScoredSplit:
    """Tags the sentences of a source's split and compares the tags with the gold ones.

    Gold entities whose class the tagger does not know are scored as `O`, and their number is logged. Where the
    sentences had other labels before, `fingerprint` is the one that they had. If `calibrate`, the calibration is one
    that suits these sentences, instead of the tagger's. Raises `InputError` where the tagger and the data have no class
    in common, and where the model gives no finite scores.
    """
    s = in_known_labels(tagger, sentences)
    ids, best_ids, entities, probabilities = tagger.tag_words(s.words, s.lengths, progress)
    gold, best = (spans(labels, s.lengths) for labels in (s.tags, best_ids))
    right = spans_in(entities, gold)  # [predicted entity]
    calibration = fitted(probabilities, right) if calibrate else tagger.calibration
    cluster = cluster_ids(s.token_lists())
    counts = counts_of_ids(s.tags, ids, s.lengths, classes_of(s.names))
    per_language = scores_by_language(counts, cluster, s.langs)
    metrics: dict[str, Any] = {
        "split": split,
        # This file is pushed to the Hub, where local paths do not belong.
        "dataset": public_name(source.name(split)),
        "languages": source.languages,
        "sentences": len(s),
        "tokens": int(s.lengths.sum()),
        "data_fingerprint": fingerprint or sentences.fingerprint(),
        "precision": tagger.precision,
        "constrained_decoding": tagger.constrained,
        # Micro F1 of each word's highest-scoring label, which programs without constrained decoding take.
        "unconstrained_f1": 2 * int(spans_in(best, gold).sum()) / max(1, len(best.start) + len(gold.start)),
        **scores_and_intervals(counts, cluster),
        "invalid_transitions": int(wrong_transitions(ids, s.lengths).sum()),
        "confidence": confidence(probabilities, calibration, right),
        **({"per_language": per_language} if per_language else {}),
    }
    return ScoredSplit(s, ids, calibration, metrics)


def in_known_labels(tagger: Tagger, sentences: Sentences) -> Sentences:
    """The sentences with the labels that the tagger knows."""
    classes = classes_of(sentences.names)
    class_of_each = spans(sentences.tags, sentences.lengths).class_index  # [entity]
    present = [classes[i] for i in np.unique(class_of_each)]
    unknown = [c for c in present if c not in tagger.classes]
    if len(unknown) == len(present):
        raise InputError(
            f"{tagger.place}: found the classes {', '.join(tagger.classes)}, and in the data {', '.join(present)}; "
            "expected a class in common; check --checkpoint and --dataset"
        )
    if unknown:
        dropped = np.isin(class_of_each, [classes.index(c) for c in unknown]).sum()
        log.info(
            "%d gold entities are scored as O, because the checkpoint does not know their classes: %s",
            dropped, ", ".join(unknown),
        )  # fmt: skip
    return sentences.with_names(label_names(tagger.classes))
