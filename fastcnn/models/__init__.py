"""Models: build, train, judge, use, keep."""

from .model import Model
from .saving import load_model
from .sequential import Sequential
from .structure import clone_model

__all__ = ["Model", "Sequential", "clone_model", "load_model"]
