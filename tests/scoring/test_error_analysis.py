"""Kinds of error and the tables of them, on cases to check by eye, and against the counts of the scores."""

import random

from ner.labels import label_names
from ner.scoring.error_analysis import KINDS, Entities, entities_of, error_analysis, errors
from ner.scoring.scores import counts_of_tags

CLASSES = ["PER", "LOC"]


def noisy(seed: int, sentences: int = 200) -> tuple[list[list[str]], list[list[str]]]:
    rng, names = random.Random(seed), label_names(CLASSES)
    gold = [["O", "B-PER", "I-PER", "O", *rng.choices(["O", "B-LOC"], k=rng.randint(0, 30))] for _ in range(sentences)]
    return gold, [[rng.choice(names) if rng.random() < 0.3 else t for t in tags] for tags in gold]


def analysis(gold: list[list[str]], predicted: list[list[str]]) -> dict:
    entities = entities_of(gold, CLASSES), entities_of(predicted, CLASSES)
    return error_analysis(Entities(*entities, list(map(errors, *entities))), CLASSES)


def test_the_places_of_entities_are_those_in_their_sentence():
    tags = [["O", "B-PER"], [], ["B-LOC", "I-LOC", "O", "B-PER"]]
    assert entities_of(tags, CLASSES) == [[(1, 2, "PER")], [], [(0, 2, "LOC"), (3, 4, "PER")]]


def test_kinds_by_eye():
    gold = [(0, 2, "PER"), (3, 4, "LOC"), (5, 7, "PER"), (8, 9, "LOC"), (10, 11, "PER")]
    predicted = [(0, 2, "PER"), (3, 4, "PER"), (5, 6, "PER"), (7, 9, "PER"), (11, 13, "LOC")]
    assert sorted(errors(gold, predicted), key=str) == sorted(
        [
            ("type", (3, 4, "LOC"), (3, 4, "PER")),
            ("boundary", (5, 7, "PER"), (5, 6, "PER")),
            ("both", (8, 9, "LOC"), (7, 9, "PER")),
            ("spurious", None, (11, 13, "LOC")),  # beside the missed one, so without overlap
            ("missed", (10, 11, "PER"), None),
        ],
        key=str,
    )


def test_a_gold_entity_is_in_one_error_only():
    assert errors([(0, 4, "PER")], [(0, 1, "PER"), (2, 4, "PER")]) == [
        ("boundary", (0, 4, "PER"), (2, 4, "PER")),  # the larger overlap
        ("spurious", None, (0, 1, "PER")),
    ]
    assert errors([(0, 1, "PER"), (1, 3, "LOC")], [(0, 3, "PER")]) == [
        ("both", (1, 3, "LOC"), (0, 3, "PER")),
        ("missed", (0, 1, "PER"), None),
    ]
    assert errors([(0, 1, "LOC"), (1, 2, "PER")], [(0, 2, "PER")]) == [
        ("boundary", (1, 2, "PER"), (0, 2, "PER")),  # of equal overlaps, that of the same class
        ("missed", (0, 1, "LOC"), None),
    ]


def test_all_tables_count_the_same_entities():
    gold, predicted = noisy(1)
    result = analysis(gold, predicted)
    counted = counts_of_tags(gold, predicted).entities.sum(axis=(0, 1))
    right, spurious, missed = counted
    table = result["confusion"]
    assert sum(table[i][i] for i in range(2)) == right
    assert sum(map(sum, table[:2])) == right + missed
    assert sum(row[j] for row in table for j in range(2)) == right + spurious
    # Missed, spurious and errors of type are what the kinds count, and other borders are the rest of them.
    kinds = result["kinds"]
    assert sum(row[-1] for row in table) == kinds["missed"] and sum(table[-1]) == kinds["spurious"]
    assert table[0][1] + table[1][0] == kinds["type"]
    assert sum(row[-2] for row in table) == sum(table[-2]) == kinds["boundary"] + kinds["both"]
    paired = sum(result["kinds"][k] for k in ("type", "boundary", "both"))
    assert paired + result["kinds"]["missed"] == missed
    assert paired + result["kinds"]["spurious"] == spurious
    assert sum(result["kinds"][k] > 0 for k in KINDS) == 5
