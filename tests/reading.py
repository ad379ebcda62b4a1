"""A split read by itself, as scoring reads it."""

from collections.abc import Sequence

from ner.corpus.readers import read_whole
from ner.corpus.rows import common_scheme, in_bio
from ner.corpus.sentences import Sentences
from ner.corpus.sources import Source


def read(dataset: str, languages: Sequence[str], split: str, known_classes: Sequence[str] | None = None) -> Sentences:
    """The sentences in the files of a split, in BIO. A class outside `known_classes` is an error."""
    raw = read_whole(Source(dataset, languages), split)
    return in_bio(raw, common_scheme([raw]), known_classes)
