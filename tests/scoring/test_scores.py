"""Scores against seqeval and nervaluate, which know nothing of this code, and against values a reader can check."""

import math
import random

import pytest
from nervaluate import Evaluator
from seqeval.metrics import accuracy_score, classification_report, f1_score, precision_score, recall_score

from metrics import ner_metric
from ner.scoring.intervals import intervals, scores_and_intervals, scores_by_language
from ner.scoring.score_table import score_table
from ner.scoring.scores import cluster_ids, counts_of_tags, scores

LABELS = ["O", "O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-a-b", "I-a-b"]


def noisy(rng: random.Random, sentences: int = 4) -> tuple[list[list[str]], list[list[str]]]:
    gold = [rng.choices(LABELS, k=rng.randint(0, 8)) for _ in range(sentences)]
    gold.append(["B-PER"])
    return gold, [[tag if rng.random() < 0.6 else rng.choice(LABELS) for tag in tags] for tags in gold]


@pytest.mark.filterwarnings("ignore")
def test_scores_equal_seqevals_to_the_last_digit_on_any_sequence():
    rng = random.Random(0)
    for _ in range(500):
        gold, predicted = noisy(rng)
        ours = scores(counts_of_tags(gold, predicted))
        assert ours["overall"]["precision"] == precision_score(gold, predicted)
        assert ours["overall"]["recall"] == recall_score(gold, predicted)
        assert ours["overall"]["f1"] == f1_score(gold, predicted)
        assert ours["overall"]["accuracy"] == accuracy_score(gold, predicted)
        report = classification_report(gold, predicted, output_dict=True)
        present = {name: values for name, values in ours["per_class"].items() if values}
        for name, values in present.items():
            seqeval = report[name]
            assert values["precision"] == seqeval["precision"]
            assert values["recall"] == seqeval["recall"]
            assert values["f1"] == seqeval["f1-score"]
            assert values["support"] == seqeval["support"]
            assert values["jaccard"] == pytest.approx(values["f1"] / (2 - values["f1"]))
            only = [[[t if t[2:] == name else "O" for t in tags] for tags in side] for side in (gold, predicted)]
            assert values["accuracy"] == accuracy_score(*only)
        if len(present) == len(ours["per_class"]):
            assert math.isclose(ours["overall"]["macro_f1"], report["macro avg"]["f1-score"], rel_tol=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_the_scores_of_a_language_are_those_of_its_sentences_alone():
    rng = random.Random(3)
    gold, predicted = noisy(rng, 60)
    tokens = [[f"w{rng.randrange(2)}" for _ in tags] for tags in gold]  # some sentences are copies
    languages = rng.choices(["it", "de", "zh-Hant"], k=len(gold))
    counts, cluster = counts_of_tags(gold, predicted), cluster_ids(tokens)
    found = scores_by_language(counts, cluster, languages)
    assert list(found) == ["de", "it", "zh-Hant"]
    for language, values in found.items():
        own = [[r for r, lang in zip(rows, languages, strict=True) if lang == language]
               for rows in (gold, predicted, tokens)]  # fmt: skip
        overall, report = values["overall"], classification_report(*own[:2], output_dict=True)
        assert overall["precision"] == precision_score(*own[:2]) and overall["recall"] == recall_score(*own[:2])
        assert overall["f1"] == f1_score(*own[:2])
        supported = {c for c, of_class in values["per_class"].items() if of_class}
        assert {c: report[c]["f1-score"] for c in supported} == {c: values["per_class"][c]["f1"] for c in supported}
        assert (values["sentences"], values["support"]) == (len(own[0]), report["micro avg"]["support"])
        alone = scores_and_intervals(counts_of_tags(*own[:2]), cluster_ids(own[2]))
        for name, interval in alone["intervals"]["overall"].items():
            assert values["intervals"]["overall"][name] == pytest.approx(interval, abs=1e-12)
    assert scores_by_language(counts, cluster, ["de"] * len(gold)) == {}


def test_counts_equal_nervaluates_strict_counts_on_valid_tags():
    rng = random.Random(1)
    for _ in range(50):
        gold, predicted = noisy(rng)
        valid = [[[t if t[0] != "I" else "B" + t[1:] for t in tags] for tags in side] for side in (gold, predicted)]
        classes = ["PER", "ORG", "a-b"]
        strict = Evaluator(*valid, tags=classes, loader="list").evaluate()["overall"]["strict"]
        result = counts_of_tags(*valid).entities.sum(axis=(0, 1))
        assert (result[0], result[0] + result[1], result[0] + result[2]) == (
            strict.correct,
            strict.actual,
            strict.possible,
        )


def test_a_case_to_check_by_eye():
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-PER"]]
    predicted = [["B-PER", "O", "O", "B-LOC"], ["I-PER", "I-PER"]]
    result = scores(counts_of_tags(gold, predicted))
    # One of three gold entities is found; three are predicted. Three of six tokens are right.
    assert result["overall"] == {"precision": 1 / 3, "recall": 1 / 3, "f1": 1 / 3, "accuracy": 3 / 6, "macro_f1": 0.5}
    assert result["per_class"]["LOC"] == {
        "precision": 1.0, "recall": 1.0, "f1": 1.0, "accuracy": 1.0, "jaccard": 1.0, "support": 1,
    }  # fmt: skip
    assert result["per_class"]["PER"]["jaccard"] == 0
    assert result["per_class"]["PER"]["accuracy"] == 3 / 6


def test_a_class_without_support_is_none_and_lowers_nothing_in_the_macro_mean():
    result = scores(counts_of_tags([["B-PER", "O"]], [["B-PER", "B-ORG"]]))
    assert result["per_class"]["ORG"] is None
    assert result["overall"]["macro_f1"] == 1.0
    assert result["overall"]["precision"] == 0.5


def test_nothing_predicted_and_nothing_there_gives_zeros():
    result = scores(counts_of_tags([["O"], []], [["O"], []]))
    assert result["overall"] == {"precision": 0, "recall": 0, "f1": 0, "accuracy": 1.0, "macro_f1": 0}


def test_sides_of_different_length_and_foreign_tags_are_errors():
    with pytest.raises(ValueError, match="differ in number"):
        counts_of_tags([["O", "O"]], [["O"]])
    with pytest.raises(ValueError, match="expected O, B-CLASS or I-CLASS"):
        counts_of_tags([["S-PER"]], [["O"]])


def test_the_evaluate_metric_gives_the_same_scores_at_once_one_by_one_and_in_batches():
    gold, predicted = noisy(random.Random(5), sentences=40)
    result = ner_metric().compute(predictions=predicted, references=gold)
    assert result == scores(counts_of_tags(gold, predicted))
    added, batches = ner_metric(), ner_metric()
    for reference, prediction in zip(gold, predicted, strict=True):
        added.add(references=reference, predictions=prediction)
        batches.add_batch(references=[reference], predictions=[prediction])
    assert added.compute() == batches.compute() == result


def test_the_table_shows_each_class_and_lines_up_whatever_the_names():
    gold = [["B-PER", "O"], ["B-LOC", "O"], ["B-PER", "O"]]
    counted = counts_of_tags(gold, [["B-PER", "B-ORG"], ["O", "O"], ["B-PER", "O"]])
    text = score_table(scores(counted) | {"intervals": intervals(counted)})
    rows = text.splitlines()
    assert [line.split()[0] for line in rows] == ["class", "PER", "ORG", "LOC", "overall", "macro"]
    assert rows[2].split() == ["ORG", *["\N{EN DASH}"] * 5, "0"] and len({len(line) for line in rows[:-1]}) == 1
    assert rows[1].split()[-2:] == ["100.00", "2"] and rows[5].split()[:3] == ["macro", "F1", "50.0"]
    assert rows[4].split()[1:4] + rows[4].split()[-2:] == ["66.7", "66.7", "66.7", "66.67", "3"]


def test_the_table_has_a_row_for_each_language_whose_name_cannot_move_the_cursor():
    counts = counts_of_tags([["B-PER", "O"], ["B-LOC", "O"]], [["B-PER", "B-ORG"], ["O", "O"]])
    cluster = cluster_ids([["a", "b"], ["c", "d"]])
    by_language = scores_by_language(counts, cluster, ["en", "\x1b[2J"])
    text = score_table(scores(counts) | {"intervals": intervals(counts), "per_language": by_language})
    odd, header, row = text.splitlines()[-2], text.splitlines()[-3], text.splitlines()[-1]
    assert header.split()[0] == "language" and odd.startswith("\ufffd[2J") and "\x1b" not in text
    assert row.split() == ["en", "50.0", "100.0", "66.7", "too", "few", "100.0", "1", "1"]


def test_the_metric_makes_no_folder_in_the_home(tmp_path, monkeypatch):
    monkeypatch.setattr("evaluate.config.HF_METRICS_CACHE", tmp_path / "home")
    ner_metric()
    assert not (tmp_path / "home").exists()
