"""Reads spaCy's `.spacy` files (`DocBin`), with spaCy's own tokens."""

import logging
from pathlib import Path

import pyarrow as pa

from ner.corpus.rows import COLUMNS
from ner.errors import InputError, message_of

log = logging.getLogger("ner")


def docbin_table(path: Path) -> pa.Table:
    """The sentences of a file's documents, or its documents where these have no sentence borders.

    `line` and `document` are the number of the document, from 1. Tokens that nobody has annotated become `O`, and a
    warning counts them. Raises `InputError` without spaCy, and for a file that it cannot read.
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
    rows, unknown = [], 0
    for number, document in enumerate(documents, 1):
        for sentence in document.sents if document.has_annotation("SENT_START") else [document]:
            words = [token for token in sentence if token.text.strip()]  # spaCy also has tokens of white space
            tags = [f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else "O" for token in words]
            unknown += sum(not token.ent_iob_ for token in words)
            rows.append({"line": [number], "document": number, "tokens": [t.text for t in words], "tags": tags})
    if unknown:
        log.warning("%s: %d tokens have no annotation, neither an entity nor O; read as O", path, unknown)
    return pa.Table.from_pylist([row for row in rows if row["tokens"]], COLUMNS)
