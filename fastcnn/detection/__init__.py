"""Finding things in pictures: detectors, from training to boxes in a picture's own pixels."""

from __future__ import annotations

from .decoders import YOLOX, CenterFace, Decoder
from .detections import Detections
from .foreign import ForeignDetector

__all__ = ["YOLOX", "CenterFace", "Decoder", "Detections", "ForeignDetector"]
