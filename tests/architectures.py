"""Tiny random encoders of many architectures, each with a tokenizer built like the published ones.

Nothing is left to chance. Each vocabulary is written down, because the trainers of `tokenizers` break ties at random,
and each model starts from the same seed.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

WORDS = "a storm hit the coast while people of town said nothing new about it and then left for home by night".split()
ENTITIES = {
    "PER": ["Ada Moss", "Jan Brink", "Li Wei", "O'Neill"],
    "ORG": ["Nordbank", "Union of Rail Workers", "Acme"],
    "LOC": ["Bergen", "Lake Inari", "New Haven", "Peru"],
    "DIS": ["rabies", "Lyme disease"],
    "ANIM": ["grey wolf", "bats"],
    "FOOD": ["rye bread", "coffee"],
    "TIME": ["Middle Ages"],
}
NAMES = " ".join(name for names in ENTITIES.values() for name in names).split()
TEXT = [*WORDS, *NAMES, "Größe", "naïve", "1,000", ".", ",", "-", "'"]
LETTERS = sorted(set("".join(TEXT)))
# What a vocabulary has beside letters: the common words, and the other words in parts of four letters.
PARTS = [[word] for word in WORDS] + [[name[i : i + 4] for i in range(0, len(name), 4)] for name in NAMES]
SIZES = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
# Special tokens by what they are for, in the order of their ids.
BERT = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
ROBERTA = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
T5 = {"pad": "<pad>", "sep": "</s>", "unk": "<unk>", "cls": "<extra_id_0>", "mask": "<extra_id_1>"}
GEMMA = {"pad": "<pad>", "sep": "<eos>", "cls": "<bos>", "unk": "<unk>", "mask": "<mask>"}
LLAMA = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
    r"\s+(?!\S)|\s+"
)


def ids(*tokens: str) -> dict[str, int]:
    """A vocabulary: the distinct tokens, numbered."""
    return {token: number for number, token in enumerate(dict.fromkeys(tokens))}


def finished(backend: Tokenizer, specials: dict[str, str], template: str = "") -> PreTrainedTokenizerFast:
    """The tokenizer with its special tokens, which `template` puts around a sentence."""
    backend.post_processor = processors.TemplateProcessing(
        single=template or f"{specials['cls']} $A {specials['sep']}",
        special_tokens=[(token, backend.token_to_id(token)) for token in specials.values()],
    )
    names = {f"{use}_token": token for use, token in specials.items()}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **names)


def wordpiece(specials: dict[str, str] = BERT) -> PreTrainedTokenizerFast:
    """Like BERT's, uncased."""
    normalizer = normalizers.BertNormalizer()
    letters = sorted(set(normalizer.normalize_str("".join(LETTERS))))
    parts = [f"##{part}" if i else part for word in PARTS for i, part in enumerate(map(str.lower, word))]
    vocabulary = ids(*specials.values(), *letters, *(f"##{letter}" for letter in letters), *parts)
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token=specials["unk"]))
    backend.normalizer, backend.pre_tokenizer = normalizer, pre_tokenizers.BertPreTokenizer()
    return finished(backend, specials)


def merged(space: str, letters: list[str], specials: dict[str, str]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges of a BPE that joins the first part of each word to the `space` before it."""
    words = [space + part for part, *_ in PARTS]
    merges = list(dict.fromkeys((word[:i], word[i]) for word in words for i in range(1, len(word))))
    return ids(*specials.values(), *letters, *(a + b for a, b in merges)), merges


def byte_level(specials: dict[str, str], regex: str | None = None) -> PreTrainedTokenizerFast:
    """Like RoBERTa's or, with BERT's special tokens, ModernBERT's. `regex` is where to split, if not as GPT-2 does."""
    backend = Tokenizer(models.BPE(*merged("Ġ", sorted(pre_tokenizers.ByteLevel.alphabet()), specials)))
    backend.normalizer = normalizers.NFC() if specials is BERT else None
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex is None)
    if regex:
        split = pre_tokenizers.Split(Regex(regex), "isolated")
        backend.pre_tokenizer = pre_tokenizers.Sequence([split, backend.pre_tokenizer])
    return finished(backend, specials)


def unigram(specials: dict[str, str], template: str = "", scheme: str = "always") -> PreTrainedTokenizerFast:
    """Like sentencepiece's: a part is likelier than its letters."""
    parts = [part if i else f"▁{part}" for word in PARTS for i, part in enumerate(word)]
    scores = dict.fromkeys(["▁", *LETTERS], -10.0) | {part: -3.0 for part in parts if len(part) > 1}
    pieces = [*((token, 0.0) for token in specials.values()), *scores.items()]
    backend = Tokenizer(models.Unigram(pieces, unk_id=list(specials).index("unk")))
    metaspace = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace])
    return finished(backend, specials, template)


def gemma() -> PreTrainedTokenizerFast:
    """Like Gemma 2's, which mmBERT has: a space is a character of the text, and none is put before it."""
    vocabulary, merges = merged("▁", ["▁", *LETTERS], GEMMA)
    backend = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True))
    backend.normalizer = normalizers.Replace(" ", "▁")
    backend.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    backend.decoder = decoders.Replace("▁", " ")
    return finished(backend, GEMMA)


