"""One model from several trainings in turn: the mean of the weights that each ends with.

A uniform model soup (Wortsman et al. 2022): its members start from the same weights, those of the new classifier
included, and differ in the order of the rows and in dropout. Each makes the same number of updates, follows the whole
schedule of the learning rate, and begins with an empty optimizer. Without `restart`, the members are cycles of one
training: each goes on from the weights of the one before (snapshots, Huang et al. 2017).
"""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel
from transformers import PreTrainedModel, TrainerCallback

from ner.training.trainer import TaggingTrainer


class Soup(TrainerCallback):
    """Starts each member of a training anew, and puts the mean of all into the model after the last update.

    It needs the trainer before it trains, with the weights that every member starts from.
    """

    def __init__(self, trainer: TaggingTrainer, members: int, restart: bool) -> None:
        self.members, self.restart = members, restart
        self.first = deepcopy(trainer.model.state_dict())
        self.mean = AveragedModel(trainer.model)
        self.updates = 0  # of one member
        trainer.add_callback(self)
        hook: Any = trainer
        hook.create_scheduler = partial(self.repeated, trainer.create_scheduler)

    def repeated(self, create: Callable[..., LRScheduler], num_training_steps: int, **others: Any) -> LRScheduler:
        """The schedule that `create` makes for the updates of one member, once for each of them."""
        self.updates = num_training_steps // self.members
        last = self.updates * self.members - 1
        scheduler: Any = create(self.updates, **others)

        def for_member(rate: Callable[[int], float]) -> Callable[[int], float]:
            return lambda update: rate(min(update, last) % self.updates)

        scheduler.lr_lambdas = [for_member(rate) for rate in scheduler.lr_lambdas]
        return scheduler

    def on_step_begin(
        self, args: Any, state: Any, control: Any, *, model: PreTrainedModel, optimizer: Any, **kwargs: Any
    ) -> None:
        if self.restart and state.global_step and state.global_step % self.updates == 0:
            model.load_state_dict(self.first)
            optimizer.optimizer.state.clear()

    def on_step_end(self, args: Any, state: Any, control: Any, *, model: PreTrainedModel, **kwargs: Any) -> None:
        if state.global_step % self.updates:
            return
        self.mean.update_parameters(model)
        if state.global_step == self.updates * self.members:
            model.load_state_dict(self.mean.module.state_dict())
            control.should_training_stop = True  # where the updates do not divide by the members, a few are left
