"""A person's mistake: one message on standard error, exit status 2, no traceback."""

import argparse
import errno
import logging
import os
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
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


def run_script(main: Callable[[list[str]], None]) -> None:
    """Runs a script's `main` on the command line and turns an `InputError` into its message and status 2."""
    first = os.environ.get("RANK", "0") == "0"  # of several processes only one speaks
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING)
    logging.getLogger("ner").setLevel(logging.INFO if first else logging.ERROR)
    try:
        main(sys.argv[1:])
    except InputError as error:
        if first:
            print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        # The reader (head, less) has gone; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        if error.errno not in UNUSABLE:
            raise
        print(
            f"error: {error.filename or 'output'}: {error.strerror}; expected a place that can be written",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
