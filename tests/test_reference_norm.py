"""The reference's batch normalization: its gradients against finite differences, and what it is for."""

from __future__ import annotations

import numpy as np
import pytest
from test_reference import check_gradient

from fastcnn import reference as ref


@pytest.mark.parametrize("activation", ["linear", "leaky_relu", "relu6"])
@pytest.mark.parametrize("given", [False, True], ids=["own_statistics", "given_statistics"])
def test_gradients(activation: str, given: bool) -> None:
    rng = np.random.default_rng(5)
    x, residual = rng.standard_normal((3, 4, 2, 5)) * 2 + 1, rng.standard_normal((3, 4, 2, 5))
    gamma, beta = rng.standard_normal(5), rng.standard_normal(5)
    statistics = (rng.standard_normal(5), rng.uniform(0.5, 2, 5)) if given else None
    arguments = {"x": x, "gamma": gamma, "beta": beta, "residual": residual}
    how = {"statistics": statistics, "activation": activation, "alpha": 0.25}
    for place, name in enumerate(arguments):
        check_gradient(
            lambda v, name=name: ref.batch_norm(**{**arguments, name: v}, **how),
            lambda dy, place=place: ref.batch_norm_backward(dy, **arguments, **how)[place],
            arguments[name],
        )


def test_each_channel_is_normalized() -> None:
    x = np.random.default_rng(1).standard_normal((50, 3)) * [1, 5, 0.1] + [3, -2, 7]
    y = ref.batch_norm(x, [1, 2, 3], [0, 1, -1], epsilon=0.0)
    np.testing.assert_allclose(y.mean(axis=0), [0, 1, -1], atol=1e-12)
    np.testing.assert_allclose(y.std(axis=0), [1, 2, 3], rtol=1e-12)


def test_moments_of_nothing_are_zero() -> None:
    mean, variance = ref.moments(np.zeros((0, 4, 4, 3)))
    assert mean.tolist() == variance.tolist() == [0, 0, 0]


@pytest.mark.parametrize("groups", [1, 2, 6])
def test_group_norm_gradients(groups: int) -> None:
    rng = np.random.default_rng(5)
    arguments = {"x": rng.standard_normal((3, 4, 2, 6)) * 2 + 1, "gamma": rng.standard_normal(6)}
    arguments["beta"] = rng.standard_normal(6)
    for place, name in enumerate(arguments):
        check_gradient(
            lambda v, name=name: ref.group_norm(groups=groups, **{**arguments, name: v}),
            lambda dy, place=place: ref.group_norm_backward(dy, arguments["x"], groups, arguments["gamma"])[place],
            arguments[name],
        )


@pytest.mark.parametrize("axis", [1, -2, -1])
def test_layer_norm_gradients(axis: int) -> None:
    rng = np.random.default_rng(5)
    x = rng.standard_normal((3, 4, 2, 6)) * 2 + 1
    arguments = {"x": x, "gamma": rng.standard_normal(x.shape[axis:]), "beta": rng.standard_normal(x.shape[axis:])}
    for place, name in enumerate(arguments):
        check_gradient(
            lambda v, name=name: ref.layer_norm(axis=axis, **{**arguments, name: v}),
            lambda dy, place=place: ref.layer_norm_backward(dy, x, axis, arguments["gamma"])[place],
            arguments[name],
        )


def test_layer_norm_of_the_last_axis_is_a_group_norm_of_rows() -> None:
    x = np.random.default_rng(1).standard_normal((5, 7))
    np.testing.assert_allclose(ref.layer_norm(x), ref.group_norm(x, 1), rtol=1e-12)
