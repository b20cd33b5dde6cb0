"""Helpers that stand below everything else: files, names, small NumPy functions, progress bars."""

from __future__ import annotations

from .files import atomic_write

__all__ = ["atomic_write"]
