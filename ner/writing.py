"""Writing files: what the system refuses becomes a message, and a file that is replaced keeps its permissions."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ner.errors import InputError


@contextmanager
def writing(path: Path | str) -> Iterator[None]:
    """Around code that writes `path`, a file or a folder: raises `InputError` where the system refuses.

    A pipe whose reader has gone is not the person's mistake: its `BrokenPipeError` is passed on to `run_script`.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        where, reason = error.filename or path, error.strerror or error
        raise InputError(f"{where}: {reason}; expected a place that can be written") from error


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 file. Raises `InputError` where it cannot be written.

    Half a surrogate pair, which UTF-8 cannot hold, is written as its backslash escape, the form that JSON has for it.
    """
    with writing(path):
        path.write_text(text, encoding="utf-8", errors="backslashreplace")


def copy_permissions(old: Path, new: Path) -> None:
    """Gives a new file, or a folder and its files, the permissions and owners of those whose place they take."""
    for path in (new, *new.rglob("*")):
        replaced = old / path.relative_to(new)
        if replaced.exists():
            status = replaced.stat()
            with suppress(OSError):  # only root may give a file to another user
                os.chown(path, status.st_uid, status.st_gid)
            path.chmod(stat.S_IMODE(status.st_mode))
