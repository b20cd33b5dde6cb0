"""Timing of several ways to do the same work, fair on a machine that is busy now and then."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def take_turns(ways: Mapping[str, Callable[[], object]], repeats: int, warm: bool = True) -> dict[str, list[float]]:
    """Seconds that each way took, in each of `repeats` rounds; in a round every way has one turn.

    Whatever slows the machine for a while falls on all of them alike. The order of the turns is reversed in every
    second round, so that none always follows the same other. `warm` gives each a turn that doesn't count first.
    """
    if warm:
        for way in ways.values():
            way()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats):
        names = list(ways)
        for name in names if turn % 2 == 0 else reversed(names):
            start = time.perf_counter()
            ways[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def best_and_median(seconds: list[float]) -> dict[str, float]:
    """Both in seconds: the best says what the code can do, the median what one gets."""
    return {"best": min(seconds), "median": statistics.median(seconds)}


def calls_for(way: Callable[[], object], seconds: float = 0.1) -> int:
    """How many calls fill about so many seconds (at least 1)."""
    way()
    start = time.perf_counter()
    way()
    return max(1, int(seconds / max(time.perf_counter() - start, 1e-7)))


def many(way: Callable[[], object], calls: int) -> Callable[[], None]:
    """`way`, so many times over."""

    def run() -> None:
        for _ in range(calls):
            way()

    return run
