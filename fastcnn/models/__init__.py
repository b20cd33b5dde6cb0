"""Models: build, train, judge, use, keep."""

from .model import Model
from .saving import clone_model, load_model
from .sequential import Sequential

__all__ = ["Model", "Sequential", "clone_model", "load_model"]
