"""Tag text with an exported checkpoint and neither torch nor transformers: only numpy, onnxruntime and tokenizers.

    python hub.py onnx runs/quickstart                                                  # once; this needs torch
    python -m examples.onnx_tagging runs/quickstart/onnx_int8 "Rabies kills bats."      # a line of JSON for each text

To use it elsewhere, take along the files of this repository that it imports: ner/errors.py, ner/labels.py,
ner/word_splitter.py, ner/tagging/decoding.py and ner/scoring/calibration.py.

The entities and their scores are those of `inference.py`. But a text must fit into one window of the model: a longer
one is refused, where `inference.py` takes several windows.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime import InferenceSession, SessionOptions
from tokenizers import Tokenizer

from ner.errors import CommandParser, InputError, run_script
from ner.labels import classes_of, label_names, spans
from ner.scoring.calibration import Calibration
from ner.tagging.decoding import best_tags, entity_probabilities, independent_probabilities
from ner.word_splitter import word_offsets

PROBE = "In 1998 , Ada Moss ' s Größe ( 北 ) said : no .".split()  # that of ner/encoder/encoding.py


class OnnxTagger:
    """The tagger of a folder that `hub.py onnx` wrote."""

    def __init__(self, folder: Path):
        if not (folder / "model.onnx").is_file():
            raise InputError(f"{folder}: holds no model.onnx; expected RUN/onnx or RUN/onnx_int8, of hub.py onnx RUN")
        self.config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.labels = [self.config["id2label"][str(i)] for i in range(len(self.config["id2label"]))]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        self.unknown = settings.get("unk_token") or settings["mask_token"]
        options = SessionOptions()
        options.add_session_config_entry("session.x64quantprecision", "1")  # int8 could overflow on x86 without VNNI
        self.session = InferenceSession(
            folder / "model.onnx", options, providers=["CPUExecutionProvider"],
            disabled_optimizers=["SkipLayerNormFusion"],  # which makes the model slower on a CPU
        )  # fmt: skip

    def tag(self, text: str) -> list[dict[str, Any]]:
        """The entities of a text, in order. Raises `InputError` where the text is longer than the model's window."""
        offsets = word_offsets(text)
        if not offsets:
            return []
        input_ids, firsts = model_input([text[start:end] for start, end in offsets], self.tokenizer, self.unknown)
        window = self.config["trained_window"]
        if len(input_ids) > window:
            raise InputError(
                f"found a text of {len(input_ids)} sub-tokens, {text[:40]!r}...; expected at most {window}, the "
                "model's window; divide it, or tag it with inference.py"
            )
        inputs = {"input_ids": np.array([input_ids]), "attention_mask": np.ones((1, len(input_ids)), dtype=np.int64)}
        logits = self.session.run(["logits"], inputs)[0][0, firsts]  # [word, label]

        # In the order of labels that decoding expects. A label that the model lacks is impossible.
        names = label_names(classes_of(self.labels))
        scores = np.full((len(offsets), len(names)), -np.inf, dtype=np.float32)
        scores[:, [names.index(label) for label in self.labels]] = logits
        lengths, constrained = np.array([len(offsets)]), self.config["constrained_decoding"]
        ids = best_tags(scores, lengths, constrained)
        found = spans(ids, lengths)
        if constrained:
            probabilities = entity_probabilities(scores, lengths, found)
        else:
            probabilities = independent_probabilities(scores, lengths, ids, found)
        calibrated = Calibration(**self.config["score_calibration"]).scores(probabilities).tolist()
        entities = []
        for first, last, index, score in zip(found.start, found.end, found.class_index, calibrated, strict=True):
            start, end = offsets[first][0], offsets[last - 1][1]
            place = {"type": classes_of(names)[index], "text": text[start:end], "start": start, "end": end}
            entities.append(place | {"score": round(score, 4)})
        return entities


def model_input(words: list[str], tokenizer: Tokenizer, unknown: str) -> tuple[list[int], list[int]]:
    """The sub-token ids of a sentence, special tokens included, and the position of each word's first sub-token.

    They are those of the words joined by spaces. A word that the tokenizer turns into nothing becomes `unknown`.
    """
    tokenizer.no_truncation()  # its file may set a limit
    tokenizer.no_padding()
    example = tokenizer.encode(["a"], is_pretokenized=True)
    start = example.special_tokens_mask.index(0)
    after = example.ids[start + example.special_tokens_mask.count(0) :]
    # Most tokenizers mark the beginning of a word themselves. Others expect a space before it.
    in_a_text, as_words = tokenizer.encode(" ".join(PROBE)).ids, tokenizer.encode(PROBE, is_pretokenized=True).ids
    prefix = "" if in_a_text == as_words else " "
    no_sub_tokens = tokenizer.encode(unknown, add_special_tokens=False).ids
    input_ids, firsts = example.ids[:start], []
    for number, word in enumerate(words):
        firsts.append(len(input_ids))
        inside = prefix + word if number else word
        input_ids += tokenizer.encode([inside], is_pretokenized=True, add_special_tokens=False).ids or no_sub_tokens
    return input_ids + after, firsts


def main(argv: list[str]) -> None:
    """Prints a line of JSON for each text, as `inference.py` does."""
    parser = CommandParser(description="Tag texts with an exported checkpoint.")
    parser.add_argument("folder", type=Path, help="what hub.py onnx wrote: RUN/onnx or RUN/onnx_int8")
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    options = parser.parse_args(argv)
    tagger = OnnxTagger(options.folder)
    for text in options.texts:
        print(json.dumps({"text": text, "entities": tagger.tag(text)}, ensure_ascii=False))


if __name__ == "__main__":
    run_script(main)
