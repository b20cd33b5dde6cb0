"""Detectors in ONNX files, for ``fastcnn detect predict``."""

from __future__ import annotations

import numpy as np

from ..detection import YOLOX, CenterFace, ForeignDetector
from ..errors import FastcnnError


def load(path: str, decoder: str) -> ForeignDetector:
    """A detector that others trained.

    Parameters
    ----------
    decoder : "centerface" or "yolox"

    Raises
    ------
    ImportError
        The package onnx is not installed.
    ValueError, OSError
        The file can't be read, or is no network that the decoder understands.
    """
    from .. import onnx

    model = onnx.load(path)
    try:
        if decoder == "yolox":
            detector = ForeignDetector(model, YOLOX(), channel_order="bgr", fit="pad_end")
        else:
            # Its file says one small size, and it takes any: pictures keep theirs.
            model = onnx.load(path, input_shapes={model.inputs[0].name: (None, 3, None, None)})
            detector = ForeignDetector(model, CenterFace(), class_names=["face"])
        # Before any picture is read: another network fails in ways of its own, or its outputs are others.
        detector.predict(np.zeros((64, 64, 3), np.uint8))
    except (ValueError, TypeError, IndexError, FastcnnError) as error:
        raise ValueError(f"{path} is no network for --decoder {decoder}: {error}") from error
    return detector
