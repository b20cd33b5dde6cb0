"""Finding things in pictures: detectors, from training to boxes in a picture's own pixels."""

from __future__ import annotations

from .backbones import residual_backbone
from .decoders import YOLOX, CenterFace, Decoder
from .decoding import Selection, decode
from .detections import Detections
from .foreign import ForeignDetector
from .model import DetectionModel

__all__ = [
    "YOLOX",
    "CenterFace",
    "Decoder",
    "DetectionModel",
    "Detections",
    "ForeignDetector",
    "Selection",
    "decode",
    "residual_backbone",
]