@dataclass(frozen=True)
class Architecture:
    """A row of the table: model type, its tokenizer, that tokenizer's published class, and a config beyond `SIZES`."""

    model_type: str
    tokenizer: Callable[[], PreTrainedTokenizerFast]
    tokenizer_class: str
    config: dict[str, Any] = field(default_factory=dict)


ODD = {"max_position_embeddings": 514}  # padding takes the first two
DEBERTA = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "type_vocab_size": 0}
DEBERTA_V2 = DEBERTA | {"position_biased_input": False, "share_att_key": True, "norm_rel_ebd": "layer_norm",
                        "position_buckets": 16}  # fmt: skip
T5_SIZES = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_heads": 2} | dict.fromkeys(SIZES)
XLNET = {"d_model": 32, "n_layer": 1, "n_head": 2, "d_inner": 64} | dict.fromkeys(SIZES)
DISTILBERT = {"dim": 32, "n_layers": 1, "n_heads": 2, "hidden_dim": 64} | dict.fromkeys(SIZES)
LOCAL = {"local_attention": 8, "global_attn_every_n_layers": 2, "num_hidden_layers": 2}
ARCHITECTURES = {
    "bert": Architecture("bert", wordpiece, "BertTokenizer"),
    "distilbert": Architecture("distilbert", wordpiece, "DistilBertTokenizer", DISTILBERT),
    "roberta": Architecture("roberta", lambda: byte_level(ROBERTA), "RobertaTokenizer", ODD),
    "xlm-roberta": Architecture("xlm-roberta", lambda: unigram(ROBERTA), "XLMRobertaTokenizer", ODD),
    "camembert": Architecture("camembert", lambda: unigram(ROBERTA), "CamembertTokenizer", ODD),
    "electra": Architecture("electra", wordpiece, "ElectraTokenizer", {"embedding_size": 16}),
    "albert": Architecture("albert", lambda: unigram(BERT), "AlbertTokenizer", {"embedding_size": 16}),
    "mpnet": Architecture("mpnet", lambda: wordpiece(ROBERTA), "MPNetTokenizer", ODD),
    "deberta v1": Architecture("deberta", lambda: byte_level(BERT), "DebertaTokenizer", DEBERTA),
    "deberta v2": Architecture(
        "deberta-v2", lambda: unigram(BERT), "DebertaV2Tokenizer", DEBERTA_V2 | {"conv_kernel_size": 3}
    ),
    "deberta v3": Architecture("deberta-v2", lambda: unigram(BERT), "DebertaV2Tokenizer", DEBERTA_V2),
    "modernbert": Architecture("modernbert", lambda: byte_level(BERT), "PreTrainedTokenizerFast", LOCAL),
    "mmbert": Architecture("modernbert", gemma, "GemmaTokenizer", LOCAL),
    "eurobert": Architecture(
        "eurobert", lambda: byte_level(BERT, LLAMA), "PreTrainedTokenizerFast", {"num_key_value_heads": 2}
    ),
    "xlnet": Architecture("xlnet", lambda: unigram(ROBERTA, "$A:0 </s>:0 <s>:2"), "XLNetTokenizer", XLNET),
    "t5 encoder": Architecture("t5", lambda: unigram(T5, "$A </s>"), "T5Tokenizer", T5_SIZES),
    "mt5 encoder": Architecture("mt5", lambda: unigram(T5, "$A </s>"), "T5Tokenizer", T5_SIZES),
}
# The four that differ in kind. bert: WordPiece. roberta: byte-level BPE with a space before the first word, too, and
# positions counted from that of padding. deberta v3: Unigram, and attention by distance. modernbert: byte-level BPE
# without that first space, rotary positions, and attention to neighbours only.
KINDS = ["bert", "roberta", "deberta v3", "modernbert"]


def params(names: Iterable[str]) -> list[Any]:
    """Architectures as parameters of a test: `make test` takes those of `KINDS`, and `make encoders` the others too."""
    return [pytest.param(name, marks=() if name in KINDS else pytest.mark.encoders) for name in names]


def save(folder: Path, name: str, **changes: Any) -> Path:
    """A checkpoint as a pre-trained encoder comes, without a classifier. `changes` are made to its config.

    Its weights have a standard deviation of 0.1, and it learns in a few epochs from any seed. With the usual 0.02, such
    small layers pass on little of a word, and whether attention learns to look at neighbours depends on the seed.
    """
    architecture = ARCHITECTURES[name]
    tokenizer = architecture.tokenizer()
    tokens = {"pad": "pad", "bos": "cls", "eos": "sep", "cls": "cls", "sep": "sep"}
    special = {f"{use}_token_id": getattr(tokenizer, f"{token}_token_id") for use, token in tokens.items()}
    sizes = SIZES | {"vocab_size": len(tokenizer) + 8, "initializer_range": 0.1} | architecture.config | changes
    sizes = {key: value for key, value in sizes.items() if value is not None}
    torch.manual_seed(0)
    model = AutoModel.from_config(AutoConfig.for_model(architecture.model_type, **special, **sizes))
    model.get_input_embeddings().weight.data.normal_(std=0.1)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["tokenizer_class"] = architecture.tokenizer_class
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder
