"""The code that the commands share. Nothing in here imports a command. A room imports only from the rooms after it in
this list: study, report, training, tagging, encoder, runs, corpus, scoring, then the modules in this folder itself.

    from ner import Tagger
    tagger = Tagger.load("runs/quickstart")     # a run folder or a Hub id
    tagger.tag(["Rabies kills bats."])          # [[Entity(type, text, start, end, score), ...]]
"""

import os
from importlib import import_module
from typing import Any

# How often a thread of torch looks for work before it sleeps, for GNU OpenMP, which reads this when torch is imported.
# Its own 300,000 keep a core from the thread that all others wait for, once another process is busy: on two cores, a
# training then took 12 times as long as with 10,000 (benchmarks/README.md).
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def __getattr__(name: str) -> Any:
    """`Tagger` and `Entity`, which are imported when they are used: torch takes seconds."""
    if name in ("Tagger", "Entity"):
        return getattr(import_module("ner.tagging.tagger"), name)
    raise AttributeError(f"module 'ner' has no attribute {name!r}")
