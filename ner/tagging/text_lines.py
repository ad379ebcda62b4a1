"""The lines of raw text, and where tagged lines go: standard streams, pipes and files."""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

from ner.errors import InputError
from ner.files import whole_file, writing

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
    elif path == "-":
        if sys.stdin is None:
            raise InputError("--input_file -: standard input is closed; expected lines there, or a file's name")
        yield decoded(sys.stdin.buffer, "standard input")
    else:
        assert path is not None, "a text or a file is given"
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
    """Standard output, a pipe or a device as it is, or a file that appears when it is complete.

    Raises `InputError` where it cannot be opened or completed; writing to it can raise `OSError`.
    """
    if path in (None, "/dev/stdout", "/dev/fd/1"):
        if sys.stdout is None:
            raise InputError("standard output is closed; expected it open, or --output_file with a file's name")
        yield sys.stdout
        return
    descriptor = DESCRIPTOR.fullmatch(path)
    if not descriptor and (not os.path.exists(path) or os.path.isfile(path) or os.path.isdir(path)):
        with whole_file(path) as file:
            yield file
        return
    with writing(path):
        stream = open(os.dup(int(descriptor[1] or 2)) if descriptor else path, "w", encoding="utf-8", newline="\n")
    try:
        yield stream
        with writing(path):
            stream.flush()
    finally:
        with suppress(OSError):  # it was flushed, or that error is being raised already
            stream.close()
