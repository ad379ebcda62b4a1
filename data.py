"""The rows of an experiment, and an audit of the data that they come from.

    python data.py --dataset sample     # prints counts and faults; writes to runs/data/sample

`training_data` lists the steps from files to training rows.
"""

from ner.errors import run_script
from ner.runs.first_check import asks_for_help, first_check

if __name__ == "__main__":
    run_script(first_check)
    if asks_for_help():
        from arguments import parse

        run_script(lambda words: parse(words, __doc__))

import logging
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from arguments import DataArguments, parse
from ner.corpus.audit import audit, by_language, class_counts, findings
from ner.corpus.readers import has_split, is_divided, read_divided, read_raw
from ner.corpus.rows import common_scheme, in_bio
from ner.corpus.selection import (
    TrainingData,
    capped,
    mask,
    require_entities,
    upsampled,
    without_duplicates,
    without_leaks,
    without_sentences,
    words_of_mentions,
)
from ner.corpus.sentences import Sentences
from ner.errors import InputError, nearest, printable
from ner.files import write_jsonl, written_together
from ner.hub_files import public_name
from ner.labels import classes_of

log = logging.getLogger("ner")


def training_data(options: DataArguments) -> TrainingData:
    """The rows to train on, and the sentences to validate on. Raises `InputError` for wrong data or classes.

    Masking and up-sampling come last, so experiments A and B train on the same sentences, unless masking drops some.
    """
    # Read and check the files. All of them show the tag scheme, which becomes BIO.
    splits, scheme, division = read_splits(options)
    train, validation, *tests = splits.values()
    classes = classes_of(train.names)
    rows = {"read": len(train)}

    # Drop training sentences that repeat the tokens and tags of an earlier one.
    train = without_duplicates(train)
    rows["duplicates_dropped"] = rows["read"] - len(train)

    # Drop training sentences whose tokens are also a sentence of validation or test.
    train = without_leaks(train, [validation, *tests])
    rows["leaks_dropped"] = rows["read"] - rows["duplicates_dropped"] - len(train)
    if not len(train):
        name = options.source.name()
        raise InputError(
            f"{name}: no training sentence is left of {rows['read']}; expected some that are neither in "
            "validation nor in test; check the splits"
        )

    # Cap.
    train, validation = capped(train, options.max_train_sentences), capped(validation, options.max_eval_sentences)
    rows["kept"] = len(train)
    fingerprints = train.fingerprint(), validation.fingerprint()

    # Mask, for experiment B: train without the classes that are not selected.
    removed = [name for name in classes if name not in options.selected_categories]
    if options.masked_training and not removed:
        log.warning("masking removes nothing: --selected_categories names all classes of the data")
    if options.masking in ("drop_sentences", "drop_others"):
        train = without_sentences(train, removed, others=options.masking == "drop_others")
        rows["left_out"] = rows["kept"] - len(train)
    elif options.masking == "ignore" or options.masked_share < 1:
        words = words_of_mentions(train, removed, options.masked_share)
        train = train.without_labels(words, unlabelled=options.masking == "ignore")
        rows["masked_words"] = int(words.sum())
    if options.removes_classes:
        if removed and options.masking == "as_O":
            log.info("masking: the words of %s become O", ", ".join(removed))
        train, validation = (mask(sentences, options.selected_categories) for sentences in (train, validation))

    # Up-sample: repeat sentences with rare classes.
    unrepeated = len(train)
    if options.upsample:
        train = upsampled(
            train, options.upsample_categories, options.upsample_factor, at_random=options.upsample_at_random
        )
    rows |= {"repeated": len(train) - unrepeated, "training_rows": len(train), "validation_rows": len(validation)}

    log.info(
        "train: read %(read)d, dropped %(duplicates_dropped)d duplicates and %(leaks_dropped)d also in "
        "validation or test, kept %(kept)d, repeated %(repeated)d: %(training_rows)d rows",
        rows,
    )
    return TrainingData(train, validation, rows, *fingerprints, scheme, division)


