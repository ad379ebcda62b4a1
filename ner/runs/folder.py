"""Who may write into a run folder, which of its files are a run's, and how a new run takes the place of an old one.

Each checkpoint, and at the end the results, are written into a hidden folder of the run folder, and moved to their
places when they are complete. A run that was in the folder before is removed when the first of them is complete. If a
training is killed, one of these folders can remain:

    UNFINISHED    what it was writing: the next training removes it
    WHOLE         what is complete, while the old run is being removed: the next training continues the removal
    PLACING       what is being moved to its place: the next training continues the move
"""

import errno
import fcntl
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ner.errors import LONE_SURROGATE, InputError
from ner.files import copy_permissions, optional_json, writing
from ner.runs.files import (
    BASELINE,
    INDEX,
    ONNX,
    ONNX_FOLDERS,
    SCORE_FILES,
    SHARD,
    SPLITS,
    SURFACES,
    TOKENIZER_NAMES,
    recorded_args,
)

log = logging.getLogger("ner")
UNFINISHED, WHOLE, PLACING = ".run-unfinished", ".run-whole", ".run-placing"
LOCK = ".run-lock"
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}  # the errors of a file system that has no locks
CHECKPOINT = re.compile(r"checkpoint-[1-9][0-9]*")
# The model card is the last file of a run that is written and the first that is removed.
RUN_FILES = (
    "README.md", "environment.json", "trainer_state.json", SURFACES, "training_args.bin", "args.yaml",
    "model.safetensors", INDEX, "config.json", *TOKENIZER_NAMES,
)  # fmt: skip
SCORES = tuple(f"{split}/{name}" for split in SPLITS for name in SCORE_FILES)
EXPORT_FILES = (*SCORES, "args.yaml", "config.json", *TOKENIZER_NAMES, ONNX)  # in each folder of an export
# A run's args.yaml and environment.json have these keys; files of the same names without them are somebody else's.
RUN_ARGUMENTS = {"dataset", "model_checkpoint", "masked_training", "output_dir"}
RUN_FACTS = {"data_fingerprint", "rows", "update_steps"}


def checkpoints_in(run: Path) -> list[Path]:
    """The `checkpoint-N` of a run folder, in the order of their numbers."""
    checkpoints = [path for path in run.glob("checkpoint-*") if CHECKPOINT.fullmatch(path.name)]
    return sorted(checkpoints, key=lambda path: int(path.name.removeprefix("checkpoint-")))


def run_files(run: Path) -> list[Path]:
    """The files and checkpoints in a folder whose names are those that training, scoring and exporting write."""
    shards = [path for path in sorted(run.glob("model-*")) if SHARD.fullmatch(path.name)]
    named = [path for path in (run / name for name in (*RUN_FILES, *SCORES)) if os.path.lexists(path)]
    return named + shards + checkpoints_in(run) + export_files(run)


def export_files(run: Path) -> list[Path]:
    """The files of the ONNX exports in a run folder; none where no export has its model."""
    folders = [run / folder for folder in ONNX_FOLDERS if (run / folder / ONNX).is_file()]
    if not folders:
        return []
    named = [folder / name for folder in folders for name in EXPORT_FILES]
    return [path for path in (run / BASELINE, *named) if os.path.lexists(path)]


def holds_run(run: Path) -> bool:
    """Whether a folder has any file or checkpoint with such a name."""
    return bool(run_files(run))


def is_finished(run: Path) -> bool:
    """Whether the folder has the records of a finished run of this project."""
    facts = optional_json(run / "environment.json")
    return facts.keys() >= RUN_FACTS and recorded_args(run).keys() >= RUN_ARGUMENTS


def is_begun(run: Path) -> bool:
    """Whether a run of this project was interrupted in the folder, after its first checkpoint."""
    configs = (optional_json(path / "config.json") for path in checkpoints_in(run))
    return recorded_args(run).keys() >= RUN_ARGUMENTS or any("masked_training" in config for config in configs)


def require_replaceable(run: Path) -> None:
    """Raises `InputError` where a training would replace files that no run wrote, or write through a link."""
    if (run / WHOLE).exists() or (run / PLACING).exists():
        return  # a training that passed these checks was killed there
    present = run_files(run)
    folders = [run / "validation", *checkpoints_in(run), *(path.parent for path in present if path.parent != run)]
    link = next((path for path in folders if path.is_symlink()), None)
    if link is not None:
        raise InputError(
            f"{link}: found a link; expected a folder of the run's own; remove the link, or choose another --output_dir"
        )
    if is_finished(run):
        return
    begun = is_begun(run)
    for path in present:
        if not (begun and (path.name == "args.yaml" or CHECKPOINT.fullmatch(path.name))):
            raise InputError(
                f"--output_dir: {run} holds {path.relative_to(run)}, which a run would replace but no finished run "
                "wrote; expected a new folder or a run; choose another --output_dir, or move the file away"
            )


