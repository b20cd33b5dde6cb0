"""Detectors judged: as COCO judges them, and as Pascal VOC does."""

from __future__ import annotations

from .coco import CocoMetrics

__all__ = ["CocoMetrics"]
