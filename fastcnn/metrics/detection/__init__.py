"""Detectors judged: as COCO judges them, and as Pascal VOC does."""

from __future__ import annotations

from .coco import CocoMetrics, PrecisionRecall
from .errors import DetectionErrors, Mistake
from .files import save_coco_results
from .voc import VocMetrics

__all__ = ["CocoMetrics", "DetectionErrors", "Mistake", "PrecisionRecall", "VocMetrics", "save_coco_results"]
