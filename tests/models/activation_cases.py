"""Cases of the activation layers, for test_model_layers.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from model_tools import LayerCase

from fastcnn import layers as L  # noqa: N812
from fastcnn import reference as ref

WIDE = (3, 2, 37)  # a tail in every instruction set


def keras_relu(x: np.ndarray, top: float | None, slope: float, threshold: float) -> np.ndarray:
    """The three pieces of ReLU as Keras' documentation has them."""
    y = np.where(x > threshold, x, slope * (x - threshold))
    return y if top is None else np.minimum(y, top)


def along(f: Callable[[np.ndarray], np.ndarray], axis: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function of the last axis, along another."""
    return lambda x: np.moveaxis(f(np.moveaxis(x, axis, -1)), -1, axis)


def plain(kind: str, *numbers: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: ref.unary(x, kind, *numbers)


SELU = (1.6732632423543772, 1.0507009873554805)

#: What names mean, apart from those that a layer of the same kind is tested for anyway.
NAMED = {
    "swish": plain("silu", 1.0),
    "hard_swish": plain("hard_silu"),
    "celu": plain("elu", 1.0, 1.0),
    "softsign": plain("softsign"),
    "hard_tanh": plain("clip", -1.0, 1.0),
    "hard_shrink": plain("shrink", 0.5, 0.0),
    "soft_shrink": plain("shrink", 0.5, 0.5),
    "log_sigmoid": lambda x: -ref.softplus(-x),
    "tanh_shrink": lambda x: x - np.tanh(x),
    "log_softmax": ref.log_softmax,
}


def activation_cases() -> Iterator[LayerCase]:
    for top, slope, threshold in ((None, 0.0, 0.0), (6, 0.0, 0.0), (1.5, 0.0, 0.0), (None, 0.3, 0.0), (0.7, 0.3, 0.0),
                                  (None, 0.0, 0.5), (1.25, 0.0, 0.5), (1.25, 0.3, 0.5)):  # fmt: skip
        yield LayerCase(
            f"ReLU {top} {slope} {threshold}",
            lambda how=(top, slope, threshold): L.ReLU(*how),
            WIDE,
            lambda x, how=(top, slope, threshold): keras_relu(x, *how),
        )
    yield LayerCase("LeakyReLU", L.LeakyReLU, WIDE, lambda x: ref.leaky_relu(x, 0.3))
    yield LayerCase("LeakyReLU 0", lambda: L.LeakyReLU(0), WIDE, ref.relu)
    for axes in (None, 3, [1, 2], (1, 2, 3)):
        yield LayerCase(
            f"PReLU {axes}",
            lambda a=axes: L.PReLU("ones", None, a),
            (4, 3, 5),
            lambda x, alpha: np.where(x < 0, alpha * x, x),
        )
    yield LayerCase("ELU", L.ELU, WIDE, ref.elu)
    yield LayerCase("ELU 0.5", lambda: L.ELU(0.5), WIDE, lambda x: ref.elu(x, 0.5))
    yield LayerCase("SELU", L.SELU, WIDE, plain("selu", *SELU))
    yield LayerCase("GELU", L.GELU, WIDE, ref.gelu)
    yield LayerCase("GELU by tanh", lambda: L.GELU(approximate=True), WIDE, lambda x: ref.gelu(x, True))
    yield LayerCase("SiLU", L.SiLU, WIDE, ref.silu)
    yield LayerCase("HardSwish", L.HardSwish, WIDE, ref.hard_silu)
    yield LayerCase("HardSigmoid", L.HardSigmoid, WIDE, ref.hard_sigmoid)
    yield LayerCase("Mish", L.Mish, WIDE, ref.mish)
    yield LayerCase("Softplus", L.Softplus, WIDE, ref.softplus)
    for axis in (-1, 1, -2, 3):
        yield LayerCase(f"Softmax {axis}", lambda a=axis: L.Softmax(a), (4, 5, 6), along(ref.softmax, axis))
    for name, function in NAMED.items():
        yield LayerCase(f"activation {name}", lambda n=name: L.Activation(n), WIDE, function)
    yield LayerCase("conv hard_silu", lambda: L.Conv2D(5, 1, activation="hard_silu"), (3, 4, 6),
                    lambda x, w, b: ref.hard_silu(ref.conv2d(x, w, b)))  # fmt: skip
    yield LayerCase("dense silu", lambda: L.Dense(5, activation="silu"), (7,),
                    lambda x, w, b: ref.silu(x @ w.astype(np.float64) + b))  # fmt: skip
