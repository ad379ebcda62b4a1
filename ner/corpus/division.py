"""Divides a corpus without a validation split: each split gets a seeded part of its training sentences."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ner.corpus.rows import RawSplit
from ner.errors import InputError

log = logging.getLogger("ner")
SHARE = 0.1  # of the sentences, for each split that is held out
LEAST = 10  # sentences, and documents


def divided(whole: RawSplit, held_out: Sequence[str], seed: int) -> tuple[dict[str, RawSplit], dict[str, Any]]:
    """The training split and those that are held out of it, in the order of the files; and what is recorded about them.

    Documents stay whole if every sentence belongs to one, there are at least `LEAST` of them, and none is larger than a
    held-out split. Raises `InputError` for fewer than `LEAST` sentences.
    """
    size = len(whole.sentences)
    if size < LEAST:
        raise InputError(
            f"{whole.files[0][0]}: found {size} sentences, and no validation split; expected at least {LEAST}, to "
            "divide them; name one: --validation_file"
        )
    file, document = (whole.places[name].fill_null(-1).to_numpy() for name in ("file", "document"))
    units, unit = np.unique(file * (document.max() + 1) + document, return_inverse=True)
    by_document = document.min() >= 0 and len(units) >= LEAST and np.bincount(unit).max() <= SHARE * size
    if not by_document:
        unit = np.arange(size)
    order = np.random.default_rng(seed).permutation(unit.max() + 1)
    # The sentences before each unit in that order say to which split the unit goes.
    sizes = np.bincount(unit)[order]
    before = np.empty(len(order), dtype=np.int64)
    before[order] = np.cumsum(sizes) - sizes
    part = np.minimum(before[unit] // (SHARE * size), len(held_out)).astype(int)
    names = [*held_out, "train"]
    rows = {name: np.flatnonzero(part == names.index(name)) for name in ("train", *held_out)}
    about = {"seed": seed, "by": "documents" if by_document else "sentences"}
    about |= {name: len(its) for name, its in rows.items()}
    way = "whole documents at a time" if by_document else "each by itself"
    log.info(
        "found no validation split, so %d sentences were divided, %s, with --split_seed %d: %s",
        size, way, seed, ", ".join(f"{name} {len(its)}" for name, its in rows.items()),
    )  # fmt: skip
    return {
        name: replace(whole, split=name, sentences=whole.sentences.select(its), places=whole.places.take(its))
        for name, its in rows.items()
    }, about
