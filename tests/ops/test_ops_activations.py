"""Activation functions and other functions of one number with arguments of their own, against the reference."""

import numpy as np
import pytest
from layouts import close, same_bits

from fastcnn import activations, ops, reference

SELU = (1.6732632423543772, 1.0507009873554805)
#: What is called, with which arguments, and the reference's function and numbers.
CALLS = [
    ("elu", (), "elu", (1.0, 1.0)),
    ("elu", (0.3,), "elu", (0.3, 1.0)),
    ("selu", (), "selu", SELU),
    ("celu", (2.0,), "elu", (2.0, 0.5)),
    ("softplus", (), "softplus", ()),
    ("softsign", (), "softsign", ()),
    ("silu", (), "silu", (1.0,)),
    ("swish", (), "silu", (1.0,)),
    ("gelu", (), "gelu", ()),
    ("gelu", (True,), "gelu_tanh", ()),
    ("mish", (), "mish", ()),
    ("hard_sigmoid", (), "hard_sigmoid", (1 / 6, 0.5)),
    ("hard_silu", (), "hard_silu", ()),
    ("hard_swish", (), "hard_silu", ()),
    ("hard_tanh", (), "clip", (-1.0, 1.0)),
    ("threshold", (0.5, -2.0), "threshold", (0.5, -2.0)),
    ("hard_shrink", (0.75,), "shrink", (0.75, 0.0)),
    ("soft_shrink", (0.75,), "shrink", (0.75, 0.75)),
    ("clip", (-0.5, 2.0), "clip", (-0.5, 2.0)),
    ("clip", (0.0, np.inf), "clip", (0.0, np.inf)),
    ("floor", (), "floor", ()),
    ("ceil", (), "ceil", ()),
    ("round", (), "round", ()),
    ("sign", (), "sign", ()),
    ("reciprocal", (), "reciprocal", ()),
    ("erf", (), "erf", ()),
    *[("power", (p,), "power", (p,)) for p in (2, 3.0, 1, 0, -1, -2)],
]
calls = pytest.mark.parametrize(("name", "arguments", "kind", "numbers"), CALLS, ids=lambda v: str(v))
#: Those whose gradient takes the result, where it is at hand.
WITH_RESULT = (
    "elu", "selu", "celu", "softplus", "softsign", "hard_sigmoid", "hard_tanh", "clip", "reciprocal",
)  # fmt: skip


@calls
def test_value_and_gradient(name, arguments, kind, numbers):
    x, dy = (2.5 * np.random.default_rng(seed).standard_normal((3, 211)).astype(np.float32) for seed in (0, 1))
    y = getattr(ops, name)(x, *arguments)
    close(y, reference.unary(x, kind, *numbers))
    backward = getattr(ops, name + "_backward")
    dx = backward(dy, x, *arguments)
    close(dx, reference.unary_backward(dy, x, kind, *numbers))
    if name in WITH_RESULT:
        assert same_bits(backward(dy, x, *arguments, y=y), dx)
    assert backward(dy, x, *arguments, out=dy) is dy
    assert same_bits(dy, dx)
    assert getattr(ops, name)(x, *arguments, out=x) is x
    assert same_bits(x, y)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_softmax_and_its_logarithm(name, axis):
    x, dy = (3 * np.random.default_rng(seed).standard_normal((4, 37, 5)).astype(np.float32) for seed in (0, 1))
    f, backward = getattr(reference, name), getattr(reference, name + "_backward")
    y = getattr(ops, name)(x, axis)
    close(y, np.moveaxis(f(np.moveaxis(x, axis, -1)), -1, axis))
    expected = np.moveaxis(backward(np.moveaxis(dy, axis, -1), np.moveaxis(x, axis, -1)), -1, axis)
    given = getattr(ops, name + "_backward")
    close(given(dy, x, axis), expected)
    assert same_bits(given(dy, x, axis, y=y), given(dy, x, axis))


