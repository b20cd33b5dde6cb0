"""Products of matrices, transposes, resized images, group and layer normalization as functions."""

import numpy as np
import pytest
from layouts import close

from fastcnn import ops, reference
from fastcnn._ops import core
from fastcnn._ops.resampling import Resampling


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(("p", "q"), [
    ((4, 5), (5, 3)), ((2, 4, 5), (2, 5, 3)), ((2, 4, 5), (5, 3)), ((4, 5), (2, 5, 3)), ((3, 1, 4, 5), (2, 5, 3)),
    ((0, 4, 5), (5, 3)), ((4, 0), (0, 3)),
])  # fmt: skip
def test_matmul(p, q):
    a, b = numbers(*p), numbers(*q, seed=1)
    wide_a, wide_b = a.astype(float), b.astype(float)
    expected = wide_a @ wide_b
    close(ops.matmul(a, b), expected)
    out = np.full(expected.shape, np.nan, np.float32)
    assert ops.matmul(a, b, out=out) is out
    close(out, expected)
    dy = numbers(*expected.shape, seed=2)
    full_a, full_b = (np.broadcast_to(v, (*expected.shape[:-2], *v.shape[-2:])) for v in (wide_a, wide_b))
    found = ops.matmul_backward(dy, a, b)
    for mine, theirs in zip(found, (dy @ full_b.swapaxes(-1, -2), full_a.swapaxes(-1, -2) @ dy)):
        extra = theirs.ndim - mine.ndim
        axes = (*range(extra), *(i + extra for i, n in enumerate(mine.shape) if n != theirs.shape[i + extra]))
        close(mine, theirs.sum(axis=axes).reshape(mine.shape))


@pytest.mark.parametrize(("shape", "axes"), [
    ((2, 3, 4, 5), (0, 2, 3, 1)), ((2, 3, 4, 5), None), ((7, 6), (-1, 0)), ((5,), (0,)), ((), ()), ((0, 3), (1, 0)),
    ((2, 3, 2, 3, 2, 3), (0, 1, 3, 2, 4, 5)),
])  # fmt: skip
def test_transpose(shape, axes):
    x = numbers(*shape)
    y = ops.transpose(x, axes)
    np.testing.assert_array_equal(y, np.transpose(x, axes))
    assert y.flags.c_contiguous
    assert not np.shares_memory(x, y)
    np.testing.assert_array_equal(ops.transpose_backward(y, axes), x)


WAYS = {
    "bilinear": {}, "nearest": {"mode": "nearest", "rounding": "round_prefer_ceil"},
    "bicubic": {"mode": "cubic", "cubic_a": -0.5, "exclude_outside": True}, "area": {"mode": "area"},
}  # fmt: skip


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("size", [(9, 3), (2, 2), 7])
@pytest.mark.parametrize("interpolation", WAYS)
def test_resize(interpolation, size, antialias):
    x = numbers(2, 5, 6, 3)
    out = (size, size) if isinstance(size, int) else size
    smooth = {"antialias": True, "exclude_outside": True} if antialias and interpolation != "nearest" else {}
    rows, columns = (reference.resize_matrix(a, b, **WAYS[interpolation] | smooth) for a, b in zip((5, 6), out))
    close(ops.resize(x, size, interpolation, antialias), reference.resize(x, rows, columns))
    dy = numbers(2, *out, 3, seed=1)
    close(ops.resize_backward(dy, x, size, interpolation, antialias), reference.resize(dy, rows.T, columns.T))


def test_resize_in_another_way():
    how = Resampling("linear", "align_corners")
    matrix = reference.resize_matrix(4, 7, coordinates="align_corners")
    x = numbers(1, 4, 4, 2)
    close(ops.resize(x, 7, how), reference.resize(x, matrix, matrix))
    assert ops.resize(x, 7, how)[0, -1, -1].tolist() == x[0, -1, -1].tolist()


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("shape", [(3, 5, 4, 6), (2, 6), (70, 6), (4, 7, 6), (0, 2, 6)])
@pytest.mark.parametrize("plain", [False, True])
def test_group_norm(shape, groups, plain):
    x, dy = numbers(*shape) + np.float32(2), numbers(*shape, seed=1)
    gamma, beta = numbers(6, seed=2), numbers(6, seed=3)
    affine = {} if plain else {"gamma": gamma, "beta": beta}
    close(ops.group_norm(x, groups=groups, **affine), reference.group_norm(x, groups, **affine))
    scale = {} if plain else {"gamma": gamma}
    expected = reference.group_norm_backward(dy, x, groups, **scale)
    for mine, theirs in zip(ops.group_norm_backward(dy, x, groups=groups, **scale), expected):
        close(mine, theirs)


