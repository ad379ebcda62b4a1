"""What works with each architecture, measured with tiny random models: the table of docs/encoders.md.

make encoders                                               # checks every row; `make test` checks four
PYTHONPATH=.:tests python tests/encoder/test_encoders.py    # writes the table again
"""

import shutil
import tempfile
from pathlib import Path

import pytest
import transformers
from architectures import ARCHITECTURES, params
from conftest import ROOT, write_corpus
from trained_runs import CPU, ENCODER_OPTIONS, differ_by, encoder_run, interrupted, predictions

import inference
import train

pytestmark = pytest.mark.slow
TABLE = ROOT / "docs" / "encoders.md"
HEAD = (
    "| encoder | trained | scored | resumed | exported | equal to `pipeline` | what to know |",
    "|---|---|---|---|---|---|---|",
)
# What a reader should know of an architecture, and the reason of each "no".
UNLIMITED = "windows of 512 sub-tokens unless `--max_length` says otherwise"
NOTES = {
    "roberta": "a space before a sentence's first word, too",
    "deberta v1": "in float32 only: transformers' code fails in bfloat16; a space before a sentence's first word, too",
    "modernbert": "no space before a sentence's first word",
    "mmbert": "no space before a sentence's first word",
    "eurobert": "no space before a sentence's first word",
    "xlnet": f"torch's exporter fails on transformers' code; {UNLIMITED}",
    "t5 encoder": UNLIMITED,
    "mt5 encoder": UNLIMITED,
}


def measured(name: str, run: Path, folder: Path) -> str:
    """The table's row of an architecture, from its run."""
    own = tags(run)
    assert len(own) == len(tags(run, "gold")) and len(set(own)) > 3, "labels that show no difference"
    interrupted(run, folder, 1)
    more = ("--output_dir", folder, *ENCODER_OPTIONS, "--resume_from_checkpoint", "true")
    call(train.main, run / "args.yaml", *more)
    exported = (run / "onnx").is_dir()
    if exported:
        call(inference.main, "--checkpoint", run / "onnx", *CPU)
        assert tags(run / "onnx") == own
    cells = ["yes", "yes", word(differ_by(run, folder) == 0), word(exported), f"{100 * agreement(run, folder):.0f} %"]
    return f"| {name} | {' | '.join(cells)} | {NOTES.get(name, '')} |"


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


def rows() -> dict[str, str]:
    return {line.split(" | ")[0].removeprefix("| "): line for line in TABLE.read_text("utf-8").split("\n")
            if line.startswith("| ")}  # fmt: skip


@pytest.mark.parametrize("name", params(ARCHITECTURES))
def test_the_table_says_what_is_so(name, run_of_encoder, tmp_path):
    row = measured(name, run_of_encoder(name), tmp_path / "resumed")
    assert rows()[name] == row, (
        "the table has another row; write it again: PYTHONPATH=.:tests python tests/encoder/test_encoders.py"
    )


def test_the_table_has_a_reason_for_all_that_is_missing():
    table = rows()
    assert list(table) == ["encoder", *ARCHITECTURES]
    for row in list(table.values())[1:]:
        *cells, note = (cell.strip() for cell in row.strip("|").split("|")[1:])
        assert note or cells == ["yes"] * 4 + ["100 %"], row


def main() -> None:
    before, _, after = TABLE.read_text("utf-8").partition(HEAD[0])
    after = after.partition("\n\n")[2]
    with tempfile.TemporaryDirectory() as folder:
        corpus = write_corpus(Path(folder) / "corpus")
        runs = {name: encoder_run(name, corpus, Path(folder) / name) for name in ARCHITECTURES}
        table = [*HEAD, *(measured(name, run, run.parent / "resumed") for name, run in runs.items())]
    TABLE.write_text(before + "\n".join(table) + "\n\n" + after, encoding="utf-8")


if __name__ == "__main__":
    main()
