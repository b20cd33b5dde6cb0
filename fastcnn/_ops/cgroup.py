"""Linux control groups: how much processor time and memory a container leaves to this process."""

from __future__ import annotations

import os

TABLE, MOUNT = "/proc/self/cgroup", "/sys/fs/cgroup"


def cores(table: str = TABLE, mount: str = MOUNT) -> int | None:
    """Cores' worth of time granted (v2's cpu.max, v1's cfs quota), rounded up; None if unlimited."""
    granted = (_cores_granted(directory) for directory in _directories("cpu", table, mount))
    return min((limit for limit in granted if limit is not None), default=None)


def memory(table: str = TABLE, mount: str = MOUNT) -> int | None:
    """Bytes granted (v2's memory.max, v1's memory.limit_in_bytes); None if unlimited."""
    granted = (_memory_granted(directory) for directory in _directories("memory", table, mount))
    return min((limit for limit in granted if limit is not None), default=None)


def _directories(controller: str, table: str, mount: str) -> list[str]:
    """Where the limits on this process stand.

    `table` names the process' group for each controller. The limits of all groups above it hold as well, and inside a
    container only the upper part of that path may be visible, so it is every directory from the mount point down.
    """
    try:
        lines = _read(table).splitlines()
    except OSError:
        return []
    found: list[str] = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":  # version 2: one hierarchy for all controllers
            roots = [mount, os.path.join(mount, "unified")]
        elif controller in controllers.split(","):
            roots = [os.path.join(mount, controllers), os.path.join(mount, controller)]
        else:
            continue
        parts = [part for part in group.split("/") if part]
        found += [os.path.join(root, *parts[:depth]) for root in roots for depth in range(len(parts) + 1)]
    return found


def _cores_granted(directory: str) -> int | None:
    try:
        if os.path.exists(os.path.join(directory, "cpu.max")):
            quota, period = _read(directory, "cpu.max").split()
        else:
            quota, period = _read(directory, "cpu.cfs_quota_us"), _read(directory, "cpu.cfs_period_us")
        if quota == "max" or int(quota) <= 0:
            return None
        return max(1, -(-int(quota) // int(period)))
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _memory_granted(directory: str) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        try:
            return int(_read(directory, name))  # "max" is no number; version 1 writes a huge one
        except (OSError, ValueError):
            continue
    return None


def _read(*path: str) -> str:
    # Not pathlib: nothing else here needs it, and importing it takes longer than all of this module.
    with open(os.path.join(*path), encoding="ascii", errors="replace") as file:
        return file.read()
