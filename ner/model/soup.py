"""One model from several trainings in turn: the mean of the weights that each ends with.

This is the uniform model soup of Wortsman et al. (2022). Its members start from the same weights, those of the new
classifier included, and differ in the order of the rows and in dropout. Each makes the same number of updates, follows
the whole schedule of the learning rate, and begins with an empty optimizer.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.optim.lr_scheduler import LRScheduler
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ner.errors import InputError, message_of

log = logging.getLogger("ner")
FILE = "soup.safetensors"  # in a checkpoint: the summed weights of the members that are complete


class Soup(TrainerCallback):
    """Starts each member of a training anew, and puts the mean of all into the model after the last update.

    It needs the model that is about to be trained, with the weights that every member starts from.
    """

    def __init__(self, model: PreTrainedModel, members: int) -> None:
        self.members = members
        self.first = {name: weights.detach().to("cpu", copy=True) for name, weights in model.named_parameters()}
        self.sums = {name: torch.zeros_like(weights) for name, weights in self.first.items()}

    def repeated(self, create: Callable[..., LRScheduler], updates: int, *others: Any) -> LRScheduler:
        """The schedule that `create` makes for the updates of one member, once for each of them."""
        length = updates // self.members
        if not length:
            raise InputError(
                f"--soup_members: found {self.members} for {updates} update(s); expected at least one for each member; "
                "train longer, or with fewer members"
            )
        scheduler = create(length, *others)
        if not hasattr(scheduler, "lr_lambdas"):
            raise InputError(
                f"--lr_scheduler_type: found {type(scheduler).__name__}, which looks at the scores; expected one that "
                "depends on the number of updates alone for --soup_members; choose another, such as linear"
            )
        last = length * self.members - 1

        def for_member(rate: Callable[[int], float]) -> Callable[[int], float]:
            return lambda update: rate(min(update, last) % length)

        scheduler.lr_lambdas = [for_member(rate) for rate in scheduler.lr_lambdas]
        return scheduler

    @torch.no_grad()
    def on_step_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        *,
        model: PreTrainedModel,
        optimizer: Any,
        **kwargs: Any,
    ) -> None:
        member, update = divmod(state.global_step, state.max_steps // self.members)
        if update == 0:
            log.info("soup: training %d of %d starts", member + 1, self.members)
        if update == 0 and member > 0:
            for name, weights in model.named_parameters():
                weights.copy_(self.first[name])
            optimizer.optimizer.state.clear()

    @torch.no_grad()
    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        *,
        model: PreTrainedModel,
        **kwargs: Any,
    ) -> None:
        length = state.max_steps // self.members
        if state.global_step % length:
            return
        for name, weights in model.named_parameters():
            self.sums[name] += weights.cpu()
        if state.global_step == length * self.members:
            for name, weights in model.named_parameters():
                weights.copy_(self.sums[name] / self.members)
            log.info("soup: the model is the mean of %d trainings now", self.members)
            control.should_training_stop = True  # where the updates do not divide by the members, a few are left

    def save(self, folder: Path) -> None:
        """Adds to a checkpoint what a resumed training needs."""
        save_file(self.sums, folder / FILE)

    def load(self, folder: Path) -> None:
        """Goes on from the members that were complete in a checkpoint. Raises `InputError` where it is not whole."""
        try:
            sums = load_file(folder / FILE)
        except Exception as error:  # safetensors' own class, which it does not share with OSError
            raise InputError(
                f"{folder / FILE}: cannot be read: {message_of(error, 100)}; expected the weights of the members so "
                "far; resume from another checkpoint"
            ) from error
        for name, weights in self.sums.items():
            weights.copy_(sums[name])
