"""The rows of an experiment, and an audit of the data that they come from.

    python data.py --dataset sample     # prints counts and faults; writes to runs/data/sample

The order is: read, check, drop duplicates and leaks, cap, mask, up-sample. So experiments A and B train on the same
sentences.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from arguments import Arguments, DataArguments, parse
from ner.corpus.audit import Finding, audit, by_language, class_counts, findings
from ner.corpus.readers import MULTINERD_ENGLISH_ROWS, MissingSplitError, read
from ner.corpus.selection import (
    ReadCount,
    TrainingData,
    appears_in,
    as_many_others,
    capped,
    contains,
    first_occurrences,
    in_labels,
    mask,
    repeated,
    require_entities,
    require_known,
)
from ner.corpus.sentences import Sentences
from ner.errors import InputError, printable, run_script
from ner.files import write_text, writing
from ner.labels import classes_of

log = logging.getLogger("ner")


def training_data(options: DataArguments) -> TrainingData:
    """The sentences to train on and those to validate on. Raises `InputError` for wrong data or classes."""
    data = select_rows(options)
    log_counts(options, data)
    return data


def select_rows(options: DataArguments) -> TrainingData:
    """Reads the data and selects the rows of the experiment. A test split, if any, is only used to find leaks."""
    train = read(options.dataset, options.languages, "train")
    classes = classes_of(train.names)
    validation = in_labels(read(options.dataset, options.languages, "validation", classes), train.names)
    tests = {language: optional_test(options.dataset, language) for language in options.languages}
    require_known_classes(options, classes)
    sizes = [read_count("train", options.languages, train), read_count("validation", options.languages, validation)]
    sizes += [read_count("test", [language], test) for language, test in tests.items()]

    rows = {"read": len(train)}
    train = train.select(first_occurrences(train))
    rows["duplicates_dropped"] = rows["read"] - len(train)
    leaks = appears_in(train, [validation, *(test for test in tests.values() if test is not None)])
    train = train.select(np.flatnonzero(~leaks))
    rows["leaks_dropped"] = int(leaks.sum())
    if not len(train):
        raise InputError(
            f"{options.dataset}: no training sentence is left of {rows['read']}; expected some that are neither in "
            "validation nor in test; check the splits"
        )
    train = capped(train, options.max_train_sentences)
    validation = capped(validation, options.max_eval_sentences)
    rows["kept"] = len(train)
    fingerprints = train.fingerprint(), validation.fingerprint()

    if options.masked_training:
        train, validation = (mask(sentences, options.selected_categories) for sentences in (train, validation))
    upsampled = None
    if options.upsample:
        chosen = contains(train, options.upsample_categories)
        upsampled = int(chosen.sum())
        if options.upsample_at_random:
            chosen = as_many_others(chosen)
        train = repeated(train, chosen, options.upsample_factor)
    rows |= {"repeated": len(train) - rows["kept"], "training_rows": len(train), "validation_rows": len(validation)}
    return TrainingData(train, validation, rows, *fingerprints, sizes, upsampled)


def require_known_classes(options: DataArguments, classes: list[str]) -> None:
    """Raises `InputError` where options that are in use name a class that the data do not have."""
    if options.masked_training:
        require_known("selected_categories", options.selected_categories, classes)
    if options.upsample:
        require_known("upsample_categories", options.upsample_categories, classes)


def optional_test(dataset: str, language: str) -> Sentences | None:
    """The test sentences of a language, or None where the data set has none."""
    try:
        return read(dataset, [language], "test")
    except MissingSplitError:
        return None


def read_count(split: str, languages: list[str], sentences: Sentences | None) -> ReadCount:
    """The size of what was read. `sentences` is None if there is no file."""
    if sentences is None:
        return ReadCount(split, languages, 0, 0)
    return ReadCount(split, languages, len(sentences), len(sentences.words))


def evaluation_sentences(options: DataArguments, split: str) -> Sentences:
    """The sentences of a split that are scored: all, or the first `options.max_eval_sentences`.

    Raises `InputError` for wrong data, and where the sentences contain no entity.
    """
    whole = read_split(options, split)
    sentences = capped(whole, options.max_eval_sentences)
    log_cap(len(sentences), len(whole))
    require_entities(options.dataset, split, sentences)
    return sentences


def read_split(options: DataArguments, split: str, known_classes: Sequence[str] | None = None) -> Sentences:
    """A whole split as the data set has it; its size is logged."""
    sentences = read(options.dataset, options.languages, split, known_classes)
    log_read(options.dataset, read_count(split, options.languages, sentences))
    return sentences


def log_counts(options: DataArguments, data: TrainingData) -> None:
    """Logs what was read, dropped, capped and repeated."""
    for count in data.read:
        log_read(options.dataset, count)
    rows = data.rows
    log_cap(rows["kept"], rows["read"] - rows["duplicates_dropped"] - rows["leaks_dropped"])
    log_cap(rows["validation_rows"], next(count.sentences for count in data.read if count.split == "validation"))
    if data.upsampled is not None:
        classes, factor = " or ".join(options.upsample_categories), options.upsample_factor
        used = "as many others are" if options.upsample_at_random else "each is"
        log.info("up-sampling: %d sentences contain %s; %s used %d times", data.upsampled, classes, used, factor)
    log.info(
        "train: read %(read)d, dropped %(duplicates_dropped)d duplicates and %(leaks_dropped)d that are also in "
        "validation or test, kept %(kept)d, repeated %(repeated)d: %(training_rows)d rows",
        rows,
    )


def log_read(dataset: str, count: ReadCount) -> None:
    """Logs the size of what was read, and warns of a copy of MultiNERD that has another size."""
    if not count.sentences:
        language = " ".join(count.languages)
        log.info("%s: no file for %s, so training sentences are not compared with this split", count.split, language)
        return
    expected = MULTINERD_ENGLISH_ROWS[count.split]
    if dataset == "Babelscape/multinerd" and count.languages == ["en"] and count.sentences != expected:
        log.warning("%s: read %d sentences; MultiNERD's English has %d", count.split, count.sentences, expected)
    log.info("%s: read %d sentences, %d tokens", count.split, count.sentences, count.tokens)


def log_cap(kept: int, before: int) -> None:
    """Logs how many sentences a cap left, if it removed any."""
    if kept < before:
        log.info("capped: kept %d of %d sentences", kept, before)


def audit_folder(arguments: Arguments) -> Path:
    """Where an audit's files go: `data/` in the run folder if one is named, else a folder named after the data set."""
    if "output_dir" in arguments.given:
        return Path(arguments.training.output_dir) / "data"
    return Path("runs/data") / (Path(arguments.data.dataset).name or "data")


