"""What leaves the workshop: a run's model card, its model in ONNX, and the run on the Hugging Face Hub.

python hub.py card runs/quickstart
python hub.py onnx runs/quickstart
python hub.py push runs/quickstart --repo_id OWNER/NAME [--private]
"""

import argparse
import logging
import shlex
import sys
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi, RepoUrl, get_token
from huggingface_hub.errors import HTTPError

from ner.errors import CommandParser, InputError, named_folder, printable, run_script
from ner.hub_files import is_repo_id
from ner.runs.files import BASELINE, ONNX_FOLDERS, optional_json, write_json
from ner.runs.folder import locked
from ner.runs.model_card import model_card
from ner.runs.upload import pushed_names, shareable

log = logging.getLogger("ner")


def write_card(run: Path) -> str:
    """Renders the model card into the run folder and returns it."""
    card = model_card(run)
    (run / "README.md").write_text(card, encoding="utf-8")
    return card


def require_ready(repo_id: str, token: str | None) -> None:
    """Raises `InputError` for a name that is none, or without a login: better before hours of training than after."""
    if not is_repo_id(repo_id):
        raise InputError(f"repository {repo_id!r}: expected OWNER/NAME in letters, digits, - _ and .")
    if token is None and get_token() is None:
        raise InputError("no login to the Hub; expected a token; log in with `hf auth login`, or set HF_TOKEN")


def push(run: Path, repo_id: str, private: bool | None = None, token: str | None = None) -> RepoUrl:
    """Uploads a run folder in one commit, with a fresh model card, and returns the repository's address.

    Raises `InputError` where a file cannot be shared, or the Hub cannot be reached or refuses; the run folder stays
    whole.
    """
    require_ready(repo_id, token)
    pushed_names(run)  # before the card is written: its file may be a link to somewhere else
    write_card(run)
    files = [CommitOperationAdd(name, shareable(run / name)) for name in pushed_names(run)]
    api = HfApi(token=token)
    try:
        repository = api.create_repo(repo_id, private=private, exist_ok=True)
        message = f"{printable(run.resolve().name)}: weights, tokenizer, model card"
        api.create_commit(repository.repo_id, files, commit_message=message)
    except (HTTPError, OSError, RuntimeError) as error:
        again = f"python hub.py push {shlex.quote(str(run))} --repo_id {repo_id}" + (" --private" if private else "")
        message = " ".join(str(error).split())[:300]
        raise InputError(f"{repo_id}: not pushed: {message}; the run in {run} is whole; later: {again}") from error
    return repository


def export(run: Path) -> None:
    """Writes the run's model in ONNX and, where the run's test split was scored, what that costs, for the card.

    The exports are compared with the run's weights in float32, whatever precision its own scores have.
    """
    # Here, because they load torch, and the card does without.
    from transformers.utils import logging as transformers_logging

    import inference
    from arguments import parse
    from ner.model import onnx_export

    transformers_logging.disable_progress_bar()
    onnx_export.export(run)
    log.info("wrote %s", " and ".join(str(run / folder) for folder in ONNX_FOLDERS))
    own = optional_json(run / "test" / "metrics.json")
    if not own:
        log.info("the test split was not scored, so nothing is known of what int8 costs: "
                 "python inference.py --checkpoint %s and then this command again", shlex.quote(str(run)))  # fmt: skip
        return
    options = parse(["--bf16", "false"], "")
    baseline = inference.score(options, str(run), "checkpoint", write=False)
    write_json(run / BASELINE, baseline)
    if baseline["data_fingerprint"] != own["data_fingerprint"]:
        log.warning("%s/test was scored on other sentences than the exports, so the card does not compare them", run)
    lines = []
    for folder in ONNX_FOLDERS:
        metrics = inference.score(options, str(run / folder), "checkpoint")
        f1, own_f1 = (100 * m["overall"]["f1"] for m in (metrics, baseline))
        lines.append(f"{folder}: test F1 {f1:.2f}, the run's in float32 {own_f1:.2f}")
    print(*lines, sep="\n", flush=True)


def main(argv: list[str]) -> None:
    parser = CommandParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True, parser_class=CommandParser)
    card = commands.add_parser("card", help="show the model card", allow_abbrev=False)
    upload = commands.add_parser("push", help="upload weights, tokenizer, model card and records", allow_abbrev=False)
    onnx = commands.add_parser("onnx", help="export the model, with float32 and int8 weights", allow_abbrev=False)
    for command in (card, upload, onnx):
        command.add_argument("run", type=named_folder, help="a run folder")
    upload.add_argument("--repo_id", required=True, help="OWNER/NAME on the Hub")
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
        print(f"score or use it: python inference.py --checkpoint {repository.repo_id}", file=sys.stderr)


if __name__ == "__main__":
    run_script(main)
