"""Judging a way of building models: cross-validation, and an estimator for scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .folds import group_folds, stratified_folds, unstratified_folds
from .results import CrossValidation, Fold
from .validation import cross_validate

if TYPE_CHECKING:
    from .estimator import CNNClassifier

__all__ = [
    "CNNClassifier",
    "CrossValidation",
    "Fold",
    "cross_validate",
    "group_folds",
    "stratified_folds",
    "unstratified_folds",
]


def __getattr__(name: str) -> Any:
    # Its base classes are scikit-learn's, which takes a second to import and isn't needed for anything else here.
    if name == "CNNClassifier":
        from .estimator import CNNClassifier

        return CNNClassifier
    raise AttributeError(f"module 'fastcnn.evaluation' has no attribute {name!r}")
