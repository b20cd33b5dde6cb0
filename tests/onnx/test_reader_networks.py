"""Known networks as ONNX files: the same numbers as onnxruntime's, and plans without anything that moves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from reader_networks import mobilenet_v2, resnet, vgg16  # noqa: E402

import fastcnn.onnx  # noqa: E402
from fastcnn.models import Model, load_model  # noqa: E402
from fastcnn.onnx import Operator  # noqa: E402

NETWORKS: dict[str, Callable[..., Any]] = {
    "resnet18": partial(resnet, [2, 2, 2, 2], False),
    "resnet50": partial(resnet, [3, 4, 6, 3], True),
    "mobilenet_v2": mobilenet_v2,
    "vgg16": partial(vgg16, hidden=256),
}
#: At half the size in width and height, that the tests take seconds; the last map is still larger than a pixel.
SIZE = 96


def expected(proto: Any, images: np.ndarray) -> np.ndarray:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": images})[0]


def close(found: np.ndarray, wanted: np.ndarray) -> None:
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 1e-4 * np.abs(wanted).max()


@pytest.mark.parametrize("name", NETWORKS)
def test_known_networks(name: str, tmp_path: Path) -> None:
    proto = NETWORKS[name](size=SIZE)
    model = fastcnn.onnx.load(proto)
    assert isinstance(model, Model)
    assert model.input_shape == (None, 3, SIZE, SIZE)
    assert model.output_names == [proto.graph.output[0].name]
    rng = np.random.default_rng(1)
    images = rng.standard_normal((8, 3, SIZE, SIZE), np.float32)
    wanted = expected(proto, images)
    close(model.predict(images, verbose=0), wanted)
    close(model.predict_on_batch({"x": images[:1]}), wanted[:1])
    # The border alone moves anything; every batch norm is in a convolution's weights.
    for batch in (1, 8):
        kernels = [s.kernel for s in model.plan(batch).steps if not s.once]
        assert kernels.count("strided_copy") == 1
        assert not [k for k in kernels if k.startswith(("host", "batch_norm"))]
    last = fastcnn.onnx.load(proto, layout="NHWC")
    assert not [layer for layer in last.layers if isinstance(layer, Operator)]
    assert "strided_copy" not in [s.kernel for s in last.plan(1).steps]
    assert np.array_equal(last.predict(images.transpose(0, 2, 3, 1), verbose=0), model.predict(images, verbose=0))
    model.save(tmp_path / "net.safetensors")
    again = load_model(tmp_path / "net.safetensors")
    assert np.array_equal(again.predict(images, verbose=0), model.predict(images, verbose=0))


def test_one_image_in_the_file_is_any_number() -> None:
    """Exporters write the number of samples they were shown."""
    proto = resnet([1, 1, 1, 1], False, batch=1, size=64)
    model = fastcnn.onnx.load(proto)
    assert model.input_shape == (None, 3, 64, 64)
    images = np.random.default_rng(2).standard_normal((3, 3, 64, 64), np.float32)
    single = np.concatenate([expected(proto, image[None]) for image in images])
    close(model.predict(images, verbose=0), single)


def test_fine_tuning() -> None:
    """Freeze, cut, put a new head on, train."""
    fastcnn.utils.set_random_seed(0)
    model = fastcnn.onnx.load(resnet([1, 1, 1, 1], False, size=64))
    model.trainable = False
    features = model.layers[-1].input
    head = fastcnn.layers.Dense(3, activation="softmax")
    tuned = Model(model.input, head(features))
    before = [w.copy() for w in model.get_weights()]
    tuned.compile("adam", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(3)
    images, labels = rng.standard_normal((12, 3, 64, 64), np.float32), np.arange(12) % 3
    history = tuned.fit(images, labels, batch_size=4, epochs=16, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0] / 2
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
    model.trainable = True
    tuned.compile("sgd", "sparse_categorical_crossentropy")
    tuned.fit(images, labels, batch_size=4, verbose=0)
    assert not np.array_equal(before[0], model.get_weights()[0])


def test_a_model_without_inputs(tmp_path: Path) -> None:
    """What depends on nothing is computed once, as the file is read."""
    numbers = np.arange(6, dtype=np.float32).reshape(2, 3)
    node = onnx.helper.make_node("Constant", [], ["y"], value=onnx.numpy_helper.from_array(numbers))
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2, 3])
    graph = onnx.helper.make_graph([node], "numbers", [], [y])
    model = fastcnn.onnx.load(onnx.helper.make_model(graph))
    model.save(tmp_path / "numbers.safetensors")
    for made in (model, load_model(tmp_path / "numbers.safetensors"), fastcnn.onnx.load(fastcnn.onnx.to_proto(model))):
        assert made.inputs == []
        np.testing.assert_array_equal(made.predict([]), numbers)
    with pytest.raises(ValueError, match="has no inputs: x must be an empty list, received array"):
        model.predict(numbers)
