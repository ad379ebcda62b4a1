import string
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from ner.scoring.removal_design import balanced_triples, detectable_effect, fits, one_at_a_time_runs

LETTERS = list(string.ascii_uppercase)


def table(blocks: list[list[str]], classes: list[str], unmasked: int) -> np.ndarray:
    """True [run, class] where a run removes a class."""
    return np.array([[name in block for name in classes] for block in [*blocks, *([[]] * unmasked)]])


@pytest.mark.parametrize("replicate", [0, 3])
@pytest.mark.parametrize(("count", "blocks"), [(7, 7), (13, 26), (15, 35), (19, 57), (21, 70), (25, 100)])
def test_each_class_and_each_pair_is_removed_equally_often(count, blocks, replicate):
    """A Steiner triple system of n points has n(n-1)/6 blocks."""
    classes = LETTERS[:count]
    design = balanced_triples(classes, replicate)
    assert len(design) == blocks and {len(block) for block in design} == {3}
    assert {sum(name in block for block in design) for name in classes} == {(count - 1) // 2}
    assert {sum(set(pair) <= set(block) for block in design) for pair in combinations(classes, 2)} == {1}


@pytest.mark.parametrize("count", [2, 4, 9, 11, 14, 18])
def test_numbers_of_classes_without_a_system_have_smaller_sets_too(count):
    design = balanced_triples(LETTERS[:count])
    assert {sum(set(pair) <= set(block) for block in design) for pair in combinations(LETTERS[:count], 2)} == {1}
    assert len({sum(name in block for block in design) for name in LETTERS[:count]}) == 1
    assert {len(block) for block in design} <= {1, 2, 3}


def test_replicates_remove_other_sets():
    first, second = ({tuple(block) for block in balanced_triples(LETTERS[:15], r)} for r in (0, 1))
    assert len(first & second) < 5


def test_seven_of_fifteen_at_a_time_would_tell_no_effects_apart():
    """Why sets are small: each class is kept by as many runs as there are pairs of others, one of each pair removed."""
    difference_set = (0, 1, 2, 4, 5, 8, 10)  # of the symmetric design with 15 blocks
    classes = LETTERS[:15]
    sets = [[classes[(place + turn) % 15] for place in difference_set] for turn in range(15)]
    removed = table(sets * 4, classes, 15)
    assert np.isnan([fit.standard_errors for fit in fits(removed, ~removed)]).all()


def test_triples_are_equally_precise_and_need_far_fewer_runs_than_one_class_at_a_time():
    classes = LETTERS[:15]
    removed = table([b for r in range(2) for b in balanced_triples(classes, r)], classes, 8)
    errors = np.array([fit.standard_errors for fit in fits(removed, ~removed)])
    assert np.nanmin(errors) == pytest.approx(np.nanmax(errors), rel=0.02)
    error = np.nanmean(errors)  # docs/study.md has these numbers
    assert (len(removed), round(error, 2), one_at_a_time_runs(error, 15)) == (78, 0.33, 218)


def test_one_at_a_time_runs_are_those_of_the_design_that_removes_one_class_at_a_time():
    removed = table([[name] for name in LETTERS[:16]] * 2, LETTERS[:16], 8)
    fit = fits(removed, ~removed)[0]
    assert one_at_a_time_runs(fit.standard_errors[1], 16) == len(removed) == 40
    assert fit.degrees_of_freedom == 38 - 16


def test_a_detectable_effect_is_found_four_times_of_five():
    effect = detectable_effect(0.5, 30, pairs=20)
    rng = np.random.default_rng(0)
    t = (effect + 0.5 * rng.standard_normal(100_000)) / (0.5 * np.sqrt(rng.chisquare(30, 100_000) / 30))
    assert (2 * stats.t.sf(np.abs(t), 30) < 0.05 / 20).mean() == pytest.approx(0.8, abs=0.005)
