"""Markers that tell an uncased encoder which words have capitals.

An uncased tokenizer loses the capitals that tell most names from other words. With the inline casing of
Bérard et al. (2019), each word that has a capital is followed by a marker, a sub-token with an embedding of its own.
The tokenizer's normalizer puts it there. So `tokenizer.json` has all that a program needs to tag with the checkpoint.
"""

import re

from tokenizers import AddedToken, Regex, normalizers
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from ner.encoder.checkpoints import quiet

PART = r"[\p{L}\p{M}\p{N}]"  # of a word: letters, their accents, and digits
RULES = {  # `\K` begins the match at the end of the word, where the marker goes
    "[title]": rf"(?<!{PART})\p{{Lu}}(?!{PART}*\p{{Lu}}){PART}*\K",  # the first letter alone is a capital
    "[capitals]": rf"(?<!{PART}){PART}+\p{{Lu}}{PART}*\K",  # a later one is
}


def has_case_markers(tokenizer: PreTrainedTokenizerFast) -> bool:
    """Whether the tokenizer puts markers after words with capitals."""
    normalizer = tokenizer.backend_tokenizer.normalizer
    return normalizer is not None and "[title]" in normalizer.normalize_str("A")


def is_cased(tokenizer: PreTrainedTokenizerFast) -> bool:
    """Whether the tokenizer tells capitals from small letters."""
    normalizer = tokenizer.backend_tokenizer.normalizer
    return normalizer is None or normalizer.normalize_str("A") != "a"


def loses_capitals(tokenizer: PreTrainedTokenizerFast) -> bool:
    """Whether the tokenizer removes capitals though its vocabulary has them: a cased one, loaded as if it were not."""
    vocabulary = tokenizer.get_vocab().keys() - tokenizer.all_special_tokens  # some of an uncased one have capitals
    capitals = sum(bool(re.search("[A-Z]", token)) for token in vocabulary)  # byte-level letters are no capitals
    return not is_cased(tokenizer) and capitals > len(vocabulary) / 50


def with_case_markers(tokenizer: PreTrainedTokenizerFast, model: PreTrainedModel) -> PreTrainedTokenizerFast:
    """The uncased tokenizer with markers after words with capitals, whose embeddings the model gets."""
    backend = tokenizer.backend_tokenizer
    rules = [normalizers.Replace(Regex(pattern), f" {marker}") for marker, pattern in RULES.items()]
    backend.normalizer = normalizers.Sequence([*rules, backend.normalizer])
    # Not the class that it had: BertTokenizer and its like make a normalizer of their own when they are loaded.
    marked = PreTrainedTokenizerFast(
        tokenizer_object=backend, name_or_path=tokenizer.name_or_path, model_max_length=tokenizer.model_max_length,
        padding_side=tokenizer.padding_side, **tokenizer.special_tokens_map,
    )  # fmt: skip
    # `normalized`: they are found in the normalizer's output. `lstrip`: with the space before them.
    marked.add_tokens([AddedToken(marker, normalized=True, lstrip=True, special=False) for marker in RULES])
    if len(marked) > len(model.get_input_embeddings().weight):  # some embeddings have rows to spare
        with quiet():  # describes how the new ones start: near the mean of all
            model.resize_token_embeddings(len(marked))
    return marked
