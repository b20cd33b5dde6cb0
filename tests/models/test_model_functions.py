"""Functions that a network spells out become one kernel, with the same results and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from model_tools import Offset, check_gradients, close, gradients, product

from fastcnn import layers as L  # noqa: N812
from fastcnn import ops
from fastcnn import reference as ref
from fastcnn.graph import Value, topological
from fastcnn.models import Model, Sequential
from fastcnn.optimizers import SGD
from fastcnn.plan import fuse_for_prediction, fuse_for_training

THREE = np.array([3.0], np.float32)
SIXTH = np.array([1 / 6], np.float32)
ROOT = np.full((1, 1), 1.702, np.float32)


class Spelled(L.Layer):
    """A layer of a function of graph values."""

    def __init__(self, function: Callable[[Any], Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = function

    def call(self, inputs: Value) -> Value:
        return self.function(inputs)


def sixth_of_relu6(x: Any) -> Any:
    return ops.relu6(x + 3.0) / 6


#: name: (what is spelled out, the kinds of functions and lines that remain, what it means)
SPELLED: dict[str, tuple[Callable[[Any], Any], list[str], Callable[..., np.ndarray]]] = {
    "silu": (lambda x: x * ops.sigmoid(x), ["silu"], ref.silu),
    "silu, of a line": (lambda x: ops.sigmoid(ROOT * x) * x, ["silu"], lambda x: ref.silu(x, 1.702)),
    "hard silu": (lambda x: x * ops.clip(x + 3.0, 0, 6) / 6, ["hard_silu"], ref.hard_silu),
    "hard silu, constants": (lambda x: SIXTH * (ops.relu6(x + THREE) * x), ["hard_silu"], ref.hard_silu),
    "hard silu, in thirds": (lambda x: x * ops.relu6(x + 3.0), ["hard_silu", "line"], lambda x: 6 * ref.hard_silu(x)),
    "hard silu, hard sigmoid": (lambda x: x * ops.hard_sigmoid(x), ["hard_silu"], ref.hard_silu),
    "hard silu, spelled twice": (lambda x: sixth_of_relu6(x) * x, ["hard_silu"], ref.hard_silu),
    "hard sigmoid": (sixth_of_relu6, ["hard_sigmoid"], ref.hard_sigmoid),
    "mish": (lambda x: x * ops.tanh(ops.softplus(x)), ["mish"], ref.mish),
    "gelu": (lambda x: x * (ops.erf(x / 2**0.5) + 1.0) * 0.5, ["gelu"], ref.gelu),
    "gelu, halves first": (lambda x: (0.5 * x) * (1.0 + ops.erf(x * 0.70710678)), ["gelu"], ref.gelu),
    "gelu, half of the gate": (lambda x: (0.5 + 0.5 * ops.erf(0.70710678 * x)) * x, ["gelu"], ref.gelu),
    "gelu tanh": (lambda x: 0.5 * x * (1.0 + ops.tanh(0.7978845608 * (x + 0.044715 * (x * x * x)))), ["gelu_tanh"],
                  lambda x: ref.gelu(x, True)),
    "gelu tanh, powers": (lambda x: (ops.tanh((0.044715 * ops.power(x, 3.0) + x) * 0.7978845608) + 1.0) * x * 0.5,
                          ["gelu_tanh"], lambda x: ref.gelu(x, True)),
    "another curve": (lambda x: x * (1.0 + ops.tanh(x)), ["tanh", "line", "binary"], lambda x: x * (1 + np.tanh(x))),
    "relu": (lambda x: ops.clip(x, 0, np.inf), ["relu"], ref.relu),
    "lines": (lambda x: ((x + 1.0) * 2.0 - [3.0]) / 4.0, ["line"], lambda x: (x * 2 - 1) / 4),
    "no line left": (lambda x: (4.0 - [2.0] * x) / -2.0 + 2.0, [], lambda x: x),
    "sigmoid of something else": (lambda x: x * ops.sigmoid(x + 1.0), ["line", "sigmoid", "binary"],
                                  lambda x: x * ref.sigmoid(x + 1)),
    "sigmoid that is read twice": (lambda x: (s := ops.sigmoid(x)) * x + s, ["sigmoid", "binary", "binary"],
                                   lambda x: ref.sigmoid(x) * (x + 1)),
    "another hard sigmoid": (lambda x: x * (ops.clip(x + 2.0, 0.0, 6.0) / 6), ["hard_sigmoid", "binary"],
                             lambda x: x * np.clip(x + 2, 0, 6) / 6),
    "one over a line": (lambda x: [1.0] / (ops.exp(x) + 1.0), ["exp", "line", "binary"], lambda x: ref.sigmoid(-x)),
}  # fmt: skip


def kinds(outputs: list[Value]) -> list[str]:
    nodes = [node for node in topological(outputs) if node.op.name not in ("identity", "reshape")]
    return [{"affine": "line"}.get(n.op.name, n.attrs["kind"] if n.op.name == "unary" else n.op.name) for n in nodes]


@pytest.mark.parametrize("name", SPELLED)
def test_spelled_out(name: str) -> None:
    function, expected, meaning = SPELLED[name]
    inputs = L.Input((37,))
    model = Model(inputs, Spelled(function)(inputs))
    assert kinds(fuse_for_prediction(model.outputs)) == expected
    assert kinds(fuse_for_training(model.outputs, [])[0]) == expected
    x = (3 * np.random.default_rng(0).standard_normal((5, 37))).astype(np.float32)
    close(model.predict(x, verbose=0), meaning(np.float64(x)), 10)

    trained = Sequential([L.Input((37,)), Offset(), Spelled(function)])
    trained.compile(SGD(1.0), product)
    y = np.random.default_rng(1).standard_normal((5, 37)).astype(np.float32) * 185

    def loss(offset: np.ndarray) -> float:
        return float((y * meaning(x + offset)).mean())

    check_gradients(loss, trained.get_weights(), gradients(trained, x, y))


@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize(
    "layer",
    [lambda **how: L.Conv2D(5, 3, **how), lambda **how: L.DepthwiseConv2D(3, **how), lambda **how: L.Dense(5, **how)],
    ids=["conv", "depthwise", "dense"],
)
def test_lines_become_weights_in_prediction(layer: Callable[..., L.Layer], use_bias: bool) -> None:
    inputs = L.Input((6, 5, 4))
    x = np.random.default_rng(0).standard_normal((2, 6, 5, 4)).astype(np.float32)
    first = layer(use_bias=use_bias)
    bare = first(inputs)
    model = Model(inputs, Spelled(lambda v: ops.relu(v * 0.5 - 0.25))(bare))
    assert len([step for step in model.plan(2).steps if not step.once]) == 1
    before = Model(inputs, bare).predict(x, verbose=0)
    close(model.predict(x, verbose=0), np.maximum(np.float64(before) * 0.5 - 0.25, 0))
    # What the weights become follows from what they are.
    first.set_weights([w * 2 for w in first.get_weights()])
    close(model.predict(x, verbose=0), np.maximum(np.float64(before) - 0.25, 0))
