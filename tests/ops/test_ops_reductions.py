"""Sums, means and maxima against NumPy in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import close, same_bits

from fastcnn import ops

KINDS = ["sum", "mean", "max"]
AXES = [None, (), 0, -1, 2, (0, 1), (1, 2), (0, 1, 2), (0, 2), (1, 3), (0, 1, 2, 3), (-1, 0)]


def numbers(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_over_any_axes(kind, axis, keepdims):
    x = numbers((3, 5, 4, 37))
    expected = getattr(np, kind)(x.astype(np.float64), axis=axis, keepdims=keepdims)
    close(getattr(ops, kind)(x, axis, keepdims), expected)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind, axis, keepdims):
    x = np.random.default_rng(0).integers(-2, 3, (3, 4, 2, 5)).astype(np.float64)
    full = getattr(np, kind)(x, axis=axis, keepdims=True)
    dy = np.float64(numbers(full.shape, seed=1))
    factor = {
        "sum": lambda: np.ones_like(x),
        "mean": lambda: np.full_like(x, full.size / x.size),
        "max": lambda: (x == full) / (x == full).sum(axis=axis, keepdims=True),
    }[kind]()
    given = dy if keepdims else dy.reshape(getattr(np, kind)(x, axis=axis).shape)
    close(getattr(ops, kind + "_backward")(given, x, axis, keepdims), dy * factor)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_shape(data):
    shape = data.draw(st.lists(st.integers(1, 5), max_size=5), "shape")
    axis = tuple(i for i in range(len(shape)) if data.draw(st.booleans(), f"axis {i}"))
    x = np.random.default_rng(0).integers(-9, 10, shape).astype(np.float32)
    np.testing.assert_array_equal(ops.sum(x, axis), x.sum(axis=axis))
    np.testing.assert_array_equal(ops.max(x, axis, keepdims=True), x.max(axis=axis, keepdims=True))


def test_millions_of_elements_stay_exact():
    x = np.full(3_000_001, 0.1, np.float32)
    exact = float(np.float32(0.1))
    np.testing.assert_allclose(ops.mean(x), exact, rtol=1e-6)
    np.testing.assert_allclose(ops.sum(x), exact * len(x), rtol=1e-6)
    np.testing.assert_allclose(ops.mean(x[:3_000_000].reshape(1_000_000, 3), 0), [exact] * 3, rtol=1e-6)


@pytest.mark.parametrize("place", [0, 3, 16, 36])
def test_nan(place):
    x = numbers((5, 37))
    x[2, place] = np.nan
    for kind in KINDS:
        assert np.isnan(getattr(ops, kind)(x))
        assert np.flatnonzero(np.isnan(getattr(ops, kind)(x, 0))).tolist() == [place]
        assert np.flatnonzero(np.isnan(getattr(ops, kind)(x, 1))).tolist() == [2]
    gradient = ops.max_backward(np.ones(5), x, 1)
    assert np.flatnonzero(gradient[2]).tolist() == [place]


def test_nothing_to_reduce():
    x = np.zeros((0, 3), np.float32)
    assert same_bits(ops.sum(x, 0), np.zeros(3, np.float32))
    assert ops.sum(x).shape == ()
    assert ops.max(x, 1).shape == (0,)
    assert ops.sum_backward(np.zeros(3), x, 0).shape == (0, 3)
    assert ops.mean_backward(np.zeros(0), x, 1).shape == (0, 3)
    for kind in ("mean", "max"):
        with pytest.raises(ValueError, match=rf"{kind}: x of shape \(0, 3\) has no elements along axis 0"):
            getattr(ops, kind)(x, 0)


@pytest.mark.parametrize(
    ("axis", "error", "words"),
    [
        (2, ValueError, r"axis must be from -2 to 1 for x of shape \(3, 4\), received 2"),
        ((0, -2), ValueError, r"axis must name each axis once, received \(0, -2\)"),
        ("0", TypeError, "axis must be an integer, a tuple of integers or None, received '0'"),
        (1.0, TypeError, "axis must be an integer"),
        (True, TypeError, "axis must be an integer"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_bad_axes(kind, axis, error, words):
    with pytest.raises(error, match=words):
        getattr(ops, kind)(np.zeros((3, 4)), axis)


def test_a_gradient_of_another_shape():
    with pytest.raises(ValueError, match=r"dy must have the shape \(3,\) of the result, received \(4,\)"):
        ops.sum_backward(np.zeros(4), np.zeros((3, 4)), 1)
