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

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # a full disk, an exhausted quota, a file at its size limit
OUT_OF_MEMORY = re.compile("out of memory|allocate memory|not enough memory|STATUS_ALLOC_FAILED|Invalid buffer size")


class InputError(ValueError):
    """Wrong input or options. The text says where, what was found, what was expected and how to correct it."""


@contextmanager
def at(place: str) -> Iterator[None]:
    """Around code that works on what a person gave: its `InputError` begins with where that is, `--option` or
    `FILE:LINE`."""
    try:
        yield
    except InputError as error:
        error.args = (f"{place}: {error}",)
        raise


class CommandParser(argparse.ArgumentParser):
    """argparse's parser, which raises `InputError` for a wrong command line instead of printing the usage, and
    `OSError` where its help cannot be written. It keeps the lines of its description, and knows no abbreviations."""

    def __init__(self, **named: Any) -> None:
        usual: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
        super().__init__(**usual | named)

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message.removeprefix('argument ')}; --help lists the options")

    def print_help(self, file: Any = None) -> None:
        print(self.format_help(), end="", file=file, flush=True)


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


def before_imports(check: Callable[[list[str]], object] | None = None) -> None:
    """Lets Ctrl-C kill a script while its imports take their seconds, until `run_script` takes over: an exception would
    be a traceback, or be caught by a library.

    Before that, ends the script with the message of a `check` of its command line.
    """
    if check:
        run_script(check)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # ignored by a background job of a shell
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def run_script(main: Callable[[list[str]], object]) -> None:
    """Runs a script's `main` on the words of the command line.

    An `InputError` becomes its message and exit status 2, and so does what the system refuses: a file that is absent,
    a folder that cannot be written, a full disk, more memory. Status 130 means interrupted, 141 that the reader of a
    pipe has gone, and 128 + N that signal N ended the script. Any other exception is a fault of ours and keeps its
    traceback.
    """
    first = os.environ.get("RANK", "0") == "0"  # of several processes only one prints wrong input, which all find
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if isinstance(sys.stdout, io.TextIOWrapper):  # UTF-8 on every system; other bytes of file names are escaped
        if isinstance(sys.stdout.buffer, io.RawIOBase):  # PYTHONUNBUFFERED: half a write to a full disk would pass
            sys.stdout = io.TextIOWrapper(io.BufferedWriter(sys.stdout.buffer), line_buffering=True)
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine("%(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("ner").setLevel(logging.INFO if first else logging.ERROR)
    # Only in the first process: the others leave nothing to clean up, and no handler runs while they wait for a GPU.
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)) if first else ():  # Windows has no SIGHUP
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
        if error.filename is None and error.errno not in FULL:
            raise
        status, message = 2, f"error: {error.filename or 'standard output'}: {error.strerror}"
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
