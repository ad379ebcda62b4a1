"""A run's model in ONNX: exported, with float32 and with int8 weights, and run by onnxruntime."""

import logging
import shutil
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel

from ner.encoder.checkpoints import load_for_tagging, quiet, save_tokenizer
from ner.errors import InputError
from ner.files import written_together
from ner.runs.files import ONNX, ONNX_FOLDERS
from ner.tagging.prediction import Logits

log = logging.getLogger("ner")
LARGEST = 2**31 - 2**24  # bytes of weights in a file: protobuf's limit, with room for the graph
QUANTIZER = "onnx.quantize"  # what onnxruntime's quantization signs its models with


def export(run: Path) -> None:
    """Writes `onnx/` and `onnx_int8/` into a run folder, unless one is there.

    Each is a complete checkpoint: config.json, tokenizer, model.onnx and args.yaml. The model takes input_ids and
    attention_mask, int64 [row, position], and gives logits, float32 [row, position, label]. Raises `InputError` for a
    model that the exporter cannot export.
    """
    if any((run / folder).exists() for folder in ONNX_FOLDERS):
        log.info("%s: exported before; to export it again, delete its %s first", run, " and ".join(ONNX_FOLDERS))
        return
    model, tokenizer = load_for_tagging(str(run))
    size = 4 * model.num_parameters()
    if size > LARGEST:
        raise InputError(
            f"{run}: has {size / 1e9:.1f} GB of weights in float32; expected at most {LARGEST / 1e9:.1f} GB, all "
            "that an ONNX file holds; use the run itself"
        )
    with written_together(run) as new:
        full, small = (new / folder for folder in ONNX_FOLDERS)
        for folder in (full, small):
            save_tokenizer(tokenizer, folder)
            for name in ("config.json", "args.yaml"):
                shutil.copy(run / name, folder)
        try:
            with quiet():
                write_onnx(model, full / ONNX)
                write_int8(full / ONNX, small / ONNX)
        except torch.onnx.OnnxExporterError as error:
            raise InputError(
                f"{run}: torch cannot export a model of type {model.config.model_type} to ONNX; expected one that "
                "docs/encoders.md lists as exported; use the run itself"
            ) from error
    log.info("wrote %s", " and ".join(str(run / folder) for folder in ONNX_FOLDERS))


def write_onnx(model: PreTrainedModel, path: Path) -> None:
    """Writes the model as ONNX, with float32 weights, for any number of rows and positions."""
    import onnx

    # The plain formulation of attention: the fused one is exported with checks for rows that are all padding.
    model.set_attn_implementation("eager")
    names, axes = ("input_ids", "attention_mask"), {0: "row", 1: "position"}
    torch.onnx.export(
        model, (), path, kwargs={name: torch.ones(2, 8, dtype=torch.int64) for name in names},
        output_names=["logits"], dynamic_shapes=dict.fromkeys(names, axes), external_data=False, verbose=False,
    )  # fmt: skip
    exported = onnx.load(path)
    graph = exported.graph
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]  # the exporter's notes, with the paths of the sources on this machine
    onnx.save(exported, path)
    path.with_name(f"{path.name}.data").unlink(missing_ok=True)  # where torch puts the weights of larger models


def write_int8(source: Path, path: Path) -> None:
    """The model with int8 weights, a scale for each column; activations are quantized when the model runs.

    Weights stay in float32 where int8 would cost the most accuracy for the least space: the small tables of positions
    and token types, and the first layer's projection back to the hidden size, whose inputs have the farthest outliers
    under one scale.
    """
    import onnx
    from onnxruntime.quantization import quantize_dynamic

    graph = onnx.load(source).graph
    shapes = {weights.name: tuple(weights.dims) for weights in graph.initializer}
    tables = [node for node in graph.node if node.op_type == "Gather" and node.input[0] in shapes]
    small = sorted(tables, key=lambda node: shapes[node.input[0]][0])[:-1]  # all but that of the words
    products = [node for node in graph.node if node.op_type == "MatMul" and node.input[1] in shapes]
    narrowing = [node for node in products if shapes[node.input[1]][0] > shapes[node.input[1]][1]][:1]
    quantize_dynamic(source, path, per_channel=True, nodes_to_exclude=[node.name for node in (*small, *narrowing)])


def onnx_logits(path: Path, at_once: int) -> tuple[Logits, str]:
    """The logits of an exported model on the CPU, for `at_once` batches at a time.

    The second value is the precision of its weights, float32 or int8, as the model file itself tells it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads() // at_once
    options.log_severity_level = 4  # what goes wrong is raised
    has = torch.cpu.get_capabilities()
    if not (has.get("avx512_vnni") or has.get("avx_vnni")):
        options.add_session_config_entry("session.x64quantprecision", "1")  # the faster int8 products would overflow
    session = onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
    )  # that fusion's kernel is many times as slow on a CPU as what it replaces

    def logits(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        return session.run(None, {"input_ids": input_ids, "attention_mask": attention_mask})[0]

    quantized = session.get_modelmeta().producer_name == QUANTIZER
    return logits, "int8" if quantized else "float32"
