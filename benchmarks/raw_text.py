"""What does tagging raw text cost against tagging given tokens? F1 over character spans of the same sentences.

    python -m benchmarks.raw_text RUN

RUN is a run folder whose test split was scored. Its sentences are tagged as text twice: their tokens joined by spaces,
and as people write them.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.detokeniser import joined, written
from ner.report.run_reader import read_run
from ner.scoring.error_analysis import entities_of
from ner.scoring.scores import precision_recall_f1
from ner.tagging.tagger import Tagger
from ner.word_splitter import word_offsets

Spans = set[tuple[int, int, str]]  # first character, the one after the last, class


def spans(offsets: list[tuple[int, int]], entities: list[tuple[int, int, str]]) -> Spans:
    """Entities over tokens as character spans of a text, in which the tokens have these ranges."""
    return {(offsets[first][0], offsets[end - 1][1], class_) for first, end, class_ in entities}


def f1(gold: list[Spans], predicted: list[Spans]) -> float:
    """Micro F1 in percent."""
    right = sum(len(g & p) for g, p in zip(gold, predicted, strict=True))
    counts = np.array([right, sum(map(len, predicted)) - right, sum(map(len, gold)) - right])
    return 100 * float(precision_recall_f1(counts)[2])


def tagged(tagger: Tagger, texts: list[str]) -> list[Spans]:
    """The entities that `inference.py` finds in each text."""
    return [{(e.start, e.end, e.type) for e in found} for found in tagger.tag(texts)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    folder = parser.parse_args().run
    run, tagger = read_run(folder, "run"), Tagger.load(folder)
    gold, predicted = entities_of(run.gold, run.classes), entities_of(run.predicted, run.classes)
    sentences = {
        "tokens joined by spaces": [joined(tokens) for tokens in run.tokens],
        "as people write": [written(tokens, lang) for tokens, lang in zip(run.tokens, run.langs, strict=True)],
    }
    for name, rows in sentences.items():
        gold_spans = [spans(offsets, e) for (_, offsets), e in zip(rows, gold, strict=True)]
        token_spans = [spans(offsets, e) for (_, offsets), e in zip(rows, predicted, strict=True)]
        from_tokens = f1(gold_spans, token_spans)
        from_text = f1(gold_spans, tagged(tagger, [text for text, _ in rows]))
        total = sum(map(len, run.tokens))
        other = sum(len(set(offsets) - set(word_offsets(text))) for text, offsets in rows)
        print(
            f"{name}: micro F1 from tokens {from_tokens:.2f}, from text {from_text:.2f}, "
            f"difference {from_text - from_tokens:+.2f}; {other:,} of {total:,} tokens are not words"
        )


if __name__ == "__main__":
    main()
