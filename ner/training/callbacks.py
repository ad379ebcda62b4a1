"""What training logs while it runs, and when it must stop: callbacks of transformers' Trainer."""

import sys
from typing import Any

from tqdm import tqdm
from transformers import PreTrainedModel, TrainerCallback, TrainerState, TrainingArguments
from transformers.trainer_callback import ProgressCallback

from ner.errors import InputError


class LogLines(TrainerCallback):
    """Log lines on standard error; standard output is for results."""

    def on_log(
        self, args: Any, state: TrainerState, control: Any, logs: dict[str, float] | None = None, **kwargs: Any
    ) -> None:
        if state.is_world_process_zero:
            values = {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in (logs or {}).items()}
            line = "  ".join(f"{k.removeprefix('eval_')} {v}" for k, v in values.items() if k != "total_flos")
            tqdm.write(line, file=sys.stderr)


class LogLinesAndBars(LogLines, ProgressCallback):
    """These log lines, and transformers' progress bars."""


class StopAtDivergence(TrainerCallback):
    """Ends a training whose weights are no longer finite, after the update that made them so, in every process.

    It looks at the weights of the last layer: a number that is not finite anywhere reaches them within an update.
    """

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: Any, *, model: PreTrainedModel, **kwargs: Any
    ) -> None:
        *_, last = (weights for weights in model.parameters() if weights.requires_grad)
        if not last.isfinite().all():
            raise InputError(
                f"{args.output_dir}: training diverged: after update {state.global_step:,} the weights are not finite; "
                f"lower --learning_rate (it was {args.learning_rate:g}){' or try --bf16 false' if args.bf16 else ''}"
            )
