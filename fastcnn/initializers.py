"""What weights are before training: Keras' initializers.

One with a seed gives the same numbers at every call; one without draws new ones from `fastcnn.random` each time, so
that `fastcnn.random.set_seed` makes a whole program repeat.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

import numpy as np
from numpy.typing import DTypeLike, NDArray

from . import random
from .errors import shown, unknown_name
from .shapes import whole_number
from .utils.registry import Registry

if TYPE_CHECKING:
    from numpy.random import Generator

#: What `get` returns: called with a shape and a dtype, it makes the array.
InitializerLike = Union["Initializer", Callable[..., Any]]

#: The standard deviation of a standard normal distribution cut off at two.
_TRUNCATED_STDDEV = 0.87962566103423978


def compute_fans(shape: Sequence[int]) -> tuple[int, int]:
    """How many inputs feed one output, and how many outputs one input feeds, of a kernel of that shape.

    A dense kernel is (inputs, outputs), a convolution's (rows, columns, channels in / groups, channels out): there
    each channel counts as often as the window has places.
    """
    if len(shape) == 0:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    places = math.prod(shape[:-2])
    return shape[-2] * places, shape[-1] * places


class Initializer:
    """Base class: implement ``__call__(shape, dtype)`` and `get_config`."""

    def __call__(self, shape: Sequence[int], dtype: DTypeLike = "float32") -> NDArray[Any]:
        """A new array of that shape."""
        raise NotImplementedError(f"{type(self).__name__} must implement __call__(shape, dtype)")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Initializer:
        return cls(**config)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_config().items())})"


class Zeros(Initializer):
    """All zero."""

    def __call__(self, shape: Sequence[int], dtype: DTypeLike = "float32") -> NDArray[Any]:
        return np.zeros(_shape(shape), dtype)


class Ones(Initializer):
    """All one."""

    def __call__(self, shape: Sequence[int], dtype: DTypeLike = "float32") -> NDArray[Any]:
        return np.ones(_shape(shape), dtype)


class Constant(Initializer):
    """All `value`."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: DTypeLike = "float32") -> NDArray[Any]:
        return np.full(_shape(shape), self.value, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value}


class Identity(Initializer):
    """The identity matrix times `gain`, for square or oblong matrices."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: DTypeLike = "float32") -> NDArray[Any]:
        sizes = _shape(shape)
        if len(sizes) != 2:
            raise ValueError(f"Identity needs a shape of two axes, received {sizes}")
        return (self.gain * np.eye(*sizes)).astype(dtype)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


class RandomInitializer(Initializer):
    """Base of those that draw random numbers.

    Parameters
    ----------
    seed : int, optional
        The same numbers at every call; without it, new ones from `fastcnn.random`.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = None if seed is None else random.check_seed(seed)

    def _generator(self) -> Generator:
        return random.generator() if self.seed is None else np.random.default_rng(self.seed)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


class RandomNormal(RandomInitializer):
    """Normally distributed."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean, self.stddev = float(mean), _not_negative(stddev, "stddev")

    def __call__(self, shape: Sequence[int], dtype: DTypeLike = "float32") -> NDArray[Any]:
        return _scaled(_normal(self._generator(), _shape(shape), dtype), self.stddev, self.mean, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, **super().get_config()}


class TruncatedNormal(RandomNormal):
    """Normally distributed, values farther than two standard deviations from the mean drawn again."""

    def __call__(self, shape: Sequence[int], dtype: DTypeLike = "float32") -> NDArray[Any]:
        return _scaled(_truncated(self._generator(), _shape(shape), dtype), self.stddev, self.mean, dtype)


class RandomUniform(RandomInitializer):
    """Evenly distributed from `minval` to `maxval`."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval, self.maxval = float(minval), float(maxval)
        if not self.minval <= self.maxval:
            raise ValueError(f"minval must not be above maxval, received {minval} and {maxval}")

    def __call__(self, shape: Sequence[int], dtype: DTypeLike = "float32") -> NDArray[Any]:
        return _uniform(self._generator(), _shape(shape), self.minval, self.maxval, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"minval": self.minval, "maxval": self.maxval, **super().get_config()}


class VarianceScaling(RandomInitializer):
    """Random, with a variance of ``scale / fan``, so that signals keep their size from layer to layer.

    Parameters
    ----------
    scale : float
        Above 0.
    mode : {"fan_in", "fan_out", "fan_avg"}
        What the variance is divided by: inputs, outputs (see `compute_fans`), or their mean.
    distribution : {"truncated_normal", "untruncated_normal", "uniform"}
    seed : int, optional
    """

    MODES = ("fan_in", "fan_out", "fan_avg")
    DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        super().__init__(seed)
        if not scale > 0:
            raise ValueError(f"scale must be above 0, received {shown(scale)}")
        distribution = "truncated_normal" if distribution == "normal" else distribution
        if mode not in self.MODES:
            raise unknown_name("mode", mode, self.MODES)
        if distribution not in self.DISTRIBUTIONS:
            raise unknown_name("distribution", distribution, self.DISTRIBUTIONS)
        self.scale, self.mode, self.distribution = float(scale), mode, distribution

    def __call__(self, shape: Sequence[int], dtype: DTypeLike = "float32") -> NDArray[Any]:
        sizes = _shape(shape)
        fan_in, fan_out = compute_fans(sizes)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        rng = self._generator()
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return _uniform(rng, sizes, -limit, limit, dtype)
        if self.distribution == "truncated_normal":
            return _scaled(_truncated(rng, sizes, dtype), math.sqrt(variance) / _TRUNCATED_STDDEV, 0.0, dtype)
        return _scaled(_normal(rng, sizes, dtype), math.sqrt(variance), 0.0, dtype)

    def get_config(self) -> dict[str, Any]:
        return {"scale": self.scale, "mode": self.mode, "distribution": self.distribution, **super().get_config()}


