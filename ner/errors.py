"""A person's mistake: one message on standard error, exit status 2, no traceback."""

import argparse
import errno
import io
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import NoReturn


class InputError(ValueError):
    """Wrong input or options. The text says where, what was found, what was expected and how to correct it."""


@contextmanager
def of_option(name: str) -> Iterator[None]:
    """Around code that works on an option's value: its `InputError` begins with the option's name."""
    try:
        yield
    except InputError as error:
        error.args = (f"--{name}: {error}",)
        raise


class CommandParser(argparse.ArgumentParser):
    """argparse's parser, which raises `InputError` for a wrong command line instead of printing the usage."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message.removeprefix('argument ')}; --help lists the options")


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` with the known name that is most similar, an empty string where none is similar."""
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def printable(text: str) -> str:
    """The text with U+FFFD in place of control characters and line ends; tabs stay."""
    return "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in text)


def message_of(error: BaseException, limit: int | None = None) -> str:
    """What an exception says, on one line of at most `limit` characters; its class's name where it says nothing."""
    return " ".join(str(error).split())[:limit] or type(error).__name__


class OneLine(logging.Formatter):
    """A log record as one printable line, whatever names from data or checkpoints it contains."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return printable(super().formatMessage(record).replace("\n", " "))


def run_script(main: Callable[[list[str]], None]) -> None:
    """Runs a script's `main` on the words of the command line.

    An `InputError` becomes its message and exit status 2, and so does what the system refuses: a file that is absent,
    a folder that cannot be written, a full disk. Status 130 means interrupted, 141 that the reader of a pipe has
    gone, and 128 + N that signal N ended the script. Any other exception is a fault of ours and keeps its
    traceback.
    """
    first = os.environ.get("RANK", "0") == "0"  # of several processes only one prints
    if isinstance(sys.stdout, io.TextIOWrapper):  # UTF-8 everywhere; bytes of a file's name that are not are escaped
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("ner").setLevel(logging.INFO if first else logging.ERROR)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup sets it
            signal.signal(number, stop)
    status, message = 0, ""
    try:
        main(sys.argv[1:])
        print(end="", flush=True)  # here, where an error of standard output can still be reported
    except InputError as error:
        status, message = 2, f"error: {error}" if first else ""
    except BrokenPipeError:
        status = 141
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:
            raise
        status, message = 2, f"error: {error.filename or 'standard output'}: {error.strerror}"
    except KeyboardInterrupt:
        status, message = 130, "interrupted"
    if message:
        print(printable(message.replace("\n", " ")), file=sys.stderr)
    if status:
        drop_unwritten_output()
        sys.exit(status)


def stop(number: int, frame: object) -> NoReturn:
    """A signal's handler: raises `SystemExit`, so that code cleans up."""
    signal.signal(number, signal.SIG_IGN)  # a second one must not interrupt the clean-up
    raise SystemExit(128 + number)


def drop_unwritten_output() -> None:
    """Leaves nothing in the buffer of standard output that Python would fail to write at exit, and complain about."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
