"""The code that the commands share. Nothing in here imports a command. A room imports only from the rooms after it in
this list: study, report, training, tagging, encoder, runs, corpus, scoring, then the modules in this folder itself.

    from ner import Tagger
    tagger = Tagger.load("runs/quickstart")     # a run folder or a Hub id
    tagger.tag(["Rabies kills bats."])          # [[Entity(type, text, start, end, score), ...]]
"""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """`Tagger` and `Entity`, which are imported when they are used: torch takes seconds."""
    if name in ("Tagger", "Entity"):
        return getattr(import_module("ner.tagging.tagger"), name)
    raise AttributeError(f"module 'ner' has no attribute {name!r}")