class _Preset(VarianceScaling):
    """A VarianceScaling whose only argument is the seed."""

    PRESET: tuple[float, str, str]

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(*self.PRESET, seed=seed)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


class GlorotUniform(_Preset):
    """Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010), eq. 16."""

    PRESET = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Preset):
    """As `GlorotUniform`, from a truncated normal distribution."""

    PRESET = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Preset):
    """He et al., "Delving Deep into Rectifiers" (2015), section 2.2: for layers followed by a ReLU."""

    PRESET = (2.0, "fan_in", "uniform")


class HeNormal(_Preset):
    """As `HeUniform`, from a truncated normal distribution."""

    PRESET = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Preset):
    """LeCun et al., "Efficient BackProp" (1998), section 4.6."""

    PRESET = (1.0, "fan_in", "uniform")


class LecunNormal(_Preset):
    """As `LecunUniform`, from a truncated normal distribution."""

    PRESET = (1.0, "fan_in", "truncated_normal")


class Orthogonal(RandomInitializer):
    """A random matrix with orthonormal columns (or rows, where there are fewer of them), times `gain`.

    All axes but the last count as rows. Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks" (2013).
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = float(gain)

    def __call__(self, shape: Sequence[int], dtype: DTypeLike = "float32") -> NDArray[Any]:
        sizes = _shape(shape)
        if len(sizes) < 2:
            raise ValueError(f"Orthogonal needs a shape of at least two axes, received {sizes}")
        rows, columns = math.prod(sizes[:-1]), sizes[-1]
        tall = self._generator().standard_normal((max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(tall)
        # The factorisation leaves the columns' signs open; r's make q evenly distributed (Mezzadri 2007).
        q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
        return np.ascontiguousarray(self.gain * (q.T if rows < columns else q)).reshape(sizes).astype(dtype)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, **super().get_config()}


_PUBLIC: list[type[Initializer]] = [
    Constant, GlorotNormal, GlorotUniform, HeNormal, HeUniform, Identity, LecunNormal, LecunUniform, Ones, Orthogonal,
    RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling, Zeros,
]  # fmt: skip
_ALIASES: dict[str, type[Initializer]] = {
    "normal": RandomNormal, "uniform": RandomUniform, "one": Ones, "zero": Zeros,
}  # fmt: skip
_REGISTRY: Registry[Initializer] = Registry("initializer", Initializer, _PUBLIC, _ALIASES)

# Keras has each class by its string name as well.
zeros, ones, constant, identity, orthogonal = Zeros, Ones, Constant, Identity, Orthogonal
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
he_uniform, he_normal = HeUniform, HeNormal
lecun_uniform, lecun_normal = LecunUniform, LecunNormal
variance_scaling = VarianceScaling


def get(identifier: Any) -> InitializerLike | None:
    """An initializer from what a layer's argument may be.

    Parameters
    ----------
    identifier : str, dict, class, Initializer, callable or None
        A name such as ``"he_normal"``, what `serialize` returned, a class or object of this module, or a function of
        (shape, dtype). None stays None.

    Raises
    ------
    ValueError
        An unknown name, or arguments that its class does not take.
    """
    if identifier is None or isinstance(identifier, Initializer):
        return identifier
    if callable(identifier) and not isinstance(identifier, type):
        return identifier
    return _REGISTRY.make(identifier)


def serialize(initializer: InitializerLike | None) -> dict[str, Any] | None:
    """``{"class_name": …, "config": …}``, from which `get` makes the same initializer; ready for JSON."""
    if initializer is None:
        return None
    if not isinstance(initializer, Initializer):
        raise ValueError(f"the initializer {shown(initializer)} is a function and can't be saved")
    return _REGISTRY.serialize(initializer)


deserialize = get


def _shape(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(whole_number(size, "shape", 0) for size in shape)


def _not_negative(value: float, name: str) -> float:
    if not value >= 0:
        raise ValueError(f"{name} must be at least 0, received {shown(value)}")
    return float(value)


def _drawn_dtype(dtype: DTypeLike) -> Any:
    """Float32 is drawn as such, half the memory for large layers; any other is rounded from float64."""
    return np.float32 if np.dtype(dtype) == np.float32 else np.float64


def _normal(rng: Generator, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    # Drawn flat: a shape () would give a scalar that can't be changed in place.
    return rng.standard_normal(math.prod(shape), dtype=_drawn_dtype(dtype)).reshape(shape)


def _truncated(rng: Generator, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    values = _normal(rng, shape, dtype).reshape(-1)
    outside = np.flatnonzero(np.abs(values) > 2)
    while outside.size:
        values[outside] = rng.standard_normal(outside.size, dtype=values.dtype.type)
        outside = outside[np.abs(values[outside]) > 2]
    return values.reshape(shape)


def _scaled(values: NDArray[Any], factor: float, offset: float, dtype: DTypeLike) -> NDArray[Any]:
    values *= factor
    values += offset
    return values.astype(dtype, copy=False)


def _uniform(rng: Generator, shape: tuple[int, ...], low: float, high: float, dtype: DTypeLike) -> NDArray[Any]:
    values = rng.random(math.prod(shape), dtype=_drawn_dtype(dtype)).reshape(shape)
    return _scaled(values, high - low, low, dtype)
