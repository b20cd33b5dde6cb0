"""Pictures: of what a training did, and of models."""

from __future__ import annotations

from .history import plot_history
from .network import model_to_dot, plot_model

__all__ = ["model_to_dot", "plot_history", "plot_model"]
