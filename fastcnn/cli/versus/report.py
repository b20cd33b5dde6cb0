"""What the figures say: a line for each shape, and the groups with the bars they are held to."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import ours

Row = Mapping[str, Any]

#: (title, groups, directions, geometric mean at most, none above): fastcnn's time over the best peer's.
BARS = (
    ("3x3, stride 1, C >= 32: forward", ("3x3",), ("forward",), 0.40, 0.60),
    ("3x3, stride 1, C >= 32: backward", ("3x3",), ("backward",), 0.42, 0.70),
    ("other convolutions: forward", ("other",), ("forward",), 0.85, 1.05),
    ("other convolutions: backward", ("other",), ("backward",), 0.85, 1.05),
    ("max pool: forward", ("max_pool",), ("forward",), 0.70, 0.70),
    ("max pool: backward", ("max_pool",), ("backward",), 0.70, 0.70),
    ("average pool: forward", ("avg_pool",), ("forward",), 0.70, 0.70),
    ("average pool: backward", ("avg_pool",), ("backward",), 0.70, 0.70),
    ("ReLU: forward", ("relu",), ("forward",), 0.70, 0.70),
    ("ReLU: backward", ("relu",), ("backward",), 0.70, 0.70),
    ("batch norm: forward", ("batch_norm",), ("forward",), 0.70, 0.70),
    ("batch norm: backward", ("batch_norm",), ("backward",), 0.70, 0.70),
    ("softmax + cross entropy", ("softmax",), ("step",), 0.70, 0.70),
    ("Adam", ("adam",), ("step",), 0.70, 0.70),
)
#: Where the same small work took so many times as long as at its best, the machine was busy with other things.
NOISY = 1.15
#: Groups that are compared with PyTorch alone.
_TORCH_ONLY = ("max_pool", "avg_pool", "relu", "batch_norm", "softmax", "adam")


@dataclasses.dataclass(frozen=True)
class Group:
    """The ratios of one row of `BARS`, worst first."""

    title: str
    mean_at_most: float
    none_above: float
    rows: list[Row]

    @property
    def mean(self) -> float:
        return math.exp(sum(math.log(ratio(row)) for row in self.rows) / len(self.rows))

    @property
    def missed(self) -> list[Row]:
        return [row for row in self.rows if ratio(row) > self.none_above]


def ratio(row: Row) -> float:
    """fastcnn's best time over the best peer's; NaN without peers."""
    name = best_peer(row)
    return row["seconds"][ours.NAME]["best"] / row["seconds"][name]["best"] if name else math.nan


def best_peer(row: Row) -> str:
    """Who was fastest of the others ("" if nobody was there)."""
    peers = [
        name for name in row["seconds"]
        if name not in (ours.NAME, ours.TRAINING) and (row["group"] not in _TORCH_ONLY or name.startswith("PyTorch"))
    ]  # fmt: skip
    return min(peers, key=lambda name: row["seconds"][name]["best"], default="")


def groups(results: Mapping[str, Any]) -> list[Group]:
    """Every group that something was measured for."""
    found = []
    for title, kinds, directions, mean, limit in BARS:
        rows = [r for r in results["rows"] if r["group"] in kinds and r["direction"] in directions and best_peer(r)]
        if rows:
            found.append(Group(title, mean, limit, sorted(rows, key=ratio, reverse=True)))
    return found


def limits(measured: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The machine's limits, of those measured at the start of each run: most GFLOP/s, and the middle one of GB/s."""
    return {
        "gflops": max(m["gflops"] for m in measured),
        "bandwidth": statistics.median(m["bandwidth"] for m in measured),
    }


def heading(results: Mapping[str, Any]) -> str:
    """The machine, the contenders, and what the columns are."""
    machine, found = results["machine"], limits(results["limits"])
    return (
        f"{machine['processor']}, {machine['instruction_set']}, {machine['num_threads']} threads each; "
        f"fastcnn {machine['fastcnn']}, {', '.join(results['peers']) or 'no peers'}\n"
        f"measured: {found['gflops']:.0f} GFLOP/s, {found['bandwidth']:.1f} GB/s\n"
        "GFLOP/s count the sum as it is written, so Winograd may exceed the peak; ratio: fastcnn's time / the peer's\n"
        + HEAD
    )


HEAD = (
    f"{'shape':<48} {'batch':>5} {'direction':<9} {'ms':>9} {'median':>9} {'GFLOP/s':>8} {'peak':>5} {'GB/s':>6} "
    f"{'of it':>5} {'best peer':<21} {'ms':>9} {'median':>9} {'GFLOP/s':>8} {'ratio':>6}"
)


def line(row: Row, results: Mapping[str, Any]) -> str:
    """One shape, under `HEAD`."""
    most = limits(results["limits"])
    mine, peer = row["seconds"][ours.NAME], best_peer(row)
    gflops, bandwidth = row["flops"] / mine["best"] / 1e9, row["bytes"] / mine["best"] / 1e9
    theirs = row["seconds"].get(peer, {"best": math.nan, "median": math.nan})
    return (
        f"{row['name']:<48} {row['batch']:>5} {row['direction']:<9} {_ms(mine['best'])} {_ms(mine['median'])} "
        f"{gflops:>8.1f} {gflops / most['gflops']:>5.0%} {bandwidth:>6.1f} {bandwidth / most['bandwidth']:>5.0%} "
        f"{peer:<21} {_ms(theirs['best'])} {_ms(theirs['median'])} {row['flops'] / theirs['best'] / 1e9:>8.1f} "
        f"{ratio(row):>6.2f}{'  (noisy)' if noisy(row, results['rows']) else ''}"
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:>9.4f}" if seconds < 1 else f"{seconds * 1e3:>9.1f}"


def noisy(row: Row, rows: Iterable[Row]) -> bool:
    """Whether work that is the same beside every shape took longer beside this one than beside the others."""
    return bool(row["reference"]["median"] > NOISY * min(r["reference"]["best"] for r in rows))


def summary(results: Mapping[str, Any]) -> str:
    """The groups with their bars, the shapes that miss theirs, and whether to believe it."""
    lines = [f"{'group':<36} {'shapes':>6} {'mean':>6} {'bar':>5} {'worst':>6} {'bar':>5} {'missed':>6}  worst shape"]
    found = groups(results)
    for group in found:
        worst = group.rows[0]
        lines.append(
            f"{group.title:<36} {len(group.rows):>6} {group.mean:>6.2f} {group.mean_at_most:>5.2f} "
            f"{ratio(worst):>6.2f} {group.none_above:>5.2f} {len(group.missed):>6}  "
            f"{worst['name']}, batch {worst['batch']}"
        )
    for group in found:
        if group.missed:
            lines += ["", f"{group.title}: {len(group.missed)} of {len(group.rows)} above {group.none_above:.2f}", HEAD]
            lines += [f"{line(row, results)}  {' '.join(row['kernels'])}" for row in group.missed]
    return "\n".join([*lines, "", trust(results["rows"])])


def trust(rows: Sequence[Row]) -> str:
    """One line: was the machine quiet?"""
    if not rows:
        return "nothing was measured"
    best = min(row["reference"]["best"] for row in rows)
    slower = statistics.median(row["reference"]["median"] / best for row in rows) - 1
    restless = sum(noisy(row, rows) for row in rows)
    trusted = restless <= 0.05 * len(rows)
    return (
        f"The machine was {'quiet enough' if trusted else 'too noisy to trust these figures'}: a product of matrices, "
        f"measured beside every shape, mostly took {slower:.0%} more than at its best, and over "
        f"{NOISY - 1:.0%} more beside {restless} of {len(rows)} shapes."
    )
