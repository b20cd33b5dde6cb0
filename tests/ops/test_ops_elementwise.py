"""Activations, elementary functions, arithmetic, softmax and dropout against the reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import close, same_bits

from fastcnn import ops, reference

UNARY = ["relu", "relu6", "leaky_relu", "sigmoid", "tanh", "exp", "log", "sqrt", "square", "abs", "negative"]
FROM_RESULT = ["sigmoid", "tanh", "exp", "sqrt"]
BINARY = ["add", "subtract", "multiply", "divide", "maximum", "minimum"]


def numbers(shape, seed=0, positive=False):
    x = 3 * np.random.default_rng(seed).standard_normal(shape)
    return (np.abs(x) + 0.1 if positive else x).astype(np.float32)


@pytest.mark.parametrize("shape", [(), (1,), (7, 5), (2, 3, 4, 33), (40_001,), (0, 3)])
@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_argument(name, shape):
    x = numbers(shape, positive=name in ("log", "sqrt"))
    dy = numbers(shape, seed=1)
    f, backward = getattr(ops, name), getattr(ops, name + "_backward")
    y = f(x)
    close(y, reference.unary(x, name, 0.2))
    expected = reference.unary_backward(dy, x, name, 0.2)
    close(backward(dy, x), expected)
    if name in FROM_RESULT:
        assert same_bits(backward(dy, x, y=y), backward(dy, x))


@pytest.mark.parametrize("slope", [0.0, 0.01, 1.0, -0.5, 2.0])
def test_leaky_relu_of_any_slope(slope):
    x, dy = numbers(100), numbers(100, seed=1)
    close(ops.leaky_relu(x, slope), reference.unary(x, "leaky_relu", slope))
    close(ops.leaky_relu_backward(dy, x, slope), reference.unary_backward(dy, x, "leaky_relu", slope))


@pytest.mark.parametrize("slope", ["0.2", None, True, 1j])
def test_a_slope_that_is_no_number(slope):
    with pytest.raises(TypeError, match="negative_slope must be a number, received"):
        ops.leaky_relu([1.0], slope)
    with pytest.raises(ValueError, match="negative_slope must be finite, received nan"):
        ops.leaky_relu([1.0], float("nan"))


@pytest.mark.parametrize("name", UNARY)
def test_nan_stays_nan_at_every_place(name):
    for place in range(37):
        x = numbers(37, positive=True)
        x[place] = np.nan
        np.testing.assert_array_equal(np.isnan(getattr(ops, name)(x)), np.isnan(x))


def test_far_ends():
    x = np.array([-np.inf, -1e30, -200, 0, 200, 1e30, np.inf], np.float32)
    np.testing.assert_array_equal(ops.sigmoid(x), [0, 0, 0, 0.5, 1, 1, 1])
    np.testing.assert_array_equal(ops.tanh(x), [-1, -1, -1, 0, 1, 1, 1])
    np.testing.assert_array_equal(ops.exp(x), [0, 0, 0, 1, np.inf, np.inf, np.inf])
    np.testing.assert_array_equal(ops.log(x), [np.nan] * 3 + [-np.inf, np.float32(np.log(200)), *ops.log(x[5:])])
    np.testing.assert_array_equal(ops.relu6(x), [0, 0, 0, 0, 6, 6, 6])
    close(ops.softmax(np.array([1e30, 1e30, -1e30])), [0.5, 0.5, 0])
    close(ops.softmax(np.array([1000.0, 1001, -np.inf])), reference.softmax(np.array([1000.0, 1001, -1e9])))


@pytest.mark.parametrize("name", UNARY)
def test_in_place(name):
    x = numbers(1000, positive=True)
    expected = getattr(ops, name)(x.copy())
    assert getattr(ops, name)(x, out=x) is x
    assert same_bits(x, expected)
    dy = numbers(1000, seed=1)
    gradient = getattr(ops, name + "_backward")(dy.copy(), x)
    assert getattr(ops, name + "_backward")(dy, x, out=dy) is dy
    assert same_bits(dy, gradient)
    with pytest.raises(ValueError, match="out must not overlap"):
        getattr(ops, name + "_backward")(dy, x, out=x)
    with pytest.raises(ValueError, match="out must not overlap the inputs unless it is one of them"):
        getattr(ops, name)(x[1:], out=x[:-1])


def test_a_gradient_of_another_shape():
    with pytest.raises(ValueError, match=r"dy must have the shape \(3,\) of x, received \(4,\)"):
        ops.relu_backward(np.zeros(4), np.zeros(3))
    with pytest.raises(ValueError, match=r"y must have the shape \(3,\) of x, received \(2,\)"):
        ops.tanh_backward(np.zeros(3), np.zeros(3), y=np.zeros(2))


@pytest.mark.parametrize("axis", [-1, 0, 1, 2])
def test_softmax(axis):
    x, dy = numbers((3, 17, 5)), numbers((3, 17, 5), seed=1)
    y = ops.softmax(x, axis)
    close(y, np.moveaxis(reference.softmax(np.moveaxis(x, axis, -1)), -1, axis))
    moved = reference.softmax_backward(np.moveaxis(dy, axis, -1), np.moveaxis(x, axis, -1))
    close(ops.softmax_backward(dy, x, axis), np.moveaxis(moved, -1, axis))
    assert same_bits(ops.softmax_backward(dy, x, axis, y=y), ops.softmax_backward(dy, x, axis))
    assert y.flags.c_contiguous


def test_softmax_of_bad_input():
    assert ops.softmax(np.zeros((0, 3))).shape == (0, 3)
    assert np.isnan(ops.softmax([[1.0, np.nan, 2.0]])).all()
    for axis, error in ((3, ValueError), (-4, ValueError), ("1", TypeError), (True, TypeError), (None, TypeError)):
        with pytest.raises(error, match=r"axis must be .*received"):
            ops.softmax(np.zeros((2, 3, 4)), axis)
    with pytest.raises(ValueError, match="x must have rank 1 or more"):
        ops.softmax(1.0)
    with pytest.raises(ValueError, match="x has no elements along axis -1"):
        ops.softmax(np.zeros((3, 0)))


SHAPES = [
    ((5,), (5,)),
    ((2, 3, 4, 5), (5,)),
    ((2, 3, 4, 5), (2, 1, 1, 5)),
    ((3, 1), (1, 4)),
    ((), (3, 4)),
    ((2, 3, 4, 5), (3, 1, 5)),
    ((2, 1, 3, 1, 2, 1, 3), (1, 2, 1, 3, 1, 2, 1)),
    ((0, 3), (1, 3)),
    ((1, 1), (1,)),
    ((33, 70), (33, 1)),
    ((40_001,), (1,)),
]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_arithmetic(name, shapes):
    x1, x2 = numbers(shapes[0]), numbers(shapes[1], seed=1, positive=name == "divide")
    f = getattr(ops, name)
    close(f(x1, x2), reference.binary(x1, x2, name))
    if name != "divide":
        close(f(x2, x1), reference.binary(x2, x1, name))


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_gradients_of_arithmetic(name, shapes):
    x1, x2 = (np.float64(numbers(s, seed)) for seed, s in enumerate(shapes))
    x2 = np.abs(x2) + 1
    dy = np.float64(numbers(np.broadcast_shapes(*shapes), seed=2))
    partial = {
        "add": lambda: (dy, dy),
        "subtract": lambda: (dy, -dy),
        "multiply": lambda: (dy * x2, dy * x1),
        "divide": lambda: (dy / x2, -dy * x1 / x2**2),
        "maximum": lambda: (dy * (x1 >= x2), dy * (x1 < x2)),
        "minimum": lambda: (dy * (x1 <= x2), dy * (x1 > x2)),
    }[name]()
    for mine, full, x in zip(getattr(ops, name + "_backward")(dy, x1, x2), partial, (x1, x2)):
        lead = full.ndim - x.ndim
        axes = (*range(lead), *(lead + i for i, n in enumerate(x.shape) if n == 1))
        expected = full.sum(axis=axes, keepdims=True).reshape(x.shape)
        assert mine.dtype == np.float32
        np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-5 * max(1, np.abs(full).max(initial=0)))


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_any_broadcast(data):
    shape = data.draw(st.lists(st.integers(1, 4), max_size=7))
    shapes = [
        [data.draw(st.sampled_from([1, n])) for n in shape][data.draw(st.integers(0, len(shape))) :] for _ in "12"
    ]
    x1, x2 = (np.arange(1, 1 + np.prod(s, dtype=int), dtype=np.float32).reshape(s) for s in shapes)
    np.testing.assert_array_equal(ops.subtract(x1, x2), x1 - x2)


def test_arithmetic_in_place_and_bad_shapes():
    x, row = numbers((3, 4)), numbers(4, seed=1)
    expected = x + row
    assert ops.add(x, row, out=x) is x
    assert same_bits(x, expected)
    with pytest.raises(ValueError, match="out must not overlap"):
        ops.add(x, x[0], out=x)
    with pytest.raises(
        ValueError, match=r"x1 and x2 must have shapes that broadcast together, received \(3, 4\) and \(3,\)"
    ):
        ops.multiply(x, np.ones(3))
    with pytest.raises(ValueError, match=r"dy must have the shape \(3, 4\) of the result"):
        ops.add_backward(row, x, row)
    with pytest.raises(TypeError, match="x2 must be an array of numbers"):
        ops.add(x, "a")


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_maximum_and_minimum_with_nan(name):
    x1, x2 = numbers(37), numbers(37, seed=1)
    x1[::5], x2[::7] = np.nan, np.nan
    np.testing.assert_array_equal(getattr(ops, name)(x1, x2), getattr(np, name)(x1, x2))


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.5, 0.999])
def test_dropout(rate):
    x = numbers((50, 41))
    y = ops.dropout(x, rate, seed=2**63 + 5, step=2**40 + 1, site=3)
    close(y, reference.dropout(x, rate, 2**63 + 5, 2**40 + 1, 3))
    assert same_bits(ops.dropout_backward(x, rate, 2**63 + 5, 2**40 + 1, 3), y)
    other = ops.dropout(x, rate, seed=2**63 + 5, step=2**40 + 2, site=3)
    assert np.array_equal(y, other) == (rate == 0)
    assert ops.dropout(x, rate, seed=2**63 + 5, step=2**40 + 1, site=3, out=x) is x
    assert same_bits(x, y)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"rate": 1.0}, ValueError, "rate must be at least 0 and below 1, received 1.0"),
        ({"rate": -0.1}, ValueError, "rate must be at least 0"),
        ({"rate": float("nan")}, ValueError, "rate must be .*received nan"),
        ({"rate": "0.5"}, TypeError, "rate must be a number, received '0.5'"),
        ({"seed": -1}, ValueError, r"seed must be from 0 to 2\^64 - 1, received -1"),
        ({"seed": 1.5}, TypeError, "seed must be an integer, received 1.5"),
        ({"step": 2**64}, ValueError, "step must be from 0"),
        ({"site": 2**32}, ValueError, r"site must be from 0 to 2\^32 - 1"),
        ({"x": ["a"]}, TypeError, "x must be an array of numbers"),
    ],
)
def test_dropout_of_bad_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        ops.dropout(**{"x": [1.0], "rate": 0.5, "seed": 1, **arguments})
