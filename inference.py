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
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pyarrow as pa
import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from ner.model.hardware import keep_freed_memory, scoring_precision, settle_precision
from transformers.utils import logging as transformers_logging

from arguments import Arguments, parse
from data import evaluation_sentences
from hub import write_card
from metrics import ner_metric
from ner.corpus.sentences import Sentences
from ner.errors import InputError, printable, run_script
from ner.hub_files import UnreachableError, fetch_optional, is_repo_id
from ner.labels import label_names, lookup_table, spans, tag_lists, types_of
from ner.model import checkpoints
from ner.model.encoding import encode, require_embedded, window_size
from ner.model.onnx_export import onnx_logits
from ner.model.prediction import Predicted, batching_for, predict, torch_logits
from ner.model.word_splitter import word_offsets
from ner.runs.files import ONNX_FOLDERS, recorded_args, scored, write_scored
from ner.runs.folder import in_use, is_finished, require_writable
from ner.scoring.score_table import score_table
from ner.text_lines import blocks, input_lines, output

log = logging.getLogger("ner")
LINES = 2_048  # lines that are sorted by length and tagged together


class Tagger:
    """A checkpoint, its labels, and how it is run; `precision` is float32, bfloat16, or int8 weights."""

    def __init__(self, arguments: Arguments, name: str, option: str):
        self.place = f"--{option} {name}"
        model, self.tokenizer, self.checkpoint_names = checkpoints.for_tagging(name, option)
        self.model = model  # of an export the shape only
        self.types = types_of(self.checkpoint_names)
        self.names = label_names(self.types)
        self.window = window_size(self.tokenizer, model, arguments.model.max_length)
        exported = model.device.type == "meta"
        device = torch.device("cpu") if exported else arguments.training.device
        self.batching = batching_for(arguments.training.per_device_eval_batch_size, device)
        if exported:
            folder = Path(checkpoints.located(name, option))
            self.logits, self.precision = onnx_logits(folder, len(self.checkpoint_names), self.batching.at_once)
        else:
            settle_precision(arguments.training, model.config.model_type)
            self.precision = scoring_precision(arguments.training)
            self.logits = torch_logits(model.to(device, getattr(torch, self.precision)))
        if device.type == "cpu":
            keep_freed_memory()

    def tag(self, words: pa.Array, lengths: np.ndarray, progress: bool = False) -> Predicted:
        """Ids into `names` and probabilities for the words [token] of sentences of `lengths` [sentence]."""
        unlabelled = np.zeros(len(words), dtype=np.int16)
        encoded = encode(words, unlabelled, lengths, self.tokenizer, self.window)
        require_embedded(encoded, self.tokenizer, self.model, self.place)
        predicted = predict(self.logits, self.tokenizer, encoded, self.batching, progress)
        wrong = int(np.isnan(predicted.probabilities).sum())
        if wrong:
            remedy = "try --bf16 false" if self.precision == "bfloat16" else "train it again at a lower learning rate"
            raise InputError(
                f"{self.place}: gives NaN instead of scores for {wrong:,} of {len(words):,} words in {self.precision}; "
                f"expected finite numbers; {remedy}"
            )
        return replace(predicted, ids=lookup_table(self.checkpoint_names, self.names)[predicted.ids])


def main(argv: list[str]) -> None:
    arguments = parse(argv, "Score a checkpoint on a labelled split, or tag raw text with it.")
    transformers_logging.disable_progress_bar()
    option = "checkpoint" if arguments.inference.checkpoint is not None else "output_dir"
    name = arguments.training.output_dir if option == "output_dir" else arguments.inference.checkpoint
    if arguments.inference.text is None and arguments.inference.input_file is None:
        metrics = score(arguments, name, option)
        if is_first():
            print(score_table(metrics))
    else:
        tag_text(arguments, name, option)
    PartialState().destroy_process_group()  # of several processes: its threads must not outlive the interpreter


def score(arguments: Arguments, name: str, option: str, write: bool = True) -> dict[str, Any]:
    """Tags the labelled split and returns the metrics; if `write`, one process puts `SPLIT/` into the run folder."""
    location = checkpoints.located(name, option)
    split, local = arguments.inference.split, Path(location).is_dir()
    run = Path(location) if local else Path(arguments.training.output_dir) / name.split("/")[-1]
    require_writable(run, split)
    owner = run.parent if run.name in ONNX_FOLDERS else run
    with in_use(owner, shared=True) if write else nullcontext():  # no training replaces the weights meanwhile
        own = recorded_args(run) if local else hub_args(name, set(arguments.given))
        return score_as(own, run if write else None, arguments, name, option)


