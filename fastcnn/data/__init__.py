"""Pictures and arrays, from files to batches."""

from __future__ import annotations
