"""A checkpoint that tags: from words to labels, and from raw text to entities with character offsets."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from transformers import PreTrainedConfig, PreTrainedTokenizerFast

from ner.checkpoint_names import resolve_checkpoint
from ner.encoder.checkpoints import CALIBRATION, label_set, load_for_tagging, loading
from ner.encoder.encoding import encode, window_size
from ner.encoder.precision import choose_precision, in_precision
from ner.errors import InputError
from ner.labels import Spans, classes_of, label_names, lookup_table, spans
from ner.runs.files import ONNX
from ner.scoring.calibration import Calibration
from ner.tagging.decoding import best_tags, entity_probabilities, independent_probabilities
from ner.tagging.onnx_export import onnx_logits
from ner.tagging.output import Entity
from ner.tagging.prediction import Batching, Logits, batching_for, torch_logits, word_logits
from ner.word_splitter import word_offsets

log = logging.getLogger("ner")


@dataclass(frozen=True, kw_only=True)
class Tagger:
    """What tagging needs: the model's logits, its tokenizer and labels, and how windows are batched.

    `place` names the checkpoint in messages, `precision` is float32, bfloat16, or int8 weights, `config` gives the
    label names, `window` is the number of sub-tokens that a window holds, `constrained` says whether tags must follow
    the rules of BIO, and `calibration` makes scores of probabilities.
    """

    place: str
    logits: Logits
    precision: str
    config: PreTrainedConfig
    tokenizer: PreTrainedTokenizerFast
    window: int
    batching: Batching
    constrained: bool
    calibration: Calibration

    @classmethod
    def load(
        cls,
        checkpoint: str | Path,
        *,
        device: torch.device | str = "cpu",
        precision: str | None = None,
        max_length: int | None = None,
        constrained: bool | None = None,
        batch_size: int = 32,
    ) -> "Tagger":
        """The tagger of a checkpoint, a folder or a Hub id. An exported one runs on the CPU, whatever the `device`.

        If `precision` is None, it is the one that suits the hardware. If `constrained` is None, tags are constrained if
        the checkpoint was trained so; one that was not trained here may begin entities with `I-`. `max_length` and
        `batch_size` are those of `window_size` and `batching_for`. The scores of entities are only calibrated for the
        decoding that the calibration was fitted with. Raises `InputError` if the checkpoint cannot be used.
        """
        location = resolve_checkpoint(str(checkpoint))
        model, tokenizer = load_for_tagging(location)
        labels, trained = label_set(model.config), getattr(model.config, "constrained_decoding", False)
        constrained = trained if constrained is None else constrained
        if constrained:
            require_beginnings(labels, location)
        recorded = getattr(model.config, CALIBRATION, {})  # None while it trains
        calibration = Calibration(**recorded or {}) if constrained == trained else Calibration()
        if calibration == Calibration() and recorded is not None:
            log.info("%s: the scores of entities are not calibrated; docs/confidence.md has the reasons", location)
        exported = model.device.type == "meta"
        device = torch.device("cpu" if exported else device)
        batching = batching_for(batch_size, device)
        if exported:
            with loading(location):
                logits, precision = onnx_logits(Path(location) / ONNX, batching.at_once)
            if precision == "int8":  # one scale for the activations of all windows of a batch: each by itself
                batching = replace(batching, positions=1)
        else:
            chosen = choose_precision(precision, device, model.config.model_type)
            precision = "bfloat16" if chosen == "bfloat16" else "float32"  # in float16, weights may overflow
            logits = torch_logits(in_precision(model, device, precision))
        return cls(
            place=location,
            logits=logits,
            precision=precision,
            config=model.config,
            tokenizer=tokenizer,
            window=window_size(tokenizer, model, max_length),
            batching=batching,
            constrained=constrained,
            calibration=calibration,
        )

    @property
    def classes(self) -> list[str]:
        """The classes that the checkpoint knows, in the order of `classes_of`."""
        return classes_of(label_set(self.config))

    def tag_words(
        self, words: pa.Array, lengths: np.ndarray, progress: bool = False
    ) -> tuple[np.ndarray, np.ndarray, Spans, np.ndarray]:
        """Tags the words [token] of sentences of `lengths` [sentence].

        Returns the label of each word and the label with its highest score, which differs only where tags are
        constrained, both as ids in `label_names(classes)`, int16 [token]; the entities, in order; and their
        probabilities, float64 [entity]. Raises `InputError` where the model gives no finite scores.
        """
        unlabelled = np.zeros(len(words), dtype=np.int16)
        encoded = encode(words, unlabelled, lengths, self.tokenizer, self.window)
        labels, names = label_set(self.config), label_names(self.classes)
        pad = self.tokenizer.pad_token_id or 0
        logits = word_logits(self.logits, len(labels), pad, encoded, self.batching, progress)
        wrong = int((~np.isfinite(logits).all(axis=1)).sum())
        if wrong:
            remedy = "try --bf16 false" if self.precision == "bfloat16" else "train it again at a lower learning rate"
            raise InputError(
                f"{self.place}: gives NaN instead of scores for {wrong:,} of {len(words):,} words in {self.precision}; "
                f"expected finite numbers; {remedy}"
            )
        scores = np.full((len(logits), len(names)), -np.inf, dtype=np.float32)
        scores[:, lookup_table(labels, names)] = logits
        ids, best_ids = (best_tags(scores, lengths, constrained) for constrained in (self.constrained, False))
        entities = spans(ids, lengths)
        if self.constrained:
            probabilities = entity_probabilities(scores, lengths, entities)
        else:
            probabilities = independent_probabilities(scores, lengths, ids, entities)
        return ids, best_ids, entities, probabilities

    def tag(self, texts: Sequence[str]) -> list[list[Entity]]:
        """The entities of each text, in order. Raises `InputError` where the model gives no finite scores."""
        if isinstance(texts, str):  # whose characters would be the texts
            raise TypeError(f"found the text {texts!r:.60}; expected a list of texts")
        texts = list(texts)  # pandas would take the number of a text for a label of its index
        places = [(i, start, end) for i, text in enumerate(texts) for start, end in word_offsets(text)]
        pieces = [texts[i][start:end].encode("utf-8", "replace") for i, start, end in places]  # `?` for half an emoji
        words = pa.array(pieces, type=pa.string())
        lengths = np.bincount([i for i, _, _ in places], minlength=len(texts))
        _, _, entities, probabilities = self.tag_words(words, lengths)
        classes = self.classes
        tagged: list[list[Entity]] = [[] for _ in texts]
        scores = self.calibration.scores(probabilities).tolist()
        columns = (entities.start, entities.end, entities.class_index, scores)
        for first, last, class_id, score in zip(*columns, strict=True):
            (i, start, _), (_, _, end) = places[first], places[last - 1]
            tagged[i].append(Entity(classes[class_id], texts[i][start:end], start, end, round(score, 4)))
        return tagged


def require_beginnings(labels: list[str], location: str) -> None:
    """Raises `InputError` where a class has no `B-` label: under the rules of BIO its entities could never begin."""
    without = [c for c in classes_of(labels) if f"B-{c}" not in labels]
    if without:
        raise InputError(
            f"{location}: found no label B-{without[0]}; expected a B- label of each class, with which entities begin "
            "under --constrained_decoding true; leave the option out"
        )
