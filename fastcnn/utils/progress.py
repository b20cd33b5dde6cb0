"""A progress bar on a terminal, and lines that don't tear it."""

from __future__ import annotations

import functools
import sys
import threading
from typing import Any

#: Seconds between two updates of a bar: often enough for the eye, seldom enough to cost nothing.
INTERVAL = 0.1


def is_live(stream: Any = None) -> bool:
    """Whether a line written there (by default to standard output) can be written over: a terminal or a notebook."""
    stream = sys.stdout if stream is None else stream
    if type(stream).__module__.partition(".")[0] == "ipykernel":
        return True
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # None in a windowed program; closed
        return False


def open_bar(description: str, total: int | None, stream: Any, **options: Any) -> Any:
    """A tqdm bar; `options` are tqdm's."""
    return _bar_class()(
        desc=description, total=total, file=stream, dynamic_ncols=True, leave=False, mininterval=INTERVAL, **options
    )


def say(message: str) -> None:
    """Print a line to standard output, above a bar that may be there."""
    if _bar_class.cache_info().currsize:
        _bar_class().write(message, file=sys.stdout)
    else:
        print(message)


@functools.cache
def _bar_class() -> Any:
    """The class tqdm, without its watching thread and its lock between processes. Imported when a bar is needed."""
    from tqdm import tqdm

    class Bar(tqdm):
        monitor_interval = 0

    Bar.set_lock(threading.RLock())
    return Bar
