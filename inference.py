"""Score a checkpoint on a labelled split, or tag raw text with it.

python inference.py --checkpoint runs/quickstart                        # the test split, class by class
python inference.py --checkpoint runs/quickstart --text "Rabies kills bats."
python inference.py --checkpoint runs/quickstart --input_file - < lines.txt > tagged.jsonl
"""

import json
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, TextIO

from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from transformers.utils import logging as transformers_logging

from arguments import Arguments, DataArguments, parse
from data import evaluation_sentences
from ner.encoder.checkpoints import resolve_checkpoint
from ner.encoder.precision import asked_precision, keep_freed_memory
from ner.errors import InputError, of_option, printable, run_script
from ner.files import writing
from ner.hub_files import UnreachableError, fetch_optional, is_repo_id
from ner.runs.files import ONNX_FOLDERS, recorded_args
from ner.runs.folder import is_finished
from ner.runs.model_card import write_card
from ner.scoring.score_table import score_table
from ner.tagging.score import score
from ner.tagging.tagger import Tagger, tag_texts
from ner.tagging.text_lines import blocks, input_lines, output

log = logging.getLogger("ner")
LINES = 2_048  # lines that are sorted by length and tagged together


def main(argv: list[str]) -> None:
    """Tags text where an option gives some; otherwise scores a split and prints the table of scores."""
    arguments = parse(argv, "Score a checkpoint on a labelled split, or tag raw text with it.")
    transformers_logging.disable_progress_bar()
    keep_freed_memory()
    if arguments.inference.text is None and arguments.inference.input_file is None:
        metrics = score_split(arguments)
        if is_first():
            print(score_table(metrics))
    else:
        tag(arguments)
    PartialState().destroy_process_group()  # of several processes: its threads must not outlive the interpreter


def checkpoint_of(arguments: Arguments) -> str:
    """The folder or Hub id of the checkpoint that `--checkpoint` names, or else of the run in `--output_dir`."""
    name = arguments.inference.checkpoint
    if name is not None:
        with of_option("checkpoint"):
            return resolve_checkpoint(name)
    run = arguments.training.output_dir
    if not Path(run).is_dir():
        raise InputError(f"--output_dir: found no run in {run!r}; train first, or name a run or Hub id: --checkpoint")
    with of_option("output_dir"):
        return resolve_checkpoint(run)


def load_tagger(location: str, arguments: Arguments) -> Tagger:
    """The tagger of a checkpoint, as the options want it."""
    with of_option("checkpoint"):
        return Tagger.load(
            location,
            device=arguments.training.device,
            precision=asked_precision(arguments.training),
            max_length=arguments.model.max_length,
            constrained=arguments.model.constrained_decoding,
            batch_size=arguments.training.per_device_eval_batch_size,
        )


def score_split(arguments: Arguments) -> dict[str, Any]:
    """Scores a checkpoint on a labelled split, writes the scores into its run folder, and returns the metrics.

    Raises `InputError` for wrong data or a checkpoint that cannot be used.
    """
    location, split = checkpoint_of(arguments), arguments.inference.split
    is_local = Path(location).is_dir()
    run = Path(location) if is_local else Path(arguments.training.output_dir) / location.split("/")[-1]
    own_args = recorded_args(run) if is_local else hub_args(location, set(arguments.given))
    options = data_options(arguments, own_args, location)
    sentences = evaluation_sentences(options, split)
    tagger = load_tagger(location, arguments)
    scored = score(
        tagger,
        sentences,
        split=split,
        dataset=options.dataset,
        languages=options.languages,
        progress=sys.stderr.isatty(),
    )
    if is_first():
        scored.write(run / split)
        log.info("%s: %d sentences of %s; wrote %s", split, len(sentences), options.dataset, run / split)
        owner = run.parent if run.name in ONNX_FOLDERS else run
        if is_finished(owner):  # a run of this repository, whose card shows the new scores
            write_card(owner)
    return scored.metrics


def data_options(arguments: Arguments, own_args: dict[str, Any], name: str) -> DataArguments:
    """The data options that were given, and for the rest those of the checkpoint's own `args.yaml`."""
    chosen = {k: own_args[k] for k in ("dataset", "languages") if k in own_args and k not in arguments.given}
    try:
        return replace(arguments.data, **chosen)
    except InputError as error:
        raise InputError(f"{name}: its args.yaml: {error}") from None


