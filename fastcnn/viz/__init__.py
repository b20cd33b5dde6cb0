"""Pictures: of what a training did, of how good a model is, of models, and boxes in images.

matplotlib draws all but boxes (Pillow) and `plot_model` (graphviz); no window is opened, no state is kept.
"""

from __future__ import annotations

from . import figures
from .augmentation import augmentation_preview
from .boxes import draw_boxes
from .detection import plot_detection_curves, plot_detection_errors
from .history import plot_history
from .judging import plot_confusion_matrix, plot_precision_recall, plot_reliability, plot_roc
from .learning_rates import plot_learning_rates
from .mistakes import plot_confused_pairs, plot_filters, plot_mistakes
from .network import model_to_dot, plot_model

__all__ = [
    "augmentation_preview",
    "draw_boxes",
    "figures",
    "model_to_dot",
    "plot_confused_pairs",
    "plot_confusion_matrix",
    "plot_detection_curves",
    "plot_detection_errors",
    "plot_filters",
    "plot_history",
    "plot_learning_rates",
    "plot_mistakes",
    "plot_model",
    "plot_precision_recall",
    "plot_reliability",
    "plot_roc",
]
