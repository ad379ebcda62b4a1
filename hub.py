"""Share a run: show its model card, export its model to ONNX, push it to the Hugging Face Hub.

python hub.py card runs/quickstart
python hub.py onnx runs/quickstart
python hub.py push runs/quickstart --repo_id OWNER/NAME [--private]
"""

from ner.errors import before_imports

if __name__ == "__main__":
    before_imports()

import argparse
import logging
import shlex
import sys
from pathlib import Path

from ner.errors import CommandParser, run_script
from ner.files import write_json
from ner.runs.files import BASELINE, ONNX_FOLDERS, recorded_args
from ner.runs.model_card import model_card, write_card
from ner.runs.upload import push

log = logging.getLogger("ner")


def export(run: Path) -> list[str]:
    """Exports the run's model to ONNX. If the run's test split was scored, scores the exports too, for the card.

    Returns a line of text for each export that was scored. Raises `InputError` if the folder holds no run that can be
    exported.
    """
    # Imported here because they load torch, which the model card does not need.
    from transformers.utils import logging as transformers_logging

    from arguments import DataArguments
    from data import evaluation_sentences
    from ner.tagging import onnx_export
    from ner.tagging.score import score
    from ner.tagging.tagger import Tagger

    transformers_logging.disable_progress_bar()
    onnx_export.export(run)
    if not (run / "test" / "metrics.json").is_file():
        log.info("the test split was not scored, so the exports are not compared with the run; to compare them, run "
                 "python inference.py --checkpoint %s and then this command again", shlex.quote(str(run)))  # fmt: skip
        return []
    args = recorded_args(run)
    options = DataArguments(**{name: args[name] for name in ("dataset", "languages") if name in args})
    sentences = evaluation_sentences(options, "test")
    scored = [
        score(
            Tagger.load(run / folder, precision="float32"),
            sentences,
            split="test",
            dataset=options.dataset,
            languages=options.languages,
        )
        for folder in ("", *ONNX_FOLDERS)
    ]
    write_json(run / BASELINE, scored[0].metrics)
    f1 = [100 * each.metrics["overall"]["f1"] for each in scored]
    for folder, each in zip(ONNX_FOLDERS, scored[1:], strict=True):
        each.write(run / folder / "test")
    write_card(run)
    return [
        f"{folder}: test F1 {own_f1:.2f}, the run's in float32 {f1[0]:.2f}"
        for folder, own_f1 in zip(ONNX_FOLDERS, f1[1:], strict=True)
    ]


def main(argv: list[str]) -> None:
    """Runs `card`, `onnx` or `push` on the run folder that the command line names."""
    parser = CommandParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True, parser_class=CommandParser)
    card = commands.add_parser("card", help="show the model card", allow_abbrev=False)
    upload = commands.add_parser("push", help="upload weights, tokenizer, model card and records", allow_abbrev=False)
    onnx = commands.add_parser("onnx", help="export the model, with float32 and int8 weights", allow_abbrev=False)
    for command in (card, upload, onnx):
        command.add_argument("run", type=Path, help="a run folder")
    upload.add_argument("--repo_id", required=True, help="the repository on the Hub, OWNER/NAME")
    upload.add_argument("--private", action="store_true", help="make a new repository private")
    options = parser.parse_args(argv)
    if options.command == "card":
        print(model_card(options.run), end="")
    elif options.command == "onnx":
        for line in export(options.run):
            print(line)
    else:
        repository = push(options.run, options.repo_id, private=options.private or None)
        print(repository)
        print(f"to score or use it: python inference.py --checkpoint {repository.repo_id}", file=sys.stderr)


if __name__ == "__main__":
    run_script(main)
