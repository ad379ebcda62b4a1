"""Score a checkpoint on a labelled split, or tag raw text with it.

python inference.py --checkpoint runs/quickstart                        # the test split, class by class
python inference.py --checkpoint runs/quickstart --text "Rabies kills bats."
python inference.py --checkpoint runs/quickstart --input_file - < lines.txt > tagged.jsonl
python inference.py --checkpoint runs/quickstart --input_file mails.csv --text_column body --html page.html
"""

from ner.errors import run_script
from ner.runs.first_check import asks_for_help, first_check

if __name__ == "__main__":
    run_script(lambda words: first_check(words, "checkpoint"))
    if asks_for_help():
        from arguments import parse

        run_script(lambda words: parse(words, __doc__))

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from tqdm import tqdm

from arguments import READING, Arguments, DataArguments, parse
from data import evaluation_sentences, training_data
from ner.checkpoint_names import resolve_checkpoint
from ner.corpus.selection import without_leaks
from ner.corpus.sentences import Sentences
from ner.encoder.checkpoints import quiet
from ner.encoder.precision import asked_precision
from ner.errors import InputError, at, printable
from ner.files import optional_record, read_record
from ner.hub_files import fetch_optional, public_name
from ner.runs.files import METRICS, SCORES
from ner.runs.folder import is_run, owner_of, require_writable
from ner.runs.model_card import enter_scores
from ner.scoring.score_table import score_table
from ner.tagging.html_marks import on_page
from ner.tagging.output import Record, marked_text, output, record, skip_tagged
from ner.tagging.score import score
from ner.tagging.tagger import Tagger
from ner.tagging.text_rows import Row, groups_of, input_rows, row_count

log = logging.getLogger("ner")
DATA = {"dataset", "dataset_config", "train_file", "validation_file", "test_file"}  # the options that name data
LINES = 2_048  # lines, or rows of a table, that are sorted by length and tagged together


def main(argv: list[str]) -> dict[str, Any] | None:
    """Tags text where an option gives some; otherwise scores a split, prints the scores, and returns the metrics."""
    arguments = parse(argv, __doc__)
    metrics = None
    if arguments.inference.text is None and arguments.inference.input_file is None:
        metrics = score_split(arguments)
        if is_first():
            print(score_table(metrics))
    else:
        tag(arguments)
    PartialState().destroy_process_group()  # of several processes: its threads must not outlive the interpreter
    return metrics


def load_tagger(location: str, arguments: Arguments) -> Tagger:
    """The tagger of a checkpoint, as the options want it."""
    return Tagger.load(
        location,
        device=arguments.training.device,
        precision=asked_precision(arguments.training),
        max_length=arguments.model.max_length,
        constrained=arguments.model.constrained_decoding,
        batch_size=arguments.training.per_device_eval_batch_size,
    )


def checkpoint_of(arguments: Arguments) -> str:
    """The folder or Hub id of the checkpoint that `--checkpoint` names, or else of the run in `--output_dir`."""
    name, run = arguments.inference.checkpoint, arguments.training.output_dir
    if name is None and not Path(run).is_dir():
        raise InputError(f"--output_dir: found no run in {run!r}; train first, or name a run or Hub id: --checkpoint")
    with at("--checkpoint" if name else "--output_dir"):
        return resolve_checkpoint(name or run)


def score_split(arguments: Arguments) -> dict[str, Any]:
    """Scores a checkpoint on a labelled split, writes the scores into its run folder, and returns the metrics.

    Raises `InputError` for wrong data or a checkpoint that cannot be used.
    """
    location, split = checkpoint_of(arguments), arguments.inference.split
    is_local = Path(location).is_dir()
    run = Path(location) if is_local else Path(arguments.training.output_dir) / location.split("/")[-1]
    if not is_local and is_run(run):
        raise InputError(
            f"--output_dir: {run} holds a run, whose scores those of {location} would replace; name another"
        )
    require_writable(run)  # now, because scoring takes long
    own = own_args(arguments, location)
    options, is_own = data_options(arguments, own)
    data = options.source.name(split)
    sentences = evaluation_sentences(options, split)
    tagger = load_tagger(location, arguments)
    progress = is_first() and not arguments.training.disable_tqdm
    scored = score(tagger, sentences, options.source, split, progress=progress)
    if is_first():
        place = split
        fingerprint = scored.metrics["data_fingerprint"]
        if not is_own_record(run, split, fingerprint, tagger, is_own):
            place = f"{SCORES}/{os.path.basename(real_path(data))}-{split}-{fingerprint[:8]}"
            log.info(
                "%s holds only scores of the run's own data, whole and tagged as in training; these go elsewhere",
                run / split,
            )
        replaced = ", in place of earlier scores" if (run / place / METRICS).is_file() else ""
        scored.write(run / place)
        log.info("%s: %d sentences of %s; wrote %s%s", split, len(sentences), data, run / place, replaced)
        enter_scores(run, place)
        if place != split and (is_local or own.get("dataset") == "sample"):  # on the Hub, a path is cut to its end
            remark_on_seen_sentences(own, sentences)
    return scored.metrics


