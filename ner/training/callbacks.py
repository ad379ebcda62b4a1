"""What training logs while it runs, and when it evaluates: callbacks of transformers' Trainer."""

import logging
import re
import sys
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerState, TrainingArguments
from transformers.trainer_callback import ProgressCallback

log = logging.getLogger("ner")
CLASS_F1 = "f1_"  # the name of a class follows
FEW_UPDATES = 300  # with one rate for all; where the classifier has its own, half of them are enough (results/fast)


def class_metrics(classes: list[str]) -> dict[str, str]:
    """The name under which each class's F1 is logged, such as `f1_DIS` for DIS.

    Characters that some trackers reject become `_`. Only MLflow needs ASCII, and transformers sees to that.
    """
    return {c: CLASS_F1 + re.sub(r"[^\w.-]", "_", c) for c in classes}


class LogLines(TrainerCallback):
    """Log lines on standard error; standard output is for results. The F1 of each class is left to the trackers."""

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: Any, **kwargs: Any) -> None:
        log.info("%d updates", state.max_steps)
        has_one_rate = args.classifier_learning_rate is None
        if state.max_steps < FEW_UPDATES / (1 if has_one_rate else 2):
            rate = ", or set a higher --classifier_learning_rate, as in configs/quickstart.yaml" if has_one_rate else ""
            log.warning(
                "%d updates are few: a new classifier will hardly learn rare classes; train for more epochs or use "
                "smaller batches%s", state.max_steps, rate,
            )  # fmt: skip
        super().on_train_begin(args, state, control, **kwargs)  # begins the progress bar

    def on_log(
        self, args: Any, state: TrainerState, control: Any, logs: dict[str, float] | None = None, **kwargs: Any
    ) -> None:
        if state.is_world_process_zero:
            values = {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in (logs or {}).items()}
            names = {k: k.removeprefix("eval_") for k in values if k != "total_flos" and not k.endswith("_per_second")}
            line = "  ".join(f"{name} {values[k]}" for k, name in names.items() if not name.startswith(CLASS_F1))
            tqdm.write(line, file=sys.stderr)


class LogLinesAndBars(LogLines, ProgressCallback):
    """These log lines, and transformers' progress bars."""


class NoLastEvaluation(TrainerCallback):
    """Leaves out the evaluation after the last update where nothing needs it.

    The trained model is scored on the validation split anyway. The scores are needed to choose the best checkpoint, and
    by trackers.
    """

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: Any, **kwargs: Any) -> None:
        needed = args.load_best_model_at_end or args.save_strategy == "best" or args.report_to
        if state.global_step >= state.max_steps and not needed:
            control.should_evaluate = False

    on_step_end = on_epoch_end
