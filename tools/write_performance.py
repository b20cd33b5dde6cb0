"""Brings docs/performance.md up to date: its tables and its chart, from the results of `fastcnn bench --layers`.

python tools/write_performance.py out/bench-peers.json [--chart]

What stands between the two marks of the document is replaced, nothing else. With --chart docs/performance.png is drawn
as well, which needs matplotlib.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fastcnn.cli.versus import ours, report
from fastcnn.utils import atomic_write

DOCS = Path(__file__).resolve().parent.parent / "docs"
BEGIN = "<!-- written by tools/write_performance.py: begin -->"
END = "<!-- end -->"
#: Networks whose layers are listed one by one, and with which batch.
LISTED = (("resnet-18", 16), ("mobilenet-v2", 16))
Row = dict[str, Any]


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    lines = [list(head)]
    lines += [["---"] * len(lines[0]), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def groups(results: dict[str, Any]) -> str:
    found = report.groups(results)
    return table(
        ("shapes", "count", "geometric mean", "goal", "worst", "goal", "above it", "the worst one"),
        (
            (
                g.title, f"{len(g.rows)}", f"{g.mean:.2f}", f"{g.mean_at_most:.2f}", f"{report.ratio(g.rows[0]):.2f}",
                f"{g.none_above:.2f}", f"{len(g.missed)}", f"{g.rows[0]['name']}, batch {g.rows[0]['batch']}",
            )
            for g in found
        ),
    )  # fmt: skip


def networks(results: dict[str, Any]) -> str:
    """Sums over each network's convolutions, a layer as often as the network has it."""
    found: dict[tuple[str, int, str], list[tuple[int, Row]]] = {}
    for row in results["rows"]:
        if row["group"] in ("3x3", "other") and report.best_peer(row):
            for network, times in row["networks"].items():
                found.setdefault((network, row["batch"], row["direction"]), []).append((times, row))
    lines = []
    for (network, batch, direction), rows in sorted(found.items(), key=lambda item: item[0][:2]):
        if network == "odd":
            continue
        fast = sum(times * row["seconds"][ours.NAME]["best"] for times, row in rows)
        slow = sum(times * row["seconds"][report.best_peer(row)]["best"] for times, row in rows)
        flops = sum(times * row["flops"] for times, row in rows)
        lines.append((network, f"{batch}", direction, f"{len(rows)}", f"{fast * 1e3:.2f}", f"{slow * 1e3:.2f}",
                      f"{fast / slow:.2f}", f"{flops / fast / 1e9:.0f}", f"{flops / slow / 1e9:.0f}"))  # fmt: skip
    head = ("network", "batch", "direction", "layers", "fastcnn, ms", "peers, ms", "ratio", "GFLOP/s", "peers' GFLOP/s")
    return table(head, lines)


def layers(results: dict[str, Any], network: str, batch: int) -> str:
    rows = [r for r in results["rows"] if r["batch"] == batch and network in r["networks"] and report.best_peer(r)]
    most = report.limits(results["limits"])
    return table(
        ("layer", "direction", "fastcnn, ms", "GFLOP/s", "of peak", "best peer", "ms", "ratio"),
        (
            (
                r["name"], r["direction"], f"{r['seconds'][ours.NAME]['best'] * 1e3:.3f}",
                *_speed(r, most["gflops"]), report.best_peer(r),
                f"{r['seconds'][report.best_peer(r)]['best'] * 1e3:.3f}", f"{report.ratio(r):.2f}",
            )
            for r in rows
        ),
    )  # fmt: skip


def _speed(row: Row, gflops: float) -> tuple[str, str]:
    if not row["flops"]:
        return "", ""
    speed = row["flops"] / row["seconds"][ours.NAME]["best"] / 1e9
    return f"{speed:.0f}", f"{speed / gflops:.0%}"


def written(results: dict[str, Any]) -> str:
    """All that stands between the marks."""
    machine, most = results["machine"], report.limits(results["limits"])
    parts = [
        f"{machine['processor']}, instruction set {machine['instruction_set']}, {machine['num_threads']} threads for "
        f"everybody; {machine['system']}, {machine['python']}, fastcnn {machine['fastcnn']} built with "
        f"{machine['compiler']}. Peers: {', '.join(results['peers'])}. Measured at the start: "
        f"{most['gflops']:.0f} GFLOP/s, {most['bandwidth']:.0f} GB/s. {len(results['rows'])} measurements, "
        f"{len(results.get('skipped', {}))} left out as too large or too long. {report.trust(results['rows'])}",
        "![fastcnn's time over the best peer's](performance.png)",
        groups(results),
        "### The convolutions of whole networks\n\nSums over the different layers that were measured, each as often as "
        "the network has it. Of the peers whoever is fastest at a layer counts there: no single one is this fast.",
        networks(results),
    ]
    for network, batch in LISTED:
        parts += [f"### Layers of {network}, batch {batch}", layers(results, network, batch)]
    return "\n\n".join(parts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", help="JSON file of `fastcnn bench --layers --results`")
    parser.add_argument("--chart", action="store_true", help="draw docs/performance.png too")
    options = parser.parse_args()
    results = json.loads(Path(options.results).read_text(encoding="utf-8"))
    document = DOCS / "performance.md"
    before, mark, rest = document.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not mark or not end:
        print(f"{document} has no place for the tables: {BEGIN} ... {END}", file=sys.stderr)
        return 1
    with atomic_write(document, "w") as file:
        file.write(f"{before}{BEGIN}\n\n{written(results)}\n\n{END}{after}")
    if options.chart:
        from fastcnn.cli.versus.chart import draw

        draw(results, DOCS / "performance.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
