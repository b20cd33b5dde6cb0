"""What the command line wants to know of pictures."""

from __future__ import annotations

import numpy as np


def has_light_background(pixels: np.ndarray) -> bool:
    """Whether the rim of a picture is rather white than black."""
    rim = np.concatenate([pixels[0].ravel(), pixels[-1].ravel(), pixels[:, 0].ravel(), pixels[:, -1].ravel()])
    return bool(np.median(rim) > 127)
