"""Operations of the graph that no layer needs alone: results and gradients through a model, and what can't be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from model_tools import Offset, check_gradients, close, gradients, product

from fastcnn import layers as L  # noqa: N812
from fastcnn import reference as ref
from fastcnn._ops.resampling import Resampling
from fastcnn.graph import Value, emit
from fastcnn.models import Model
from fastcnn.optimizers import SGD

Describe = Callable[..., Value]


class Described(L.Layer):
    """A layer that computes what a function of its inputs' values describes."""

    def __init__(self, describe: Describe) -> None:
        super().__init__()
        self.describe = describe

    def call(self, inputs: Any) -> Value:
        return self.describe(*inputs) if isinstance(inputs, (list, tuple)) else self.describe(inputs)


def check(describe: Describe, expected: Callable[..., np.ndarray], *shapes: tuple[int, ...]) -> None:
    """Results, for batches of several sizes, and gradients."""
    rng = np.random.default_rng(5)
    x = [rng.standard_normal((3, *shape)).astype(np.float32) for shape in shapes]
    inputs = [L.Input(shape) for shape in shapes]
    values = [Offset()(v) for v in inputs]
    model = Model(inputs, Described(describe)(values if len(values) > 1 else values[0]))
    model.compile(SGD(1.0), product)
    result = expected(*(a.astype(np.float64) for a in x))
    assert model.output_shape[1:] == result.shape[1:]
    for batch in (3, 1):
        close(model.predict([a[:batch] for a in x]), expected(*(a[:batch].astype(np.float64) for a in x)))
    y = (rng.standard_normal(result.shape) * result.size).astype(np.float32)

    def loss(*offsets: np.ndarray) -> float:
        return float((y * expected(*(a + o for a, o in zip(x, offsets)))).mean())

    check_gradients(loss, model.get_weights(), gradients(model, x, y))


