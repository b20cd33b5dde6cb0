"""Transposed and one-dimensional convolutions against the reference, and the reference against convolution."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import close, same_bits

from fastcnn import ops, reference

CASES = {
    "valid": ((2, 5, 4, 6), (3, 3, 7, 6), {}),
    "same": ((2, 5, 4, 6), (3, 3, 7, 6), {"padding": "same"}),
    "doubled": ((2, 7, 5, 20), (3, 3, 17, 20), {"padding": "same", "strides": 2}),
    "doubled by 4x4": ((2, 7, 5, 8), (4, 4, 9, 8), {"padding": "same", "strides": 2}),
    "doubled by 2x2": ((2, 6, 5, 16), (2, 2, 8, 16), {"strides": 2}),
    "one row less": ((2, 6, 5, 8), (3, 3, 4, 8), {"padding": "same", "strides": 2, "output_padding": 0}),
    "one row more": ((2, 6, 5, 8), (3, 3, 4, 8), {"padding": "same", "strides": 2, "output_padding": 1}),
    "output padding": ((1, 4, 3, 3), (3, 2, 5, 3), {"strides": (4, 3), "output_padding": (3, 1)}),
    "stride over the window": ((2, 4, 3, 3), (2, 1, 4, 3), {"strides": (5, 3)}),
    "same, stride over the window": ((2, 4, 3, 3), (2, 1, 4, 3), {"strides": (5, 3), "padding": "same"}),
    "dilated": ((2, 5, 4, 3), (3, 2, 4, 3), {"dilation": (2, 3)}),
    "dilated and strided": ((2, 5, 4, 3), (3, 2, 4, 3), {"dilation": (2, 1), "strides": (2, 3), "padding": "same"}),
    "pointwise": ((2, 5, 7, 33), (1, 1, 65, 33), {}),
    "pointwise, stride 2": ((2, 5, 7, 8), (1, 1, 16, 8), {"strides": 2, "padding": "same"}),
    "one pixel": ((3, 1, 1, 7), (4, 4, 2, 7), {}),
    "one channel": ((2, 6, 6, 1), (3, 3, 1, 1), {"strides": 2}),
    "wide, by Winograd": ((2, 12, 13, 32), (3, 3, 48, 32), {"padding": "same"}),
}


def tensors(x_shape, w_shape):
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in (x_shape, w_shape))
    kh, kw, filters, channels = w_shape
    return x, w / np.float32(np.sqrt(kh * kw * channels)), rng.standard_normal(filters).astype(np.float32)


@pytest.mark.parametrize("case", CASES)
def test_conv2d_transpose(case):
    x_shape, w_shape, arguments = CASES[case]
    x, w, b = tensors(x_shape, w_shape)
    close(ops.conv2d_transpose(x, w, b, **arguments), reference.conv2d_transpose(x, w, b, **arguments))
    close(ops.conv2d_transpose(x, w, **arguments), reference.conv2d_transpose(x, w, **arguments))


@pytest.mark.parametrize("case", CASES)
def test_conv2d_transpose_backward(case):
    x_shape, w_shape, arguments = CASES[case]
    x, w, b = tensors(x_shape, w_shape)
    expected = reference.conv2d_transpose(x, w, b, **arguments)
    dy = np.random.default_rng(1).standard_normal(expected.shape).astype(np.float32) / expected[..., 0].size
    mine = ops.conv2d_transpose_backward(dy, x, w, **arguments)
    for found, wanted in zip(mine, reference.conv2d_transpose_backward(dy, x, w, **arguments)):
        close(found, wanted)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_it_is_the_gradient_of_a_convolution(data):
    """<conv(x), y> = <x, conv_transpose(y)>, exactly, as numbers are whole."""
    c, k = data.draw(st.integers(1, 20), "channels in"), data.draw(st.integers(1, 20), "channels out")
    (kh, kw), (dh, dw), (sh, sw) = (
        (data.draw(st.integers(1, top), name), data.draw(st.integers(1, top), name))
        for top, name in ((4, "window"), (3, "dilation"), (3, "strides"))
    )
    shape = data.draw(st.integers(0, 3), "n"), data.draw(st.integers(1, 8), "h"), data.draw(st.integers(1, 8), "w"), c
    extra = data.draw(st.one_of(st.none(), st.tuples(st.integers(0, sh - 1), st.integers(0, sw - 1))), "output padding")
    rng = np.random.default_rng(data.draw(st.integers(0, 99), "seed"))
    x, w = rng.integers(-4, 5, shape).astype(np.float32), rng.integers(-4, 5, (kh, kw, k, c)).astype(np.float32)
    how = {"strides": (sh, sw), "dilation": (dh, dw), "output_padding": extra}
    how["padding"] = data.draw(st.sampled_from(["valid", "same"] if extra is None else ["valid"]), "padding")
    y = ops.conv2d_transpose(x, w, **how)
    np.testing.assert_array_equal(y, reference.conv2d_transpose(x, w, **how))
    image = rng.integers(-4, 5, y.shape).astype(np.float32)
    there = reference.conv2d(image, w, strides=(sh, sw), dilation=(dh, dw), padding=how["padding"])
    # Where the stride is larger than the window, "valid" may leave room for one window more.
    there = there[:, : x.shape[1], : x.shape[2]]
    assert there.shape == x.shape
    assert np.vdot(there, x.astype(np.float64)) == np.vdot(image.astype(np.float64), y)
    for mine, theirs in zip(
        ops.conv2d_transpose_backward(image, x, w, **how), reference.conv2d_transpose_backward(image, x, w, **how)
    ):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh"])
def test_activations_and_out(activation):
    x, w, b = tensors((2, 4, 5, 3), (3, 3, 6, 3))
    expected = reference.unary(reference.conv2d_transpose(x, w, b, strides=2), activation, 0.2)
    out = np.full(expected.shape, np.nan, np.float32)
    assert ops.conv2d_transpose(x, w, b, strides=2, activation=activation, out=out) is out
    close(out, expected)


TORCH = [
    {"kernel": 4, "strides": 2, "padding": "same"},
    {"kernel": 2, "strides": 2, "padding": "valid"},
    {"kernel": 3, "strides": 2, "padding": "same", "output_padding": 0},
    {"kernel": 5, "strides": 3, "padding": "valid", "output_padding": 2, "dilation": 2},
]


@pytest.mark.parametrize("case", TORCH)
def test_it_is_pytorchs(case):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    how = dict(case)
    kernel = how.pop("kernel")
    x, w, b = tensors((2, 5, 6, 8), (kernel, kernel, 4, 8))
    padding = (kernel - how["strides"] + 1) // 2 if how["padding"] == "same" else 0
    expected = torch.nn.functional.conv_transpose2d(
        torch.tensor(x.transpose(0, 3, 1, 2)),
        torch.tensor(np.ascontiguousarray(w.transpose(3, 2, 0, 1))),
        torch.tensor(b),
        how["strides"],
        padding,
        how.get("output_padding") or 0,
        dilation=how.get("dilation", 1),
    ).numpy()
    close(ops.conv2d_transpose(x, w, b, **how), expected.transpose(0, 2, 3, 1))


ONE = {
    "valid": ((3, 20, 5), (3, 5, 7), {}),
    "same": ((3, 20, 5), (4, 5, 7), {"padding": "same", "strides": 3}),
    "causal": ((3, 9, 5), (3, 5, 7), {"padding": "causal"}),
    "causal, dilated": ((3, 9, 5), (3, 5, 7), {"padding": "causal", "dilation": 4, "strides": 2}),
    "groups": ((2, 9, 6), (3, 2, 9), {"groups": 3}),
    "each channel by itself": ((2, 9, 6), (5, 1, 12), {"groups": 6, "padding": "same"}),
    "pointwise": ((2, 9, 6), (1, 6, 12), {}),
    "one step": ((2, 1, 3), (1, 3, 2), {}),
}


@pytest.mark.parametrize("case", ONE)
def test_conv1d(case):
    x_shape, w_shape, how = ONE[case]
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(shape).astype(np.float32) for shape in (x_shape, w_shape))
    b = rng.standard_normal(w_shape[2]).astype(np.float32)
    expected = reference.conv1d(x, w, b, **how)
    y = ops.conv1d(x, w, b, **how)
    close(y, expected)
    assert same_bits(ops.conv1d(x, w, b, **how, out=np.empty_like(y)), y)
    dy = rng.standard_normal(expected.shape).astype(np.float32) / 10
    dx, dw, db = ops.conv1d_backward(dy, x, w, **how)
    for gradient, argument, value in ((dx, 0, x), (dw, 1, w), (db, 2, b)):
        # Linear in each argument: the difference of two results is the derivative.
        step = rng.standard_normal(value.shape)
        moved = [a.astype(np.float64) for a in (x, w, b)]
        moved[argument] += step
        np.testing.assert_allclose(
            np.vdot(gradient, step), np.vdot(dy, reference.conv1d(*moved, **how) - expected), rtol=1e-4, atol=1e-4
        )


def test_causal_results_know_nothing_of_later_steps():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((1, 12, 3)).astype(np.float32), rng.standard_normal((3, 3, 4)).astype(np.float32)
    y = ops.conv1d(x, w, padding="causal", dilation=2)
    x[:, 7:] = np.nan
    assert same_bits(ops.conv1d(x, w, padding="causal", dilation=2)[:, :7].copy(), y[:, :7].copy())


X4, W4 = np.zeros((1, 4, 4, 3), np.float32), np.zeros((3, 3, 2, 3), np.float32)
X3, W3 = np.zeros((1, 9, 3), np.float32), np.zeros((3, 3, 2), np.float32)
BAD = [
    (lambda: ops.conv2d_transpose(X4[0], W4), r"x must have rank 4.*add a batch axis"),
    (lambda: ops.conv2d_transpose(X4, W4[0]), r"w must have rank 4, \(kernel height, kernel width, channels out, .*"),
    (lambda: ops.conv2d_transpose(X4, W4[..., :2]), r"\(3, 3, 2, 2\) take 2 input channels, received x .* with 3"),
    (lambda: ops.conv2d_transpose(X4, W4, np.zeros(3)), r"b must have the shape \(2,\) of the output channels"),
    (lambda: ops.conv2d_transpose(X4, W4, padding="causal"), r'padding must be "valid" or "same", received \'causal\''),
    (lambda: ops.conv2d_transpose(X4, W4, padding=1), r'padding must be "valid" or "same", received 1'),
    (
        lambda: ops.conv2d_transpose(X4, W4, strides=2, output_padding=2),
        r"output_padding must be smaller than .* \(2, 2",
    ),
    (lambda: ops.conv2d_transpose(X4, W4, output_padding=-1), r"output_padding must be at least 0"),
    (lambda: ops.conv2d_transpose(X4, W4, strides=0), r"strides must be at least 1"),
    (lambda: ops.conv2d_transpose(X4, W4, activation="rellu"), r"Unknown activation 'rellu'"),
    (lambda: ops.conv2d_transpose(X4, W4, out=np.empty((1, 4, 4, 2), np.float32)), r"out must have the result's shape"),
    (
        lambda: ops.conv2d_transpose(X4[:, :1, :1], np.zeros((2, 2, 1, 3)), padding="same", output_padding=0),
        "nothing is",
    ),
    (lambda: ops.conv2d_transpose_backward(X4, X4, W4), r"dy must have the shape \(1, 6, 6, 2\) of the result"),
    (lambda: ops.conv1d(X3[0], W3), r"x must have rank 3, \(batch, steps, channels\)"),
    (lambda: ops.conv1d(X3, W4), r"w must have rank 3"),
    (lambda: ops.conv1d(X3, W3, padding="full"), r'padding must be "valid" or "same" or "causal", received \'full\''),
    (lambda: ops.conv1d(X3, W3, strides=(1, 2)), r"conv1d: strides must be an integer, received \(1, 2\)"),
    (lambda: ops.conv1d(X3, W3, groups=2), r"conv1d: groups must divide"),
    (lambda: ops.conv1d(X3[:, :2], W3), r"conv1d: the window 1x3 is larger"),
    (lambda: ops.conv1d(X3, W3, out=np.empty((1, 1, 7, 2), np.float32)), r"out must have the result's shape \(1, 7, 2"),
    (lambda: ops.conv1d_backward(X3, X3, W3), r"dy must have the shape \(1, 7, 2\)"),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=range(len(BAD)))
def test_bad_input(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