def require_known_classes(options: DataArguments, known: list[str]) -> None:
    """Raises `InputError` if an option that is in use names a class that the data do not have."""
    for option, in_use in (("selected_categories", options.masked_training), ("upsample_categories", options.upsample)):
        unknown = [name for name in getattr(options, option) if name not in known]
        if in_use and unknown:
            found = "found" if getattr(options, option) != getattr(DataArguments(), option) else "its default has"
            raise InputError(
                f"--{option}: {found} {unknown[0]!r}; expected classes of the data, separated by spaces: "
                f"{' '.join(known)}{nearest(unknown[0], known)}"
            )


def read_splits(options: DataArguments) -> tuple[dict[str, Sentences], str, dict[str, Any] | None]:
    """The splits in BIO, their tag scheme, and how the training split was divided if there is no validation split.

    They are train, validation and, of the languages that have one, test. All together show the scheme. Raises
    `InputError` for wrong data or classes.
    """
    source = options.source
    division: dict[str, Any] | None = None
    if is_divided(source):
        divided, division = read_divided(source)
        raw = list(divided.values())
    else:
        raw = [read_raw(source, "train"), read_raw(source, "validation")]
    if len(raw) == 2:
        with_test = [code for code in source.languages if has_split(replace(source, languages=[code]), "test")]
        if with_test:
            raw.append(read_raw(replace(source, languages=with_test), "test"))
        if len(with_test) < len(source.languages):
            without = ", ".join(code for code in source.languages if code not in with_test)
            log.info("test: no file for %s, so training sentences are not compared with this split", without)
    scheme = common_scheme(raw, options.tag_scheme)
    splits = {"train": in_bio(raw[0], scheme)}
    classes = classes_of(splits["train"].names)
    require_known_classes(options, classes)
    for split, known in zip(raw[1:], (classes, None), strict=False):
        splits[split.split] = in_bio(split, scheme, known)
    return splits, scheme, division


def evaluation_sentences(options: DataArguments, split: str) -> Sentences:
    """The sentences of a split that are scored, in BIO: all, or the first `options.max_eval_sentences`.

    The split is read without the others. Raises `InputError` for wrong data, and if the sentences contain no entity.
    """
    raw = read_raw(options.source, split)
    sentences = capped(in_bio(raw, common_scheme([raw], options.tag_scheme)), options.max_eval_sentences)
    require_entities(options.source.name(split), split, sentences)
    return sentences


def write_plots(splits: dict[str, Sentences], kept_classes: list[str], folder: Path) -> None:
    """Writes a picture of the entities of each class and split, and one of those of the kept classes if there are some.

    Each is drawn in light and in dark colours.
    """
    from ner.report.pictures import class_bars, draw  # matplotlib takes a while to import

    counts = {split: class_counts(sentences) for split, sentences in splits.items()}
    kept = {split: {c: n for c, n in each.items() if c in kept_classes} for split, each in counts.items()}
    for name, title, shown in (
        ("default-dataset.png", "All classes", counts),
        ("masked-dataset.png", "Selected classes", kept),
    ):
        if any(shown.values()):
            draw(partial(class_bars, shown, title), title, folder / name)


def main(argv: list[str]) -> None:
    """Prints an audit of all splits, and of each language if there are several; writes the faults and two pictures.

    The files go to `data/` in `--output_dir` if that is given, else to `runs/data/NAME`.
    """
    arguments = parse(argv, __doc__)
    options = arguments.data
    folder = Path("runs/data") / (Path(public_name(options.dataset)).name or "data")
    if "output_dir" in arguments.given:
        folder = Path(arguments.training.output_dir) / "data"
    if arguments.given.get("selected_categories") == "command line":
        options.masked_training = True  # so that reading checks these classes
    splits, _, _ = read_splits(options)
    languages = by_language(splits)
    faults = [finding for lang, own in languages.items() for finding in findings(lang, own)]
    with written_together(folder) as new:
        write_jsonl(new / "findings.jsonl", map(asdict, faults))
        write_plots(splits, options.selected_categories, new)
    log.info("wrote findings.jsonl (rows counted from 0) and pictures of the classes in %s", folder)
    print(audit(splits, faults), flush=True)
    for lang, own in languages.items() if len(languages) > 1 else ():
        print(f"\n\n=== {printable(lang)} ===\n\n{audit(own, [f for f in faults if f.lang == lang])}", flush=True)


if __name__ == "__main__":
    run_script(main)
