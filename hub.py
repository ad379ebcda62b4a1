"""Share a run: show its model card, export its model to ONNX, push it to the Hugging Face Hub, check that it is whole.

python hub.py card runs/quickstart
python hub.py onnx runs/quickstart
python hub.py push runs/quickstart --repo_id OWNER/NAME [--private]
python hub.py verify runs/quickstart [--rescore]                      # or a repository, OWNER/NAME
"""

from ner.errors import before_imports

if __name__ == "__main__":
    before_imports()

import logging
import shlex
import sys
from pathlib import Path

from ner.checkpoint_names import local_checkpoint
from ner.errors import CommandParser, InputError, run_script
from ner.files import optional_json, using_records, write_json
from ner.runs.files import BASELINE, CARD, METRICS, ONNX_FOLDERS, SPLITS
from ner.runs.manifest import downloaded, require_intact, write_manifest
from ner.runs.model_card import model_card, write_card
from ner.runs.predictions import require_equal
from ner.runs.upload import push

log = logging.getLogger("ner")
FOUR_DIGITS = 5e-5  # how far scores that are equal to four digits differ at most


def export(run: Path) -> list[str]:
    """Exports the run's model to ONNX. If the run's test split was scored, scores the exports too, for the card.

    Returns a line of text for each export that was scored. Raises `InputError` if the folder holds no run that can be
    exported, or one that is not as it was written.
    """
    # Imported here because they load torch, which the model card does not need.
    from arguments import READING, DataArguments
    from data import evaluation_sentences
    from ner.tagging import onnx_export
    from ner.tagging.score import score
    from ner.tagging.tagger import Tagger

    folders = tuple(f"{folder}/" for folder in ONNX_FOLDERS)
    require_intact(run, unentered=folders)  # an interrupted export may have entered nothing
    write_manifest(run, folders)  # takes out what was deleted, before the new export makes its folders again
    onnx_export.export(run)
    write_manifest(run, folders)
    if not (run / "test" / METRICS).is_file():
        log.info("the test split was not scored, so the exports are not compared with the run; to compare them, run "
                 "python inference.py --checkpoint %s and then this command again", shlex.quote(str(run)))  # fmt: skip
        return []
    args = optional_json(run / "args.yaml")
    with using_records(run / "args.yaml"):
        options = DataArguments(**{name: args[name] for name in READING if name in args})
    sentences = evaluation_sentences(options, "test")
    own, *exports = [
        score(Tagger.load(run / folder, precision="float32"), sentences, options.source, "test")
        for folder in ("", *ONNX_FOLDERS)
    ]
    write_json(run / BASELINE, own.metrics)
    lines = []
    for folder, exported in zip(ONNX_FOLDERS, exports, strict=True):
        exported.write(run / folder / "test")
        f1, own_f1 = (100 * each.metrics["overall"]["f1"] for each in (exported, own))
        lines.append(f"{folder}: test F1 {f1:.2f}, the run's in float32 {own_f1:.2f}")
    write_card(run)
    write_manifest(run, (CARD, BASELINE, *(f"{folder}/test/" for folder in ONNX_FOLDERS)))
    return lines


def verify(name: str, rescore: bool) -> list[str]:
    """Checks a run folder, or a repository on the Hub, against its manifest, its predictions and if asked, its model.

    Returns a line of text for each check. Raises `InputError` for the first one that fails.
    """
    run = Path(name) if Path(name).is_dir() else local_checkpoint(name) or downloaded(name)
    return require_intact(run) + (scored_again(run) if rescore else [])


def scored_again(run: Path) -> list[str]:
    """Scores each split again that the run or its exports were scored on, and compares to four digits.

    Returns a line of text for each. Raises `InputError` where a score differs, or the data are others now.
    """
    import torch

    from arguments import READING, DataArguments
    from data import read_split
    from ner.corpus.selection import capped
    from ner.tagging.score import score
    from ner.tagging.tagger import Tagger

    args, lines = optional_json(run / "args.yaml"), []
    device = optional_json(run / "environment.json").get("device", "cpu")
    if device != str(torch.accelerator.current_accelerator(check_available=True)):
        device = "cpu"
    with using_records(run / "args.yaml"):
        options = DataArguments(**{name: args[name] for name in READING if name in args})
    for split in SPLITS:
        places = [place for folder in ("", *ONNX_FOLDERS) if (place := run / folder / split / METRICS).is_file()]
        if not places:
            continue
        whole = read_split(options, split)
        for place in places:
            recorded = optional_json(place)
            # The first sentences, as many as were scored: a run may have been trained with max_eval_sentences.
            with using_records(place):
                sentences, precision = capped(whole, recorded["sentences"]), recorded["precision"]
                expected = recorded["data_fingerprint"]
            if sentences.fingerprint() != expected:
                raise InputError(
                    f"{place}: was scored on the data {expected}; {options.source.name(split)} has "
                    f"{sentences.fingerprint()} now; expected the same; score it with inference.py"
                )
            tagger = Tagger.load(place.parents[1], device=device, precision=precision)
            scored = score(tagger, sentences, options.source, split)
            require_equal(recorded, scored.metrics, FOUR_DIGITS, place, "the model")
            lines.append(f"{place.parent.relative_to(run)}: scored again, with the same scores to four digits")
    return lines


def main(argv: list[str]) -> None:
    """Runs `card`, `onnx`, `push` or `verify` on the run that the command line names."""
    parser = CommandParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    card = commands.add_parser("card", help="show the model card")
    upload = commands.add_parser("push", help="upload weights, tokenizer, model card and records")
    onnx = commands.add_parser("onnx", help="export the model, with float32 and int8 weights")
    check = commands.add_parser("verify", help="check that a run is as it was written")
    for command in (card, upload, onnx):
        command.add_argument("run", type=Path, help="a run folder")
    upload.add_argument("--repo_id", required=True, help="the repository on the Hub, OWNER/NAME")
    upload.add_argument("--private", action="store_true", help="make a new repository private")
    check.add_argument("run", help="a run folder, or a repository on the Hub, OWNER/NAME")
    check.add_argument("--rescore", action="store_true", help="score the splits again and compare")
    options = parser.parse_args(argv)
    if options.command == "card":
        print(model_card(options.run), end="")
    elif options.command == "push":
        repository = push(options.run, options.repo_id, private=options.private or None)
        print(repository)
        print(f"to score or use it: python inference.py --checkpoint {repository.repo_id}", file=sys.stderr)
    else:
        for line in export(options.run) if options.command == "onnx" else verify(options.run, options.rescore):
            print(line)


if __name__ == "__main__":
    run_script(main)
