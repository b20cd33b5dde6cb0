"""fastcnn and its peers, layer by layer: shapes from text files, everybody taking turns in one run."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...utils import atomic_write
from ..info import collect
from . import machine, measure, report, shapes
from .contender import Contender, Task

__all__ = ["run"]

Peer = Callable[[Task], list[Contender]]


def run(options: argparse.Namespace) -> int:
    """Measure, print a table, write the files that were asked for; the exit code."""
    wanted = shapes.read_all(options.layers)
    results = _load(options.results)
    peers, versions = _peers(collect()["num_threads"])
    limits = machine.measure()
    results["machine"] = collect()
    results["peers"] = versions
    results.setdefault("limits", []).append(dataclasses.asdict(limits))
    print(report.heading(results), flush=True)
    complete = _measure_all(wanted, peers, results, limits, options)
    print("\n" + report.summary(results))
    if options.chart:
        from .chart import draw

        draw(results, options.chart)
    if not complete:
        print(f"stopped after {options.minutes:g} minutes; run it again to go on", file=sys.stderr)
    return 0


def _measure_all(
    wanted: dict[shapes.Shape, dict[str, int]], peers: Sequence[Peer], results: dict[str, Any],
    limits: machine.Machine, options: argparse.Namespace,
) -> bool:  # fmt: skip
    """Every shape, batch and direction that is not among the results; False if time ran out first."""
    end = time.monotonic() + 60 * options.minutes
    rows: list[dict[str, Any]] = results.setdefault("rows", [])
    skipped: dict[str, str] = results.setdefault("skipped", {})
    known = {_row_key(row) for row in rows}
    if options.again:
        chosen = {_key(shape.name, batch, direction) for shape, batch, direction in _tasks(wanted, options)}
        known -= chosen
        skipped = results["skipped"] = {key: why for key, why in skipped.items() if key not in chosen}
    bounds = {"bytes": 2e9, "seconds": options.call_limit}
    for shape, batch, direction in _tasks(wanted, options):
        key = _key(shape.name, batch, direction)
        if key in known or key in skipped:
            continue
        if time.monotonic() > end:
            return False
        reason = measure.too_much(shape, batch, direction, bounds, limits.gflops)
        if reason:
            skipped[key] = reason
            print(f"{key}: left out, {reason}", flush=True)
            continue
        task = Task.make(shape, batch, direction)
        row = measure.run(task, peers, options.seconds)
        rows[:] = [*(old for old in rows if _row_key(old) != key), row]
        if report.noisy(row, rows):  # something else ran: once more
            row = rows[-1] = measure.run(task, peers, options.seconds)
        row["networks"] = wanted[shape]
        known.add(key)
        print(report.line(row, results), flush=True)
        if options.results:
            with atomic_write(options.results, "w") as file:
                json.dump(results, file, indent=1)
    return True


def _tasks(
    wanted: dict[shapes.Shape, dict[str, int]], options: argparse.Namespace
) -> list[tuple[shapes.Shape, int, str]]:
    found = []
    for batch in options.batch:
        for shape in wanted:
            for direction in shape.directions:
                if shape.kind == "adam" and batch != options.batch[0]:
                    continue  # its work doesn't depend on the batch
                if options.match in f"{shape.name} {direction}":
                    found.append((shape, batch, direction))
    return found


def _key(name: str, batch: int, direction: str) -> str:
    return f"{name}, batch {batch}, {direction}"


def _row_key(row: dict[str, Any]) -> str:
    return _key(row["name"], row["batch"], row["direction"])


def _load(path: str | None) -> dict[str, Any]:
    """Results of an earlier run, to go on from."""
    if path is None or not Path(path).exists():
        return {}
    found = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(found, dict) or "rows" not in found:
        raise ValueError(f"{path} holds no results of `fastcnn bench --layers`")
    return found


def _peers(threads: int) -> tuple[list[Peer], list[str]]:
    """Those that are installed, and their versions; the others are named on stderr."""
    from . import other_peers, torch_peer

    peers: list[Peer] = []
    versions = []
    try:
        versions.append(torch_peer.version())
        peers.append(lambda task: torch_peer.contenders(task, threads))
    except ImportError as error:
        print(f"(PyTorch is not measured: {error})", file=sys.stderr)
    for kind in (other_peers.OnnxRuntime, other_peers.OpenVino, other_peers.TensorFlow):
        try:
            peer = kind(threads)
        except ImportError as error:
            print(f"({kind.name} is not measured: {error})", file=sys.stderr)
            continue
        versions.append(peer.version)
        peers.append(peer.contenders)
    return peers, versions
