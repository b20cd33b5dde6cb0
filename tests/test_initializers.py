"""Initial weights: their distributions, seeds, names and configurations."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from fastcnn import initializers, random
from fastcnn.utils import normalize, set_random_seed, to_categorical

CONV = (3, 5, 64, 48)  # fans 3*5*64 = 960 and 3*5*48 = 720
STDDEV = {
    "glorot_uniform": math.sqrt(2 / 1680), "glorot_normal": math.sqrt(2 / 1680),
    "he_uniform": math.sqrt(2 / 960), "he_normal": math.sqrt(2 / 960),
    "lecun_uniform": math.sqrt(1 / 960), "lecun_normal": math.sqrt(1 / 960),
    "variance_scaling": math.sqrt(1 / 960),
    "random_normal": 0.05, "random_uniform": 0.1 / math.sqrt(12),
    "truncated_normal": 0.05 * 0.87962566,
}  # fmt: skip
RANDOM = [*STDDEV, "orthogonal"]


@pytest.mark.parametrize("name", STDDEV)
def test_mean_and_deviation(name: str) -> None:
    values = initializers.get({"class_name": name, "config": {"seed": 7}})(CONV)
    assert values.shape == CONV
    assert values.dtype == np.float32
    count = values.size  # 46080: the deviation is known to about 1/sqrt(2*count) = 0.3 %
    assert abs(values.mean(dtype=np.float64)) < 5 * STDDEV[name] / math.sqrt(count)
    assert values.std(dtype=np.float64) == pytest.approx(STDDEV[name], rel=0.02)
    if "uniform" in name:
        assert np.abs(values).max() == pytest.approx(STDDEV[name] * math.sqrt(3), rel=1e-3)
    elif name != "random_normal":
        # Cut off at two deviations of the uncut distribution, and reaching there.
        assert np.abs(values).max() == pytest.approx(2 * STDDEV[name] / 0.87962566, rel=1e-2)
        assert np.abs(values).max() <= 2 * STDDEV[name] / 0.87962566 * (1 + 1e-6)


@pytest.mark.parametrize(
    ("shape", "fans"), [((), (1, 1)), ((7,), (7, 7)), ((3, 4), (3, 4)), (CONV, (960, 720)), ((3, 3, 8, 1), (72, 9))]
)
def test_fans(shape: tuple[int, ...], fans: tuple[int, int]) -> None:
    assert initializers.compute_fans(shape) == fans


def test_modes_and_distributions() -> None:
    for mode, fan in (("fan_in", 960), ("fan_out", 720), ("fan_avg", 840)):
        for distribution in initializers.VarianceScaling.DISTRIBUTIONS:
            values = initializers.VarianceScaling(3.0, mode, distribution, seed=1)(CONV)
            assert values.std(dtype=np.float64) == pytest.approx(math.sqrt(3 / fan), rel=0.02)


@pytest.mark.parametrize("name", RANDOM)
def test_seeds(name: str) -> None:
    seeded = initializers.get({"class_name": name, "config": {"seed": 3}})
    first = seeded((4, 5))
    np.testing.assert_array_equal(first, seeded((4, 5)))
    assert not np.array_equal(first, initializers.get({"class_name": name, "config": {"seed": 4}})((4, 5)))
    free = initializers.get(name)
    random.set_seed(11)
    one, two = free((4, 5)), free((4, 5))
    assert not np.array_equal(one, two)
    random.set_seed(11)
    np.testing.assert_array_equal(one, initializers.get(name)((4, 5)))


def test_constants() -> None:
    np.testing.assert_array_equal(initializers.get("zeros")((2, 3)), np.zeros((2, 3)))
    np.testing.assert_array_equal(initializers.Ones()((2,), "float64"), np.ones(2))
    np.testing.assert_array_equal(initializers.Constant(0.25)((1, 2)), np.full((1, 2), 0.25))
    np.testing.assert_array_equal(initializers.Identity(2)((2, 3)), [[2, 0, 0], [0, 2, 0]])


@pytest.mark.parametrize("shape", [(6, 6), (9, 4), (4, 9), (3, 3, 2, 5), (2, 2, 1, 16)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    matrix = initializers.Orthogonal(gain=3, seed=5)(shape, "float64").reshape(-1, shape[-1])
    rows, columns = matrix.shape
    product = matrix.T @ matrix if rows >= columns else matrix @ matrix.T
    np.testing.assert_allclose(product, 9 * np.eye(min(rows, columns)), atol=1e-12)


def test_scalars_empty_shapes_and_other_dtypes() -> None:
    for name in STDDEV:
        assert initializers.get(name)(()).shape == ()
        assert initializers.get(name)((0, 3)).shape == (0, 3)
        assert initializers.get(name)((2, 3), "float64").dtype == np.float64
        assert initializers.get(name)((2, 3), np.float16).dtype == np.float16


@pytest.mark.parametrize("cls", initializers._PUBLIC)
def test_configuration_round_trip(cls: type[initializers.Initializer]) -> None:
    config = cls().get_config()
    config = {k: 5 if k == "seed" else v * 2 if isinstance(v, float) else v for k, v in config.items()}
    made = cls.from_config(config)
    again = initializers.get(json.loads(json.dumps(initializers.serialize(made))))
    assert type(again) is cls
    assert again.get_config() == config
    np.testing.assert_array_equal(again((3, 3)), made((3, 3)))
    assert type(initializers.get(cls)) is cls
    assert type(initializers.get(cls.__name__)) is cls
    assert initializers.get(again) is again
    assert getattr(initializers, initializers._REGISTRY._names[initializers._PUBLIC.index(cls)]) is cls


def test_functions_and_none() -> None:
    def mine(shape: Any, dtype: Any = None) -> Any:
        return np.ones(shape, dtype)

    assert initializers.get(mine) is mine
    assert initializers.get(None) is None
    assert isinstance(initializers.get("normal"), initializers.RandomNormal)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: initializers.get("glorot_unifrom"), "Did you mean 'glorot_uniform'"),
        (lambda: initializers.get({"class_name": "HeNormal", "config": {"sead": 1}}), "HeNormal.*sead"),
        (lambda: initializers.get({"class_name": 3}), "class_name"),
        (lambda: initializers.VarianceScaling(scale=0), "scale must be above 0"),
        (lambda: initializers.VarianceScaling(mode="fan-in"), "Did you mean 'fan_in'"),
        (lambda: initializers.VarianceScaling(distribution="cauchy"), "Unknown distribution"),
        (lambda: initializers.RandomNormal(stddev=-1), "stddev must be at least 0"),
        (lambda: initializers.RandomUniform(1, 0), "minval must not be above maxval"),
        (lambda: initializers.Zeros()((2, -1)), "shape must be at least 0"),
        (lambda: initializers.HeNormal(seed=-3), "seed must be at least 0"),
        (lambda: initializers.Orthogonal()((3,)), "two axes"),
        (lambda: initializers.Identity()((3,)), "two axes"),
        (lambda: set_random_seed(2**32), "seed must be from 0"),
    ],
)
def test_bad_values(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "make", [lambda: initializers.get(3), lambda: initializers.get(int), lambda: random.set_seed("1")]
)
def test_bad_types(make: Any) -> None:
    with pytest.raises(TypeError, match="must be"):
        make()


def test_global_seed() -> None:
    random.set_seed(5)
    first = [random.next_seed(), random.next_seed(), int(random.generator().integers(100))]
    random.set_seed(5)
    assert first == [random.next_seed(), random.next_seed(), int(random.generator().integers(100))]
    assert 0 <= first[0] < 2**63
    assert first[0] != first[1]
    random.set_seed(None)
    assert first[:2] != [random.next_seed(), random.next_seed()]


def test_set_random_seed() -> None:
    import random as python_random

    draws = []
    for _ in range(2):
        set_random_seed(9)
        draws.append((python_random.random(), np.random.rand(), random.next_seed()))
    assert draws[0] == draws[1]


def test_to_categorical() -> None:
    np.testing.assert_array_equal(to_categorical([2, 0]), [[0, 0, 1], [1, 0, 0]])
    assert to_categorical([0, 1]).dtype == np.float32
    assert to_categorical(np.array([[1], [0]], np.uint8), 4).shape == (2, 4)
    assert to_categorical(np.zeros((2, 3)), 5).shape == (2, 3, 5)
    assert to_categorical([], 3).shape == (0, 3)
    assert to_categorical(1, 3).tolist() == [0, 1, 0]
    for bad in ([-1, 0], [0, 3]):
        with pytest.raises(ValueError, match="x must hold classes from 0 to 2"):
            to_categorical(bad, 3)
    with pytest.raises(TypeError, match="class numbers"):
        to_categorical([0.5])
    with pytest.raises(TypeError, match="class numbers"):
        to_categorical([0.0, np.nan])
    with pytest.raises(TypeError, match="class numbers"):
        to_categorical(["a"])
    with pytest.raises(ValueError, match="num_classes"):
        to_categorical([])


def test_normalize() -> None:
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(normalize(x), [[0.6, 0.8], [0, 0]])
    np.testing.assert_allclose(normalize(x, axis=0, order=1), [[1, 1], [0, 0]])
