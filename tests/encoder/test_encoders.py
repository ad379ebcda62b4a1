"""What works with each architecture, measured with tiny random models: the table of docs/encoders.md.

PYTHONPATH=.:tests python tests/model/test_encoders.py      # measures every row and writes the table again
"""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
import transformers
from architectures import NAMED, save
from conftest import ROOT, write_corpus
from safetensors.torch import load_file

import inference
import train
from ner.errors import InputError
from ner.tagging import onnx_export

TABLE = ROOT / "docs" / "encoders.md"
CPU = ("--use_cpu", "true", "--bf16", "false")
TRAIN = ("--max_steps", 2, "--save_strategy", "steps", "--save_steps", 1, "--save_total_limit", 3,
         "--eval_strategy", "no", "--load_best_model_at_end", "false", *CPU)  # fmt: skip
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


def measured(name: str, corpus: Path, folder: Path) -> str:
    """The table's row of an architecture."""
    encoder, run, other = save(folder / "encoder", name), folder / "run", folder / "resumed"
    call(train.main, "--dataset", corpus, "--model_checkpoint", encoder, "--output_dir", run, *TRAIN)
    call(inference.main, "--checkpoint", run, *CPU)
    own = predicted(run)
    assert len(own) == len(predicted(run, "gold")) and len(set(own)) > 3, "labels that show no difference"
    shutil.copytree(run / "checkpoint-1", other / "checkpoint-1")
    call(train.main, "--dataset", corpus, "--model_checkpoint", encoder, "--output_dir", other, *TRAIN,
         "--resume_from_checkpoint", "true")  # fmt: skip
    first, second = (load_file(r / "model.safetensors") for r in (run, other))
    resumed = all((first[key] == second[key]).all() for key in first)
    cells = ["yes", "yes", word(resumed), word(exported(run)), f"{100 * agreement(run):.0f} %"]
    return f"| {name} | {' | '.join(cells)} | {NOTES.get(name, '')} |"


def exported(run: Path) -> bool:
    """Whether there is an export, which then tags as the run does."""
    try:
        onnx_export.export(run)
    except InputError as error:
        assert "torch cannot export a model of type" in str(error)
        return False
    call(inference.main, "--checkpoint", run / "onnx", *CPU)
    assert predicted(run / "onnx") == predicted(run)
    return True


def word(is_so: bool) -> str:
    return "yes" if is_so else "no"


def call(main, *argv: object) -> None:
    main([str(argument) for argument in argv])


def lines(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "test" / "predictions.jsonl").open(encoding="utf-8")]


def predicted(run: Path, side: str = "predicted") -> list[str]:
    return [tag for line in lines(run) for tag in line[side]]


def agreement(run: Path) -> float:
    """The share of words that transformers' pipeline labels as `inference.py` does without constrained decoding, by
    their first sub-token."""
    call(inference.main, "--checkpoint", run, "--constrained_decoding", "false", *CPU)
    pipe = transformers.pipeline("token-classification", model=str(run), ignore_labels=[], device="cpu")
    same = total = 0
    for line in lines(run):
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


@pytest.mark.parametrize("name", NAMED)
def test_the_table_says_what_is_so(name, corpus, tmp_path):
    row = measured(name, corpus, tmp_path)
    assert rows()[name] == row, (
        "the table has another row; write it again: PYTHONPATH=.:tests python tests/model/test_encoders.py"
    )


def test_the_table_has_a_reason_for_all_that_is_missing():
    table = rows()
    assert list(table) == ["encoder", *NAMED]
    for row in list(table.values())[1:]:
        *cells, note = (cell.strip() for cell in row.strip("|").split("|")[1:])
        assert note or cells == ["yes"] * 4 + ["100 %"], row


def main() -> None:
    before, _, after = TABLE.read_text("utf-8").partition(HEAD[0])
    after = after.partition("\n\n")[2]
    with tempfile.TemporaryDirectory() as folder:
        corpus = write_corpus(Path(folder) / "corpus")
        table = [*HEAD, *(measured(name, corpus, Path(folder) / name) for name in NAMED)]
    TABLE.write_text(before + "\n".join(table) + "\n\n" + after, encoding="utf-8")


if __name__ == "__main__":
    main()
