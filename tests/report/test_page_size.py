"""Reports of many sentences: the page has those that fit, and the rest of the report is about all of them."""

import json
import random
import re
from pathlib import Path

import pytest
from scored_runs import report_of, sentences, with_noise, write_run

from benchmarks.report_size import write_runs
from ner.report import page
from ner.report.run_reader import read_run


def page_data(folder: Path) -> dict:
    html = (folder / "report.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1])


def test_a_page_has_the_sentences_with_most_errors_that_fit(tmp_path, monkeypatch):
    rows = sentences(random.Random(0), 300)
    runs = [write_run(tmp_path / name, with_noise(rows, 0.1, seed)) for seed, name in enumerate("ab")]
    result = report_of(tmp_path, *runs)
    every, text = page_data(tmp_path / "out"), (tmp_path / "out" / "report.md").read_text()
    assert every["ids"] == list(range(300)) and "this page has" not in (tmp_path / "out" / "report.html").read_text()

    monkeypatch.setattr(page, "SENTENCE_BYTES", 12_000)
    assert report_of(tmp_path, *runs) == result and (tmp_path / "out" / "report.md").read_text() == text
    some = page_data(tmp_path / "out")
    shown = some["ids"]
    assert shown == sorted(shown) and 50 < len(shown) < 200
    assert some["sentences"] == [every["sentences"][i] for i in shown]
    assert some["langs"] == [every["langs"][i] for i in shown]
    size = len(json.dumps(some["sentences"], separators=(",", ":")))
    assert 11_000 < size <= 12_000
    errors = [sum(map(len, row[3])) for row in every["sentences"]]
    assert min(errors[i] for i in shown) >= max(errors[i] for i in range(300) if i not in shown) > 0
    assert f"this page has {len(shown)} of the 300 sentences" in (tmp_path / "out" / "report.html").read_text()


def test_the_page_of_one_long_sentence_has_none(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "SENTENCE_BYTES", 10)
    report_of(tmp_path, write_run(tmp_path / "a", with_noise(sentences(random.Random(0), 1), 0.5, 1)))
    assert page_data(tmp_path / "out")["sentences"] == []


@pytest.mark.parametrize("languages", [None, 3])
def test_the_runs_that_are_measured_have_as_many_sentences_and_languages_as_asked_for(tmp_path, languages):
    rows = with_noise(sentences(random.Random(0), 40), 0.1, 1)
    source = write_run(tmp_path / "run", rows)
    a, b = (read_run(Path(name), name) for name in write_runs(source, tmp_path / "many", 2, 90, languages))
    assert len({tuple(words) for words in a.tokens}) == 90
    assert (a.tokens, a.gold, a.langs) == (b.tokens, b.gold, b.langs) and a.predicted != b.predicted
    assert a.gold == [rows[i % 40]["gold"] for i in range(90)]
    of_rows = [rows[i % 40]["lang"] for i in range(90)]
    assert a.langs == (of_rows if languages is None else ["l0"] * 30 + ["l1"] * 30 + ["l2"] * 30)
