"""What training logs while it runs, and when it must stop: callbacks of transformers' Trainer."""

import sys
from typing import Any

from torch.utils.data import DataLoader
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ProgressCallback

from ner.errors import InputError


class Progress(ProgressCallback):
    """Progress bars and log lines on standard error; standard output is for results."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.current_step = state.global_step
        if state.is_world_process_zero and not args.disable_tqdm:
            super().on_train_begin(args, state, control, **kwargs)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self.training_bar is not None:
            super().on_step_end(args, state, control, **kwargs)

    def on_prediction_step(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        eval_dataloader: DataLoader | None = None,
        **kwargs: Any,
    ) -> None:
        if not args.disable_tqdm:
            super().on_prediction_step(args, state, control, eval_dataloader, **kwargs)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if state.is_world_process_zero:
            values = {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in (logs or {}).items()}
            line = "  ".join(f"{k.removeprefix('eval_')} {v}" for k, v in values.items() if k != "total_flos")
            self.training_bar.write(line, file=sys.stderr) if self.training_bar else print(line, file=sys.stderr)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.training_bar is not None:
            super().on_train_end(args, state, control, **kwargs)


class StopAtDivergence(TrainerCallback):
    """Ends a training whose weights are no longer finite, after the update that made them so, in every process.

    It looks at the weights of the last layer: a number that is not finite anywhere reaches them within an update.
    """

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        *,
        model: PreTrainedModel,
        **kwargs: Any,
    ) -> None:
        *_, last = (weights for weights in model.parameters() if weights.requires_grad)
        if not last.isfinite().all():
            raise divergence(args, f"after update {state.global_step:,} the weights are not finite")


def divergence(options: TrainingArguments, symptom: str) -> InputError:
    """The error of a training that ended in NaN or infinity, as `symptom` says."""
    return InputError(
        f"{options.output_dir}: training diverged: {symptom}; expected finite numbers; "
        f"lower --learning_rate (it was {options.learning_rate:g}){' or try --bf16 false' if options.bf16 else ''}"
    )
