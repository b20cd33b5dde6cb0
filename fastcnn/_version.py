"""The version, where everything else takes it from."""

from __future__ import annotations

__version__ = "0.1.0"
