"""Tiny random encoders of many architectures, each with a tokenizer built as the published ones are."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from conftest import TEXT
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

SIZES = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
BERT, ROBERTA = ("[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"), ("<s>", "</s>", "<pad>", "<unk>", "<mask>")
SENTENCES = [" ".join(TEXT[start : start + 12]) for start in range(0, len(TEXT), 12)]


def built(backend: Tokenizer, trainer: trainers.Trainer, specials: tuple[str, ...], single: str) -> Any:
    """The trained tokenizer; `specials` begin and end a sentence, pad it, and replace unknown and masked words."""
    backend.train_from_iterator(SENTENCES, trainer)
    backend.post_processor = processors.TemplateProcessing(
        single=single, special_tokens=[(token, backend.token_to_id(token)) for token in specials]
    )
    names = ("cls_token", "sep_token", "pad_token", "unk_token", "mask_token")
    return PreTrainedTokenizerFast(tokenizer_object=backend, **dict(zip(names, specials, strict=True)))


def single(specials: tuple[str, ...]) -> str:
    return f"{specials[0]} $A {specials[1]}"


def wordpiece(specials: tuple[str, ...] = BERT) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordPiece(unk_token=specials[3]))
    backend.normalizer, backend.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=list(specials))
    return built(backend, trainer, specials, single(specials))


def byte_level(specials: tuple[str, ...], regex: str | None = None) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.BPE())
    backend.normalizer = normalizers.NFC() if specials is BERT else None
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex is None)
    if regex:
        split = pre_tokenizers.Split(Regex(regex), "isolated")
        backend.pre_tokenizer = pre_tokenizers.Sequence([split, backend.pre_tokenizer])
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=450, special_tokens=list(specials), initial_alphabet=alphabet)
    return built(backend, trainer, specials, single(specials))


def unigram(specials: tuple[str, ...], template: str | None = None) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    trainer = trainers.UnigramTrainer(vocab_size=250, unk_token=specials[3], special_tokens=list(specials))
    return built(backend, trainer, specials, template or single(specials))


def gemma() -> PreTrainedTokenizerFast:
    """As Gemma 2's, which mmBERT has: spaces are characters of the text, and nothing is put before it."""
    specials = ("<bos>", "<eos>", "<pad>", "<unk>", "<mask>")
    backend = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    # Trained on words as sentencepiece does it; no token then goes beyond a word.
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=list(specials))
    tokenizer = built(backend, trainer, specials, single(specials))
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.backend_tokenizer.decoder = decoders.Replace("▁", " ")
    return tokenizer


LLAMA = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
    r"\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Architecture:
    """A row of the table: model type, its config beyond `SIZES`, its tokenizer and that tokenizer's published class."""

    name: str
    model_type: str
    tokenizer: Callable[[], PreTrainedTokenizerFast]
    tokenizer_class: str
    config: dict[str, Any] = field(default_factory=dict)


DEBERTA = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "type_vocab_size": 0}
DEBERTA_V2 = DEBERTA | {"position_biased_input": False, "share_att_key": True, "norm_rel_ebd": "layer_norm",
                        "position_buckets": 16}  # fmt: skip
T5 = {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_heads": 2, "hidden_size": None,
      "num_hidden_layers": None, "num_attention_heads": None, "intermediate_size": None}  # fmt: skip
T5_TOKENS = ("<extra_id_0>", "</s>", "<pad>", "<unk>", "<extra_id_1>")
XLNET = {"d_model": 32, "n_layer": 1, "n_head": 2, "d_inner": 64} | dict.fromkeys(SIZES)
LOCAL = {"local_attention": 8, "global_attn_every_n_layers": 2, "num_hidden_layers": 2}
ARCHITECTURES = [
    Architecture("bert", "bert", wordpiece, "BertTokenizer"),
    Architecture("distilbert", "distilbert", wordpiece, "DistilBertTokenizer",
                 {"dim": 32, "n_layers": 1, "n_heads": 2, "hidden_dim": 64} | dict.fromkeys(SIZES)),
    Architecture("roberta", "roberta", lambda: byte_level(ROBERTA), "RobertaTokenizer",
                 {"max_position_embeddings": 514}),
    Architecture("xlm-roberta", "xlm-roberta", lambda: unigram(ROBERTA), "XLMRobertaTokenizer",
                 {"max_position_embeddings": 514}),
    Architecture("camembert", "camembert", lambda: unigram(ROBERTA), "CamembertTokenizer",
                 {"max_position_embeddings": 514}),
    Architecture("electra", "electra", wordpiece, "ElectraTokenizer", {"embedding_size": 16}),
    Architecture("albert", "albert", lambda: unigram(BERT), "AlbertTokenizer", {"embedding_size": 16}),
    Architecture("mpnet", "mpnet", lambda: wordpiece(ROBERTA), "MPNetTokenizer", {"max_position_embeddings": 514}),
    Architecture("deberta v1", "deberta", lambda: byte_level(BERT), "DebertaTokenizer", DEBERTA),
    Architecture("deberta v2", "deberta-v2", lambda: unigram(BERT), "DebertaV2Tokenizer",
                 DEBERTA_V2 | {"conv_kernel_size": 3}),
    Architecture("deberta v3", "deberta-v2", lambda: unigram(BERT), "DebertaV2Tokenizer", DEBERTA_V2),
    Architecture("modernbert", "modernbert", lambda: byte_level(BERT), "PreTrainedTokenizerFast", LOCAL),
    Architecture("mmbert", "modernbert", gemma, "GemmaTokenizer", LOCAL),
    Architecture("eurobert", "eurobert", lambda: byte_level(BERT, LLAMA), "PreTrainedTokenizerFast",
                 {"num_key_value_heads": 2}),
    Architecture("xlnet", "xlnet", lambda: unigram(ROBERTA, "$A:0 </s>:0 <s>:2"), "XLNetTokenizer", XLNET),
    Architecture("t5 encoder", "t5", lambda: unigram(T5_TOKENS, "$A </s>"), "T5Tokenizer", T5),
    Architecture("mt5 encoder", "mt5", lambda: unigram(T5_TOKENS, "$A </s>"), "T5Tokenizer", T5),
]  # fmt: skip
NAMED = {architecture.name: architecture for architecture in ARCHITECTURES}


def save(folder: Path, name: str) -> Path:
    """A pre-trained form without a label set and without a classifier, whose tokens differ enough to be told apart."""
    architecture = NAMED[name]
    tokenizer = architecture.tokenizer()
    ids = {f"{n}_token_id": getattr(tokenizer, f"{t}_token_id") for n, t in
           (("pad", "pad"), ("bos", "cls"), ("eos", "sep"), ("cls", "cls"), ("sep", "sep"))}  # fmt: skip
    sizes = {k: v for k, v in (SIZES | architecture.config).items() if v is not None}
    torch.manual_seed(0)
    config = AutoConfig.for_model(architecture.model_type, vocab_size=len(tokenizer) + 8, **ids, **sizes)
    model = AutoModel.from_config(config)
    model.get_input_embeddings().weight.data.normal_()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["tokenizer_class"] = architecture.tokenizer_class
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder
