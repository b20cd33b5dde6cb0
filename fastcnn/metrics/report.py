"""Which classes are taken for which, and the table of precision, recall and F1 made from that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import shown
from ..shapes import whole_number
from .base import Metric, Result


def confusion_matrix(
    y_true: ArrayLike, y_pred: ArrayLike, num_classes: int | None = None, sample_weight: ArrayLike | None = None
) -> NDArray[Any]:
    """How often each class was predicted as each.

    Parameters
    ----------
    y_true, y_pred : arrays
        Class numbers, (samples,) or (samples, 1). Rows of scores or with a single one, (samples, classes), count as
        the class of their largest.
    num_classes : int, optional
        By default the number of columns of such rows, or else the largest class + 1.
    sample_weight : array, shape (samples,), optional
        What each sample counts.

    Returns
    -------
    array of shape (num_classes, num_classes)
        Row: the true class; column: the predicted one. int64, or float64 with weights.
    """
    true, true_width = _classes(y_true, "y_true")
    pred, pred_width = _classes(y_pred, "y_pred")
    if len(true) != len(pred):
        raise ValueError(f"y_true and y_pred must have the same length, received {len(true)} and {len(pred)}")
    largest = max((int(c.max()) + 1 for c in (true, pred) if c.size), default=0)
    count = max(largest, true_width, pred_width) if num_classes is None else whole_number(num_classes, "num_classes")
    if largest > count:
        raise ValueError(f"classes must be from 0 to {count - 1} (num_classes={count}), received {largest - 1}")
    weights = None
    if sample_weight is not None:
        weights = np.asarray(sample_weight, np.float64)
        if weights.shape != true.shape:
            raise ValueError(f"sample_weight must have shape {true.shape}, received {weights.shape}")
    return np.bincount(true * count + pred, weights, count * count).reshape(count, count)


@overload
def classification_report(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    target_names: Sequence[str] | None = ...,
    *,
    digits: int = ...,
    output_dict: Literal[False] = ...,
) -> str: ...
@overload
def classification_report(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    target_names: Sequence[str] | None = ...,
    *,
    digits: int = ...,
    output_dict: Literal[True],
) -> dict[str, Any]: ...
def classification_report(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    target_names: Sequence[str] | None = None,
    *,
    digits: int = 2,
    output_dict: bool = False,
) -> str | dict[str, Any]:
    """Precision, recall, F1 and number of samples of each class, accuracy, and the averages over classes.

    Parameters
    ----------
    y_true, y_pred : arrays
        As for `confusion_matrix`: class numbers or rows of scores.
    target_names : sequence of str, optional
        The name of class 0, 1, …: each has a line, even without a sample. Without names the classes that occur have
        one.
    digits : int
        Decimals in the text.
    output_dict : bool
        Return ``{class: {"precision", "recall", "f1-score", "support"}, …, "accuracy": float, "macro avg": {…},
        "weighted avg": {…}}`` instead of the text.

    Returns
    -------
    str or dict
        A ratio without samples (precision of a class never predicted) is 0. "macro avg" is the mean over classes;
        "weighted avg" weights each with its samples.
    """
    names = None if target_names is None else [str(name) for name in target_names]
    matrix = confusion_matrix(y_true, y_pred, None if names is None else max(1, len(names)))
    if names is None:
        shown_classes = np.flatnonzero(matrix.sum(0) + matrix.sum(1))
        names = [str(c) for c in shown_classes]
    else:
        shown_classes = np.arange(len(names))
    correct, said, real = matrix.diagonal()[shown_classes], matrix.sum(0)[shown_classes], matrix.sum(1)[shown_classes]
    columns = np.stack([_ratio(correct, said), _ratio(correct, real), _ratio(2 * correct, said + real)])
    total = int(real.sum())
    rows = {name: _row(columns[:, i], int(real[i])) for i, name in enumerate(names)}
    accuracy = float(correct.sum() / total) if total else 0.0
    macro = columns.mean(1) if columns.size else np.zeros(3)
    averages = {"macro avg": _row(macro, total), "weighted avg": _row(_ratio(columns @ real, np.full(3, total)), total)}
    if output_dict:
        return {**rows, "accuracy": accuracy, **averages}
    return _text(list(zip(names, rows.values())), accuracy, averages, total, digits)


class ConfusionMatrix(Metric):
    """How often each class was predicted as each, over all batches; see `confusion_matrix`.

    Parameters
    ----------
    num_classes : int, optional
        By default as many as have been seen.
    """

    def __init__(
        self, num_classes: int | None = None, name: str = "confusion_matrix", dtype: str | None = None
    ) -> None:
        super().__init__(name, dtype)
        self.num_classes = None if num_classes is None else whole_number(num_classes, "num_classes")
        self.reset_state()

    def reset_state(self) -> None:
        self._matrix: NDArray[Any] = np.zeros((self.num_classes or 0,) * 2, np.int64)

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        batch = confusion_matrix(y_true, y_pred, self.num_classes, sample_weight)
        small, large = sorted((self._matrix, batch), key=len)
        total = large.astype(np.result_type(small, large))
        total[: len(small), : len(small)] += small
        self._matrix = total

    def result(self) -> Result:
        """The matrix; row: the true class, column: the predicted one."""
        return self._matrix.copy()

    def get_config(self) -> dict[str, Any]:
        return {"num_classes": self.num_classes, **super().get_config()}


def _classes(y: ArrayLike, name: str) -> tuple[NDArray[np.int64], int]:
    """Class numbers, and how many classes the array's width says there are (0: it doesn't)."""
    array = np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    width = 0
    if array.ndim == 2 and array.shape[1]:
        width = array.shape[1]
        array = array.argmax(1)
    if array.ndim != 1 or array.dtype.kind not in "iufb":
        raise ValueError(
            f"{name} must hold class numbers, shape (samples,), or rows (samples, classes), "
            f"received shape {array.shape} of {array.dtype}"
        )
    with np.errstate(invalid="ignore"):  # NaN becomes some integer, which the comparison turns away
        whole = array.astype(np.int64)
    wrong = (whole != array) | (whole < 0)
    if wrong.any():
        raise ValueError(f"{name} must hold class numbers from 0, received {shown(array[wrong][0].item())}")
    return whole, width


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole != 0)


def _row(values: NDArray[np.float64], support: int) -> dict[str, float]:
    precision, recall, f1 = (float(v) for v in values)
    return {"precision": precision, "recall": recall, "f1-score": f1, "support": support}


def _text(
    rows: list[tuple[str, dict[str, float]]],
    accuracy: float,
    averages: dict[str, dict[str, float]],
    total: int,
    digits: int,
) -> str:
    """The report as a table, columns as scikit-learn lays them out."""
    width = max(digits, *(len(name) for name, _ in rows), *(len(name) for name in averages))

    def line(name: str, row: dict[str, float]) -> str:
        ratios = "".join(f" {row[key]:>9.{digits}f}" for key in ("precision", "recall", "f1-score"))
        return f"{name:>{width}} {ratios} {row['support']:>9}"

    head = " " * (width + 1) + "".join(f" {title:>9}" for title in ("precision", "recall", "f1-score", "support"))
    overall = f"{'accuracy':>{width}} {'':>20} {accuracy:>9.{digits}f} {total:>9}"
    body = [line(name, row) for name, row in rows]
    return "\n".join([head, "", *body, "", overall, *(line(name, row) for name, row in averages.items())]) + "\n"