def write_findings(faults: list[Finding], path: Path) -> None:
    """Writes each fault as a JSON object on its own line."""
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "".join(json.dumps(asdict(f), ensure_ascii=False) + "\n" for f in faults))
    log.info("wrote %s", path)


def write_plots(splits: dict[str, Sentences], kept_classes: list[str], folder: Path) -> None:
    """Writes a picture of the entities of each class and split, and one of those that are left after masking.

    Each is drawn in light and in dark colours.
    """
    from ner.report.pictures import class_bars, draw  # matplotlib takes a while to import

    masked = {split: mask(sentences, kept_classes) for split, sentences in splits.items()}
    for name, title, shown in (
        ("default-dataset.png", "All classes", splits),
        ("masked-dataset.png", "After masking", masked),
    ):
        counts = {split: class_counts(sentences) for split, sentences in shown.items()}
        draw(partial(class_bars, counts, title), title, folder / name)
        log.info("wrote %s", folder / name)


def main(argv: list[str]) -> None:
    """Prints an audit of all splits, and of each language if there are several; writes the faults and two pictures."""
    arguments = parse(argv, "Audit a data set: counts, faults and class plots.")
    options, folder = arguments.data, audit_folder(arguments)
    splits = {"train": read_split(options, "train")}
    classes = classes_of(splits["train"].names)
    require_known_classes(options, classes)
    splits["validation"] = read_split(options, "validation", classes)
    try:
        splits["test"] = read_split(options, "test")
    except MissingSplitError as error:
        log.info("no test split: %s", error)
    languages = by_language(splits)
    faults = [finding for lang, own in languages.items() for finding in findings(lang, own)]
    write_findings(faults, folder / "findings.jsonl")
    write_plots(splits, options.selected_categories, folder)
    print(audit(splits, faults), flush=True)
    for lang, own in languages.items() if len(languages) > 1 else ():
        print(f"\n\n=== {printable(lang)} ===\n\n{audit(own, [f for f in faults if f.lang == lang])}", flush=True)


if __name__ == "__main__":
    run_script(main)
