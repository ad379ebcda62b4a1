"""Who may write into a run folder, which of its files are a run's, and how a new run takes the place of an old one.

Each checkpoint, and at the end the results, are written into a hidden folder of the run folder and moved where they
belong when they are whole. With the first of them goes the run that the folder held before. A killed training leaves

    UNFINISHED    what it was writing: the next training removes it
    WHOLE         what is whole, while the old run is being removed: the next training goes on removing
    PLACING       what is being moved where it belongs: the next training goes on moving
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

from ner.errors import InputError
from ner.runs.files import (
    BASELINE,
    INDEX,
    ONNX,
    ONNX_FOLDERS,
    SCORED,
    SHARD,
    SPLITS,
    SURFACES,
    TOKENIZER_NAMES,
    keep_modes,
    optional_json,
    recorded_args,
)
from ner.corpus.readers import HALF_A_PAIR

log = logging.getLogger("ner")
UNFINISHED, WHOLE, PLACING = ".run-unfinished", ".run-whole", ".run-placing"
LOCK = ".run-lock"
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}  # what a file system answers that has none
CHECKPOINT = re.compile(r"checkpoint-[1-9][0-9]*")
# The model card is the last file of a run to come and the first to go.
FILES = (
    "README.md", "environment.json", "trainer_state.json", SURFACES, "training_args.bin", "args.yaml",
    "model.safetensors", INDEX, "config.json", *TOKENIZER_NAMES,
)  # fmt: skip
SCORES = tuple(f"{split}/{name}" for split in SPLITS for name in SCORED)
EXPORTED = (*SCORES, "args.yaml", "config.json", *TOKENIZER_NAMES, ONNX)  # in each folder of an export
# By these a run's records are told from files of the same names.
OWN_ARGUMENTS = {"dataset", "model_checkpoint", "masked_training", "output_dir"}
OWN_FACTS = {"data_fingerprint", "rows", "update_steps"}


def checkpoints_in(run: Path) -> list[Path]:
    """The `checkpoint-N` of a run folder, in the order of their numbers."""
    found = [path for path in run.glob("checkpoint-*") if CHECKPOINT.fullmatch(path.name)]
    return sorted(found, key=lambda path: int(path.name.removeprefix("checkpoint-")))


def written(run: Path) -> list[Path]:
    """What lies in a folder under names that a training writes or that scoring and exporting its weights do."""
    shards = [path for path in sorted(run.glob("model-*")) if SHARD.fullmatch(path.name)]
    names = [run / name for name in (*FILES, *SCORES)]
    return [path for path in (*names, *shards) if os.path.lexists(path)] + checkpoints_in(run) + exported(run)


def exported(run: Path) -> list[Path]:
    folders = [run / folder for folder in ONNX_FOLDERS if (run / folder / ONNX).is_file()]
    return [p for p in (run / BASELINE, *(f / n for f in folders for n in EXPORTED)) if folders and os.path.lexists(p)]


def holds_run(run: Path) -> bool:
    return bool(written(run))


def is_finished(run: Path) -> bool:
    """Whether the folder has the records of a finished run of this project."""
    facts = optional_json(run / "environment.json")
    return facts.keys() >= OWN_FACTS and recorded_args(run).keys() >= OWN_ARGUMENTS


def is_begun(run: Path) -> bool:
    """Whether a run of this project was interrupted in the folder, after its first checkpoint."""
    saved = (optional_json(path / "config.json") for path in checkpoints_in(run))
    return recorded_args(run).keys() >= OWN_ARGUMENTS or any("masked_training" in config for config in saved)


def require_own(run: Path) -> None:
    """Raises `InputError` where a training would replace what no run wrote, or write through a link."""
    if (run / WHOLE).exists() or (run / PLACING).exists():
        return  # a training was killed there, which had the same checks
    found = written(run)
    parts = [run / "validation", *checkpoints_in(run), *(path.parent for path in found if path.parent != run)]
    link = next((path for path in parts if path.is_symlink()), None)
    if link is not None:
        raise InputError(
            f"{link}: found a link; expected a folder of the run's own; remove the link, or choose another --output_dir"
        )
    if is_finished(run):
        return
    begun = is_begun(run)
    foreign = [path for path in found if not (begun and (path.name == "args.yaml" or CHECKPOINT.fullmatch(path.name)))]
    if foreign:
        raise InputError(
            f"--output_dir: {run} holds {foreign[0].relative_to(run)}, which a run would replace and no finished run "
            "wrote; expected a new folder or a run; choose another --output_dir, or move the file away"
        )


def require_writable(run: Path, split: str) -> None:
    """Raises `InputError` where `run/split` cannot be written, or holds what no scoring wrote (a data set, say)."""
    if HALF_A_PAIR.search(str(run.resolve())):
        raise InputError(
            f"--output_dir: the name of {run} is not UTF-8, and no tokenizer can be saved there; rename it"
        )
    folder = run / split
    existing = next(p for p in (folder, *folder.resolve().parents) if p.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise InputError(f"--output_dir: {existing} is no folder that can be written; expected a place for a run")
    if folder.is_dir():
        others = sorted(p.name for p in folder.iterdir() if p.name not in SCORED)
        if others:
            raise InputError(f"{folder}: holds {others[0]}, which scoring would replace; choose another --output_dir")


def remove(run: Path, paths: Iterable[Path]) -> None:
    """Removes files and checkpoints of a run, and folders in it that are empty then."""
    folders = set()
    for path in paths:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        folders |= {folder for folder in path.parents if run in folder.parents}
    for folder in sorted(folders, reverse=True):
        with suppress(OSError):  # it holds something else
            folder.rmdir()


def remove_stale(run: Path) -> None:
    """Removes what was made from a run's weights and not by training them: the test scores and the exported models."""
    remove(run, [*(run / "test" / name for name in SCORED), *exported(run)])


