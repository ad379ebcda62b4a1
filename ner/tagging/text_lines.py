"""The lines of raw text, and where tagged lines go: standard streams, pipes and files."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TextIO

from ner.errors import InputError
from ner.files import whole_file


@contextmanager
def input_lines(text: str | None, path: str | None) -> Iterator[Iterator[str]]:
    """The lines of a text, else of a file, or for `-` of standard input. Raises `InputError` where it is not UTF-8."""
    if text is not None:
        yield decoded(os.fsencode(text).split(b"\n"), "--text")
    elif path == "-":
        yield decoded(sys.stdin.buffer, "standard input")
    else:
        assert path is not None, "a text or a file is given"
        with open(path, "rb") as file:
            yield decoded(file, path)


def decoded(lines: Iterable[bytes], place: str) -> Iterator[str]:
    r"""UTF-8 lines without their `\n` or `\r\n`; nothing else ends a line. Raises `InputError`, naming the line."""
    for number, line in enumerate(lines, 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise InputError(f"{place}:{number}: found bytes that are not UTF-8; expected UTF-8; convert it") from None
        yield text.removesuffix("\n").removesuffix("\r")


def output(path: str | None) -> AbstractContextManager[TextIO]:
    """Standard output, a pipe or a device as it is, or a file that appears when it is complete: a link's target."""
    if path in (None, "/dev/stdout"):
        return nullcontext(sys.stdout)
    if os.path.exists(path) and not os.path.isfile(path):  # opening refuses a folder
        return open(path, "w", encoding="utf-8", newline="\n")
    return whole_file(os.path.realpath(path))