@pytest.mark.parametrize("axis", [-1, 2, 1])
def test_layer_norm(axis):
    x, dy = numbers(4, 5, 3, 6), numbers(4, 5, 3, 6, seed=1)
    shape = x.shape[axis:] if axis > 0 else (6,)
    gamma, beta = numbers(*shape, seed=2), numbers(*shape, seed=3)
    close(ops.layer_norm(x, gamma, beta, axis), reference.layer_norm(x, axis, gamma, beta))
    for mine, theirs in zip(ops.layer_norm_backward(dy, x, gamma, axis),
                            reference.layer_norm_backward(dy, x, axis, gamma)):  # fmt: skip
        close(mine, theirs)
    kept = x.copy()
    close(ops.layer_norm(kept, axis=axis, out=kept), reference.layer_norm(x, axis))


BAD = [
    (lambda: ops.matmul(np.ones(3), np.ones((3, 2))), "x1 must have at least two axes"),
    (lambda: ops.matmul(np.ones((2, 3)), np.ones((2, 3))), "x1 has 3 columns, x2 has 2 rows"),
    (lambda: ops.matmul(np.ones((2, 4, 3)), np.ones((3, 3, 4))), "don't broadcast together"),
    (lambda: ops.transpose(np.ones((2, 3)), (0, 0)), r"axes must be 0 to 1 in some order, received \(0, 0\)"),
    (lambda: ops.transpose(np.ones((2,) * 7), (6, 4, 2, 0, 5, 3, 1)), "more than 5 axes"),
    (lambda: ops.resize(np.ones((1, 4, 4, 1)), 0), "size must be at least 1"),
    (lambda: ops.resize(np.ones((1, 4, 4, 1)), 3, "box"), "Unknown interpolation 'box'"),
    (lambda: ops.resize(np.ones((1, 0, 4, 1)), 3), "x must be at least 1x1, received images of 0x4"),
    (lambda: ops.group_norm(np.ones((2, 5)), groups=2), "groups must divide the 5 channels of x, received 2"),
    (lambda: ops.group_norm(np.ones(5), groups=5), r"x must have at least two axes"),
    (lambda: ops.group_norm(np.ones((2, 0, 4)), groups=2), "nothing to take the mean of"),
    (lambda: ops.group_norm(np.ones((2, 4)), np.ones(3), groups=2), r"gamma must have the shape \(4,\)"),
    (lambda: ops.layer_norm(np.ones((2, 4)), axis=0), "axis must be one of x's behind the first"),
    (lambda: ops.layer_norm(np.ones((2, 4)), axis=1.0), "axis must be an integer"),
    (lambda: ops.layer_norm_backward(np.ones((2, 3)), np.ones((2, 4))), r"dy must have the shape \(2, 4\)"),
]


@pytest.mark.parametrize(("attempt", "message"), BAD, ids=[m for _, m in BAD])
def test_bad_input(attempt, message):
    with pytest.raises((TypeError, ValueError), match=message):
        attempt()


@pytest.mark.parametrize(("start", "step", "needed"), [(0, 1, 4), (3, -1, 4), (2, 3, 12), (2, -1, None), (-1, 1, None)])
def test_copies_know_how_far_they_reach(start, step, needed):
    """The driver refuses an array that ends before what a kernel would read of it, or begins behind it."""
    numbers = {f"d{i}": 4 if i == 4 else 1 for i in range(5)} | {f"s{i}": step if i == 4 else 0 for i in range(5)}
    if needed is None:
        with pytest.raises(ValueError, match="strided_copy: negative extent of 'x'"):
            core.Call("strided_copy", {**numbers, "x0": start})
    else:
        assert core.Call("strided_copy", {**numbers, "x0": start}).needed()["x"] == 4 * needed
