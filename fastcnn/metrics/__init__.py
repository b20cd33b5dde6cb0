"""Metrics, under Keras' names: streaming classes, the functions of one batch behind them, and reports.

They run on NumPy alone, once a batch, beside the plan that trains the model.
"""

from __future__ import annotations

from typing import Any

from ..utils.registry import Registry
from .accuracy import (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    TopKCategoricalAccuracy,
    accuracy_for,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from .agreement import (
    BalancedAccuracy,
    CohenKappa,
    MatthewsCorrelation,
    balanced_accuracy_score,
    cohen_kappa_score,
    matthews_corrcoef,
)
from .base import Mean, MeanMetricWrapper, Metric, Sum
from .calibration import (
    BrierScore,
    ExpectedCalibrationError,
    LogLoss,
    brier_score,
    expected_calibration_error,
    log_loss,
    reliability_curve,
)
from .confusion import (
    FalseNegatives,
    FalsePositives,
    Precision,
    Recall,
    TrueNegatives,
    TruePositives,
)
from .crossentropy import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from .curves import (
    ROCAUC,
    AveragePrecision,
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)
from .detection import CocoMetrics, DetectionErrors, Mistake, PrecisionRecall, VocMetrics, save_coco_results
from .detection_loss import BoxLoss, ClassLoss
from .fscore import (
    F1Score,
    FBetaScore,
    PrecisionScore,
    RecallScore,
    SpecificityScore,
    f1_score,
    fbeta_score,
    precision_score,
    recall_score,
    specificity_score,
)
from .regression import (
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    RootMeanSquaredError,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from .report import ConfusionMatrix, classification_report, confusion_matrix
from .table import print_classification_report, report_table
from .thresholds import (
    AUC,
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
)

__all__ = [
    "AUC",
    "ROCAUC",
    "Accuracy",
    "AveragePrecision",
    "BalancedAccuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "BoxLoss",
    "BrierScore",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "ClassLoss",
    "CocoMetrics",
    "CohenKappa",
    "ConfusionMatrix",
    "DetectionErrors",
    "ExpectedCalibrationError",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "LogLoss",
    "MatthewsCorrelation",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "Mistake",
    "Precision",
    "PrecisionAtRecall",
    "PrecisionRecall",
    "PrecisionScore",
    "Recall",
    "RecallAtPrecision",
    "RecallScore",
    "RootMeanSquaredError",
    "SensitivityAtSpecificity",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity",
    "SpecificityScore",
    "Sum",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "VocMetrics",
    "average_precision_score",
    "balanced_accuracy_score",
    "binary_accuracy",
    "binary_crossentropy",
    "brier_score",
    "categorical_accuracy",
    "categorical_crossentropy",
    "classification_report",
    "cohen_kappa_score",
    "confusion_matrix",
    "deserialize",
    "expected_calibration_error",
    "f1_score",
    "fbeta_score",
    "get",
    "log_loss",
    "matthews_corrcoef",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "precision_recall_curve",
    "precision_score",
    "print_classification_report",
    "recall_score",
    "reliability_curve",
    "report_table",
    "roc_auc_score",
    "roc_curve",
    "save_coco_results",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy",
    "specificity_score",
    "top_k_categorical_accuracy",
]

_CLASSES: list[type[Metric]] = [
    AUC, ROCAUC, Accuracy, AveragePrecision, BalancedAccuracy, BinaryAccuracy, BinaryCrossentropy, BoxLoss, BrierScore,
    CategoricalAccuracy, CategoricalCrossentropy, ClassLoss, CohenKappa, ConfusionMatrix, ExpectedCalibrationError,
    F1Score, FBetaScore, FalseNegatives, FalsePositives, LogLoss, MatthewsCorrelation, Mean, MeanAbsoluteError,
    MeanAbsolutePercentageError, MeanSquaredError, MeanSquaredLogarithmicError, Precision, PrecisionAtRecall,
    PrecisionScore, Recall, RecallAtPrecision, RecallScore, RootMeanSquaredError, SensitivityAtSpecificity,
    SparseCategoricalAccuracy, SparseCategoricalCrossentropy, SparseTopKCategoricalAccuracy, SpecificityAtSensitivity,
    SpecificityScore, Sum, TopKCategoricalAccuracy, TrueNegatives, TruePositives,
]  # fmt: skip
_ALIASES: dict[str, type[Metric]] = {
    "bce": BinaryCrossentropy, "mse": MeanSquaredError, "mae": MeanAbsoluteError, "rmse": RootMeanSquaredError,
    "mape": MeanAbsolutePercentageError, "msle": MeanSquaredLogarithmicError,
}  # fmt: skip
_REGISTRY: Registry[Metric] = Registry("metric", Metric, _CLASSES, _ALIASES)

#: Strings whose meaning depends on the shapes of labels and predictions.
_BY_SHAPE = ("accuracy", "acc", "crossentropy", "ce")
_CROSSENTROPIES: dict[type[Metric], type[Metric]] = {
    BinaryAccuracy: BinaryCrossentropy,
    CategoricalAccuracy: CategoricalCrossentropy,
    SparseCategoricalAccuracy: SparseCategoricalCrossentropy,
}


def get(
    identifier: Any,
    y_true_shape: tuple[int | None, ...] | None = None,
    y_pred_shape: tuple[int | None, ...] | None = None,
) -> Metric:
    """A metric from what stands in a model's ``metrics=[…]``.

    Parameters
    ----------
    identifier : str, Metric, class, callable or dict
        A name (``"accuracy"``, ``"mae"``, ``"F1Score"``), under which the value then stands in the logs too; a metric
        or its class; a function ``fn(y_true, y_pred)`` -> one value a sample; or what `serialize` returned.
    y_true_shape, y_pred_shape : tuples of int or None, optional
        With the batch axis. ``"accuracy"`` (``"acc"``) and ``"crossentropy"`` (``"ce"``) become binary, categorical or
        sparse by them; without shapes ``"accuracy"`` is `Accuracy`.

    Raises
    ------
    ValueError
        An unknown name, with the closest known one; a name that needs the shapes, without them.
    TypeError
        Anything else.
    """
    if isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, str):
        metric = _by_name(identifier, y_true_shape, y_pred_shape)
        metric.name = identifier
        return metric
    if callable(identifier) and not isinstance(identifier, type):
        return MeanMetricWrapper(identifier)
    return _REGISTRY.make(identifier)


def serialize(metric: Metric) -> dict[str, Any]:
    """``{"class_name": …, "config": …}``, from which `get` makes the same metric; ready for JSON."""
    return _REGISTRY.serialize(metric)


deserialize = get


def _by_name(
    name: str, y_true_shape: tuple[int | None, ...] | None, y_pred_shape: tuple[int | None, ...] | None
) -> Metric:
    low = name.lower()
    if low not in _BY_SHAPE:
        _REGISTRY.find(name, _BY_SHAPE)
        return _REGISTRY.make(name)
    if y_true_shape is None or y_pred_shape is None:
        if low == "accuracy":
            return Accuracy()
        raise ValueError(f"metric {name!r} needs the shapes of labels and predictions to know which one is meant")
    fitting: type[Metric] = accuracy_for(y_true_shape, y_pred_shape)
    return (fitting if low.startswith("acc") else _CROSSENTROPIES[fitting])()