def remark_on_seen_sentences(own: dict[str, Any], sentences: Sentences) -> None:
    """Warns of sentences that the checkpoint was trained on, if its own data are on this machine.

    `own` is the checkpoint's `args.yaml`. Training dropped its sentences that are also in its validation or test
    split, so those do not count.
    """
    if "dataset" not in own:
        return
    names = {field.name for field in fields(DataArguments)}
    try:
        options = DataArguments(**{name: own[name] for name in names & own.keys()})
        if not os.path.exists(options.source.folder):
            raise InputError(f"{own['dataset']} is no file or folder here")
        with quiet():
            train = training_data(options).train
        unseen = without_leaks(sentences, [train])
    except (InputError, OSError) as error:  # OSError: a file that this user may not read
        log.info("the training data cannot be compared with these sentences: %s", error)
        return
    if len(unseen) < len(sentences):
        log.warning("%d of %d sentences are also training sentences of the checkpoint, which flatters its scores",
                    len(sentences) - len(unseen), len(sentences))  # fmt: skip


def own_args(arguments: Arguments, checkpoint: str) -> dict[str, Any]:
    """The `args.yaml` of a checkpoint, empty where it has none.

    Raises `InputError` for a checkpoint of the Hub that was trained on a folder, unless an option names the data.
    """
    if Path(checkpoint).is_dir():
        return optional_record(owner_of(Path(checkpoint)) / "args.yaml")
    try:
        args_yaml = fetch_optional(checkpoint, "args.yaml", "name the data with --dataset and --languages")
    except InputError as error:
        if not {"dataset", "languages"} <= arguments.given.keys():
            raise
        log.info("%s", error)
        return {}
    own = read_record(args_yaml) if args_yaml else {}
    data = own.get("dataset", "sample")
    if not DATA & arguments.given.keys() and data != "sample" and "/" not in data:
        raise InputError(
            f"{checkpoint}: was trained on {data!r}, a local data set of its author; expected `sample`, or a data set "
            "on the Hub; name the data to score it on: --dataset or --test_file"
        )
    return own


def data_options(arguments: Arguments, own: dict[str, Any]) -> tuple[DataArguments, bool]:
    """The data options to score with, and whether they name the run's own data, as a whole.

    An option that was not given comes from `own`, the checkpoint's `args.yaml`. If the options name other data, only
    the languages come from there and, for a file, the data set, whose labels.txt says what numbers mean. Where `own`
    names no data, all data are the run's own. Raises `InputError` where other data have no file for the split that is
    scored.
    """
    given, split = arguments.given, arguments.inference.split
    named = {"dataset" if name == "train_file" else name for name in DATA & given.keys()}
    is_own = all(is_same_data_set(getattr(arguments.data, name), own.get(name)) for name in named)
    recorded = ({*READING} if is_own else {"languages", "dataset"} - named) & own.keys()
    options = replace(arguments.data, **{name: own[name] for name in recorded - given.keys()})
    if not is_own and not options.source.file_option(split):
        if "dataset" not in named:
            raise InputError(f"--split: found {split}, and no file for it; expected --{split}_file with it")
        if os.path.isfile(options.source.folder) and "split_seed" not in given:
            raise InputError(
                f"--dataset: found one file, {options.dataset}, which training would divide; to score all of it, name "
                f"it --{split}_file; to score the part that is held out of training, give --split_seed"
            )
    # How they are read must be the same, too. `auto` is recorded as the scheme that it recognised.
    is_own &= all(getattr(options, name) == own[name] for name in recorded - {*DATA, "tag_scheme"})
    return options, (is_own or "dataset" not in own) and options.max_eval_sentences is None