def score_as(own: dict[str, Any], run: Path | None, arguments: Arguments, name: str, option: str) -> dict[str, Any]:
    """`score` on the data of the checkpoint's own `args.yaml`, where no option names others, into a folder or none."""
    split = arguments.inference.split
    chosen = {k: own[k] for k in ("dataset", "languages") if k in own and k not in arguments.given}
    try:
        options = replace(arguments.data, **chosen)
    except InputError as error:
        raise InputError(f"{name}: its args.yaml: {error}") from None
    sentences = evaluation_sentences(options, split)
    tagger = Tagger(arguments, name, option)
    known = known_gold(sentences, tagger, name)
    predicted = tagger.tag(sentences.words, sentences.lengths, progress=sys.stderr.isatty())
    tags, gold = tag_lists(predicted.ids, sentences.lengths, tagger.names), known.tag_lists()
    scores = ner_metric().compute(predictions=tags, references=gold, tokens=sentences.token_lists())
    source, fingerprint = (options.dataset, options.languages), sentences.fingerprint()
    metrics = scored(split, source, known, fingerprint, tagger.precision, tags, scores)
    if run is None or not is_first():
        return metrics
    write_scored(run / split, metrics, sentences, gold, tags)
    owner = run.parent if run.name in ONNX_FOLDERS else run
    if is_finished(owner):  # a run of this repository, whose card shows the new scores
        write_card(owner)
    log.info("%s: %d sentences of %s; wrote %s", split, len(sentences), options.dataset, run / split)
    return metrics


def hub_args(repo_id: str, given: set[str]) -> dict[str, Any]:
    """The `args.yaml` of a pushed run, where it has one, for the options that were not given.

    Raises `InputError` where it names data that are neither the sample nor on the Hub: a folder here that happens to
    have that name is other data.
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
    own = recorded_args(path.parent) if path else {}
    dataset = own.get("dataset", "sample")
    on_hub = "/" in dataset and is_repo_id(dataset) and not os.path.exists(dataset)
    if "dataset" not in given and dataset != "sample" and not on_hub:
        raise InputError(
            f"{repo_id}: its args.yaml names the data {dataset!r}; expected `sample` or a data set on the Hub that is "
            "no folder here; name the data to score it on with --dataset"
        )
    return own


def known_gold(sentences: Sentences, tagger: Tagger, name: str) -> Sentences:
    """The gold labels as the checkpoint knows them: other classes become `O`, and are counted and said."""
    types = types_of(sentences.names)
    unknown = [t for t in types if t not in tagger.types]
    if len(unknown) == len(types):
        raise InputError(
            f"{name}: knows {', '.join(tagger.types)}, the data {', '.join(types)}; expected a class in common; "
            "check --checkpoint and --dataset"
        )
    found = spans(sentences.tags, sentences.lengths, sentences.names)
    dropped = int(np.isin(found.type, [types.index(t) for t in unknown]).sum())
    if dropped:
        log.info(
            "%d gold entities count as O, of classes that the checkpoint does not know: %s", dropped, ", ".join(unknown)
        )
    return sentences.with_names(tagger.names)


def is_first() -> bool:
    """True in the process that reads text and writes, the only one unless `accelerate launch` started more."""
    return PartialState().is_main_process


def is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def tag_text(arguments: Arguments, name: str, option: str) -> None:
    """Tags `--text` or the lines of `--input_file`, in order, holding a bounded number of lines at a time."""
    options, first = arguments.inference, is_first()
    readable = options.text is not None and options.output_file is None and is_terminal(sys.stdout)
    typed = options.input_file == "-" and PartialState().num_processes == 1 and is_terminal(sys.stdin)
    source = input_lines(options.text, options.input_file) if first else nullcontext(iter(()))
    with source as lines, output(options.output_file) if first else nullcontext() as file:
        # After the files, which cost less to open.
        tagger = Tagger(arguments, name, option)
        size = 1 if typed else LINES * PartialState().num_processes  # a person who types wants each answer at once
        for block in from_first(blocks(lines, size)):
            tagged = tag_lines(block, tagger)
            for text, entities in zip(block, tagged, strict=True) if first else ():
                if readable:
                    print(pretty(text, entities), file=file)
                    continue
                line = json.dumps({"text": text, "entities": entities}, ensure_ascii=False)
                if options.output_file is None and is_terminal(sys.stdout):  # JSON leaves it some control characters
                    line = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in line)
                print(line, file=file)
            if first:
                file.flush()


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


def tag_lines(texts: list[str], tagger: Tagger) -> list[list[dict[str, Any]]]:
    """The entities of each text, with half-open character offsets and the mean probability of their words' labels."""
    offsets = [word_offsets(text) for text in texts]
    lengths = np.array([len(o) for o in offsets], dtype=np.int64)
    words = [text[start:end] for text, places in zip(texts, offsets, strict=True) for start, end in places]
    predicted = tagger.tag(pa.array(words, type=pa.string()), lengths)
    found = spans(predicted.ids, lengths, tagger.names)
    line_of_word, first_words = np.repeat(np.arange(len(texts)), lengths), np.cumsum(lengths) - lengths
    entities: list[list[dict[str, Any]]] = [[] for _ in texts]
    for first, last, kind in zip(found.start, found.end, found.type, strict=True):
        line = line_of_word[first]
        places = offsets[line][first - first_words[line] : last - first_words[line]]
        start, end = places[0][0], places[-1][1]
        score = round(float(predicted.probabilities[first:last].mean()), 4)
        entity = {
            "type": tagger.types[kind],
            "text": texts[line][start:end],
            "start": start,
            "end": end,
            "score": score,
        }
        entities[line].append(entity)
    return entities


def pretty(text: str, entities: list[dict[str, Any]]) -> str:
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
        kind, shown = printable(e["type"]), printable(e["text"])
        lines.append(f"  {kind:<6} {shown}  ({e['start']}-{e['end']}, {e['score']:.0%})")
    return "\n".join(lines if entities else [*lines, "  no entity"])


if __name__ == "__main__":
    run_script(main)
