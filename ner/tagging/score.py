"""From a tagger and a labelled split to its scores: the one path that training, `inference.py` and `hub.py` take."""

import json
import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ner.corpus.sentences import Sentences
from ner.corpus.sources import Source
from ner.errors import InputError
from ner.files import write_json, write_text, written_together
from ner.hub_files import public_name
from ner.labels import Spans, classes_of, equal_spans, spans, tag_lists
from ner.scoring.calibration import Calibration, confidence
from ner.scoring.intervals import scores_and_intervals, scores_by_language
from ner.scoring.scores import cluster_ids, counts_of_ids, invalid_transitions
from ner.tagging.tagger import Tagged, Tagger

log = logging.getLogger("ner")


@dataclass(frozen=True, kw_only=True)
class ScoredSplit:
    """A split and how a tagger tagged it.

    `sentences` have the labels that the tagger knows; `fingerprint` is that of the split in its own labels.
    """

    split: str
    source: Source
    fingerprint: str
    sentences: Sentences
    tagged: Tagged
    precision: str
    constrained: bool
    calibration: Calibration

    @cached_property
    def gold(self) -> Spans:
        """The gold entities."""
        return spans(self.sentences.tags, self.sentences.lengths, self.sentences.names)

    @cached_property
    def right(self) -> np.ndarray:
        """True [predicted entity] where a gold entity has the same words and class."""
        right = np.zeros(len(self.tagged.probabilities), dtype=bool)
        right[equal_spans(self.tagged.entities, self.gold)[0]] = True
        return right

    @property
    def unconstrained_f1(self) -> float:
        """Micro F1 of each word's highest-scoring label, which programs without constrained decoding take."""
        found = spans(self.tagged.best_ids, self.sentences.lengths, self.sentences.names)
        right, total = len(equal_spans(found, self.gold)[0]), len(found.start) + len(self.gold.start)
        return 2 * right / max(1, total)

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The content of `metrics.json`."""
        s, tagged = self.sentences, self.tagged
        cluster = cluster_ids(s.token_lists())
        counts = counts_of_ids(s.tags, tagged.ids, s.lengths, classes_of(s.names))
        per_language = scores_by_language(counts, cluster, s.langs)
        sentence = np.repeat(cluster, s.lengths)[tagged.entities.start]  # copies of a sentence count as one
        return {
            "split": self.split,
            # This file is pushed to the Hub, where local paths do not belong.
            "dataset": public_name(self.source.name(self.split)),
            "languages": self.source.languages,
            "sentences": len(s),
            "tokens": int(s.lengths.sum()),
            "data_fingerprint": self.fingerprint,
            "precision": self.precision,
            "constrained_decoding": self.constrained,
            "unconstrained_f1": self.unconstrained_f1,
            **scores_and_intervals(counts, cluster),
            "invalid_transitions": invalid_transitions(tagged.ids, s.lengths, s.names),
            "confidence": confidence(tagged.probabilities, self.calibration, self.right, sentence),
            **({"per_language": per_language} if per_language else {}),
        }

    def write(self, folder: Path) -> None:
        """Writes `predictions.jsonl` and `metrics.json` into a folder: both or, if it is interrupted, neither."""
        s = self.sentences
        predicted = tag_lists(self.tagged.ids, s.lengths, s.names)
        rows = zip(s.langs, s.token_lists(), s.tag_lists(), predicted, strict=True)
        keys = ("lang", "tokens", "gold", "predicted")
        lines = [
            json.dumps({"id": i} | dict(zip(keys, row, strict=True)), ensure_ascii=False) for i, row in enumerate(rows)
        ]
        with written_together(folder) as new:
            write_text(new / "predictions.jsonl", "".join(f"{line}\n" for line in lines))
            write_json(new / "metrics.json", self.metrics)


def score(
    tagger: Tagger,
    sentences: Sentences,
    source: Source,
    split: str,
    *,
    fingerprint: str | None = None,
    progress: bool = False,
) -> ScoredSplit:
    """Tags the sentences of a source's split and compares the tags with the gold ones.

    Gold entities whose class the tagger does not know are scored as `O`, and their number is logged. `fingerprint` is
    that of `sentences`, unless they were in other labels before. Raises `InputError` where the tagger and the data have
    no class in common, and where the model gives no finite scores.
    """
    known = in_known_labels(tagger, sentences)
    return ScoredSplit(
        split=split,
        source=source,
        fingerprint=fingerprint or sentences.fingerprint(),
        sentences=known,
        tagged=tagger.tag_words(known.words, known.lengths, progress),
        precision=tagger.precision,
        constrained=tagger.constrained,
        calibration=tagger.calibration,
    )


def in_known_labels(tagger: Tagger, sentences: Sentences) -> Sentences:
    """The sentences with the labels that the tagger knows."""
    classes = classes_of(sentences.names)
    unknown = [c for c in classes if c not in tagger.classes]
    if len(unknown) == len(classes):
        raise InputError(
            f"{tagger.place}: found the classes {', '.join(tagger.classes)}, and in the data {', '.join(classes)}; "
            "expected a class in common; check --checkpoint and --dataset"
        )
    entities = spans(sentences.tags, sentences.lengths, sentences.names)
    dropped = int(np.isin(entities.class_index, [classes.index(c) for c in unknown]).sum())
    if dropped:
        log.info(
            "%d gold entities are scored as O, because the checkpoint does not know their classes: %s",
            dropped, ", ".join(unknown),
        )  # fmt: skip
    return sentences.with_names(tagger.names)