def require_writable(run: Path, split: str) -> None:
    """Raises `InputError` where `run/split` cannot be written, or holds files that no scoring wrote (a data set's)."""
    if LONE_SURROGATE.search(str(run.resolve())):
        raise InputError(
            f"--output_dir: the name of {run} is not UTF-8, and no tokenizer can be saved there; rename it"
        )
    folder = run / split
    existing = next(p for p in (folder, *folder.resolve().parents) if p.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise InputError(f"--output_dir: {existing} is not a folder that can be written; expected a place for a run")
    if folder.is_dir():
        others = sorted(p.name for p in folder.iterdir() if p.name not in SCORE_FILES)
        if others:
            raise InputError(f"{folder}: holds {others[0]}, which scoring would replace; choose another --output_dir")


def remove(run: Path, paths: Iterable[Path]) -> None:
    """Removes files and checkpoints of a run, and the folders in it that are empty afterwards."""
    folders = set()
    for path in paths:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        folders |= {folder for folder in path.parents if run in folder.parents}
    for folder in sorted(folders, reverse=True):
        with suppress(OSError):  # it holds something else
            folder.rmdir()


def remove_stale(run: Path) -> None:
    """Removes what was made from a run's weights and is outdated when they change: test scores and exported models.

    Raises `InputError` where that is not allowed.
    """
    with writing(run):
        remove(run, [*(run / "test" / name for name in SCORE_FILES), *export_files(run)])


def remove_surplus(run: Path, limit: int | None, kept: Iterable[str]) -> None:
    """Removes the oldest checkpoints beyond `limit`, none where that is None or 0; those named in `kept` stay."""
    checkpoints, kept = checkpoints_in(run), set(kept)
    surplus = max(0, len(checkpoints) - max(limit, len(kept))) if limit and limit > 0 else 0
    for folder in [path for path in checkpoints if path.name not in kept][:surplus]:
        shutil.rmtree(folder, ignore_errors=True)


def publish(run: Path, replaces: bool) -> None:
    """Moves what is in UNFINISHED to its place; if `replaces`, it takes the place of the run that was there.

    Raises `InputError` where the folder cannot be written.
    """
    with writing(run):
        (run / UNFINISHED).rename(run / (WHOLE if replaces else PLACING))
        finish_publishing(run)


def finish_publishing(run: Path) -> None:
    """The rest of `publish`, also of one that a killed training had begun; nothing where none had."""
    if (run / WHOLE).is_dir():
        remove(run, run_files(run))
        (run / WHOLE).rename(run / PLACING)
    if (run / PLACING).is_dir():
        for new in sorted((run / PLACING).iterdir()):
            if new.is_dir() and not CHECKPOINT.fullmatch(new.name):  # the scores of a split
                (run / new.name).mkdir(exist_ok=True)
                for file in new.iterdir():
                    move_over(file, run / new.name / file.name)
                new.rmdir()
            else:
                move_over(new, run / new.name)
        (run / PLACING).rmdir()


def move_over(new: Path, old: Path) -> None:
    """Moves a file or a checkpoint to where an old one may be, which it replaces and whose permissions it takes."""
    if old.exists():
        copy_permissions(old, new)
    if old.is_dir():
        shutil.rmtree(old)
    new.replace(old)


@contextmanager
def training_in(run: Path, saves: bool) -> Iterator[None]:
    """Reserves a run folder for one training of one or more processes; those with `saves` tidy up unfinished files.

    Raises `InputError`, in all processes, where another program uses the folder, or `require_replaceable` refuses it.
    """
    in_first_process(lambda: require_replaceable(run))  # before anything is written
    with in_use(run):
        if saves:
            with writing(run):
                finish_publishing(run)
            shutil.rmtree(run / UNFINISHED, ignore_errors=True)
        in_first_process(lambda: require_replaceable(run))  # again, now that nobody else can write
        try:
            yield
        finally:
            if saves:
                shutil.rmtree(run / UNFINISHED, ignore_errors=True)


@contextmanager
def in_use(run: Path, shared: bool = False) -> Iterator[None]:
    """`locked` for one or more processes: the first one holds the lock, and all raise its `InputError`."""
    with ExitStack() as stack:
        in_first_process(lambda: stack.enter_context(locked(run, shared)))
        yield


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


@contextmanager
def locked(run: Path, shared: bool = False) -> Iterator[None]:
    """Locks a run folder, and makes it where it is absent: for one training, or `shared` by those that read weights.

    The lock ends with the process, however that ends. Raises `InputError` where another process holds one, or the
    folder cannot be written.
    """
    new = [folder for folder in (run, *run.parents) if not folder.exists()]
    with writing(run):
        run.mkdir(parents=True, exist_ok=True)
        descriptor = lock_file(run / LOCK, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        yield
    finally:
        with suppress(OSError):  # others share the lock: the last one removes the file
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (run / LOCK).unlink()
        os.close(descriptor)
        for folder in new:
            with suppress(OSError):  # something was written there
                folder.rmdir()


def lock_file(path: Path, operation: int) -> int:
    """The descriptor of the file at `path`, made where it is absent, under a lock: `operation` is LOCK_SH or LOCK_EX.

    Without a lock, and with a warning, where the file system has none. Raises `InputError` where another process has a
    lock that excludes this one, and `OSError` where the file cannot be written.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in NO_LOCKS:
                log.warning("%s cannot be locked on this file system: run one program at a time there", path.parent)
                return descriptor
            os.close(descriptor)
            if not isinstance(error, BlockingIOError):
                raise
            raise InputError(
                f"{path.parent}: another program trains, scores or exports there; expected none; "
                "wait until it has ended, or choose another --output_dir"
            ) from None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        os.close(descriptor)  # its last holder has removed the file meanwhile
