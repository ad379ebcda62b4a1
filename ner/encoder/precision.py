"""The precision that suits the hardware."""

import logging

import torch
from accelerate.utils import broadcast_object_list
from transformers import PreTrainedModel, TrainingArguments

from ner.errors import InputError

log = logging.getLogger("ner")
PRECISIONS = {"no": "float32", "bf16": "bfloat16", "fp16": "float16"}  # accelerate's names, and torch's
FLOAT32_ONLY = {"deberta", "fnet", "mra", "xmod"}  # transformers' code for these fails in bfloat16


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16 faster than float32.

    Of CPUs, those with AMX do, and others with AVX-512 BF16 unless they have AVX-512 FP16: these are Intel CPUs whose
    AMX a virtual machine hides, and their products of bfloat16 take twice as long as those of float32.
    """
    if device.type == "cuda":
        return bool(torch.version.hip) or torch.cuda.get_device_properties(device).major >= 8
    has = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return has.get("amx_bf16", False) or (has.get("avx512_bf16", False) and not has.get("avx512_fp16", False))


def asked_precision(options: TrainingArguments) -> str | None:
    """The precision that `--bf16`, `--fp16` or `accelerate` asks for; None where nothing does.

    Raises `InputError` for one that this project does not have, such as fp8.
    """
    if options.bf16 is None and options.mixed_precision == "no":
        return None
    if options.bf16 is False and not options.fp16:
        return "float32"
    if options.mixed_precision not in PRECISIONS:
        raise InputError(f"--mixed_precision: found {options.mixed_precision}; expected {', '.join(PRECISIONS)}")
    return PRECISIONS[options.mixed_precision]


def choose_precision(asked: str | None, device: torch.device, model_type: str) -> str:
    """The precision of training, bfloat16, float16 or float32.

    It is the one that was asked for. Otherwise it depends on the model and on the first process's hardware, and a log
    line says why. It never depends on how fast the hardware is at the moment, so that the same command computes the
    same numbers on a busy machine.
    """
    if asked is not None:
        return asked
    if model_type in FLOAT32_ONLY:
        precision, reason = "float32", f"transformers' {model_type} fails in it"
    else:
        fast = broadcast_object_list([multiplies_bfloat16(device)])[0]
        precision, verb = ("bfloat16", "multiplies") if fast else ("float32", "does not multiply")
        reason = f"the hardware {verb} it faster than float32 (--bf16 true or false overrides)"
    log.info("bfloat16: %s, %s", "on" if precision == "bfloat16" else "off", reason)
    return precision


def set_precision(options: TrainingArguments, precision: str) -> None:
    """Makes Trainer use a precision that was chosen after its options were parsed.

    Trainer reads `mixed_precision`, which transformers derives from `bf16` and `fp16` when the options are made.
    """
    options.bf16, options.fp16 = precision == "bfloat16", precision == "float16"
    options.mixed_precision = next(name for name, known in PRECISIONS.items() if known == precision)


def in_precision(model: PreTrainedModel, device: torch.device, precision: str) -> PreTrainedModel:
    """The model on a device, with its weights in a precision.

    The frequencies of rotary positions stay in float32, as in training: rounded, they would turn far positions by up to
    0.4 % of their angle.
    """
    frequencies = {name: values for name, values in model.named_buffers() if name.endswith("inv_freq")}
    model.to(device, getattr(torch, precision))
    for name, values in frequencies.items():
        place, _, own_name = name.rpartition(".")
        setattr(model.get_submodule(place), own_name, values.to(device))
    return model


def use_one_gpu(options: TrainingArguments) -> None:
    """Makes Trainer use one GPU where a single process finds several.

    Otherwise it would divide each batch among them, multiply the loss by their number, and compute in float32 whatever
    precision was chosen.
    """
    if options.n_gpu > 1:
        log.warning("found %d GPUs; training uses one; to use all: accelerate launch --multi_gpu train.py ...",
                    options.n_gpu)  # fmt: skip
        options._n_gpu = 1
