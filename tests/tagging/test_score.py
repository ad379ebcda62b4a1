"""The record of a scored split."""

from types import SimpleNamespace

import numpy as np
import pytest
from conftest import row, write_jsonl
from reading import read

from ner.corpus.sources import Source
from ner.labels import spans
from ner.scoring.calibration import Calibration, calibration_error_interval
from ner.tagging.score import score


def test_copies_of_a_sentence_count_as_one_for_the_calibration_error_too(tmp_path):
    rng = np.random.default_rng(0)
    p = rng.uniform(0.5, 0.99, 100)
    right = rng.random(100) < p
    rows = [row([f"w{i}"], ["B-PER" if is_right else "O"]) for i, is_right in enumerate(right)]
    write_jsonl(tmp_path / "test" / "test_en.jsonl", 2 * rows)
    s = read(str(tmp_path), ["en"], "test")
    ids = np.full(200, s.names.index("B-PER"), dtype=np.int16)
    tagger = SimpleNamespace(
        tag_words=lambda *_: (ids, ids, spans(ids, s.lengths), np.tile(p, 2)), classes=["PER"],
        precision="float32", constrained=True, calibration=Calibration(),
    )  # fmt: skip
    scored = score(tagger, s, Source("sample"), "test")
    expected = calibration_error_interval(np.tile(p, 2), np.tile(right, 2), np.tile(np.arange(100), 2))
    assert scored.metrics["confidence"]["after"]["ece_interval"] == pytest.approx(expected)
