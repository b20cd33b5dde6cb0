"""Every layer: results against the reference, gradients against finite differences, configuration, files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_tools import LayerCase, Offset, check_gradients, check_layer, close, gradients, product

from fastcnn import layers as L  # noqa: N812
from fastcnn import reference as ref
from fastcnn.models import Model
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
    yield LayerCase("ReLU", L.ReLU, (9,), ref.relu)
    yield LayerCase("ReLU 6", lambda: L.ReLU(6), (9,), ref.relu6)
    yield LayerCase("ReLU slope", lambda: L.ReLU(negative_slope=0.3), (9,), lambda x: ref.leaky_relu(x, 0.3))
    yield LayerCase("LeakyReLU", L.LeakyReLU, (9,), lambda x: ref.leaky_relu(x, 0.3))
    yield LayerCase("LeakyReLU 0", lambda: L.LeakyReLU(0), (9,), ref.relu)
    yield LayerCase("Softmax", L.Softmax, (4, 6), ref.softmax)
    yield LayerCase("Flatten", L.Flatten, IMAGE, lambda x: x.reshape(len(x), -1))
    yield LayerCase("Reshape", lambda: L.Reshape((3, -1)), IMAGE, lambda x: x.reshape(len(x), 3, -1))
    yield LayerCase("Rescaling", lambda: L.Rescaling(1 / 4, -0.5), IMAGE, lambda x: x / 4 - 0.5)
    yield LayerCase("Dropout outside training", lambda: L.Dropout(0.0), IMAGE, lambda x: x)


CASES = [
    *convolutions(),
    *pools(),
    *simple(),
    dense((7,)), dense((7,), "relu"), dense((7,), "softmax", False), dense((3, 7), "tanh"), dense((2, 3, 7), "relu6"),
    dense((1,), "exponential"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_layer(case: LayerCase, tmp_path: Path) -> None:
    check_layer(case, tmp_path)


@pytest.mark.parametrize("make", sorted(L.CLASSES))
def test_every_layer_is_tested(make: str) -> None:
    tested = {type(case.make()).__name__ for case in CASES}
    assert make in tested | {"InputLayer", "Add", "Subtract", "Multiply"}  # the latter in this file too


MERGES = {
    "Add": (L.Add, lambda a, b: a + b),
    "Subtract": (L.Subtract, lambda a, b: a - b),
    "Multiply": (L.Multiply, lambda a, b: a * b),
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


@pytest.mark.parametrize("kind", ["Add", "Multiply"])
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
