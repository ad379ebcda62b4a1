"""Reads spaCy's `.spacy` files (`DocBin`), with spaCy's own tokens."""

import logging
from itertools import accumulate, pairwise
from pathlib import Path

import pyarrow as pa

from ner.corpus.rows import COLUMNS
from ner.corpus.text_spans import bio_tags, report_misfits
from ner.errors import InputError, message_of

log = logging.getLogger("ner")


def docbin_table(path: Path, misaligned: str = "error") -> pa.Table:
    """The sentences of a file's documents, or its documents where these have no sentence borders.

    `line` and `document` are the number of the document, from 1. A border inside an entity does not count. Raises
    `InputError` without spaCy, and for entities without text or class unless `misaligned` is "skip".
    """
    try:
        from spacy.tokens import DocBin
        from spacy.vocab import Vocab
    except ImportError:
        raise InputError(f"{path}: spaCy reads .spacy files, and it is not installed; pip install spacy") from None
    try:
        documents = list(DocBin().from_disk(path).get_docs(Vocab()))
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        raise InputError(f"{path}: spaCy cannot read it: {message_of(error, 200)}; is it a whole DocBin?") from None
    rows, misfits = [], []
    entities = missing = 0
    for number, document in enumerate(documents, 1):
        words = [token for token in document if token.text.strip()]  # spaCy also has tokens of white space
        offsets = [(token.idx, token.idx + len(token)) for token in words]
        spans = [(ent.start_char, ent.end_char, " ".join(ent.label_.split())) for ent in document.ents]
        tags, wrong = bio_tags(document.text, offsets, spans)
        misfits += [f"{path}:{number}: {description}" for description in wrong]
        entities += len(spans)
        missing += sum(token.ent_iob == 0 for token in words)
        # The sentence of each token. That of white space may be one in which no word begins.
        sentence = list(accumulate(bool(token.is_sent_start) for token in document))
        starts = [
            i for i, token in enumerate(words)
            if i == 0 or (sentence[token.i] != sentence[words[i - 1].i] and not tags[i].startswith("I-"))
        ]  # fmt: skip
        for start, end in pairwise([*starts, len(words)]):
            tokens = [token.text for token in words[start:end]]
            rows.append({"line": [number], "document": number, "tokens": tokens, "tags": tags[start:end]})
    if missing:
        log.warning("%s: %d tokens have no entity annotation; they are read as O", path, missing)
    report_misfits(misfits, entities, misaligned)
    return pa.Table.from_pylist(rows, COLUMNS)
