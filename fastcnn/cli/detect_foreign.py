"""Detectors in ONNX files, for ``fastcnn detect predict``."""

from __future__ import annotations

from ..detection import YOLOX, CenterFace, ForeignDetector


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
        The file can't be read, or is no network of images.
    """
    from .. import onnx

    model = onnx.load(path)
    if decoder == "yolox":
        return ForeignDetector(model, YOLOX(), channel_order="bgr", fit="pad_end")
    # Its file says one small size, and it takes any: pictures keep theirs.
    model = onnx.load(path, input_shapes={model.inputs[0].name: (None, 3, None, None)})
    return ForeignDetector(model, CenterFace(), class_names=["face"])
