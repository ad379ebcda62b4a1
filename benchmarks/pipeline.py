"""What does a checkpoint lose in transformers' `pipeline`, which takes the best label of each word by itself?

    python -m benchmarks.pipeline RUN [RUN ...] [--split validation] [--records FILE]

For each run: micro F1 over character spans of the split's sentences as text, their tokens joined by spaces. They are
tagged by `inference.py` as it is, by `inference.py` without constrained decoding, and by `pipeline` with the
aggregation strategy "first" and, as is its default, in float32. Only sentences that both split into the same words
count.
"""

import argparse
import statistics
from pathlib import Path

import transformers

from benchmarks.detokeniser import joined
from benchmarks.raw_text import f1, spans, tagged
from ner.files import write_json
from ner.labels import classes_of
from ner.runs.predictions import read_predictions
from ner.scoring.error_analysis import entities_of
from ner.tagging.tagger import Tagger
from ner.word_splitter import word_offsets

COLUMNS = ("inference.py", "unconstrained", "pipeline", "sentences", "of")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--records", type=Path, help="a JSON file for the scores")
    options = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()
    scores = {str(run): scores_of(run, options.split) for run in options.runs}
    if options.records:
        write_json(options.records, {"split": options.split, "runs": scores})
    rows = [[name, *(f"{own[c]:.1f}" if i < 3 else f"{own[c]:,}" for i, c in enumerate(COLUMNS))]
            for name, own in scores.items()]  # fmt: skip
    means = [f"{statistics.mean(own[c] for own in scores.values()):.1f}" for c in COLUMNS[:3]]
    for cells in (["run", *COLUMNS], ["---"] * (1 + len(COLUMNS)), *rows, ["mean", *means, "", ""]):
        print(f"| {' | '.join(cells)} |")


def scores_of(run: Path, split: str) -> dict[str, float]:
    """F1 in percent for each way of tagging, and how many of the split's sentences counted."""
    scored = read_predictions(run / split / "predictions.jsonl")
    texts, offsets = zip(*map(joined, scored.tokens), strict=True)
    entities = entities_of(scored.gold, classes_of({tag for tags in scored.gold for tag in tags}))
    gold = [spans(places, own) for places, own in zip(offsets, entities, strict=True)]
    pipe = transformers.pipeline("token-classification", str(run), aggregation_strategy="first", device="cpu")
    alike = [i for i, text in enumerate(texts) if word_offsets(text) == words_of_pipeline(pipe.tokenizer, text)]
    kept = [texts[i] for i in alike]
    ways = {
        "inference.py": tagged(Tagger.load(run), kept),
        "unconstrained": tagged(Tagger.load(run, constrained=False), kept),
        "pipeline": [{(e["start"], e["end"], e["entity_group"]) for e in found} for found in pipe(kept)],
    }
    scores = {way: f1([gold[i] for i in alike], found) for way, found in ways.items()}
    return scores | {"sentences": len(alike), "of": len(texts)}


def words_of_pipeline(tokenizer: transformers.PreTrainedTokenizerFast, text: str) -> list[tuple[int, int]]:
    """The character ranges of the words that `pipeline` makes of a text.

    Sub-tokens that start with ## continue a word, and so do case markers, which have the range of its last character.
    """
    encoded = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
    words: list[tuple[int, int]] = []
    for token, (start, end) in zip(encoded.tokens(), encoded["offset_mapping"], strict=True):
        if words and (token.startswith("##") or start < words[-1][1]):
            words[-1] = (words[-1][0], end)
        else:
            words.append((start, end))
    return words


if __name__ == "__main__":
    main()
