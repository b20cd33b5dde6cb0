"""How good a detector is: printed, as plain data, and in files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ..metrics import CocoMetrics
from ..utils.files import atomic_write


def measured(metrics: CocoMetrics) -> dict[str, Any]:
    """COCO's numbers, and those of each class; None where there is nothing to judge."""
    table = metrics.per_class().items()
    return {**_known(metrics.result()), "classes": {name: _known(numbers) for name, numbers in table}}


def _known(numbers: dict[str, float]) -> dict[str, float | None]:
    """COCO writes -1 for what isn't known."""
    return {name: None if value < 0 else value for name, value in numbers.items()}


def show(metrics: CocoMetrics, what: str) -> None:
    """Print COCO's numbers and a table of the classes."""
    print(f"{what}: {len(metrics)}\n")
    print(metrics.summary())
    print(metrics.table(), end="")


def write(metrics: CocoMetrics, output: Path) -> None:
    """Numbers, all boxes and pictures of what they are worth, as files that are named."""
    output.mkdir(parents=True, exist_ok=True)
    with atomic_write(output / "numbers.json", "w") as file:
        json.dump(measured(metrics), file, indent=1)
    metrics.save_files(output / "truth.json", output / "results.json")
    say("numbers", output / "numbers.json")
    say("boxes", output / "results.json")
    say("true boxes", output / "truth.json")
    try:
        from ..viz import plot_detection_curves, plot_detection_errors

        if any(numbers["objects"] for numbers in metrics.per_class().values()):
            plot_detection_curves(metrics, output / "precision-recall.png")
            plot_detection_errors(metrics.errors(), output / "mistakes.png")
            say("precision", output / "precision-recall.png")
            say("mistakes", output / "mistakes.png")
    except ImportError as error:
        print(f"fastcnn: no pictures of precision and mistakes: {error}", file=sys.stderr)


def say(what: str, file: Path) -> None:
    """Print where a file is."""
    print(f"{what:<16} {file}")
