"""What the CPU or GPU is good at: the precision that suits it, and how its memory is used."""

import contextlib
import ctypes
import logging

import torch
from accelerate.utils import broadcast_object_list
from transformers import PreTrainedModel

from arguments import TrainingArguments
from ner.errors import InputError

log = logging.getLogger("ner")
PRECISIONS = {"no": "float32", "bf16": "bfloat16", "fp16": "float16"}  # accelerate's names, and torch's
FLOAT32_ONLY = {"deberta", "fnet", "mra", "xmod"}  # transformers' code for these fails in bfloat16


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware has instructions for products of bfloat16, which make it faster than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16"))


def settle_precision(options: TrainingArguments, model_type: str) -> str:
    """Sets `bf16` where no option did, and returns the precision of training: bfloat16, float16 or float32.

    `--bf16` and `--fp16` come first, then what `accelerate` was told, then what the model can do and the first
    process's hardware is: never how fast it is just now, so that the same command computes the same numbers on a busy
    machine. Raises `InputError` where bfloat16 is asked for and the model cannot do it.
    """
    given, reason = options.bf16 is not None, "as --bf16, --fp16, accelerate or the resumed run says"
    if given and not options.bf16 and not options.fp16:
        options.mixed_precision = "no"
    elif not given and options.mixed_precision == "no" and model_type in FLOAT32_ONLY:
        options.mixed_precision, reason = "no", f"transformers' {model_type} does not work in it"
    elif not given and options.mixed_precision == "no":
        found = broadcast_object_list([multiplies_bfloat16(options.device)])[0]
        options.mixed_precision = "bf16" if found else "no"
        reason = f"the hardware {'multiplies' if found else 'does not multiply'} it (--bf16 true or false overrides)"
    if options.mixed_precision == "bf16" and model_type in FLOAT32_ONLY:
        raise InputError(
            f"--bf16: found bfloat16 for a model of type {model_type}, which does not work in it in transformers; "
            "expected float32; pass --bf16 false"
        )
    options.bf16, options.fp16 = options.mixed_precision == "bf16", options.mixed_precision == "fp16"
    log.info("bfloat16: %s, %s", "on" if options.bf16 else "off", reason)
    return PRECISIONS.get(options.mixed_precision, options.mixed_precision)


def scoring_precision(options: TrainingArguments) -> str:
    """What words are tagged in under settled options: bfloat16, or float32, since weights may overflow float16."""
    return "bfloat16" if options.bf16 else "float32"


def stay_in_bfloat16(model: PreTrainedModel) -> None:
    """Makes layer normalisation pass bfloat16 on under a processor's autocast.

    Otherwise the embeddings' float32 stays in every sum of a layer and its input, and each product casts it again.
    """

    def lowered(module: torch.nn.Module, inputs: tuple, output: torch.Tensor) -> torch.Tensor:
        return output.bfloat16() if torch.is_autocast_enabled("cpu") else output

    for module in model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.register_forward_hook(lowered)


def keep_freed_memory() -> None:
    """Makes glibc reuse large blocks instead of returning them to the system, which would clear each page again.

    A training step frees and asks for hundreds of megabytes. Larger blocks than an embedding's gradient still go
    back: keeping them all doubled the memory of a run. Does nothing where the C library has no `mallopt`.
    """
    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(-3, 2**26)  # M_MMAP_THRESHOLD: larger blocks come from the system
        mallopt(-1, 2**27)  # M_TRIM_THRESHOLD: more than this unused at the end goes back
