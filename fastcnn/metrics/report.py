"""Which classes are taken for which, and the table of precision, recall and F1 made from that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import shown
from ..shapes import whole_number
from .base import Metric, Result, checked_threshold
from .inputs import check_length, class_numbers, ratio, sample_weights

#: Precision, recall, F1 and number of samples, by name.
Row = dict[str, float]


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
    return _matrix(class_numbers(y_true, "y_true"), class_numbers(y_pred, "y_pred"), num_classes, sample_weight)


def _matrix(
    labels: tuple[NDArray[np.int64], int],
    predictions: tuple[NDArray[np.int64], int],
    num_classes: int | None,
    sample_weight: ArrayLike | None,
) -> NDArray[Any]:
    (true, true_width), (pred, pred_width) = labels, predictions
    check_length(true, pred)
    largest = max((int(c.max()) + 1 for c in (true, pred) if c.size), default=0)
    count = max(largest, true_width, pred_width) if num_classes is None else whole_number(num_classes, "num_classes")
    if largest > count:
        raise ValueError(f"classes must be from 0 to {count - 1} (num_classes={count}), received {largest - 1}")
    weights = None if sample_weight is None else sample_weights(sample_weight, len(true))
    return np.bincount(true * count + pred, weights, count * count).reshape(count, count)


@overload
def classification_report(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    target_names: Sequence[str] | None = ...,
    *,
    digits: int = ...,
    output_dict: Literal[False] = ...,
    sample_weight: ArrayLike | None = ...,
) -> str: ...
@overload
def classification_report(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    target_names: Sequence[str] | None = ...,
    *,
    digits: int = ...,
    output_dict: Literal[True],
    sample_weight: ArrayLike | None = ...,
) -> dict[str, Any]: ...
def classification_report(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    target_names: Sequence[str] | None = None,
    *,
    digits: int = 2,
    output_dict: bool = False,
    sample_weight: ArrayLike | None = None,
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
        "weighted avg": {…}}`` instead of the text. The names must differ, and be none of the last three.
    sample_weight : array, shape (samples,), optional
        What each sample counts, in ratios and numbers of samples ("support").

    Returns
    -------
    str or dict
        A ratio without samples (precision of a class never predicted) is 0. "macro avg" is the mean over classes;
        "weighted avg" weights each with its samples.
    """
    rows, accuracy, averages, total = report_rows(y_true, y_pred, target_names, sample_weight)
    if not output_dict:
        return _text(rows, accuracy, averages, total, digits)
    overall = {"accuracy": accuracy, **averages}
    by_class: dict[str, Any] = {}
    for name, row in rows:
        if name in by_class or name in overall:
            twice = " twice" if name in by_class else ""
            raise ValueError(
                f"target_names must differ, and be none of {', '.join(overall)}, for output_dict=True, "
                f"received {shown(name)}{twice}"
            )
        by_class[name] = row
    return {**by_class, **overall}


def report_rows(
    y_true: ArrayLike, y_pred: ArrayLike, target_names: Sequence[str] | None, sample_weight: ArrayLike | None
) -> tuple[list[tuple[str, Row]], float, dict[str, Row], float]:
    """What `classification_report` says: each class's name and row, accuracy, rows of averages, number of samples."""
    names = None if target_names is None else [str(name) for name in target_names]
    matrix = confusion_matrix(y_true, y_pred, None if names is None else max(1, len(names)), sample_weight)
    if names is None:
        shown_classes = np.flatnonzero(matrix.sum(0) + matrix.sum(1))
        names = [str(c) for c in shown_classes]
    else:
        shown_classes = np.arange(len(names))
    correct, said, real = matrix.diagonal()[shown_classes], matrix.sum(0)[shown_classes], matrix.sum(1)[shown_classes]
    columns = np.stack([ratio(correct, said), ratio(correct, real), ratio(2 * correct, said + real)])
    total = real.sum().item()
    rows = [(name, _row(columns[:, i], real[i].item())) for i, name in enumerate(names)]
    accuracy = float(correct.sum() / total) if total else 0.0
    macro = columns.mean(1) if columns.size else np.zeros(3)
    averages = {"macro avg": _row(macro, total), "weighted avg": _row(ratio(columns @ real, np.full(3, total)), total)}
    return rows, accuracy, averages, total


class ConfusionMatrix(Metric):
    """How often each class was predicted as each, over all batches; see `confusion_matrix`.

    Parameters
    ----------
    num_classes : int, optional
        By default as many as have been seen.
    threshold : float
        Predictions (samples,) or (samples, 1) may be probabilities of class 1, numbers from 0 to 1: it is what a
        probability must be above to count as class 1.
    """

    def __init__(
        self,
        num_classes: int | None = None,
        threshold: float = 0.5,
        name: str = "confusion_matrix",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name, dtype)
        self.num_classes = None if num_classes is None else whole_number(num_classes, "num_classes")
        self.threshold = checked_threshold(threshold)
        self.reset_state()

    def reset_state(self) -> None:
        self._matrix: NDArray[Any] = np.zeros((self.num_classes or 0,) * 2, np.int64)

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        predictions = class_numbers(y_pred, "y_pred", self.threshold)
        batch = _matrix(class_numbers(y_true, "y_true"), predictions, self.num_classes, sample_weight)
        small, large = sorted((self._matrix, batch), key=len)
        total = large.astype(np.result_type(small, large))
        total[: len(small), : len(small)] += small
        self._matrix = total

    def result(self) -> Result:
        """The matrix; row: the true class, column: the predicted one."""
        return self._matrix.copy()

    def get_config(self) -> dict[str, Any]:
        return {"num_classes": self.num_classes, "threshold": self.threshold, **super().get_config()}


def _row(values: NDArray[np.float64], support: float) -> Row:
    precision, recall, f1 = (float(v) for v in values)
    return {"precision": precision, "recall": recall, "f1-score": f1, "support": support}


def _text(
    rows: list[tuple[str, Row]],
    accuracy: float,
    averages: dict[str, Row],
    total: float,
    digits: int,
) -> str:
    """The report as a table, columns as scikit-learn lays them out."""
    samples = "d" if isinstance(total, int) else f".{digits}f"  # with weights it is no whole number
    width = max(digits, *(len(name) for name, _ in rows), *(len(name) for name in averages))

    def line(name: str, row: Row) -> str:
        ratios = "".join(f" {row[key]:>9.{digits}f}" for key in ("precision", "recall", "f1-score"))
        return f"{name:>{width}} {ratios} {row['support']:>9{samples}}"

    head = " " * (width + 1) + "".join(f" {title:>9}" for title in ("precision", "recall", "f1-score", "support"))
    overall = f"{'accuracy':>{width}} {'':>20} {accuracy:>9.{digits}f} {total:>9{samples}}"
    body = [line(name, row) for name, row in rows]
    return "\n".join([head, "", *body, "", overall, *(line(name, row) for name, row in averages.items())]) + "\n"
