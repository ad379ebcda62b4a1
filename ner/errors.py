"""A person's mistake: one message on standard error, exit status 2, no traceback."""

import argparse
import errno
import io
import logging
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, NoReturn

OUT_OF_MEMORY = re.compile("out of memory|allocate memory|not enough memory|STATUS_ALLOC_FAILED|Invalid buffer size")


class InputError(ValueError):
    """Wrong input or options. The text says where, what was found, what was expected and how to correct it."""


@contextmanager
def at(place: str) -> Iterator[None]:
    """Prefixes an `InputError` raised in its block with a place: `--option` or `FILE:LINE`."""
    try:
        yield
    except InputError as error:
        error.args = (f"{place}: {error}",)
        raise


class CommandParser(argparse.ArgumentParser):
    """argparse's parser, which raises `InputError` for a wrong command line instead of printing the usage. It keeps the
    lines of its description, and knows no abbreviations."""

    def __init__(self, **named: Any) -> None:
        usual: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
        super().__init__(**usual | named)

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message.removeprefix('argument ')}; --help lists the options")


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` with the known name that is most similar, ignoring case; empty if none is similar."""
    in_lower_case = {each.lower(): each for each in known}
    close = get_close_matches(name.lower(), in_lower_case, n=1)
    return f"; did you mean {in_lower_case[close[0]]!r}?" if close else ""


def printable(text: str) -> str:
    """The text with U+FFFD in place of what `str.isprintable` refuses: control characters, line ends, no-break spaces.

    Tabs stay, and joiners, which Persian words and emoji have.
    """
    return "".join(c if c.isprintable() or c in "\t\u200c\u200d" else "\ufffd" for c in text)


def on_one_line(text: str) -> str:
    """The text as `printable` has it, and with single spaces for white space of any kind."""
    return printable(" ".join(text.split()))


def message_of(error: BaseException, limit: int | None = None) -> str:
    """What an exception says, on one line of at most `limit` characters; its class's name where it says nothing."""
    return " ".join(str(error).split())[:limit] or type(error).__name__


class OneLine(logging.Formatter):
    """A log record as one printable line, whatever names from data or checkpoints it contains."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return printable(super().formatMessage(record).replace("\n", " "))


def is_exhausted(error: Exception) -> bool:
    """Whether an error says that the memory is exhausted, of the machine or of a GPU."""
    if isinstance(error, RuntimeError):  # torch has an exception of its own for GPUs only; for CPUs its message tells
        return OUT_OF_MEMORY.search(str(error)) is not None
    return isinstance(error, MemoryError)


def run_script(main: Callable[[list[str]], object]) -> None:
    """Runs a script's `main` on the words of the command line.

    An `InputError` becomes its message and exit status 2, and so does what the system refuses: a file that is absent,
    a folder that cannot be written, more memory. Status 130 means interrupted, 141 that the reader of a pipe has gone,
    and 143 that the script was terminated. Any other exception keeps its traceback.
    """
    first = os.environ.get("RANK", "0") == "0"  # of several processes only one prints wrong input, which all find
    if isinstance(sys.stdout, io.TextIOWrapper):  # UTF-8 on every system; other bytes of file names are escaped
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("ner").setLevel(logging.INFO if first else logging.ERROR)
    if first:  # the others leave nothing to clean up, and no handler runs while they wait for a GPU
        signal.signal(signal.SIGTERM, stop)
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
        status, message = 2, f"error: {error.filename or 'a file or standard output'}: {error.strerror}"
    except (MemoryError, RuntimeError) as error:
        if not is_exhausted(error):
            raise
        remedy = "lower --per_device_train_batch_size or, in an evaluation or in tagging, --per_device_eval_batch_size"
        status, message = 2, f"error: the memory is exhausted: {message_of(error, 200)}; {remedy} (docs/training.md)"
    except KeyboardInterrupt:
        status, message = 130, "interrupted"
    if message:
        print(printable(message.replace("\n", " ")), file=sys.stderr)
    if status:
        try:
            sys.stdout.flush()
        except OSError:  # Python would complain at exit of what standard output cannot take
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(status)


def stop(number: int, frame: object) -> NoReturn:
    """A signal's handler: raises `SystemExit`, so that code cleans up."""
    raise SystemExit(128 + number)