def remove_surplus(run: Path, limit: int | None, kept: Iterable[str]) -> None:
    """Removes the oldest checkpoints beyond `limit`, where that is a number above 0; those named in `kept` stay."""
    found, kept = checkpoints_in(run), set(kept)
    surplus = max(0, len(found) - max(limit, len(kept))) if limit and limit > 0 else 0
    for folder in [path for path in found if path.name not in kept][:surplus]:
        shutil.rmtree(folder, ignore_errors=True)


def publish(run: Path, replaces: bool) -> None:
    """Moves what is in UNFINISHED where it belongs; if `replaces`, it takes the place of the run that was there."""
    (run / UNFINISHED).rename(run / (WHOLE if replaces else PLACING))
    go_on_publishing(run)


def go_on_publishing(run: Path) -> None:
    if (run / WHOLE).is_dir():
        remove(run, written(run))
        (run / WHOLE).rename(run / PLACING)
    if (run / PLACING).is_dir():
        for new in sorted((run / PLACING).iterdir()):
            if new.is_dir() and not CHECKPOINT.fullmatch(new.name):  # the scores of a split
                (run / new.name).mkdir(exist_ok=True)
                for file in new.iterdir():
                    place(file, run / new.name / file.name)
                new.rmdir()
            else:
                place(new, run / new.name)
        (run / PLACING).rmdir()


def place(new: Path, old: Path) -> None:
    if old.exists():
        keep_modes(old, new)
    if old.is_dir():
        shutil.rmtree(old)
    new.replace(old)


@contextmanager
def training_in(run: Path, saves: bool) -> Iterator[None]:
    """Keeps a run folder for one training, with one or more processes, of which those that save clear up.

    Raises `InputError` in all of them where another program is at work there, or for what `require_own` refuses.
    """
    in_first_process(lambda: require_own(run))  # nothing was written yet
    with in_use(run):
        if saves:
            go_on_publishing(run)
            shutil.rmtree(run / UNFINISHED, ignore_errors=True)
        in_first_process(lambda: require_own(run))  # nobody else writes now
        try:
            yield
        finally:
            if saves:
                shutil.rmtree(run / UNFINISHED, ignore_errors=True)


@contextmanager
def in_use(run: Path, shared: bool = False) -> Iterator[None]:
    """`locked` for one or more processes: the first locks, and all raise its `InputError`."""
    with ExitStack() as stack:
        in_first_process(lambda: stack.enter_context(locked(run, shared)))
        yield


def in_first_process(action: Callable[[], object]) -> None:
    """Does something in the first process; every other one waits for it, and raises the error that it met."""
    from accelerate import PartialState  # loads torch, which hub.py does without
    from accelerate.utils import broadcast_object_list

    outcome: list[Exception | None] = [None]
    if PartialState().is_main_process:
        try:
            action()
        except (InputError, OSError) as error:
            outcome = [error]
    error = broadcast_object_list(outcome)[0]
    if error is not None:
        raise error


@contextmanager
def locked(run: Path, shared: bool = False) -> Iterator[None]:
    """Locks a run folder, which is made if need be: for one training, or `shared` by what reads its weights.

    The lock ends with the process, however that ends. Raises `InputError` where another process holds one.
    """
    new = [folder for folder in (run, *run.parents) if not folder.exists()]
    run.mkdir(parents=True, exist_ok=True)
    descriptor = lock_descriptor(run / LOCK, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    try:
        yield
    finally:
        with suppress(OSError):  # others that share the lock: the last one removes the file
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (run / LOCK).unlink()
        os.close(descriptor)
        for folder in new:
            with suppress(OSError):  # something was written
                folder.rmdir()


def lock_descriptor(path: Path, kind: int) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in NO_LOCKS:
                log.warning("%s cannot be locked on this file system: start one program at a time there", path.parent)
                return descriptor
            os.close(descriptor)
            if not isinstance(error, BlockingIOError):
                raise
            raise InputError(
                f"{path.parent}: another program trains, scores or exports there; expected none; "
                "wait for its end, or choose another --output_dir"
            ) from None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        os.close(descriptor)  # its last holder removed the file meanwhile
