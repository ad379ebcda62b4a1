"""A run folder: whether a training may begin or continue there, and the lock that keeps out a second one.

A finished run is never changed by training. Its manifest is written last, so a folder with a run's `args.yaml` and
without a manifest holds an unfinished run.
"""

import os
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from ner.errors import InputError
from ner.files import WRITING, locked, optional_record
from ner.runs.files import MANIFEST, ONNX_FOLDERS, STATE

LOCK = ".lock"
CHECKPOINT = re.compile(r"checkpoint-[1-9][0-9]*")
RUN_ARGUMENTS = {"dataset", "model_checkpoint", "masked_training", "output_dir"}  # in the args.yaml of every run
# What a folder may hold before its training: the lock, an audit of `data.py`, and what macOS leaves in folders.
NEW = {LOCK, "data", ".DS_Store"}


def checkpoints_in(run: Path) -> list[Path]:
    """The `checkpoint-N` of a run folder, in the order of their numbers."""
    checkpoints = [path for path in run.glob("checkpoint-*") if CHECKPOINT.fullmatch(path.name)]
    return sorted(checkpoints, key=lambda path: int(path.name.removeprefix("checkpoint-")))


def whole_checkpoints(run: Path) -> list[Path]:
    """The `checkpoint-N` that were saved completely, in the order of their numbers."""
    return [path for path in checkpoints_in(run) if (path / STATE).is_file()]


def is_run(folder: Path) -> bool:
    """Whether the folder holds a run of this project, finished or not."""
    return optional_record(folder / "args.yaml").keys() >= RUN_ARGUMENTS


def is_finished(folder: Path) -> bool:
    """Whether the folder holds a finished run of this project."""
    return is_run(folder) and (folder / MANIFEST).is_file()


def owner_of(run: Path) -> Path:
    """The run that an export or a `checkpoint-N` belongs to; any other folder belongs to itself."""
    place = run.absolute()  # `.` has no name
    is_part = place.name in ONNX_FOLDERS or CHECKPOINT.fullmatch(place.name)
    return place.parent if is_part and is_run(place.parent) else run


def require_writable(folder: Path) -> None:
    """Raises `InputError` unless a folder can be written, or made if it is absent: on a lost drive, it cannot."""
    existing = next((each for each in (folder, *folder.resolve().parents) if each.exists()), folder)
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise InputError(f"{existing} is not a folder that can be written; name another --output_dir, or copy the run")


def require_trainable(run: Path, resumes: bool) -> None:
    """Raises `InputError` unless the folder is new, or holds an unfinished run that can begin again or be resumed."""
    require_writable(run)
    finished = owner_of(run)
    if is_finished(finished):
        raise InputError(
            f"--output_dir: {finished} holds a finished run, which training never changes; expected a new folder; name "
            f"another, or delete it first; for more epochs, start a new run from it: --model_checkpoint "
            f"{shlex.quote(str(finished))}"
        )
    if is_run(run):
        if not resumes and whole_checkpoints(run):
            raise InputError(
                f"--output_dir: {run} holds an unfinished run; continue it with --resume_from_checkpoint true, name "
                "another folder, or delete it first"
            )
        return
    others = sorted({path.name for path in run.glob("*") if not path.name.startswith(WRITING)} - NEW)
    if others:
        raise InputError(
            f"--output_dir: {run} holds {others[0]}, which no run wrote; expected a new folder; name another"
        )
    if resumes:
        raise InputError(f"--resume_from_checkpoint: found no run in {run}; expected an unfinished one; leave it out")


@contextmanager
def training_in(run: Path) -> Iterator[None]:
    """Reserves a run folder, which is made where it is absent, for one training of one or more processes.

    Raises `InputError`, in all processes, where another training uses it, and where not all of them see it.
    """
    from accelerate.utils import gather_object

    with ExitStack() as stack:
        in_first_process(lambda: stack.enter_context(locked_run(run)))
        if not all(gather_object([(run / LOCK).is_file()])):
            raise InputError(f"--output_dir: {run} is not on a disk that all processes share; name a folder that is")
        yield


def locked_run(run: Path) -> AbstractContextManager[None]:
    """Locks a run folder, which is made where it is absent. Raises `InputError` where another process has locked it."""
    run.mkdir(parents=True, exist_ok=True)
    return locked(run / LOCK, f"{run}: another training writes there; wait for its end, or name another --output_dir")


def in_first_process(action: Callable[[], object]) -> None:
    """Does something in the first process only; all processes wait for it, and raise its error where it fails."""
    from accelerate import PartialState  # here, because it loads torch, and hub.py shows a card without
    from accelerate.utils import broadcast_object_list

    outcome: list[Exception | None] = [None]
    if PartialState().is_main_process:
        try:
            action()
        except (InputError, OSError) as error:
            outcome = [error]
    failure = broadcast_object_list(outcome)[0]
    if failure is not None:
        raise failure
