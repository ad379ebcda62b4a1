"""What does tagging raw text cost against tagging given tokens? F1 over character spans of the same sentences.

    python -m benchmarks.raw_text RUN

RUN is a run folder whose test split was scored: its tokens are joined by spaces and tagged as text.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

import inference
from ner.report.run_reader import read_run
from ner.scoring.error_analysis import entities_of
from ner.scoring.scores import precision_recall_f1


def spans(tokens: list[str], entities: list[tuple[int, int, str]]) -> set[tuple[int, int, str]]:
    """Entities over tokens as character spans of the tokens joined by spaces."""
    starts = np.cumsum([0, *(len(token) + 1 for token in tokens)])
    return {(int(starts[a]), int(starts[b]) - 1, class_) for a, b, class_ in entities}


def f1(gold: list[set], predicted: list[set]) -> float:
    right = sum(len(g & p) for g, p in zip(gold, predicted, strict=True))
    counts = np.array([right, sum(map(len, predicted)) - right, sum(map(len, gold)) - right])
    return float(precision_recall_f1(counts)[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    run = read_run(parser.parse_args().run, "run")
    folder = parser.parse_args().run
    with tempfile.TemporaryDirectory() as temporary:
        text, tagged = Path(temporary) / "text", Path(temporary) / "tagged"
        text.write_text("".join(" ".join(tokens) + "\n" for tokens in run.tokens), encoding="utf-8")
        inference.main(["--checkpoint", str(folder), "--input_file", str(text), "--output_file", str(tagged)])
        lines = [json.loads(line) for line in tagged.open(encoding="utf-8")]
    gold = [spans(t, e) for t, e in zip(run.tokens, entities_of(run.gold, run.classes), strict=True)]
    from_tokens = [spans(t, e) for t, e in zip(run.tokens, entities_of(run.predicted, run.classes), strict=True)]
    from_text = [{(e["start"], e["end"], e["type"]) for e in line["entities"]} for line in lines]
    print(f"micro F1 from tokens {100 * f1(gold, from_tokens):.2f}, from raw text {100 * f1(gold, from_text):.2f}")


if __name__ == "__main__":
    main()
