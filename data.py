"""The training and evaluation sentences of an experiment, and a look at them.

    python data.py --dataset sample          # audit, a file with the rows that it names, and class plots

The order is: read, check, drop duplicates and leaks, cap, mask, up-sample. So experiments A and B, and both with
up-sampling, train on the same sentences.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from arguments import Arguments, DataArguments, parse
from ner.corpus.audit import audit, class_counts, findings
from ner.corpus.readers import MULTINERD_ENGLISH_ROWS, MissingSplitError, Sentences, read
from ner.errors import InputError, nearest, run_script
from ner.labels import label_names, lookup_table, types_of
from ner.writing import write_text, writing

log = logging.getLogger("ner")


@dataclass(frozen=True)
class TrainingData:
    """What a model is trained on and chosen by; `rows` counts what was read, dropped, kept and repeated."""

    train: Sentences
    validation: Sentences
    rows: dict[str, int]
    train_fingerprint: str  # both before masking and up-sampling
    validation_fingerprint: str

    @property
    def names(self) -> list[str]:
        return self.train.names


def training_data(options: DataArguments) -> TrainingData:
    """Reads and prepares the training and validation sentences; test is read, where it exists, for the leak check."""
    train = read_split(options, "train")
    validation = in_labels(read_split(options, "validation", types_of(train.names)), train.names)
    held_out = [validation, *test_sentences(options)]
    check_categories(options, types_of(train.names))

    rows = {"read": len(train)}
    train = train.select(first_occurrences(train))
    rows["duplicates_dropped"] = rows["read"] - len(train)
    kept = train.select(np.flatnonzero(~stands_in(train, held_out)))
    rows["leaks_dropped"] = len(train) - len(kept)
    if not len(kept):
        raise InputError(
            f"{options.dataset}: no training sentence is left of {rows['read']}; expected some that do not stand in "
            "validation or test; check the splits"
        )
    train = capped(kept, options.max_train_sentences)
    validation = capped(validation, options.max_eval_sentences)
    rows["kept"] = len(train)
    fingerprints = train.fingerprint(), validation.fingerprint()

    repeated = repetitions(train, options.upsample_categories, options.upsample_factor) if options.upsample else None
    if options.masked_training:
        kept_types = [t for t in types_of(train.names) if t in options.selected_categories]
        train, validation = (s.with_names(label_names(kept_types)) for s in (train, validation))
    if repeated is not None:
        train = train.select(np.repeat(np.arange(len(train)), repeated))
    rows["repeated"] = len(train) - rows["kept"]
    rows["training_rows"] = len(train)
    rows["validation_rows"] = len(validation)
    log.info(
        "train: read %(read)d, dropped %(duplicates_dropped)d duplicates and %(leaks_dropped)d that stand in "
        "validation or test, kept %(kept)d, repeated %(repeated)d: %(training_rows)d rows",
        rows,
    )
    return TrainingData(train, validation, rows, *fingerprints)


def read_split(options: DataArguments, split: str, known_types: Sequence[str] | None = None) -> Sentences:
    """A whole split, as it stands in the source."""
    sentences = read(options.dataset, options.languages, split, known_types)
    expected = MULTINERD_ENGLISH_ROWS[split]
    if options.dataset == "Babelscape/multinerd" and options.languages == ["en"] and len(sentences) != expected:
        log.warning("%s: read %d sentences; MultiNERD's English has %d", split, len(sentences), expected)
    log.info("%s: read %d sentences, %d tokens", split, len(sentences), len(sentences.words))
    return sentences


def test_sentences(options: DataArguments) -> list[Sentences]:
    """The test sentences of each language that has some, for the leak check."""
    found = []
    for language in options.languages:
        try:
            found.append(read_split(replace(options, languages=[language]), "test"))
        except MissingSplitError:
            log.info("test: no file in %s, so training sentences are not compared with it", language)
    return found


def in_labels(validation: Sentences, names: list[str]) -> Sentences:
    """The validation sentences in the labels of training, where one has numbers and the other names for them."""
    used = types_of(validation.names[i] for i in np.unique(validation.tags))
    unknown = [t for t in used if t not in types_of(names)]
    if unknown:
        known = ", ".join(types_of(names))
        raise InputError(f"validation: found {', '.join(unknown)}; expected the classes of training: {known}")
    return validation if validation.names == names else validation.with_names(names)


def require_entities(dataset: str, split: str, sentences: Sentences) -> None:
    """Raises `InputError` where every tag of a split is `O`."""
    if not any(sentences.names[i] != "O" for i in np.unique(sentences.tags)):
        raise InputError(
            f"{dataset}: found no entity in the {len(sentences):,} {split} sentences that are used, every tag is O; "
            "expected tags B-TYPE and I-TYPE; check the data, and the classes and the number of sentences that you keep"
        )


def check_categories(options: DataArguments, types: list[str]) -> None:
    for name, used in (("selected_categories", options.masked_training), ("upsample_categories", options.upsample)):
        for category in getattr(options, name) if used else ():
            if category not in types:
                raise InputError(
                    f"--{name}: found {category!r}; expected classes of the data: {', '.join(types)}"
                    f"{nearest(category, types)}"
                )


def sentence_keys(sentences: Sentences) -> pa.Array:
    """Bytes for each sentence that are equal where all tokens are: no UTF-8 holds the bytes FE and FF."""
    tokens = sentences.table["tokens"].combine_chunks()
    joined = pc.binary_join(tokens.cast(pa.list_(pa.binary())), b"\xff")
    return pc.if_else(pc.equal(pc.list_value_length(tokens), 0), pa.scalar(b"\xfe"), joined)


def tag_keys(sentences: Sentences) -> pa.Array:
    tags = sentences.table["tags"].combine_chunks()
    return pc.binary_join(tags.cast(pa.list_(pa.string())), " ").cast(pa.binary())


def first_occurrences(sentences: Sentences) -> np.ndarray:
    """The rows that no earlier row equals in tokens and tags, in order."""
    pairs = pc.binary_join_element_wise(sentence_keys(sentences), tag_keys(sentences), b"\xfe")
    return np.sort(np.unique(pairs.dictionary_encode().indices.to_numpy(), return_index=True)[1])


def stands_in(sentences: Sentences, others: list[Sentences]) -> np.ndarray:
    """True [sentence] where all tokens are those of a sentence of the others."""
    found = pc.is_in(sentence_keys(sentences), value_set=pa.concat_arrays([sentence_keys(o) for o in others]))
    return found.to_numpy(zero_copy_only=False)


def capped(sentences: Sentences, limit: int | None) -> Sentences:
    """At most `limit` sentences: the first ones of each language, as evenly shared as the languages allow."""
    if limit is None or limit >= len(sentences):
        return sentences
    languages = np.unique(sentences.langs, return_inverse=True)[1]
    log.info("capped: %d of %d sentences", limit, len(sentences))
    rank = np.zeros(len(sentences), dtype=np.int64)
    for language in range(languages.max() + 1):
        rank[languages == language] = np.arange((languages == language).sum())
    return sentences.select(np.sort(np.argsort(rank, kind="stable")[:limit]))


def repetitions(sentences: Sentences, categories: list[str], factor: int) -> np.ndarray:
    """How often each sentence stands in the training data, [sentence]: `factor` times if it holds a category."""
    rare = lookup_table(sentences.names, label_names(categories)) > 0
    sentence = np.repeat(np.arange(len(sentences)), sentences.lengths)
    holds = np.bincount(sentence, weights=rare[sentences.tags], minlength=len(sentences)) > 0
    log.info("up-sampling: %d sentences hold %s and stand %d times", holds.sum(), " or ".join(categories), factor)
    return np.where(holds, factor, 1)


def audit_folder(arguments: Arguments) -> Path:
    """Where an audit goes: beside the run that is named, else into a folder of the data set's own."""
    if "output_dir" in arguments.given:
        return Path(arguments.training.output_dir) / "data"
    return Path("runs/data") / (Path(arguments.data.dataset).name or "data")


