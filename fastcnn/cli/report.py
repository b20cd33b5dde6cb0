"""How good a model is on pictures whose classes are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..metrics import classification_report
from ..metrics.report import report_rows


def measure(
    model: Any, x: np.ndarray, y: np.ndarray, class_names: Sequence[str], batch_size: int = 256
) -> dict[str, Any]:
    """Accuracy, mean loss; of each class, and as averages over them, precision, recall, F1 and number of pictures."""
    probabilities = model.predict(x, batch_size=batch_size, verbose=0)
    rows, accuracy, averages, _ = report_rows(y, probabilities, class_names, None)
    # Classes stand apart, as one may be called "loss".
    return {
        "pictures": len(y), "loss": _loss(y, probabilities), "accuracy": accuracy, "classes": dict(rows),
        "averages": averages,
    }  # fmt: skip


def print_report(
    model: Any, what: str, x: np.ndarray, y: np.ndarray, class_names: Sequence[str], batch_size: int = 256
) -> None:
    """The same as text; `what` says which pictures these are."""
    probabilities = model.predict(x, batch_size=batch_size, verbose=0)
    accuracy = float(np.mean(probabilities.argmax(axis=1) == y))
    print(f"{what}: accuracy {accuracy:.4f}, loss {_loss(y, probabilities):.4f} on {len(y)} pictures\n")
    print(classification_report(y, probabilities, class_names, digits=3), end="")


def _loss(y: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean cross entropy; a probability that rounded to 0 counts as the smallest there is."""
    chosen = probabilities[np.arange(len(y)), y]
    return float(-np.log(np.maximum(chosen, np.finfo(np.float32).tiny), dtype=np.float64).mean())
