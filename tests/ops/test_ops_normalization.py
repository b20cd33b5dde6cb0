"""Batch normalization as functions, against the reference."""

import numpy as np
import pytest
from layouts import close, same_bits

from fastcnn import ops, reference

SHAPES = {
    "images": (4, 9, 7, 12), "rows": (50, 33), "one channel": (8, 5, 5, 1), "sequences": (6, 11, 5),
    "one pixel": (3, 1, 1, 9), "one row": (1, 17), "several parts": (16, 40, 40, 24),
}  # fmt: skip
ACTIVATIONS = [None, "relu", "relu6", "leaky_relu"]


def arguments(shape, given, residual):
    rng = np.random.default_rng(3)
    c = shape[-1]
    made = {"gamma": rng.uniform(0.5, 2, c), "beta": rng.standard_normal(c)}
    if given:
        made |= {"mean": rng.standard_normal(c), "variance": rng.uniform(0.5, 2, c)}
    if residual:
        made["residual"] = rng.standard_normal(shape)
    return {name: array.astype(np.float32) for name, array in made.items()}


def expected_of(made):
    """The same arguments as the reference takes them."""
    rest = {name: array for name, array in made.items() if name not in ("mean", "variance")}
    return {**rest, "statistics": (made["mean"], made["variance"]) if "mean" in made else None}


@pytest.mark.parametrize("residual", [False, True], ids=["alone", "residual"])
@pytest.mark.parametrize("given", [False, True], ids=["own_statistics", "given_statistics"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", SHAPES)
def test_batch_norm(name, activation, given, residual):
    shape = SHAPES[name]
    rng = np.random.default_rng(4)
    x, dy = (rng.standard_normal(shape) * 2 + 1).astype(np.float32), rng.standard_normal(shape).astype(np.float32)
    made = arguments(shape, given, residual)
    how = {**expected_of(made), "activation": activation or "linear", "alpha": 0.2}
    z = reference.batch_norm(x, **expected_of(made))
    close(ops.batch_norm(x, **made, activation=activation), reference.batch_norm(x, **how))
    if activation:  # gradients where rounding can't change the side of a corner
        dy[(np.abs(z) < 1e-4) | (np.abs(z - 6) < 1e-4)] = 0
    expected = reference.batch_norm_backward(dy, x, **how)
    found = ops.batch_norm_backward(dy, x, **made, activation=activation)
    for mine, theirs in zip(found, expected if residual else expected[:3]):
        close(mine, theirs)
    assert residual or found[3] is None


def test_moments():
    means = np.array([0, 1, 100, -1000, 1e4])
    x = (np.random.default_rng(0).standard_normal((20, 30, 30, 5)) + means).astype(np.float32)
    mean, variance = reference.moments(x)
    np.testing.assert_allclose(ops.moments(x)[0], mean, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(ops.moments(x)[1], variance, rtol=1e-5)


def test_gamma_and_beta_may_be_left_out():
    x = np.random.default_rng(0).standard_normal((9, 4)).astype(np.float32)
    one, zero = np.ones(4), np.zeros(4)
    assert same_bits(ops.batch_norm(x), ops.batch_norm(x, one, zero))
    assert same_bits(ops.batch_norm(x, epsilon=0.1, mean=zero, variance=one), ops.batch_norm(x, one, zero, zero, one,
                                                                                              epsilon=0.1))  # fmt: skip


def test_in_place():
    x, r = np.random.default_rng(0).standard_normal((2, 9, 4)).astype(np.float32)
    expected = ops.batch_norm(x, residual=r)
    for out in (x, r):
        a, b = x.copy(), r.copy()
        target = a if out is x else b
        assert ops.batch_norm(a, residual=b, out=target) is target
        assert same_bits(target, expected)


@pytest.mark.parametrize("place", [0, 6, 12])
def test_nan_reaches_its_channel_alone(place, isa):
    x = np.random.default_rng(0).standard_normal((5, 13)).astype(np.float32)
    x[2, place] = np.nan
    y = ops.batch_norm(x, activation="relu")
    assert np.isnan(y).any(axis=0).nonzero()[0].tolist() == [place]
    assert np.isnan(y[:, place]).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda x: ops.batch_norm(x[0, 0, 0]), r"x must have shape \(\.\.\., channels\)"),
        (lambda x: ops.batch_norm(x[..., :0]), "at least one channel"),
        (lambda x: ops.batch_norm(x, np.ones(4)), r"gamma must have the shape \(3,\) of x's channels"),
        (lambda x: ops.batch_norm(x, mean=np.ones(3)), "mean and variance must be given both or neither"),
        (lambda x: ops.batch_norm(x, residual=x[:1]), r"residual must have the shape \(2, 4, 4, 3\) of x"),
        (lambda x: ops.batch_norm(x, epsilon=-1), "epsilon must be a finite number of at least 0"),
        (lambda x: ops.batch_norm(x, activation="gelu"), "Unknown activation 'gelu'"),
        (lambda x: ops.batch_norm(x[:0]), "nothing to take the mean of"),
        (lambda x: ops.moments(x[:0]), "nothing to take the mean of"),
        (lambda x: ops.batch_norm_backward(x[:1], x), "dy must have the shape"),
    ],
)
def test_bad_input(make, words):
    with pytest.raises(ValueError, match=words):
        make(np.ones((2, 4, 4, 3), np.float32))


def test_no_rows_with_given_statistics():
    assert ops.batch_norm(np.ones((0, 2, 2, 3)), mean=np.zeros(3), variance=np.ones(3)).shape == (0, 2, 2, 3)
