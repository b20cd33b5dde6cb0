"""Pools against the reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import close, same_bits

from fastcnn import ops, reference

CASES = {
    "classic": ((4, 26, 26, 32), {}),
    "odd size": ((2, 11, 13, 3), {"pool_size": 2}),
    "overlapping": ((2, 11, 12, 17), {"pool_size": 3, "strides": 2, "padding": "same"}),
    "explicit padding": ((2, 7, 7, 5), {"pool_size": 3, "strides": 1, "padding": ((1, 0), (0, 2))}),
    "strides beyond the window": ((1, 9, 9, 4), {"pool_size": (1, 2), "strides": (3, 4)}),
    "windows in the padding": ((1, 3, 3, 2), {"pool_size": 2, "strides": 2, "padding": 4}),
    "one pixel": ((3, 1, 1, 9), {"pool_size": 3, "padding": "same"}),
    "wide index": ((1, 18, 20, 3), {"pool_size": (17, 18), "strides": 1}),
    "empty batch": ((0, 6, 6, 3), {}),
}


@pytest.fixture(params=CASES)
def case(request):
    shape, arguments = CASES[request.param]
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32), arguments


def gradient(shape):
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def test_max_pool2d(case):
    x, arguments = case
    expected = reference.max_pool2d(x, **arguments)
    np.testing.assert_array_equal(ops.max_pool2d(x, **arguments), expected)
    dy = gradient(expected.shape)
    close(ops.max_pool2d_backward(dy, x, **arguments), reference.max_pool2d_backward(dy, x, **arguments))


@pytest.mark.parametrize("count_include_pad", [False, True])
def test_avg_pool2d(case, count_include_pad):
    x, arguments = case
    arguments = {**arguments, "count_include_pad": count_include_pad}
    expected = reference.avg_pool2d(x, **arguments)
    close(ops.avg_pool2d(x, **arguments), expected)
    dy = gradient(expected.shape)
    close(ops.avg_pool2d_backward(dy, x, **arguments), reference.avg_pool2d_backward(dy, x, **arguments))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_pool(data):
    window = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)), "pool_size")
    strides = data.draw(st.one_of(st.none(), st.tuples(st.integers(1, 4), st.integers(1, 4))), "strides")
    pad = st.integers(0, 5)
    padding = data.draw(
        st.one_of(st.sampled_from(["valid", "same"]), pad, st.tuples(*[st.tuples(pad, pad)] * 2)), "pad"
    )
    h, w = data.draw(st.integers(window[0], 12), "height"), data.draw(st.integers(window[1], 12), "width")
    n, c = data.draw(st.integers(0, 2), "batch"), data.draw(st.integers(1, 20), "channels")
    rng = np.random.default_rng(data.draw(st.integers(0, 99), "seed"))
    # Few different numbers, so that equal maxima are met: the gradient goes to the first.
    x = rng.integers(-2, 3, (n, h, w, c)).astype(np.float32)
    expected = reference.max_pool2d(x, window, strides, padding)
    np.testing.assert_array_equal(ops.max_pool2d(x, window, strides, padding), expected)
    dy = rng.integers(-4, 5, expected.shape).astype(np.float32)
    np.testing.assert_array_equal(
        ops.max_pool2d_backward(dy, x, window, strides, padding),
        reference.max_pool2d_backward(dy, x, window, strides, padding),
    )
    close(ops.avg_pool2d(x, window, strides, padding), reference.avg_pool2d(x, window, strides, padding))
    close(
        ops.avg_pool2d_backward(dy, x, window, strides, padding),
        reference.avg_pool2d_backward(dy, x, window, strides, padding),
    )


@pytest.mark.parametrize("shape", [(2, 7, 5, 19), (1, 1, 1, 1), (3, 20, 20, 2), (0, 4, 4, 3)])
def test_global_pools(shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    dy = gradient((shape[0], shape[3]))
    close(ops.global_avg_pool2d(x), reference.global_avg_pool2d(x))
    np.testing.assert_array_equal(ops.global_max_pool2d(x), reference.global_max_pool2d(x))
    close(ops.global_avg_pool2d_backward(dy, x), reference.global_avg_pool2d_backward(dy, x))
    close(ops.global_max_pool2d_backward(dy, x), reference.global_max_pool2d_backward(dy, x))
    for pool, backward in (
        (ops.global_avg_pool2d, ops.global_avg_pool2d_backward),
        (ops.global_max_pool2d, ops.global_max_pool2d_backward),
    ):
        kept = pool(x, keepdims=True)
        assert kept.shape == (shape[0], 1, 1, shape[3])
        assert same_bits(kept.reshape(dy.shape), pool(x))
        assert same_bits(backward(dy[:, None, None], x), backward(dy, x))


@pytest.mark.parametrize("channel", [0, 7, 16, 18])
def test_nan_goes_through(channel):
    x = np.random.default_rng(0).standard_normal((1, 4, 4, 19)).astype(np.float32)
    x[0, 1, 2, channel] = np.nan
    expected = np.zeros((1, 2, 2, 19), bool)
    expected[0, 0, 1, channel] = True
    for pool in (ops.max_pool2d, ops.avg_pool2d):
        np.testing.assert_array_equal(np.isnan(pool(x)), expected)
    for pool in (ops.global_max_pool2d, ops.global_avg_pool2d):
        assert np.flatnonzero(np.isnan(pool(x))).tolist() == [channel]


def test_out():
    x = np.random.default_rng(0).standard_normal((1, 4, 4, 3)).astype(np.float32)
    for pool in (ops.max_pool2d, ops.avg_pool2d):
        out = np.empty((1, 2, 2, 3), np.float32)
        assert pool(x, out=out) is out
        assert same_bits(out, pool(x))
        with pytest.raises(ValueError, match="out must not overlap"):
            pool(x, pool_size=1, out=x)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"pool_size": 5}, ValueError, "pool2d: the window 5x5 is larger than the padded input 4x4"),
        ({"pool_size": 0}, ValueError, "pool2d: pool_size must be at least 1.*received 0"),
        ({"pool_size": "2"}, TypeError, "pool_size must be an integer, received '2'"),
        ({"strides": (1, -1)}, ValueError, "strides must be at least 1"),
        ({"padding": "all"}, ValueError, "padding must be"),
    ],
)
@pytest.mark.parametrize("pool", [ops.max_pool2d, ops.avg_pool2d])
def test_bad_arguments(pool, arguments, error, words):
    with pytest.raises(error, match=words):
        pool(np.zeros((1, 4, 4, 2)), **arguments)


def test_bad_shapes():
    x = np.zeros((1, 4, 4, 2))
    for pool in (ops.max_pool2d, ops.avg_pool2d, ops.global_max_pool2d, ops.global_avg_pool2d):
        with pytest.raises(ValueError, match=r"x must have rank 4.*add a batch axis"):
            pool(x[0])
        with pytest.raises(
            ValueError, match=r"x must be at least 1x1 with 1 channel, received the shape \(1, 0, 4, 2\)"
        ):
            pool(x[:, :0])
    for backward in (ops.max_pool2d_backward, ops.avg_pool2d_backward):
        with pytest.raises(
            ValueError, match=r"dy must have the shape \(1, 2, 2, 2\) of the result, received \(1, 4, 4, 2\)"
        ):
            backward(x, x)
    with pytest.raises(ValueError, match=r"dy must have the shape \(1, 2\) of the result"):
        ops.global_max_pool2d_backward(np.zeros((2, 1)), x)
    with pytest.raises(TypeError, match="count_include_pad must be True or False, received 'no'"):
        ops.avg_pool2d(x, count_include_pad="no")
