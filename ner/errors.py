"""A person's mistake: one message on standard error, exit status 2, no traceback."""

import argparse
import errno
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

# What is wrong with the place a person named, not with the program.
UNUSABLE = {
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOENT,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
}


class InputError(ValueError):
    """Wrong input or options. The text says where, what was found, what was expected and how to mend it."""


class CommandParser(argparse.ArgumentParser):
    """argparse, with a wrong command line as an `InputError`."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; --help shows the usage")


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` for a mistyped name, or an empty string where nothing is near."""
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def printable(text: str) -> str:
    """The text without control characters, which a terminal would obey; one line stays one line."""
    return "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in text)


def named_folder(name: str) -> Path:
    """A folder that a command line names; argparse says which argument was empty."""
    if not name:
        raise argparse.ArgumentTypeError("found an empty name; expected a folder")
    return Path(name)


class OneLine(logging.Formatter):
    """A record as one line that a terminal can show, whatever names from data or checkpoints stand in it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return printable(super().formatMessage(record).replace("\n", " "))


def run_script(main: Callable[[list[str]], None]) -> None:
    """Runs a script's `main` on the command line and turns an `InputError` into its message and status 2."""
    first = os.environ.get("RANK", "0") == "0"  # of several processes only one speaks
    open_standard_streams()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("ner").setLevel(logging.INFO if first else logging.ERROR)
    try:
        with orderly_stop():
            main(sys.argv[1:])
    except InputError as error:
        if first:
            complain(f"error: {error}")
        sys.exit(2)
    except BrokenPipeError:
        # The reader (head, less) has gone; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        if error.errno not in UNUSABLE:
            raise
        complain(f"error: {error.filename or 'output'}: {error.strerror}; expected a place that can be written")
        sys.exit(2)
    except KeyboardInterrupt:
        complain("interrupted")
        sys.exit(130)


def complain(message: str) -> None:
    print(printable(message.replace("\n", " ")), file=sys.stderr)


def open_standard_streams() -> None:
    """Makes names that are no UTF-8 printable, and opens what a shell closed (`>&-`) on the null device.

    Else the next file that is opened would take the number of standard output, and what is printed. `sys.stdin` and
    `sys.stdout` stay None.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")
    if sys.stdout is not None:
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def orderly_stop() -> Iterator[None]:
    """Turns SIGTERM and SIGHUP into an exit with status 128 and the signal's number that removes what is unfinished."""

    def stop(number: int, frame: object) -> NoReturn:
        signal.signal(number, signal.SIG_IGN)  # a second one must not interrupt the removing
        raise SystemExit(128 + number)

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {n: signal.signal(n, stop) for n in numbers if signal.getsignal(n) != signal.SIG_IGN}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
