"""Share a run: show its model card, export its model to ONNX, push it to the Hugging Face Hub, check that it is whole.

python hub.py card runs/quickstart
python hub.py onnx runs/quickstart
python hub.py push runs/quickstart --repo_id OWNER/NAME [--private]
python hub.py verify runs/quickstart
"""

import logging
import shlex
import sys
from pathlib import Path

from ner.corpus.sentences import Sentences
from ner.corpus.sources import Source
from ner.errors import CommandParser, InputError, run_script
from ner.files import read_record, write_json
from ner.runs.files import BASELINE, CARD, MANIFEST, METRICS, ONNX_FOLDERS
from ner.runs.manifest import require_intact, write_manifest
from ner.runs.model_card import model_card, write_card
from ner.runs.upload import push

log = logging.getLogger("ner")


def export(run: Path) -> list[str]:
    """Exports the run's model to ONNX. If its test split was scored and can be read, scores the exports, for the card.

    Returns a line of text for each export that was scored. Raises `InputError` if the folder holds no run that can be
    exported, or one that is not as it was written.
    """
    from ner.tagging import onnx_export  # here, because it loads torch, which the model card does not need

    folders = tuple(f"{folder}/" for folder in ONNX_FOLDERS)
    require_intact(run)
    data = own_test_data(run)
    onnx_export.export(run)
    write_manifest(run, folders)
    if data is None:
        return []
    lines = scored_exports(run, *data)
    write_card(run)
    write_manifest(run, (CARD, *folders))
    return lines


def own_test_data(run: Path) -> tuple[Sentences, Source] | None:
    """The run's test sentences, and where they are; None, which the log explains, if its exports cannot be compared."""
    from arguments import READING, DataArguments
    from data import evaluation_sentences

    if not (run / "test" / METRICS).is_file():
        log.info("the test split was not scored, so the exports are not compared with the run; to compare them, run "
                 "python inference.py --checkpoint %s and then this command again", shlex.quote(str(run)))  # fmt: skip
        return None
    args = read_record(run / "args.yaml")
    options = DataArguments(**{name: args[name] for name in READING if name in args})
    try:
        return evaluation_sentences(options, "test"), options.source
    except (InputError, OSError) as error:
        log.warning("the exports are not compared with the run, because its data cannot be read: %s", error)
        return None


def scored_exports(run: Path, sentences: Sentences, source: Source) -> list[str]:
    """Scores the exports, and the run's own weights in float32, on the run's test split, and writes their scores.

    Returns a line of text for each export.
    """
    from ner.tagging.score import score
    from ner.tagging.tagger import Tagger

    own, *exports = [
        score(Tagger.load(run / folder, precision="float32"), sentences, source, "test")
        for folder in ("", *ONNX_FOLDERS)
    ]
    write_json(run / BASELINE, own.metrics)
    lines = []
    for folder, exported in zip(ONNX_FOLDERS, exports, strict=True):
        exported.write(run / folder / "test")
        f1, own_f1 = (100 * each.metrics["overall"]["f1"] for each in (exported, own))
        lines.append(f"{folder}: test F1 {f1:.2f}, the run's in float32 {own_f1:.2f}")
    return lines


def main(argv: list[str]) -> None:
    """Runs `card`, `onnx`, `push` or `verify` on the run that the command line names."""
    parser = CommandParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    card = commands.add_parser("card", help="show the model card")
    upload = commands.add_parser("push", help="upload weights, tokenizer, model card and records")
    onnx = commands.add_parser("onnx", help="export the model, with float32 and int8 weights")
    check = commands.add_parser("verify", help="check that a run is as it was written")
    for command in (card, upload, onnx, check):
        command.add_argument("run", type=Path, help="a run folder")
    upload.add_argument("--repo_id", required=True, help="the repository on the Hub, OWNER/NAME")
    upload.add_argument("--private", action="store_true", help="make a new repository private, and refuse a public one")
    options = parser.parse_args(argv)
    if not options.run.is_dir():
        raise InputError(f"{options.run}: found no such folder; expected a run folder; check its name")
    if options.command == "card":
        print(model_card(options.run), end="")
    elif options.command == "push":
        repository = push(options.run, options.repo_id, private=options.private or None)
        print(repository)
        print(
            f"to score it: python inference.py --checkpoint {repository.repo_id} --output_dir FOLDER", file=sys.stderr
        )
    elif options.command == "onnx":
        for line in export(options.run):
            print(line)
    else:
        print(f"{require_intact(options.run)} files match {MANIFEST}")


if __name__ == "__main__":
    run_script(main)
