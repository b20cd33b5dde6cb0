"""Convolutions and dense layers against the reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import close, same_bits

from fastcnn import ops, reference

CASES = {
    "classic first": ((4, 28, 28, 1), (3, 3, 1, 32), {}),
    "classic second": ((4, 13, 13, 32), (3, 3, 32, 64), {}),
    "same": ((2, 9, 7, 5), (3, 3, 5, 70), {"padding": "same"}),
    "same, stride 2": ((2, 9, 8, 3), (7, 7, 3, 16), {"padding": "same", "strides": 2}),
    "even window": ((2, 6, 5, 4), (2, 4, 4, 3), {"padding": "same", "strides": (1, 2)}),
    "uneven padding": ((2, 5, 6, 3), (3, 3, 3, 4), {"padding": ((2, 0), (0, 3))}),
    "padding beyond the window": ((1, 2, 3, 2), (2, 2, 2, 3), {"padding": 4, "strides": 3}),
    "dilated": ((2, 9, 11, 3), (3, 2, 3, 4), {"dilation": (2, 4), "padding": 1}),
    "stride beyond the window": ((2, 11, 9, 3), (2, 2, 3, 4), {"strides": (5, 3)}),
    "pointwise": ((2, 5, 7, 33), (1, 1, 33, 65), {}),
    "pointwise, stride 2": ((2, 5, 7, 8), (1, 1, 8, 16), {"strides": 2}),
    "groups": ((2, 6, 6, 6), (3, 3, 2, 9), {"groups": 3, "padding": 1}),
    "one channel a group": ((2, 6, 6, 5), (3, 3, 1, 5), {"groups": 5, "padding": "same"}),
    "two channels out of each": ((2, 6, 6, 5), (3, 3, 1, 10), {"groups": 5, "strides": 2}),
    "one pixel": ((3, 1, 1, 7), (3, 3, 7, 2), {"padding": "same"}),
    "whole image": ((3, 4, 5, 6), (4, 5, 6, 17), {}),
}


def tensors(x_shape, w_shape, bias=True, seed=0):
    rng = np.random.default_rng(seed)
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in (x_shape, w_shape))
    return x, w / np.float32(np.sqrt(np.prod(w_shape[:3]))), rng.standard_normal(w_shape[3]).astype(np.float32)


@pytest.mark.parametrize("case", CASES)
def test_conv2d(case):
    x_shape, w_shape, arguments = CASES[case]
    x, w, b = tensors(x_shape, w_shape)
    close(ops.conv2d(x, w, b, **arguments), reference.conv2d(x, w, b, **arguments))
    close(ops.conv2d(x, w, **arguments), reference.conv2d(x, w, **arguments))


@pytest.mark.parametrize("case", CASES)
def test_conv2d_backward(case):
    x_shape, w_shape, arguments = CASES[case]
    x, w, b = tensors(x_shape, w_shape)
    expected = reference.conv2d(x, w, b, **arguments)
    dy = np.random.default_rng(1).standard_normal(expected.shape).astype(np.float32) / expected[..., 0].size
    for mine, theirs in zip(
        ops.conv2d_backward(dy, x, w, **arguments), reference.conv2d_backward(dy, x, w, **arguments)
    ):
        close(mine, theirs)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_convolution(data):
    groups = data.draw(st.sampled_from([1, 1, 1, 2, 3]), "groups")
    cg, kg = data.draw(st.integers(1, 9), "channels / groups"), data.draw(st.integers(1, 9), "out / groups")
    (kh, kw), (dh, dw), (sh, sw) = (
        (data.draw(st.integers(1, top), name), data.draw(st.integers(1, top), name))
        for top, name in ((4, "window"), (3, "dilation"), (3, "strides"))
    )
    pad = st.integers(0, 3)
    padding = data.draw(
        st.one_of(st.sampled_from(["valid", "same"]), pad, st.tuples(*[st.tuples(pad, pad)] * 2)), "pad"
    )
    n = data.draw(st.integers(0, 3), "batch")
    h = data.draw(st.integers((kh - 1) * dh + 1, 14), "height")
    w = data.draw(st.integers((kw - 1) * dw + 1, 14), "width")
    # Small whole numbers: every sum is exact, so the result must be too.
    rng = np.random.default_rng(data.draw(st.integers(0, 99), "seed"))
    x = rng.integers(-4, 5, (n, h, w, cg * groups)).astype(np.float32)
    weights = rng.integers(-4, 5, (kh, kw, cg, kg * groups)).astype(np.float32)
    arguments = {"strides": (sh, sw), "padding": padding, "dilation": (dh, dw), "groups": groups}
    expected = reference.conv2d(x, weights, **arguments)
    y = ops.conv2d(x, weights, **arguments)
    np.testing.assert_array_equal(y, expected)
    dy = rng.integers(-4, 5, y.shape).astype(np.float32)
    for mine, theirs in zip(
        ops.conv2d_backward(dy, x, weights, **arguments), reference.conv2d_backward(dy, x, weights, **arguments)
    ):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize(
    "arguments", [{}, {"padding": "same", "strides": 2}, {"dilation": 2, "padding": ((1, 2), (0, 3))}]
)
@pytest.mark.parametrize("channels", [1, 5, 32])
def test_depthwise_conv2d(channels, multiplier, arguments):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 9, 8, channels)).astype(np.float32)
    w = rng.standard_normal((3, 3, channels, multiplier)).astype(np.float32)
    b = rng.standard_normal(channels * multiplier).astype(np.float32)
    expected = reference.depthwise_conv2d(x, w, b, **arguments)
    close(ops.depthwise_conv2d(x, w, b, **arguments), expected)
    dy = rng.standard_normal(expected.shape).astype(np.float32) / 10
    for mine, theirs in zip(
        ops.depthwise_conv2d_backward(dy, x, w, **arguments), reference.depthwise_conv2d_backward(dy, x, w, **arguments)
    ):
        close(mine, theirs)


@pytest.mark.parametrize("shape", [(7, 33), (1, 5), (33,), (2, 3, 4, 9), (300, 20)])
def test_dense(shape):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal(shape).astype(np.float32), rng.standard_normal((shape[-1], 10)).astype(np.float32)
    b = rng.standard_normal(10).astype(np.float32)
    expected = x.astype(np.float64) @ w.astype(np.float64) + b
    close(ops.dense(x, w, b), expected)
    dy = rng.standard_normal(expected.shape).astype(np.float32) / 10
    dx, dw, db = ops.dense_backward(dy, x, w)
    rows, grads = x.reshape(-1, shape[-1]).astype(np.float64), dy.reshape(-1, 10).astype(np.float64)
    close(dx, (grads @ w.T.astype(np.float64)).reshape(shape))
    close(dw, rows.T @ grads)
    close(db, grads.sum(axis=0))


@pytest.mark.parametrize("name", ["linear", "relu", "relu6", "leaky_relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("groups", [1, 4])
def test_activations_come_with_the_convolution(name, groups):
    x, w, b = tensors((2, 6, 6, 4), (3, 3, 4 // groups, 8))
    bare = reference.conv2d(4 * x, w, b, groups=groups)
    expected = reference.unary(bare, name, 0.2)
    close(ops.conv2d(4 * x, w, b, groups=groups, activation=name), expected)
    if groups == 4:
        stacked = w.reshape(3, 3, 4, 2)
        close(ops.depthwise_conv2d(4 * x, stacked, b, activation=name), expected)


def test_softmax_comes_with_a_dense_layer():
    x, w = np.random.default_rng(0).standard_normal((2, 5, 7)), np.eye(7)
    close(ops.dense(x, w, activation="softmax"), reference.softmax(x))


def test_unknown_activations():
    x, w, _ = tensors((1, 4, 4, 1), (3, 3, 1, 2))
    with pytest.raises(ValueError, match=r"Unknown activation 'rellu'\. Did you mean 'relu'\?"):
        ops.conv2d(x, w, activation="rellu")
    with pytest.raises(TypeError, match=r"activation must be a name or None, received 3"):
        ops.dense(np.ones((1, 2)), np.ones((2, 2)), activation=3)


def test_an_empty_batch_gives_an_empty_result_and_zero_gradients():
    x, w, b = tensors((0, 6, 6, 4), (3, 3, 4, 8))
    assert ops.conv2d(x, w, b, activation="tanh").shape == (0, 4, 4, 8)
    dx, dw, db = ops.conv2d_backward(np.zeros((0, 4, 4, 8)), x, w)
    assert dx.shape == x.shape
    assert same_bits(dw, np.zeros_like(w))
    assert same_bits(db, np.zeros_like(b))
    assert ops.dense(np.zeros((0, 4)), np.ones((4, 2)), activation="softmax").shape == (0, 2)
    depthwise = ops.depthwise_conv2d_backward(np.zeros((0, 4, 4, 4)), x, np.ones((3, 3, 4, 1)))
    assert [part.shape for part in depthwise] == [x.shape, (3, 3, 4, 1), (4,)]
    assert not depthwise[1].any()


@pytest.mark.parametrize("place", [0, 5, 20, 31])
def test_nan_reaches_every_output_that_sees_it_and_no_other(place):
    x, w, _ = tensors((1, 6, 6, 32), (3, 3, 32, 37))
    x[0, 2, 3, place] = np.nan
    for activation in ("linear", "relu", "relu6", "leaky_relu"):
        y = ops.conv2d(x, w, activation=activation)
        seen = np.zeros((1, 4, 4, 37), bool)
        seen[:, 0:3, 1:4] = True
        np.testing.assert_array_equal(np.isnan(y), seen)


def test_out_is_written_and_returned():
    x, w, b = tensors((2, 6, 6, 4), (3, 3, 4, 8))
    out = np.full((2, 4, 4, 8), np.nan, np.float32)
    assert ops.conv2d(x, w, b, out=out) is out
    assert same_bits(out, ops.conv2d(x, w, b))
    rows = np.empty((6, 8), np.float32)
    assert ops.dense(np.ones((6, 4)), w[0, 0], activation="sigmoid", out=rows) is rows
    assert same_bits(rows, ops.dense(np.ones((6, 4)), w[0, 0], activation="sigmoid"))
    planes = np.empty((2, 4, 4, 4), np.float32)
    assert ops.depthwise_conv2d(x, np.ones((3, 3, 4, 1)), out=planes) is planes


def test_bad_out():
    x, w, b = tensors((2, 6, 6, 8), (1, 1, 8, 8))
    with pytest.raises(ValueError, match="out must not overlap the inputs"):
        ops.conv2d(x, w, out=x)
    with pytest.raises(ValueError, match="out must not overlap the inputs"):
        ops.dense(np.ones((1, 8), np.float32), w[0, 0], b, out=b.reshape(1, 8))
    with pytest.raises(ValueError, match=r"out must have the result's shape \(2, 6, 6, 8\), received \(2, 6, 6, 7\)"):
        ops.conv2d(x, w, out=np.empty((2, 6, 6, 7), np.float32))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (
            {"x": np.zeros((6, 6, 4))},
            ValueError,
            r"x must have rank 4.*received rank 3, shape \(6, 6, 4\); add a batch axis",
        ),
        ({"x": np.zeros((1, 6, 6, 4), complex)}, TypeError, "x must be an array of numbers.*received dtype complex128"),
        ({"w": np.zeros((3, 3, 4))}, ValueError, r"w must have rank 4, \(kernel height.*received rank 3"),
        (
            {"w": np.zeros((3, 3, 5, 8))},
            ValueError,
            "conv2d: weights of shape .* take 5 input channels, received x of shape",
        ),
        ({"w": np.zeros((7, 3, 4, 8))}, ValueError, "conv2d: the window 7x3 is larger than the padded input 6x6"),
        ({"b": np.zeros(7)}, ValueError, r"b must have the shape \(8,\) of the output channels, received \(7,\)"),
        ({"b": np.array(["a"] * 8)}, TypeError, "b must be an array of numbers"),
        ({"strides": 0}, ValueError, "strides must be at least 1.*received 0"),
        ({"strides": 1.5}, TypeError, "strides must be an integer, received 1.5"),
        ({"padding": "sane"}, ValueError, "padding must be .*received 'sane'"),
        ({"dilation": (1, 0)}, ValueError, "dilation must be at least 1"),
        ({"groups": 3}, ValueError, "groups must divide"),
        ({"padding": 2**20}, MemoryError, "conv2d: the result, shape .* would take .* GiB"),
        ({"padding": 2**30}, ValueError, "conv2d: the output of shape .* more than can be addressed"),
    ],
)
def test_bad_arguments(change, error, words):
    arguments = {"x": np.zeros((1, 6, 6, 4)), "w": np.zeros((3, 3, 4, 8)), "b": np.zeros(8), **change}
    with pytest.raises(error, match=words):
        ops.conv2d(**arguments)


def test_bad_gradients_and_other_shapes():
    x, w, _ = tensors((2, 6, 6, 4), (3, 3, 4, 8))
    with pytest.raises(
        ValueError, match=r"dy must have the shape \(2, 4, 4, 8\) of the result, received \(2, 4, 4, 7\)"
    ):
        ops.conv2d_backward(np.zeros((2, 4, 4, 7)), x, w)
    with pytest.raises(ValueError, match=r"depthwise_conv2d: w of shape .* takes 5 channels, x of shape"):
        ops.depthwise_conv2d(x, np.zeros((3, 3, 5, 1)))
    with pytest.raises(ValueError, match=r"dense: w of shape \(3, 2\) takes 3 features, received x of shape \(5, 4\)"):
        ops.dense(np.zeros((5, 4)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"dense: w of shape \(3, 2\) takes 3 features, received x of shape \(\)"):
        ops.dense(1.0, np.zeros((3, 2)))
    with pytest.raises(ValueError, match="dense_backward: the weights' axes must be at least 1"):
        ops.dense_backward(np.zeros((5, 2)), np.zeros((5, 0)), np.zeros((0, 2)))