@pytest.mark.parametrize(("shape", "axes"), [
    ((5, 7, 6), (0, 3, 1, 2)), ((5, 7, 6), (0, 2, 3, 1)), ((5, 7), (0, 2, 1)), ((1, 1, 6), (0, 3, 1, 2)),
    ((2, 3, 4, 5, 6), (0, 5, 1, 4, 2, 3)), ((4,), (0, 1)),
])  # fmt: skip
def test_permute(shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    check(lambda x: emit("permute", [x], {"axes": axes}), lambda x: x.transpose(axes), shape)


def test_permuting_the_batch_away_and_back() -> None:
    def describe(x: Value) -> Value:
        first = emit("permute", [x], {"axes": (1, 0, 2)})
        assert first.shape == (5, None, 4)
        return emit("permute", [first * 2.0], {"axes": (1, 0, 2)})

    check(describe, lambda x: 2 * x, (5, 4))


@pytest.mark.parametrize("parts", [
    (slice(None), slice(1, 4), slice(None), slice(2, None)), (slice(None), slice(None), slice(None, None, 2)),
    (slice(None), slice(None, None, -1), slice(4, 0, -2), slice(None, None, 3)), (slice(None),),
])  # fmt: skip
def test_slice(parts: tuple[slice, ...]) -> None:
    shape = (5, 7, 6)
    ranges = [range(size)[part] for size, part in zip(shape, (*parts[1:], *[slice(None)] * (4 - len(parts))))]
    slices = (None, *((r.start, len(r), r.step) for r in ranges))
    check(lambda x: emit("slice", [x], {"slices": slices}), lambda x: x[parts], shape)


@pytest.mark.parametrize("pads", [((0, 0), (1, 2), (0, 3)), ((0, 0), (0, 0), (0, 0)), ((0, 0), (0, 0), (2, 0))])
def test_pad(pads: tuple[tuple[int, int], ...]) -> None:
    attrs = {"pads": pads, "value": 1.5}
    check(lambda x: emit("pad", [x], attrs), lambda x: np.pad(x, pads, constant_values=1.5), (4, 5))


@pytest.mark.parametrize("target", [(None, 4, 6, 5), (-1, 4, 1, 5), (None, 4, 3, 5)])
def test_expand(target: tuple[int | None, ...]) -> None:
    def expected(x: np.ndarray) -> np.ndarray:
        return np.broadcast_to(x, (len(x), *(s or 1 for s in target[1:])))

    check(lambda x: emit("expand", [x], {"shape": target}), expected, (4, 1, 5))


def test_expanding_by_axes_in_front() -> None:
    def describe(x: Value, scale: Value) -> Value:
        line = emit("expand", [_first_row(scale)], {"shape": (1, 3, 4)})
        return emit("binary", [x, line], {"kind": "multiply"})

    check(describe, lambda x, s: x * s[0], (3, 4), (4,))


@pytest.mark.parametrize("ta", [False, True])
@pytest.mark.parametrize("tb", [False, True])
@pytest.mark.parametrize(("p", "q"), [((), ()), ((4,), (4,)), ((4,), (1,)), ((1,), (4,)), ((2, 1), (1, 5))])
def test_matmul(p: tuple[int, ...], q: tuple[int, ...], ta: bool, tb: bool) -> None:
    a, b = (7, 6) if ta else (6, 7), (5, 7) if tb else (7, 5)

    def expected(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x.swapaxes(-1, -2) if ta else x) @ (y.swapaxes(-1, -2) if tb else y)

    def describe(x: Value, y: Value) -> Value:
        return emit("matmul", [x, y], {"a_transposed": ta, "b_transposed": tb})

    check(describe, expected, (*p, *a), (*q, *b))


class MatrixOf(L.Layer):
    """The product with a weight that serves the whole batch."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.matrix = self.add_weight((6, 4), "glorot_uniform", "matrix")

    def call(self, inputs: Value) -> Value:
        return emit("matmul", [inputs, self.matrix.value()], {"a_transposed": False, "b_transposed": False})


def test_matmul_with_a_weight() -> None:
    inputs = L.Input((5, 6))
    model = Model(inputs, MatrixOf()(inputs))
    model.compile(SGD(1.0), product)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 5, 6)).astype(np.float32)
    y = rng.standard_normal((3, 5, 4)).astype(np.float32) * 60
    close(model.predict(x), x.astype(float) @ model.get_weights()[0])
    check_gradients(lambda w: float((y * (x @ w)).mean()), model.get_weights(), gradients(model, x, y))


RESAMPLINGS = {
    "keras": Resampling(),
    "nearest": Resampling("nearest", rounding="floor"),
    "corners": Resampling("linear", "align_corners"),
    "torch_cubic": Resampling("cubic", "pytorch_half_pixel"),
    "symmetric": Resampling("linear", "half_pixel_symmetric"),
    "outside": Resampling("cubic", cubic_a=-0.5, exclude_outside=True),
    "antialias": Resampling("cubic", "asymmetric", antialias=True),
}


def matrices(how: Resampling, size: Sequence[int], out: Sequence[int], scales: Any) -> list[np.ndarray]:
    return [
        ref.resize_matrix(a, b, how.mode, how.coordinates, how.rounding, how.cubic_a, how.exclude_outside,
                          how.antialias, scale)
        for a, b, scale in zip(size, out, scales or (None, None))
    ]  # fmt: skip


@pytest.mark.parametrize("how", RESAMPLINGS.values(), ids=RESAMPLINGS)
@pytest.mark.parametrize(("size", "scales"), [((10, 3), None), ((4, 13), (0.7, 2.3)), ((1, 1), None)])
def test_resize(how: Resampling, size: tuple[int, int], scales: tuple[float, float] | None) -> None:
    def describe(x: Value) -> Value:
        return emit("resize", [x], {"size": size, "how": how, "scales": scales})

    check(describe, lambda x: ref.resize(x, *matrices(how, (6, 5), size, scales)), (6, 5, 3))


@pytest.mark.parametrize("groups", [1, 3, 6])
@pytest.mark.parametrize("plain", [False, True])
def test_group_norm(groups: int, plain: bool) -> None:
    def describe(x: Value, gamma: Value, beta: Value) -> Value:
        scale = [None if plain else _first_row(v) for v in (gamma, beta)]
        return emit("group_norm", [x, *scale], {"groups": groups, "epsilon": 1e-3})

    def expected(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
        return ref.group_norm(x, groups) if plain else ref.group_norm(x, groups, gamma[0], beta[0])

    if plain:
        check(lambda x: describe(x, x, x), lambda x: expected(x, x, x), (4, 5, 6))
    else:
        check(describe, expected, (4, 5, 6), (6,), (6,))


def _first_row(x: Value) -> Value:
    """(batch, n) -> (n,), the first row."""
    row = emit("slice", [x], {"slices": ((0, 1, 1), None)})
    return emit("reduce", [row], {"axes": (0,), "kind": "sum", "keepdims": False})


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axes", [(1,), (1, 2), (1, 3), (3,)])
def test_max_over_axes(axes: tuple[int, ...], keepdims: bool) -> None:
    attrs = {"axes": axes, "kind": "max", "keepdims": keepdims}
    check(lambda x: emit("reduce", [x], attrs), lambda x: x.max(axis=axes, keepdims=keepdims), (4, 5, 6))


def test_max_over_equal_elements_shares_the_gradient() -> None:
    inputs = L.Input((4,))
    attrs = {"axes": (1,), "kind": "max", "keepdims": False}
    model = Model(inputs, Described(lambda x: emit("reduce", [x], attrs))(Offset()(inputs)))
    model.compile(SGD(1.0), product)
    x = np.array([[1, 3, 3, 0]], np.float32)
    np.testing.assert_allclose(gradients(model, x, np.array([6], np.float32))[0], [0, 3, 3, 0], atol=1e-6)


BAD: dict[str, tuple[str, dict[str, Any], str]] = {
    "axes": ("permute", {"axes": (0, 1, 1)}, "axes must be 0 to 2 in some order"),
    "slices": ("slice", {"slices": (None,)}, "one slice for each axis"),
    "beyond": ("slice", {"slices": (None, (2, 3, 1), None)}, "reach beyond an axis of 4"),
    "step 0": ("slice", {"slices": (None, (2, 1, 0), None)}, "no part of an axis"),
    "backward": ("slice", {"slices": (None, (1, 3, -1), None)}, "no part of an axis"),
    "margins": ("pad", {"pads": ((0, 0), (1, -1), (0, 0)), "value": 0.0}, "of at least 0"),
    "stretched": ("expand", {"shape": (None, 8, 5)}, "can't be stretched"),
    "shorter": ("expand", {"shape": (4, 5)}, "can't be stretched"),
    "groups": ("group_norm", {"groups": 2, "epsilon": 0.0}, "2 groups don't divide"),
    "axis": ("layer_norm", {"axis": 0, "epsilon": 0.0}, "axis 0 is none"),
}


@pytest.mark.parametrize("which", BAD)
def test_bad_attributes(which: str) -> None:
    op, attrs, message = BAD[which]
    with pytest.raises(ValueError, match=message):
        emit(op, [L.Input((4, 5))], attrs)


def test_bad_products() -> None:
    attrs = {"a_transposed": False, "b_transposed": False}
    with pytest.raises(ValueError, match=r"a has 5 columns, b has 4 rows"):
        emit("matmul", [L.Input((3, 5)), L.Input((4, 5))], attrs)
    with pytest.raises(ValueError, match="at least two axes"):
        emit("matmul", [L.Input((3, 5)), Value((5,))], attrs)


@pytest.mark.parametrize("field", ["mode", "coordinates", "rounding"])
def test_bad_resampling(field: str) -> None:
    with pytest.raises(ValueError, match=f"Unknown resize {field}"):
        Resampling(**{field: "bilinear"})
