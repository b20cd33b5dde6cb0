"""How many cores to use, and which instruction set: chosen once at import, from the machine and the environment."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from ..errors import unknown_name
from ..shapes import whole_number
from . import cgroup, core

#: Instruction sets by strength. A cap allows every usable set that is no stronger, whatever its architecture.
_STRENGTH = {"portable": 0, "avx2": 1, "neon": 1, "avx512": 2}

#: More threads than this gain nothing and could exhaust the process' stacks.
MAX_THREADS = 1024


def start() -> None:
    """Choose instruction set and threads for this process (runs once, at import)."""
    core.set_isa(choose_isa(os.environ.get("FASTCNN_ISA", ""), core.usable_isas()))
    core.set_threads(default_threads(os.environ.get("OMP_NUM_THREADS", "")))
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=core.lock.acquire, after_in_parent=core.lock.release, after_in_child=core.lock.release
        )
        os.register_at_fork(after_in_child=core.after_fork_in_child)


def choose_isa(cap: str, usable: Iterable[str]) -> str:
    """The strongest usable instruction set that is no stronger than `cap` ("" is no cap).

    Raises
    ------
    ValueError
        `cap` is not the name of an instruction set.
    """
    name = cap.strip().lower() or "avx512"
    if name not in _STRENGTH:
        raise unknown_name("instruction set in the environment variable FASTCNN_ISA:", cap, _STRENGTH)
    return max((isa for isa in usable if _STRENGTH[isa] <= _STRENGTH[name]), key=_STRENGTH.__getitem__)


def default_threads(omp_num_threads: str) -> int:
    """Threads to start with: OMP_NUM_THREADS where it is valid, else the cores this process may use."""
    # The first number of a list is that of the outermost parallel region, the only one there is here.
    first = omp_num_threads.split(",")[0].strip()
    if first.isdecimal() and int(first) >= 1:
        return min(int(first), MAX_THREADS)
    return min(usable_cores(), MAX_THREADS)


def usable_cores() -> int:
    """Cores that the process' affinity and its control group leave to it, at least 1."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        cores = os.process_cpu_count() or 1
    elif hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min(cores, cgroup.cores() or cores))


def set_num_threads(num_threads: int) -> None:
    """Use at most `num_threads` threads for each kernel from now on.

    Results don't depend on it: they are the same bits for any number of threads. Work too small to share runs on one
    thread all the same, as does everything in a forked child process, where OpenMP's threads don't live on.

    Parameters
    ----------
    num_threads : int
        1 to 1024. At import it is OMP_NUM_THREADS, or else the cores that the process' affinity and its control
        group leave to it.

    Raises
    ------
    TypeError, ValueError
        `num_threads` is not an integer, or not in that range.
    """
    count = whole_number(num_threads, "num_threads")
    if count > MAX_THREADS:
        raise ValueError(f"num_threads must be at most {MAX_THREADS}, received {count}")
    core.set_threads(count)


def get_num_threads() -> int:
    """How many threads a kernel may use at most; 1 in a forked child process.

    Returns
    -------
    int
    """
    return int(core.threads())


def cpu_info() -> dict[str, Any]:
    """What the kernels run on, for bug reports.

    Returns
    -------
    dict
        ``cpu_features`` and ``usable_instruction_sets`` (lists of names), ``instruction_set`` (the one in use),
        ``usable_cores`` and ``num_threads`` (numbers), ``compiler`` (that built the kernels).
    """
    return {
        "cpu_features": core.cpu_features().split(),
        "usable_instruction_sets": core.usable_isas(),
        "instruction_set": core.isa(),
        "usable_cores": usable_cores(),
        "num_threads": get_num_threads(),
        "compiler": core.compiler(),
    }
