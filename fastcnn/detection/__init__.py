"""Finding things in pictures: detectors, from training to boxes in a picture's own pixels."""

from __future__ import annotations
