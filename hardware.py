"""What the processor or GPU does fast, found out by measuring."""

import contextlib
import ctypes
import logging
import time

import torch
from accelerate.utils import broadcast_object_list
from transformers import PreTrainedConfig, PreTrainedModel

log = logging.getLogger("ner")
WORTH = 1.2  # how many times as fast bfloat16 must be to be chosen: less is noise, and float32 is more exact


def bfloat16_speedup(device: torch.device, size: int, rows: int = 1024, rounds: int = 5) -> float:
    """How many times as fast a Transformer's feed-forward block of hidden `size` runs under bfloat16 autocast.

    Forward and backward, casts included, over `rows` positions: the fastest of `rounds` alternating ones each.
    """
    layer = torch.nn.Sequential(torch.nn.Linear(size, 4 * size), torch.nn.GELU(), torch.nn.Linear(4 * size, size))
    layer.to(device)
    values = torch.zeros(rows, size, device=device)
    best = {False: float("inf"), True: float("inf")}
    for round in range(rounds + 1):  # the first one warms up
        for bfloat16 in best:
            start = time.perf_counter()
            with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
                result = layer(values)
            result.float().sum().backward()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if round:
                best[bfloat16] = min(best[bfloat16], time.perf_counter() - start)
    return best[False] / best[True]


def bfloat16_pays(device: torch.device, config: PreTrainedConfig) -> bool:
    """Whether to use bfloat16 autocast for a model of this size; all processes get the first one's answer."""
    size = getattr(config, "hidden_size", 768)
    supported = device.type == "cpu" or (device.type == "cuda" and torch.cuda.is_bf16_supported(False))
    speedup = broadcast_object_list([bfloat16_speedup(device, size) if supported else 0.0])[0]
    chosen = speedup >= WORTH
    measured = f"measured {speedup:.1f} times as fast as float32" if speedup else f"not supported on {device.type}"
    log.info("bfloat16: %s, %s (--bf16 true or false decides it)", "on" if chosen else "off", measured)
    return chosen


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
