"""What works with each architecture, measured with tiny random models: the table of docs/encoders.md.

`make encoders` checks every row, `make test` four.
"""

import shutil
from pathlib import Path

import pytest
import transformers
from architectures import ARCHITECTURES, params
from conftest import ROOT
from trained_runs import CPU, ENCODER_OPTIONS, differ_by, interrupted, predictions

import inference
import train

pytestmark = pytest.mark.slow


def measured(run: Path, folder: Path) -> list[str]:
    """The cells that are measured of an architecture, from its run."""
    own = tags(run)
    assert len(own) == len(tags(run, "gold")) and len(set(own)) > 3, "labels that show no difference"
    interrupted(run, folder, 1)
    more = ("--output_dir", folder, *ENCODER_OPTIONS, "--resume_from_checkpoint", "true")
    call(train.main, run / "args.yaml", *more)
    exported = (run / "onnx").is_dir()
    if exported:
        call(inference.main, "--checkpoint", run / "onnx", *CPU)
        assert tags(run / "onnx") == own
    return ["yes", "yes", word(differ_by(run, folder) == 0), word(exported), f"{100 * agreement(run, folder):.0f} %"]


def word(is_so: bool) -> str:
    return "yes" if is_so else "no"


def call(main, *argv: object) -> None:
    main([str(argument) for argument in argv])


def tags(run: Path, side: str = "predicted") -> list[str]:
    return [tag for line in predictions(run / "test") for tag in line[side]]


def agreement(run: Path, folder: Path) -> float:
    """The share of words that transformers' pipeline labels as `inference.py` does without constrained decoding, by
    their first sub-token."""
    own = shutil.copytree(run, folder / "unconstrained", ignore=shutil.ignore_patterns("onnx*", "checkpoint-*"))
    call(inference.main, "--checkpoint", own, "--constrained_decoding", "false", *CPU)
    pipe = transformers.pipeline("token-classification", model=str(own), ignore_labels=[], device="cpu")
    same = total = 0
    (scored,) = own.glob("scores/*")
    for line in predictions(scored):
        sub_tokens = pipe(" ".join(line["tokens"]))
        place = 0
        for token, tag in zip(line["tokens"], line["predicted"], strict=True):
            end = place + len(token)
            # From the space on: some tokenizers make it a sub-token of its own, the word's first.
            label = next((s["entity"] for s in sub_tokens if max(place - 1, 0) <= s["start"] < end), None)
            same, total, place = same + (label == tag), total + 1, end + 1
    return same / total


def table() -> dict[str, list[str]]:
    """The cells of docs/encoders.md that follow each architecture's name."""
    lines = (ROOT / "docs" / "encoders.md").read_text("utf-8").split("\n")
    return {name: cells for name, *cells in (line[2:-2].split(" | ") for line in lines if line.startswith("| "))}


@pytest.mark.parametrize("name", params(ARCHITECTURES))
def test_the_table_says_what_is_so(name, run_of_encoder, tmp_path):
    assert table()[name][:-1] == measured(run_of_encoder(name), tmp_path / "resumed")


def test_the_table_has_a_reason_for_all_that_is_missing():
    rows = table()
    assert list(rows) == ["encoder", *ARCHITECTURES]
    for name, (*cells, note) in list(rows.items())[1:]:
        assert note.strip() or cells == ["yes"] * 4 + ["100 %"], name
