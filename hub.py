"""Share a run: show its model card, export its model to ONNX, push it to the Hugging Face Hub.

python hub.py card runs/quickstart
python hub.py onnx runs/quickstart
python hub.py push runs/quickstart --repo_id OWNER/NAME [--private]
"""

import argparse
import logging
import shlex
import sys
from pathlib import Path
from typing import Any

from ner.errors import CommandParser, InputError, named_folder, run_script
from ner.files import optional_json, write_json
from ner.runs.files import BASELINE, ONNX_FOLDERS
from ner.runs.folder import locked
from ner.runs.model_card import model_card
from ner.runs.upload import push

log = logging.getLogger("ner")


def export(run: Path) -> None:
    """Exports the run's model to ONNX. If the run's test split was scored, scores the exports too, for the card.

    Raises `InputError` if the folder holds no run that can be exported.
    """
    # Imported here because they load torch, which the model card does not need.
    from transformers.utils import logging as transformers_logging

    from ner.tagging import onnx_export

    transformers_logging.disable_progress_bar()
    own = test_metrics(run)
    onnx_export.export(run)
    log.info("wrote %s", " and ".join(str(run / folder) for folder in ONNX_FOLDERS))
    if own:
        print(*compared(run, own["data_fingerprint"]), sep="\n", flush=True)
    else:
        log.info("the test split was not scored, so the exports are not compared with the run; to compare them, run "
                 "python inference.py --checkpoint %s and then this command again", shlex.quote(str(run)))  # fmt: skip


def test_metrics(run: Path) -> dict[str, Any]:
    """The run's `test/metrics.json`, empty where test was not scored. Raises `InputError` without a fingerprint."""
    path = run / "test" / "metrics.json"
    metrics = optional_json(path)
    if metrics and "data_fingerprint" not in metrics:
        raise InputError(
            f"{path}: found no data_fingerprint; expected the scores that inference.py writes; score the run again: "
            f"python inference.py --checkpoint {shlex.quote(str(run))}"
        )
    return metrics


def compared(run: Path, fingerprint: str) -> list[str]:
    """Scores the run and its exports on the test split, and returns a line of text for each export.

    They are compared with the run's weights in float32, whatever precision its own scores have. `fingerprint` is that
    of the sentences on which the run was scored.
    """
    import inference
    from arguments import Arguments, DataArguments, InferenceArguments, ModelArguments, TrainingArguments

    training = TrainingArguments(bf16=False)
    arguments = Arguments(DataArguments(), ModelArguments(), training, InferenceArguments(), given={}, values={})
    baseline = inference.score(arguments, str(run), "checkpoint", write=False)
    write_json(run / BASELINE, baseline)
    if baseline["data_fingerprint"] != fingerprint:
        log.warning("%s/test was scored on other sentences than the exports, so the card does not compare them", run)
    lines = []
    for folder in ONNX_FOLDERS:
        metrics = inference.score(arguments, str(run / folder), "checkpoint")
        f1, own_f1 = (100 * m["overall"]["f1"] for m in (metrics, baseline))
        lines.append(f"{folder}: test F1 {f1:.2f}, the run's in float32 {own_f1:.2f}")
    return lines


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
        command.add_argument("run", type=named_folder, help="a run folder")
    upload.add_argument("--repo_id", required=True, help="the repository on the Hub, OWNER/NAME")
    upload.add_argument("--private", action="store_true", help="make a new repository private")
    options = parser.parse_args(argv)
    if options.command == "card":
        print(model_card(options.run), end="")
    elif options.command == "onnx":
        with locked(options.run, shared=True):
            export(options.run)
    else:
        with locked(options.run, shared=True):
            repository = push(options.run, options.repo_id, private=options.private or None)
        print(repository)
        print(f"to score or use it: python inference.py --checkpoint {repository.repo_id}", file=sys.stderr)


if __name__ == "__main__":
    run_script(main)
