"""From spans over text to BIO tags of its words, and what becomes of spans that do not fit the words."""

import logging
from collections.abc import Iterable, Sequence
from itertools import accumulate

from ner.errors import InputError

log = logging.getLogger("ner")
SHOWN = 5  # of the spans that do not fit
Span = tuple[int, int, str]  # first character, the one after the last, class


def bio_tags(text: str, words: Sequence[tuple[int, int]], spans: Iterable[Span]) -> tuple[list[str], list[str]]:
    """The tags of a text's words, and a description of each span that does not fit them.

    `words` are half-open ranges of characters, with only white space between them. White space at the edges of a span
    does not count. Of spans that overlap, the longest is kept; of equally long ones, the first.
    """
    first = {start: i for i, (start, _) in enumerate(words)}
    last = {end: i for i, (_, end) in enumerate(words)}
    tags = ["O"] * len(words)
    misfits = []
    for start, end, name in sorted(dict.fromkeys(spans), key=lambda span: span[0] - span[1]):
        covered = text[start:end] if 0 <= start < end <= len(text) else ""
        i = first.get(end - len(covered.lstrip()))
        j = last.get(start + len(covered.rstrip()))
        if not covered.strip():
            problem = "has no text"
        elif not name:
            problem = "has no class"
        elif i is None or j is None:
            touched = [text[a:b] for a, b in words if a < end and start < b]
            problem = f"cuts a word of {' '.join(touched)[:60]!r}"
        elif any(tag != "O" for tag in tags[i : j + 1]):
            problem = "overlaps another span"
        else:
            tags[i : j + 1] = [f"B-{name}", *[f"I-{name}"] * (j - i)]
            continue
        misfits.append(f"{covered[:60]!r} ({start} to {end}, {name}) {problem}")
    return tags, misfits


def report_misfits(misfits: Sequence[str], count: int, misaligned: str) -> None:
    """Logs those of `count` spans that do not fit and are left out. Raises `InputError` if `misaligned` is "error"."""
    if not misfits:
        return
    more = [f"and {len(misfits) - SHOWN} more"] if len(misfits) > SHOWN else []
    message = f"{len(misfits)} of {count} spans do not fit words: {'; '.join([*misfits[:SHOWN], *more])}"
    if misaligned == "error":
        raise InputError(f"{message}; correct them, or pass --misaligned skip to leave them out")
    log.warning("left out: %s", message)


def from_utf16(text: str, spans: Iterable[Span]) -> list[Span]:
    """Spans with offsets that count UTF-16 code units, as JavaScript does, as spans with offsets that count characters.

    An emoji has two code units. An offset inside it or outside the text becomes -1.
    """
    units = accumulate((1 + (character > "\uffff") for character in text), initial=0)
    place = {unit: character for character, unit in enumerate(units)}
    return [(place.get(start, -1), place.get(end, -1), name) for start, end, name in spans]
