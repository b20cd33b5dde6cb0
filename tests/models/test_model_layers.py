"""Every layer: results against the reference, gradients against finite differences, configuration, files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from activation_cases import activation_cases
from model_tools import LayerCase, Offset, check_gradients, check_layer, close, gradients, product, random_weights
from more_layer_cases import CASES as MORE_CASES

from fastcnn import layers as L  # noqa: N812
from fastcnn import reference as ref
from fastcnn.layers.augmentation import AugmentationLayer
from fastcnn.models import Model, load_model
from fastcnn.optimizers import SGD

IMAGE = (7, 6, 4)


def conv(
    name: str, shape: tuple[int, ...] = IMAGE, filters: int = 6, kernel: Any = 3, act: str = "", **how: Any
) -> LayerCase:
    """A Conv2D case; `how` holds the layer's further arguments."""
    geometry = {k.removesuffix("_rate"): v for k, v in how.items() if k != "use_bias"}

    def expected(x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
        return activated(ref.conv2d(x, w, b, **geometry), act)

    return LayerCase(f"conv {name}", lambda: L.Conv2D(filters, kernel, activation=act or None, **how), shape, expected)


def activated(x: np.ndarray, act: str) -> np.ndarray:
    if act == "softmax":
        return ref.softmax(x)
    kind = {"": "linear", "exponential": "exp"}.get(act, act)
    return ref.unary(x, kind, 0.2)


def dense(shape: tuple[int, ...], act: str = "", bias: bool = True) -> LayerCase:
    def expected(x: np.ndarray, w: np.ndarray, b: Any = 0.0) -> np.ndarray:
        return activated(x @ w.astype(np.float64) + b, act)

    name = f"dense rank {len(shape) + 1} {act} {'' if bias else 'without bias'}".rstrip()
    return LayerCase(name, lambda: L.Dense(5, activation=act or None, use_bias=bias), shape, expected)


def pool(name: str, make: Any, expected: Any, shape: tuple[int, ...] = IMAGE, **how: Any) -> LayerCase:
    return LayerCase(name, lambda: make(**how), shape, lambda x: expected(x, **how))


def convolutions() -> Iterator[LayerCase]:
    for act in ("", "relu", "relu6", "leaky_relu", "sigmoid", "tanh", "exponential", "softmax"):
        yield conv(act or "linear", act=act)
    yield conv("same", padding="same", act="relu")
    yield conv("strided", strides=(2, 3), padding="same")
    yield conv("dilated", dilation_rate=(2, 1), act="relu")
    yield conv("explicit padding", padding=((0, 2), (3, 1)))
    yield conv("padding 2", padding=2, kernel=(5, 2))
    yield conv("groups", groups=2, act="tanh", padding="same")
    yield conv("depthwise", filters=4, groups=4, act="relu", padding="same", strides=2)
    yield conv("depthwise, multiplier", filters=8, groups=4, act="sigmoid", use_bias=False)
    yield conv("pointwise", kernel=1, use_bias=False, act="leaky_relu")
    yield conv("one pixel", shape=(1, 1, 3), kernel=1)
    yield conv("one channel, odd", shape=(5, 9, 1), filters=7, kernel=(3, 5), act="relu")


def others() -> Iterator[LayerCase]:
    """The other convolution layers."""
    image = IMAGE[:2]

    def depthwise(name: str, act: str = "", shape: tuple[int, ...] = IMAGE, kernel: Any = 3, **how: Any) -> LayerCase:
        geometry = {k.removesuffix("_rate"): v for k, v in how.items() if k not in ("use_bias", "depth_multiplier")}

        def expected(x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
            return activated(ref.depthwise_conv2d(x, w, b, **geometry), act)

        make = lambda: L.DepthwiseConv2D(kernel, activation=act or None, **how)  # noqa: E731
        return LayerCase(f"depthwise {name}", make, shape, expected)

    yield depthwise("linear")
    yield depthwise("same", "relu6", padding="same", strides=2)
    yield depthwise("multiplier", "tanh", depth_multiplier=3, use_bias=False)
    yield depthwise("dilated, padded", "relu", dilation_rate=(2, 1), padding=((0, 1), (2, 0)), kernel=(3, 2))
    yield depthwise("one channel", "sigmoid", (*image, 1), depth_multiplier=2)
    yield depthwise("wide", "leaky_relu", (5, 5, 35), 5, padding="same")

    def separable(name: str, act: str = "", **how: Any) -> LayerCase:
        geometry = {k.removesuffix("_rate"): v for k, v in how.items() if k not in ("use_bias", "depth_multiplier")}

        def expected(x: np.ndarray, d: np.ndarray, p: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
            return activated(ref.conv2d(ref.depthwise_conv2d(x, d, None, **geometry), p, b), act)

        return LayerCase(
            f"separable {name}", lambda: L.SeparableConv2D(5, 3, activation=act or None, **how), IMAGE, expected
        )

    yield separable("linear")
    yield separable("same", "relu", padding="same", strides=2, depth_multiplier=2)
    yield separable("dilated", "softmax", dilation_rate=2, use_bias=False)

    def transposed(name: str, act: str = "", kernel: Any = 3, shape: Any = (4, 5, 3), **how: Any) -> LayerCase:
        geometry = {k.removesuffix("_rate"): v for k, v in how.items() if k != "use_bias"}

        def expected(x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
            return activated(ref.conv2d_transpose(x, w, b, **geometry), act)

        make = lambda: L.Conv2DTranspose(6, kernel, activation=act or None, **how)  # noqa: E731
        return LayerCase(f"transposed {name}", make, shape, expected)

    yield transposed("linear")
    yield transposed("same", "relu", padding="same")
    yield transposed("doubled", "leaky_relu", 4, padding="same", strides=2)
    yield transposed("doubled by 2x2", "", 2, strides=2, use_bias=False)
    yield transposed("output padding", "tanh", (3, 2), strides=(3, 2), output_padding=(2, 0))
    yield transposed("same, output padding", "softmax", padding="same", strides=2, output_padding=1)
    yield transposed("dilated", "relu6", (2, 3), dilation_rate=(3, 2))
    yield transposed("wide", "", 3, (5, 6, 20), padding="same")
    yield transposed("one pixel", "sigmoid", 4, (1, 1, 5))

    def one(name: str, act: str = "", shape: tuple[int, ...] = (9, 4), **how: Any) -> LayerCase:
        geometry = {k.removesuffix("_rate"): v for k, v in how.items() if k != "use_bias"}

        def expected(x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
            return activated(ref.conv1d(x, w, b, **geometry), act)

        return LayerCase(f"conv1d {name}", lambda: L.Conv1D(6, 3, activation=act or None, **how), shape, expected)

    yield one("linear")
    yield one("same", "relu", padding="same", strides=2)
    yield one("causal", "tanh", padding="causal", dilation_rate=2)
    yield one("groups", "softmax", groups=2, use_bias=False)


def resizing() -> Iterator[LayerCase]:
    sides = ((1, 0), (2, 3))
    for given, meant in ((2, ((2, 2), (2, 2))), ((1, 2), ((1, 1), (2, 2))), (sides, sides)):
        pad, crop = lambda g=given: L.ZeroPadding2D(g), lambda g=given: L.Cropping2D(g)
        yield LayerCase(f"ZeroPadding2D {given}", pad, IMAGE, lambda x, m=meant: ref.zero_pad2d(x, m))
        yield LayerCase(f"Cropping2D {given}", crop, (7, 6, 4), lambda x, m=meant: ref.crop2d(x, m))
    for size in ((2, 2), (1, 3), (3, 1)):
        yield LayerCase(
            f"UpSampling2D {size}", lambda s=size: L.UpSampling2D(s), IMAGE, lambda x, s=size: ref.upsample2d(x, s)
        )


def pools() -> Iterator[LayerCase]:
    for make, reference in ((L.MaxPooling2D, ref.max_pool2d), (L.AveragePooling2D, ref.avg_pool2d)):
        name = make.__name__
        yield pool(name, make, reference)
        yield pool(f"{name} same", make, reference, pool_size=3, strides=2, padding="same")
        yield pool(f"{name} uneven", make, reference, pool_size=(2, 3), strides=(1, 2), padding=((1, 0), (0, 2)))
        yield pool(f"{name} of 289", make, reference, (17, 18, 2), pool_size=17, strides=1)
    yield pool("count_include_pad", L.AveragePooling2D, ref.avg_pool2d, pool_size=3, padding=1, count_include_pad=True)
    for make, whole in (
        (L.GlobalMaxPooling2D, ref.global_max_pool2d),
        (L.GlobalAveragePooling2D, ref.global_avg_pool2d),
    ):
        yield LayerCase(make.__name__, make, IMAGE, whole)
        yield LayerCase(f"{make.__name__} keepdims", lambda m=make: m(keepdims=True), IMAGE,
                        lambda x, w=whole: w(x)[:, None, None])  # fmt: skip
    yield LayerCase("GlobalMaxPooling2D large", L.GlobalMaxPooling2D, (17, 16, 3), ref.global_max_pool2d)


def simple() -> Iterator[LayerCase]:
    for act in ("linear", "relu", "relu6", "leaky_relu", "sigmoid", "tanh", "exponential", "softmax"):
        yield LayerCase(f"activation {act}", lambda a=act: L.Activation(a), (3, 5), lambda x, a=act: activated(x, a))
    yield LayerCase("Flatten", L.Flatten, IMAGE, lambda x: x.reshape(len(x), -1))
    yield LayerCase("Reshape", lambda: L.Reshape((3, -1)), IMAGE, lambda x: x.reshape(len(x), 3, -1))
    yield LayerCase("Rescaling", lambda: L.Rescaling(1 / 4, -0.5), IMAGE, lambda x: x / 4 - 0.5)
    yield LayerCase("Dropout outside training", lambda: L.Dropout(0.0), IMAGE, lambda x: x)


CASES = [
    *convolutions(),
    *others(),
    *resizing(),
    *pools(),
    *simple(),
    *activation_cases(),
    *MORE_CASES,
    dense((7,)), dense((7,), "relu"), dense((7,), "softmax", False), dense((3, 7), "tanh"), dense((2, 3, 7), "relu6"),
    dense((1,), "exponential"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_layer(case: LayerCase, tmp_path: Path) -> None:
    check_layer(case, tmp_path)


@pytest.mark.parametrize("make", sorted(L.CLASSES))
def test_every_layer_is_tested(make: str) -> None:
    tested = {type(case.make()).__name__ for case in CASES}
    # In this file; test_model_batch_norm.py; test_model_augmentation.py.
    elsewhere = {"InputLayer", "Concatenate", "Dot", "RoIAlign", "BatchNormalization"}
    elsewhere |= {name for name, layer in L.CLASSES.items() if issubclass(layer, AugmentationLayer)}
    assert make in tested | elsewhere | set(MERGES)


MERGES = {
    "Add": (L.Add, lambda a, b: a + b),
    "Subtract": (L.Subtract, lambda a, b: a - b),
    "Multiply": (L.Multiply, lambda a, b: a * b),
    "Maximum": (L.Maximum, np.maximum),
    "Minimum": (L.Minimum, np.minimum),
    "Average": (L.Average, lambda a, b: (a + b) / 2),
}
SHAPES = {
    "alike": ((4, 3, 5), (4, 3, 5)),
    "channels": ((4, 3, 5), (1, 1, 5)),
    "pixels": ((4, 3, 1), (4, 3, 5)),
    "both": ((4, 1, 5), (1, 3, 1)),
    "rows": ((6,), (6,)),
}


@pytest.mark.parametrize("shapes", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("kind", MERGES)
def test_merging(kind: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    make, expected = MERGES[kind]
    rng = np.random.default_rng(3)
    a, b = L.Input(shapes[0]), L.Input(shapes[1])
    model = Model([a, b], make()([Offset()(a), Offset()(b)]))
    model.compile(SGD(1.0), product)
    x = [rng.standard_normal((4, *s)).astype(np.float32) for s in shapes]
    result = expected(*x)
    close(model.predict(x), result)
    y = (rng.standard_normal(result.shape) * result.size).astype(np.float32)

    def loss(p: np.ndarray, q: np.ndarray) -> float:
        return float((y * expected(x[0] + p, x[1] + q)).mean())

    check_gradients(loss, model.get_weights(), gradients(model, x, y))


@pytest.mark.parametrize(("samples", "aligned"), [(2, True), (0, False)])
def test_regions(samples: int, aligned: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    maps, boxes = L.Input(IMAGE), L.Input((5, 4))
    layer = L.RoIAlign((2, 3), 0.5, samples, aligned)
    model = Model([maps, boxes], layer([Offset()(maps), Offset()(boxes)]))
    model.compile(SGD(1.0), product)
    corner = rng.uniform(-4, 14, (3, 5, 2))
    x = [rng.standard_normal((3, *IMAGE)), np.concatenate([corner, corner + rng.uniform(2, 9, (3, 5, 2))], 2)]
    x = [a.astype(np.float32) for a in x]

    def expected(features: np.ndarray) -> np.ndarray:
        image = np.repeat(np.arange(3), 5)
        found = ref.roi_align(features, x[1].reshape(-1, 4), image, (2, 3), 0.5, samples, aligned)
        return found.reshape(3, 5, 2, 3, -1)

    close(model.predict(x), expected(x[0]))
    assert not expected(x[0]).all(), "nothing lies outside"
    y = (rng.standard_normal((3, 5, 2, 3, 4)) * 360).astype(np.float32)
    of_maps, of_boxes = gradients(model, x, y)
    check_gradients(lambda p: float((y * expected(x[0] + p)).mean()), model.get_weights()[:1], [of_maps])
    assert not of_boxes.any()
    assert L.RoIAlign.from_config(layer.get_config()).get_config() == layer.get_config()
    plain = Model([maps, boxes], layer([maps, boxes]))
    plain.save(tmp_path / "regions.safetensors")
    np.testing.assert_array_equal(load_model(tmp_path / "regions.safetensors").predict(x), model.predict(x))
    assert model.predict([a[:0] for a in x]).shape == (0, 5, 2, 3, 4)


@pytest.mark.parametrize("kind", MERGES)
def test_merging_by_a_function(kind: str) -> None:
    a, b = L.Input((4, 3)), L.Input((4, 3))
    joined = getattr(L, kind.lower())([a, b], name="joined")
    model = Model([a, b], joined)
    assert [layer.name for layer in model.layers][-1] == "joined"
    x = [np.random.default_rng(i).standard_normal((2, 4, 3)).astype(np.float32) for i in range(2)]
    close(model.predict(x), MERGES[kind][1](*x))
    rows = Model([a, b], L.concatenate([a, b], axis=1))
    np.testing.assert_array_equal(rows.predict(x), np.concatenate(x, 1))


@pytest.mark.parametrize("kind", ["Add", "Multiply", "Maximum"])
def test_merging_three_and_one_twice(kind: str) -> None:
    make, join = MERGES[kind]
    a, b = L.Input((5,)), L.Input((5,))
    p = Offset()(a)
    model = Model([a, b], make()([p, b, p]))
    model.compile(SGD(1.0), product)
    rng = np.random.default_rng(4)
    x = [rng.standard_normal((3, 5)).astype(np.float32) for _ in range(2)]
    y = rng.standard_normal((3, 5)).astype(np.float32) * 15
    close(model.predict(x), join(join(x[0], x[1]), x[0]))

    def loss(offset: np.ndarray) -> float:
        moved = x[0] + offset
        return float((y * join(join(moved, x[1]), moved)).mean())

    check_gradients(loss, model.get_weights(), gradients(model, x, y))


@pytest.mark.parametrize(("axis", "shapes"), [
    (-1, [(4, 3, 5), (4, 3, 2), (4, 3, 1)]), (3, [(4, 3, 5), (4, 3, 2)]), (1, [(4, 3, 5), (2, 3, 5)]),
    (-2, [(4, 3, 5), (4, 1, 5), (4, 7, 5)]), (1, [(3,), (6,)]),
])  # fmt: skip
def test_concatenating(axis: int, shapes: list[tuple[int, ...]], tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    inputs = [L.Input(s) for s in shapes]
    layer = L.Concatenate(axis)
    assert L.Concatenate.from_config(layer.get_config()).get_config() == layer.get_config()
    model = Model(inputs, layer([Offset()(v) for v in inputs]))
    plain = Model(inputs, L.Concatenate(axis)(inputs))
    model.compile(SGD(1.0), product)
    x = [rng.standard_normal((4, *s)).astype(np.float32) for s in shapes]
    expected = np.concatenate(x, axis)
    np.testing.assert_array_equal(model.predict(x), expected)
    y = (rng.standard_normal(expected.shape) * expected.size).astype(np.float32)

    def loss(*offsets: np.ndarray) -> float:
        return float((y * np.concatenate([a + o for a, o in zip(x, offsets)], axis)).mean())

    check_gradients(loss, model.get_weights(), gradients(model, x, y))
    plain.save(tmp_path / "model.fastcnn")
    np.testing.assert_array_equal(load_model(tmp_path / "model.fastcnn").predict(x), expected)


def test_concatenating_one_value_twice() -> None:
    a = L.Input((3,))
    p = Offset()(a)
    model = Model(a, L.Concatenate()([p, p]))
    model.compile(SGD(1.0), product)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(model.predict(x), np.concatenate([x, x], 1))
    y = np.arange(12, dtype=np.float32).reshape(2, 6)
    np.testing.assert_allclose(gradients(model, x, y)[0], y.reshape(2, 2, 3).sum((0, 1)) / 12, rtol=1e-6)


def _cosine(a: np.ndarray, axis: int) -> np.ndarray:
    return a / np.sqrt((a * a).sum(axis=axis, keepdims=True))


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(("axes", "p", "q", "formula"), [
    (1, (5,), (5,), "bk,bk->b"), (-1, (5,), (4, 5), "bk,bnk->bn"), ((1, 1), (5,), (5, 4), "bk,bkn->bn"),
    (2, (3, 5), (4, 5), "bmk,bnk->bmn"), ((2, 1), (3, 5), (5, 4), "bmk,bkn->bmn"), (1, (5, 3), (5, 4), "bkm,bkn->bmn"),
    ((1, -1), (5, 3), (5,), "bkm,bk->bm"),
])  # fmt: skip
def test_dot(axes: Any, p: tuple[int, ...], q: tuple[int, ...], formula: str, normalize: bool) -> None:
    pair = axes if isinstance(axes, tuple) else (axes, axes)

    def expected(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        if normalize:
            x, y = (_cosine(v, axis) for v, axis in zip((x, y), pair))
        result = np.einsum(formula, x, y)
        return result if result.ndim > 1 else result[:, None]

    rng = np.random.default_rng(3)
    a, b = L.Input(p), L.Input(q)
    layer = L.Dot(axes, normalize)
    assert L.Dot.from_config(layer.get_config()).get_config() == layer.get_config()
    model = Model([a, b], layer([Offset()(a), Offset()(b)]))
    model.compile(SGD(1.0), product)
    x = [rng.standard_normal((4, *s)).astype(np.float32) for s in (p, q)]
    close(model.predict(x), expected(*x))
    y = (rng.standard_normal(expected(*x).shape) * expected(*x).size).astype(np.float32)

    def loss(u: np.ndarray, v: np.ndarray) -> float:
        return float((y * expected(x[0] + u, x[1] + v)).mean())

    check_gradients(loss, model.get_weights(), gradients(model, x, y))


def test_dot_by_a_function() -> None:
    a, b = L.Input((5,)), L.Input((5,))
    model = Model([a, b], L.dot([a, b], 1, name="similarity"))
    x = np.arange(10, dtype=np.float32).reshape(2, 5)
    np.testing.assert_array_equal(model.predict([x, x]), (x * x).sum(axis=1, keepdims=True))


def test_squeeze_and_excitation() -> None:
    """Hu et al., "Squeeze-and-excitation networks", 2018: channels weighed by what they are over the whole image."""
    inputs = L.Input((4, 3, 5))
    x = Offset()(inputs)
    squeezed = L.GlobalAveragePooling2D(keepdims=True)(x)
    weights = L.Conv2D(5, 1, activation="sigmoid")(L.Conv2D(2, 1, activation="tanh")(squeezed))
    model = Model(inputs, L.Multiply()([x, weights]))
    random_weights(model)
    model.compile(SGD(1.0), product)
    rng = np.random.default_rng(0)
    images = rng.standard_normal((3, 4, 3, 5)).astype(np.float32)
    y = (rng.standard_normal(images.shape) * images.size).astype(np.float32)

    def expected(offset: np.ndarray, w: np.ndarray, b: np.ndarray, v: np.ndarray, c: np.ndarray) -> np.ndarray:
        moved = images + offset
        inner = np.tanh(moved.mean(axis=(1, 2), keepdims=True) @ w[0, 0] + b)
        return moved / (1 + np.exp(-(inner @ v[0, 0] + c)))

    close(model.predict(images), expected(*(a.astype(np.float64) for a in model.get_weights())))
    check_gradients(lambda *a: float((y * expected(*a)).mean()), model.get_weights(), gradients(model, images, y))
