"""Model inputs for training, from the cache if an earlier run prepared the same.

They are cached apart from the rows, because the rows are checked before the model and its tokenizer are loaded.
"""

import logging

from transformers import PreTrainedTokenizerFast

from ner.corpus.cache import Content, load_or_make, write_stream
from ner.corpus.sentences import Sentences
from ner.model.encoding import Encoded, encode, tokenizer_state

log = logging.getLogger("ner")


def model_inputs(
    train: Sentences, validation: Sentences, tokenizer: PreTrainedTokenizerFast, window: int, cache: bool
) -> tuple[Encoded, Encoded]:
    """The model inputs of training and of validation, in windows of at most `window` sub-tokens."""
    splits = {"train": train, "validation": validation}

    def make() -> Content:
        parts = [encode(s.words, s.tags, s.lengths, tokenizer, window) for s in splits.values()]
        return [part.table() for part in parts], {"long_sentences": [part.long_sentences for part in parts]}

    if cache:
        rows = write_stream(None, [sentences.table for sentences in splits.values()]).hexdigest()
        tables, facts = load_or_make("inputs", [rows, tokenizer_state(tokenizer), window], make)
    else:
        tables, facts = make()
    for split, count in zip(splits, facts["long_sentences"], strict=True):
        if count:
            log.info("%s: %d sentences are longer than %d sub-tokens and are split into several windows", split, count,
                     window)  # fmt: skip
    encoded_train, encoded_validation = map(Encoded.from_table, tables, facts["long_sentences"])
    return encoded_train, encoded_validation