def is_own_record(run: Path, split: str, fingerprint: str, tagger: Tagger, is_own: bool) -> bool:
    """Whether scores belong to `RUN/SPLIT`: those of the run's own data, as a whole, tagged as after training.

    Its own data are the sentences of its earlier scores or, for an export, of its run's. Where there are none, `is_own`
    says whether the options name them.
    """
    config = tagger.config
    constrained = getattr(config, "constrained_decoding", tagger.constrained)
    if (tagger.constrained, tagger.window) != (constrained, getattr(config, "trained_window", tagger.window)):
        return False
    earlier = optional_record(owner_of(run) / split / METRICS)
    return earlier.get("data_fingerprint") == fingerprint if earlier else is_own


def is_same_data_set(given: str | None, recorded: str | None) -> bool:
    """Whether an option names what an `args.yaml` records, which on the Hub has only the last part of a path."""
    if given is None or recorded is None or "sample" in (given, recorded):  # a folder may be called so, too
        return given == recorded
    return public_name(given) == recorded or real_path(given) == real_path(recorded)


def real_path(name: str) -> str:
    """The path that a name means, without links."""
    return os.path.realpath(os.path.expanduser(name))


def is_first() -> bool:
    """True in the process that reads text and writes, the only one unless `accelerate launch` started more."""
    return PartialState().is_main_process


def tag(arguments: Arguments) -> None:
    """Tags `--text`, or the lines or rows of `--input_file`, in order, with a limited number of them in memory."""
    options = arguments.inference
    source = options.text, options.input_file, options.text_column
    if options.input_file == "-" and sys.stdin is None:
        raise InputError("--input_file: standard input is closed; expected text there; name a file, or give a pipe")
    if options.output_file is None and options.html is None and sys.stdout is None:
        raise InputError("--output_file: standard output is closed; expected a file or a pipe; name a file")
    to_terminal = options.output_file is None and options.html is None and sys.stdout.isatty()
    typed = options.input_file == "-" and PartialState().num_processes == 1 and sys.stdin.isatty()
    size = 1 if typed else LINES * PartialState().num_processes  # a person who types wants each answer at once
    without_bar = typed or to_terminal or options.text is not None or arguments.training.disable_tqdm or not is_first()
    rows: Iterator[Row] = iter(())
    lines = page = total = None
    skipped = tagged_rows = 0
    with ExitStack() as opened:
        # Of several processes, only the first has the text. It opens the files before it loads the checkpoint, which
        # takes longer.
        if is_first():
            if options.output_file or not options.html:
                lines = opened.enter_context(output(options.output_file, options.continue_output))
            total = row_count(*source)
            rows = opened.enter_context(input_rows(*source))
            if options.html:
                page = opened.enter_context(output(options.html))
        tagger = load_tagger(checkpoint_of(arguments), arguments)
        name = os.path.basename(options.input_file or "a text")
        show = opened.enter_context(on_page(page, name, public_name(tagger.place), tagger.classes))
        if lines and options.continue_output:
            skipped = skip_tagged(lines, rows, show)
        groups = tagged_groups(tagger, rows, size, options.min_score)
        bar = opened.enter_context(tqdm(total=total, initial=skipped, unit=" rows", disable=without_bar))
        for records in groups:
            for tagged in records:
                if lines and to_terminal and options.text is not None:
                    print(marked_text(tagged["text"], tagged["entities"]), file=lines)
                elif lines:
                    line = json.dumps(tagged, ensure_ascii=False)
                    print(printable(line) if to_terminal else line, file=lines)
                show(tagged)
            if lines:
                lines.flush()
            bar.update(len(records))
            tagged_rows += len(records)
    for path in filter(None, (options.output_file, options.html)):
        log.info("tagged %d rows; wrote %s", tagged_rows, path)


def tagged_groups(tagger: Tagger, rows: Iterator[Row], size: int, min_score: float) -> Iterator[list[Record]]:
    """The records of up to `size` rows at a time, without entities of a lower score.

    Each of several processes must iterate; only the first has rows, and gets records.
    """
    groups = groups_of(rows, size)
    while True:
        group = next(groups, [])
        texts = broadcast_object_list([[text for text, _ in group]])[0]
        if not texts:
            return
        found = [[e for e in entities if e.score >= min_score] for entities in tagger.tag(texts)]
        yield [record(row, entities) for row, entities in zip(group, found, strict=False)]


if __name__ == "__main__":
    run_script(main)
