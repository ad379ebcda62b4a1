import string
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from ner.errors import InputError
from ner.scoring.removal_design import balanced_blocks, detectable_effect, fits, one_at_a_time_runs

LETTERS = list(string.ascii_uppercase)


def table(blocks: list[list[str]], classes: list[str], unmasked: int) -> np.ndarray:
    """True [run, class] where a run removes a class."""
    return np.array([[name in block for name in classes] for block in [*blocks, *([[]] * unmasked)]])


@pytest.mark.parametrize("replicate", [0, 3])
@pytest.mark.parametrize(
    ("count", "size", "blocks"),
    [(4, 2, 6), (5, 2, 10), (7, 3, 7), (8, 4, 14), (9, 3, 12), (11, 5, 11), (15, 3, 35), (15, 7, 15), (21, 3, 70)],
)
def test_each_class_and_each_pair_is_removed_equally_often(count, size, blocks, replicate):
    """The numbers of blocks are those of the smallest designs in the tables of the handbook."""
    classes = LETTERS[:count]
    design = balanced_blocks(classes, size, replicate)
    assert len(design) == blocks and {len(block) for block in design} == {size}
    assert len({sum(name in block for block in design) for name in classes}) == 1
    assert len({sum(set(pair) <= set(block) for block in design) for pair in combinations(classes, 2)}) == 1


def test_replicates_remove_other_sets():
    first, second = ({tuple(block) for block in balanced_blocks(LETTERS[:15], 7, r)} for r in (0, 1))
    assert len(first & second) < 5
    assert balanced_blocks(LETTERS[:15], 7)[1] == [LETTERS[(i + 1) % 15] for i in (0, 1, 2, 4, 5, 8, 10)]


@pytest.mark.parametrize(
    ("count", "size", "message"),
    [
        (14, 5, "no balanced design that removes 5 of 14 classes at a time; remove 7 or 2 at a time"),
        (15, 1, "removes 1 of 15 classes at a time; remove 2 or 3 or 5 at a time"),
        (3, 2, "such a design needs at least 4 classes"),
    ],
)
def test_a_size_without_a_design_names_sizes_that_have_one(count, size, message):
    with pytest.raises(InputError, match=message):
        balanced_blocks(LETTERS[:count], size)


def test_one_replicate_with_as_many_blocks_as_classes_tells_no_effects_apart():
    """Eight blocks of 7 out of 15 keep a class: too few for the effects of 14 others."""
    classes = LETTERS[:15]
    repeated = table(balanced_blocks(classes, 7) * 4, classes, 15)
    assert np.isnan([fit.standard_errors for fit in fits(repeated, ~repeated)]).all()
    others = table([b for r in range(4) for b in balanced_blocks(classes, 7, r)], classes, 15)
    errors = np.array([fit.standard_errors for fit in fits(others, ~others)])
    assert (np.isnan(errors) == np.eye(15, dtype=bool)).all() and np.nanmax(errors) < 0.6


def test_triples_are_equally_precise_and_need_far_fewer_runs_than_one_class_at_a_time():
    classes = LETTERS[:15]
    removed = table([b for r in range(2) for b in balanced_blocks(classes, 3, r)], classes, 8)
    errors = np.array([fit.standard_errors for fit in fits(removed, ~removed)])
    assert np.nanmin(errors) == pytest.approx(np.nanmax(errors), rel=0.02)
    assert len(removed) == 78 and 200 < one_at_a_time_runs(np.nanmax(errors), 15) < 240


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
