"""Reading raw text line by line and writing results, from and to standard streams, files and pipes."""

import fcntl
import io
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from ner.errors import InputError
from ner.files import copy_permissions, writing

STANDARD_OUTPUT = (None, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
DESCRIPTOR = re.compile(r"/dev/stderr|(?:/dev/fd|/proc/self/fd)/(\d+)")  # as bash names `>(command)`


def blocks(lines: Iterable[str], size: int) -> Iterator[list[str]]:
    """Lists of up to `size` lines. The lines before a wrong one are given before its `InputError` is raised."""
    block: list[str] = []
    try:
        for line in lines:
            block.append(line)
            if len(block) == size:
                yield block
                block = []
    except InputError:
        if block:
            yield block
        raise
    if block:
        yield block


@contextmanager
def input_lines(text: str | None, path: str | None) -> Iterator[Iterator[str]]:
    """The lines of a text, else of a file, or for `-` of standard input. Raises `InputError` where it is not UTF-8."""
    if text is not None:
        yield decoded(os.fsencode(text).split(b"\n"), "--text")
        return
    assert path is not None, "a text or a file is given"
    if path == "-":
        if sys.stdin is None:
            raise InputError("--input_file -: standard input is closed; expected lines there, or a file's name")
        yield decoded(sys.stdin.buffer, "standard input")
    else:
        try:
            file = open(path, "rb")
        except OSError as error:
            raise InputError(f"--input_file: {path} cannot be read: {error.strerror}") from None
        with file:
            yield decoded(file, path)


def decoded(lines: Iterable[bytes], place: str) -> Iterator[str]:
    r"""UTF-8 lines without their `\n` or `\r\n`; nothing else ends a line. Raises `InputError`, naming the line."""
    for number, line in enumerate(lines, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise InputError(f"{place}:{number}: found bytes that are not UTF-8; expected UTF-8; convert it") from None
        yield text.removesuffix("\n").removesuffix("\r")


@contextmanager
def output(path: str | None) -> Iterator[IO[str]]:
    """Standard output, a pipe or device as it is, or a file that appears when it is complete.

    Raises `InputError` where it cannot be opened or completed; writing to it can raise `OSError`.
    """
    if path in STANDARD_OUTPUT:
        if sys.stdout is None:
            raise InputError("standard output is closed; expected it open, or --output_file with a file's name")
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")
        yield sys.stdout
        return
    descriptor = DESCRIPTOR.fullmatch(path)
    if descriptor or (os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)):
        try:
            opened = os.dup(int(descriptor[1] or 2)) if descriptor else path
            stream = open(opened, "w", encoding="utf-8", newline="\n")
        except OSError as error:
            raise InputError(f"--output_file: {path} cannot be written: {error.strerror}") from None
        try:
            yield stream
            with writing(path):
                stream.flush()
        finally:
            close(stream)
        return
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise InputError(f"--output_file: there is no folder {target.parent}; make it first")
    if target.is_dir():
        raise InputError(f"--output_file: {path} is a folder; expected a file")
    with replacing(target) as file:
        yield file


@contextmanager
def replacing(target: Path) -> Iterator[IO[str]]:
    """A file that takes the place of `target`, and its permissions, when it is complete.

    Until then it is `.NAME.unfinished-output`. A killed process leaves that file, and the next one overwrites it.
    """
    # The name of a file is at most 255 bytes long.
    name = os.fsdecode(os.fsencode(target.name)[:200])
    unfinished = target.with_name(f".{name}.unfinished-output")
    file = open(open_exclusively(unfinished), "w", encoding="utf-8", newline="\n")
    try:
        yield file
        with writing(target):
            file.flush()
            os.fsync(file.fileno())
            unfinished.chmod(0o666 & ~current_umask())
            copy_permissions(target, unfinished)
            os.replace(unfinished, target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    finally:
        close(file)


def close(file: IO[str]) -> None:
    """Closes a file without an error: either it was flushed, or the error of flushing it is being raised already."""
    with suppress(OSError):
        file.close()


def open_exclusively(path: Path) -> int:
    """The descriptor of an empty file that only this process writes. Raises `InputError` where that is impossible."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise InputError(f"--output_file: {path} cannot be written: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise InputError(f"--output_file: another process writes {path} now; name another file, or wait") from None
        except OSError:
            pass  # a file system without locks
        opened = os.fstat(descriptor)
        if not stat.S_ISREG(opened.st_mode) or opened.st_uid != os.geteuid():
            os.close(descriptor)
            raise InputError(f"--output_file: {path} belongs to somebody else; expected no such file; move it away")
        with suppress(FileNotFoundError):
            if os.path.samestat(opened, os.stat(path)):
                os.ftruncate(descriptor, 0)
                os.fchmod(descriptor, 0o600)
                return descriptor
        os.close(descriptor)  # the process that had it has just finished, and renamed it


def current_umask() -> int:
    """The permission bits that new files of this process do not get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
