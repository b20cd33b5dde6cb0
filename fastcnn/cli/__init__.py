"""The command line: ``fastcnn train | evaluate | predict | detect | info | bench``."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from . import arguments

__all__ = ["main"]

#: What goes wrong through input, files or the machine, and not through a fault in fastcnn: no traceback for these.
USER_ERRORS = (ValueError, OSError, ImportError, MemoryError)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after the program's name; those of this process by default.

    Returns
    -------
    int
        The exit code: 0 all well, 1 something failed, 130 interrupted. Words that make no command raise
        ``SystemExit(2)``, ``--help`` and ``--version`` raise ``SystemExit(0)``, as argparse does.
    """
    parser = arguments.parser()
    options, unknown = parser.parse_known_args(argv)
    if unknown:  # with the usage of the command, which parse_args doesn't show
        getattr(options, "usage_of", parser).error(f"unrecognized arguments: {' '.join(unknown)}")
    if options.command is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        # Only the command that was asked for is imported, and what it needs with it.
        command = import_module(f".{options.command}", __name__)
        if options.threads is not None:
            from .._ops import set_num_threads

            set_num_threads(options.threads)
        with _plain_warnings():
            code = command.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("\nfastcnn: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has seen enough (`fastcnn ... | head`). Python would complain again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except USER_ERRORS as error:
        if options.debug:
            raise
        print(f"fastcnn: {_message(error)}", file=sys.stderr)
        return 1
    return int(code)


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Print warnings that are meant for users as what they say, without the line of fastcnn that said it."""
    usual = warnings.formatwarning

    def plain(message: Any, category: type[Warning], *where: Any) -> str:
        return f"fastcnn: {message}\n" if category is UserWarning else usual(message, category, *where)

    warnings.formatwarning = plain  # type: ignore[assignment]
    try:
        yield
    finally:
        warnings.formatwarning = usual


def _message(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__
