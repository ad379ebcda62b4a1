"""What a training run takes from its data, from the cache where an earlier run prepared the same.

The rows and their model inputs are two entries: the data are checked before a model is loaded, and with it the
tokenizer. No change of file, option, tokenizer or code meets an old entry.
"""

import logging
from dataclasses import asdict
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from arguments import DataArguments
from data import TrainingData, training_data
from ner.corpus.cache import Content, kept, sha256, stream
from ner.corpus.readers import SPLITS, MissingSplitError, Sentences, content_of, file_of
from ner.model.encoding import Encoded, encode, tokenizer_state

log = logging.getLogger("ner")
CODE = ("data.py", "ner/labels.py", "ner/corpus/readers.py", "ner/model/encoding.py", "ner/model/prepared.py")


def prepared_data(options: DataArguments) -> TrainingData:
    """`training_data(options)`, from the cache unless `options.cache` is off."""
    if not options.cache:
        return training_data(options)

    def made() -> Content:
        data = training_data(options)
        fingerprints = [data.train_fingerprint, data.validation_fingerprint]
        facts = {"names": data.names, "rows": data.rows, "fingerprints": fingerprints}
        return [data.train.table, data.validation.table], facts

    tables, facts = kept("rows", [code_hashes(), asdict(options), source_hashes(options)], made)
    train, validation = (Sentences(table, facts["names"]) for table in tables)
    return TrainingData(train, validation, facts["rows"], *facts["fingerprints"])


def model_inputs(
    data: TrainingData, tokenizer: PreTrainedTokenizerFast, window: int, cache: bool
) -> tuple[Encoded, Encoded]:
    """The model inputs of training and validation, in windows of at most `window` sub-tokens."""
    splits = {"train": data.train, "validation": data.validation}

    def made() -> Content:
        parts = {name: encode(s.words, s.tags, s.lengths, tokenizer, window) for name, s in splits.items()}
        for name, part in parts.items():
            if part.long_sentences:
                log.info("%s: %d sentences are longer than %d sub-tokens and stand in several windows", name,
                         part.long_sentences, window)  # fmt: skip
        long_sentences = [part.long_sentences for part in parts.values()]
        return [part.table() for part in parts.values()], {"long_sentences": long_sentences}

    if cache:
        rows = sha256(stream([sentences.table for sentences in splits.values()]))
        tables, facts = kept("inputs", [code_hashes(), rows, tokenizer_state(tokenizer), window], made)
    else:
        tables, facts = made()
    train, validation = map(Encoded.from_table, tables, facts["long_sentences"])
    return train, validation


def code_hashes() -> list[str]:
    return [sha256((Path(__file__).parents[2] / name).read_bytes()) for name in CODE]


def source_hashes(options: DataArguments) -> list[list[str]]:
    """Split, language, form and hash of each file that `training_data` reads."""
    found = []
    for split in SPLITS:
        for language in options.languages:
            try:
                path = file_of(options.dataset, language, split)
            except MissingSplitError:
                continue  # of test files there may be none; `training_data` says which others are missing
            found.append([split, language, path.suffix, sha256(content_of(path))])
    return found
