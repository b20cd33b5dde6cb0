"""Where Python meets the kernels: checked arguments, shared threads, and the choice of the instruction set."""

from __future__ import annotations

from importlib.util import find_spec

if find_spec(f"{__name__}.core") is None:
    raise ImportError(
        "fastcnn's kernels are not built here. This is a checkout, which Python prefers to an installed fastcnn: run "
        "it in another folder, or build them in this one with `pip install -e .`"
    )

from .choose import get_precision, set_precision
from .waiting import short_waits

with short_waits():
    from . import core, threads
    from .threads import cpu_info, get_num_threads, set_num_threads

__all__ = ["core", "cpu_info", "get_num_threads", "get_precision", "set_num_threads", "set_precision"]

threads.start()
