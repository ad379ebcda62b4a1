"""`train.py` with a model that FSDP divides on CPUs: torch can do that, but accelerate only does it on accelerators."""

from typing import Any

from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import DistributedType

import train
from ner.errors import run_script
from ner.training.trainer import TaggingTrainer

initialize = AcceleratorState.__init__


def with_fsdp(self: Any, *positional: Any, fsdp_plugin: Any = None, **named: Any) -> None:
    initialize(self, *positional, fsdp_plugin=fsdp_plugin, **named)
    if fsdp_plugin is not None:
        self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, fsdp_plugin
        PartialState._shared_state["distributed_type"] = DistributedType.FSDP


class DividedTrainer(TaggingTrainer):
    """A trainer that fails if its model was not divided."""

    def train(self, *positional: Any, **named: Any) -> Any:
        output = super().train(*positional, **named)
        assert all(hasattr(weights, "to_local") for weights in self.model.parameters())
        return output


AcceleratorState.__init__ = with_fsdp
train.build_trainer.__globals__["TaggingTrainer"] = DividedTrainer
run_script(train.main)
