"""What a training prints, and the names under which it logs the F1 of each class."""

from types import SimpleNamespace

import pytest

from ner.training.callbacks import LogLines, class_metrics


def test_what_not_every_tracker_takes_in_a_name_is_replaced():
    plain = {"DIS": "f1_DIS", "art-film": "f1_art-film", "Person (fictional)": "f1_Person__fictional_", "Ærø": "f1_Ærø"}
    # A slash would be a folder: that of `person/artist` would have the name of the file of `person`.
    odd = {"person": "f1_person", "person/artist": "f1_person_artist"}
    assert class_metrics([*plain, *odd]) == plain | odd


def test_the_printed_line_has_the_overall_scores_only(capsys):
    logs = {"eval_loss": 0.25, "eval_f1": 0.5, "eval_f1_DIS": 0.125, "eval_macro_f1": 0.375, "total_flos": 1.0}
    LogLines().on_log(None, SimpleNamespace(is_world_process_zero=True), None, logs | {"epoch": 1})
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err == "loss 0.25  f1 0.5  macro_f1 0.375  epoch 1\n"


@pytest.mark.parametrize(
    ("updates", "rate", "warns"), [(299, None, True), (300, None, False), (149, 1e-2, True), (150, 1e-2, False)]
)
def test_few_updates_are_warned_of_and_fewer_where_the_classifier_has_its_own_rate(updates, rate, warns, caplog):
    LogLines().on_train_begin(
        SimpleNamespace(classifier_learning_rate=rate), SimpleNamespace(max_steps=updates), SimpleNamespace()
    )
    assert ("updates are few" in caplog.text) == warns
