"""Training options that transformers or its libraries refuse, found before the training begins."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils.checkpoint import checkpoint
from transformers import Trainer, TrainingArguments, get_scheduler
from transformers.utils import is_liger_kernel_available

from ner.errors import InputError, message_of


@contextmanager
def options_at_fault() -> Iterator[None]:
    """Turns what transformers and its libraries raise for options that they refuse into an `InputError`."""
    try:
        yield
    except InputError:
        raise
    except (ValueError, TypeError, ArithmeticError, ImportError, RuntimeError) as error:
        raise InputError(f"training arguments: {message_of(error)}") from error


def require_usable(options: TrainingArguments, trainer: Trainer) -> None:
    """Raises an error for options with which a training would fail only after it had begun."""
    require_optimizer(options, trainer)
    if options.use_liger_kernel and not is_liger_kernel_available():
        raise InputError("--use_liger_kernel: liger-kernel is not installed; install it, or leave the option out")
    if options.torch_compile:
        torch.compile(torch.nn.Identity(), backend=options.torch_compile_backend, mode=options.torch_compile_mode)
    if options.activation_checkpointing:
        kwargs = options.activation_checkpointing_kwargs or {}
        if not isinstance(kwargs, dict):
            raise InputError(
                f'--activation_checkpointing_kwargs: found {kwargs!r}; expected JSON such as {{"use_reentrant": false}}'
            )
        own = {k: v for k, v in kwargs.items() if k in ("every_n_layers", "offload")}
        theirs = {k: v for k, v in kwargs.items() if k not in own}
        trainer.model.activation_checkpointing_enable(theirs or None, **own)
        checkpoint(torch.nn.Identity(), torch.ones(1, requires_grad=True), **(theirs or {"use_reentrant": False}))
    rows, batch = len(trainer.train_dataset), options.train_batch_size * options.world_size
    if options.dataloader_drop_last and rows < batch:
        raise InputError(
            f"--dataloader_drop_last: {rows} training rows make no batch of {batch}; expected at least one; "
            "lower --per_device_train_batch_size"
        )


def require_optimizer(options: TrainingArguments, trainer: Trainer) -> None:
    """Makes an optimizer and a schedule to see that the options allow it."""
    trainer.create_optimizer()
    get_scheduler(options.lr_scheduler_type, trainer.optimizer, 0, 1, dict(options.lr_scheduler_kwargs or {}))
    trainer.optimizer = None  # Trainer makes its own when the model is on its device