def test_logarithm_of_what_vanishes():
    np.testing.assert_array_equal(ops.log_softmax(np.array([0.0, -1000.0, -np.inf])), [0, -1000, -np.inf])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ops.elu([1.0], -1), ValueError, "alpha must be a finite number of at least 0, received -1"),
        (lambda: ops.celu([1.0], 0), ValueError, "alpha must be a finite number above 0, received 0"),
        (lambda: ops.celu([1.0], "a"), ValueError, "alpha must be a finite number of at least 0, received 'a'"),
        (lambda: ops.threshold([1.0], 0.0, np.nan), ValueError, "default_value must be a finite number, received nan"),
        (lambda: ops.hard_shrink([1.0], -0.5), ValueError, "threshold must be a finite number of at least 0"),
        (lambda: ops.clip([1.0], np.nan, 1), ValueError, "x_min must be a number other than NaN, received nan"),
        (lambda: ops.clip([1.0], 0, "6"), ValueError, "x_max must be a number other than NaN, received '6'"),
        (lambda: ops.power([1.0], np.inf), ValueError, "exponent must be a finite number, received inf"),
        (lambda: ops.gelu(["a"]), TypeError, "x must be an array of numbers"),
        (lambda: ops.silu_backward([1.0, 2.0], [1.0]), ValueError, r"dy must have the shape \(1,\) of x"),
        (lambda: ops.elu_backward([1.0], [1.0], y=[1.0, 2.0]), ValueError, r"y must have the shape \(1,\) of x"),
        (lambda: activations.relu([1.0], threshold=-1), ValueError, "threshold must be a finite number of at least 0"),
        (lambda: activations.relu([1.0], max_value=-1), ValueError, "max_value must be a finite number of at least 0"),
        (lambda: activations.get("silo"), ValueError, "Unknown activation 'silo'. Did you mean 'silu'"),
    ],
)
def test_bad_arguments(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("name", sorted(activations.NAMED))
def test_activations_take_arrays_too(name):
    x = np.linspace(-4, 4, 30, dtype=np.float32)
    y = activations.get(name)(x)
    kernel = {"exponential": "exp", "linear": "negative"}.get(name, name)
    if name in ("log_sigmoid", "tanh_shrink"):
        expected = -np.logaddexp(0, -np.float64(x)) if name == "log_sigmoid" else x - np.tanh(np.float64(x))
        close(y, expected)
    else:
        assert same_bits(y, getattr(ops, kernel)(-x if name == "linear" else x))


def test_keras_numbers():
    """Values that Keras 3.15 gives for the same calls, to six places."""
    x = np.array([-4.0, -1.5, -0.25, 0.0, 0.75, 2.0, 5.0], np.float32)
    for name, expected in {
        "elu": [-0.981684, -0.77687, -0.221199, 0.0, 0.75, 2.0, 5.0],
        "selu": [-1.725899, -1.365814, -0.38889, 0.0, 0.788026, 2.101402, 5.253505],
        "gelu": [-0.000126, -0.100211, -0.100323, 0.0, 0.580029, 1.9545, 4.999999],
        "silu": [-0.071945, -0.273638, -0.109456, 0.0, 0.509384, 1.761594, 4.966536],
        "hard_silu": [0.0, -0.375, -0.114583, 0.0, 0.46875, 1.666667, 5.0],
        "hard_sigmoid": [0.0, 0.25, 0.458333, 0.5, 0.625, 0.833333, 1.0],
        "mish": [-0.072592, -0.2981, -0.129927, 0.0, 0.610018, 1.943959, 4.999552],
        "softplus": [0.01815, 0.201413, 0.575939, 0.693147, 1.136871, 2.126928, 5.006715],
        "softsign": [-0.8, -0.6, -0.2, 0.0, 0.428571, 0.666667, 0.833333],
        "log_sigmoid": [-4.01815, -1.701413, -0.825939, -0.693147, -0.386871, -0.126928, -0.006715],
    }.items():
        np.testing.assert_allclose(activations.get(name)(x), expected, atol=2e-6, err_msg=name)
    three_pieces = activations.relu(x, negative_slope=0.3, max_value=1.25, threshold=0.5)
    np.testing.assert_allclose(three_pieces, [-1.35, -0.6, -0.225, -0.15, 0.75, 1.25, 1.25], atol=2e-6)