def hub_args(repo_id: str, given: set[str]) -> dict[str, Any]:
    """The `args.yaml` of a run on the Hub. It is empty if the run has none, or if the options make it unnecessary.

    Raises `InputError` if it names data that are neither the sample nor on the Hub: a local folder that happens to have
    that name holds other data.
    """
    if {"dataset", "languages"} <= given:
        return {}
    try:
        path = fetch_optional(repo_id, "args.yaml", "name the data to score it on with --dataset")
    except UnreachableError as error:
        if "dataset" not in given:
            raise
        log.warning("%s; the languages are those of --languages or arguments.py", error)
        return {}
    own_args = recorded_args(path.parent) if path else {}
    dataset = own_args.get("dataset", "sample")
    on_hub = "/" in dataset and is_repo_id(dataset) and not os.path.exists(dataset)
    if "dataset" not in given and dataset != "sample" and not on_hub:
        raise InputError(
            f"{repo_id}: its args.yaml names the data {dataset!r}; expected `sample`, or a data set on the Hub whose "
            "name is not that of a local folder; name the data to score it on with --dataset"
        )
    return own_args


def is_first() -> bool:
    """True in the process that reads text and writes, the only one unless `accelerate launch` started more."""
    return PartialState().is_main_process


def is_terminal(stream: TextIO | None) -> bool:
    """False for a pipe, a file, and a stream that is closed."""
    return stream is not None and stream.isatty()


def tag(arguments: Arguments) -> None:
    """Tags `--text` or the lines of `--input_file`, in order, with a limited number of lines in memory."""
    options, first = arguments.inference, is_first()
    to_terminal = options.output_file is None and is_terminal(sys.stdout)
    typed = options.input_file == "-" and PartialState().num_processes == 1 and is_terminal(sys.stdin)
    source: AbstractContextManager[Iterator[str]] = nullcontext(iter(()))
    destination: AbstractContextManager[IO[str] | None] = nullcontext()
    if first:
        source, destination = input_lines(options.text, options.input_file), output(options.output_file)
    with source as lines, destination as file:
        # The checkpoint is loaded after the files are opened, because that takes longer.
        tagger = load_tagger(checkpoint_of(arguments), arguments)
        size = 1 if typed else LINES * PartialState().num_processes  # a person who types wants each answer at once
        for block in from_first(blocks(lines, size)):
            tagged = [certain(entities, options.min_score) for entities in tag_texts(block, tagger)]
            if file is None:
                continue
            with writing(options.output_file or "standard output"):
                for text, entities in zip(block, tagged, strict=True):
                    if options.text is not None and to_terminal:
                        print(marked_text(text, entities), file=file)
                    else:
                        print(json_line(text, entities, to_terminal), file=file)
                file.flush()


def certain(entities: list[dict[str, Any]], least: float) -> list[dict[str, Any]]:
    """The entities with at least a certain score."""
    return [entity for entity in entities if entity["score"] >= least]


def from_first(blocks: Iterator[list[str]]) -> Iterator[list[str]]:
    """The first process's blocks, in every process: another one may have neither the file nor standard input."""
    while True:
        try:
            block = broadcast_object_list([next(blocks, None)])[0]
        except InputError:
            broadcast_object_list([None])  # lets the others end
            raise
        if block is None:
            return
        yield block


def json_line(text: str, entities: list[dict[str, Any]], to_terminal: bool) -> str:
    """A text and its entities as JSON; for a terminal without the control characters that JSON allows."""
    line = json.dumps({"text": text, "entities": entities}, ensure_ascii=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line) if to_terminal else line


def marked_text(text: str, entities: list[dict[str, Any]]) -> str:
    """A text with its entities marked, then one line for each entity; for a terminal."""
    parts, done = [], 0
    for e in entities:
        parts += [
            printable(text[done : e["start"]]),
            f"\x1b[1m[{printable(e['text'])}]\x1b[0m\x1b[2m{printable(e['type'])}\x1b[0m",
        ]
        done = e["end"]
    lines = ["".join([*parts, printable(text[done:])])]
    for e in entities:
        lines.append(f"  {printable(e['type']):<6} {printable(e['text'])}  ({e['start']}-{e['end']}, {e['score']:.0%})")
    return "\n".join(lines if entities else [*lines, "  no entity"])


if __name__ == "__main__":
    run_script(main)