def main(argv: list[str]) -> None:
    arguments = parse(argv, "Look at the data: audit and class plots.")
    options = arguments.data
    splits = {"train": read_split(options, "train")}
    types = types_of(splits["train"].names)
    check_categories(options, types)
    splits["validation"] = read_split(options, "validation", types)
    try:
        splits["test"] = read_split(options, "test")
    except MissingSplitError as error:
        log.info("no test split: %s", error)
    found = findings(splits)
    records = audit_folder(arguments) / "findings.jsonl"
    with writing(records.parent):
        records.parent.mkdir(parents=True, exist_ok=True)
    write_text(records, "".join(json.dumps(asdict(f), ensure_ascii=False) + "\n" for f in found))
    log.info("wrote %s", records)

    from ner.report.plots import class_bars  # matplotlib takes a while to import

    # The README's pictures are the sample's.
    folder = Path(__file__).parent / "readmefiles" if options.dataset == "sample" else records.parent
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    kept = label_names([t for t in types if t in options.selected_categories])
    for name, title, shown in (
        ("default-dataset.png", "All classes", splits),
        ("masked-dataset.png", "After masking", {k: s.with_names(kept) for k, s in splits.items()}),
    ):
        class_bars({split: class_counts(s) for split, s in shown.items()}, title, folder / name)
        log.info("wrote %s", folder / name)
    print(audit(splits, found), flush=True)


if __name__ == "__main__":
    run_script(main)
