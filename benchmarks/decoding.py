"""What do constrained decoding and the probabilities of entities cost, and what does constrained decoding change?

    python -m benchmarks.decoding RUN

RUN is a run folder. Its test split is tagged once. The seconds of each part are those of that one time.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import inference
from arguments import parse
from data import evaluation_sentences
from ner.labels import spans
from ner.scoring.scores import counts_of_ids, invalid_transitions, precision_recall_f1
from ner.tagging import tagger
from ner.tagging.score import in_known_labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    run = parser.parse_args().run
    seconds: dict[str, float] = {}
    kept: dict[str, Any] = {}

    def timed(name: str) -> Callable[..., Any]:
        function = getattr(tagger, name)

        def call(*arguments: Any) -> Any:
            start = time.perf_counter()
            kept[name] = arguments, function(*arguments)
            seconds[name] = time.perf_counter() - start
            return kept[name][1]

        return call

    for name in ("word_logits", "best_tags", "entity_probabilities"):
        setattr(tagger, name, timed(name))
    arguments = parse(["--checkpoint", run, "--use_cpu", "true"], "")
    options = inference.data_options(arguments, inference.own_args(arguments, run))
    loaded = tagger.Tagger.load(run)
    sentences = in_known_labels(loaded, evaluation_sentences(options, "test"))
    tagged = loaded.tag_words(sentences.words, sentences.lengths)
    scores, lengths, _ = kept["best_tags"][0]
    for name, ids in (("unconstrained", scores.argmax(axis=1)), ("constrained", tagged.ids)):
        counts = counts_of_ids(sentences.tags, ids, lengths, loaded.classes).entities.sum(axis=(0, 1))
        f1, wrong = 100 * float(precision_recall_f1(counts)[2]), invalid_transitions(ids, lengths, loaded.names)
        entities = len(spans(ids, lengths, loaded.names).start)
        print(f"{name}: micro F1 {f1:.2f}, {entities:,} entities, {wrong:,} invalid transitions")
    sentence = np.repeat(np.arange(len(lengths)), lengths)
    changed = np.unique(sentence[scores.argmax(axis=1) != tagged.ids])
    print(f"sentences that are tagged otherwise: {len(changed):,} of {len(lengths):,}")
    share = {name: f"{s:.2f} s ({s / seconds['word_logits']:.1%} of the logits)" for name, s in seconds.items()}
    print(f"decoding {share['best_tags']}, probabilities {share['entity_probabilities']}")


if __name__ == "__main__":
    main()
