"""How long OpenMP's idle threads stay awake."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

#: About 200 us: from one training step, or prediction, to the next. Waking a sleeping thread takes 5 to 50 us.
_SPINS = "10000"


@contextmanager
def short_waits() -> Iterator[None]:
    """Load GNU's OpenMP so that its idle threads soon sleep, unless the environment says how they are to wait.

    By default they turn in circles for milliseconds first, and on a busy machine keep the core from those that have
    work: beside one other process a training step of the classic CNN took 24 ms, and took 2.9 ms with short waits. The
    library reads the variable once, when it is loaded; what the process starts later doesn't see it.
    """
    ours = not {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & os.environ.keys()
    if ours:
        os.environ["GOMP_SPINCOUNT"] = _SPINS
    try:
        yield
    finally:
        if ours:
            del os.environ["GOMP_SPINCOUNT"]
