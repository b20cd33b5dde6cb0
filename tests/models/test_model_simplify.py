"""Passes that leave out what a prediction needn't compute: equal results, and what was removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from fastcnn import layers as L  # noqa: N812
from fastcnn.graph import Value, Variable, constant, emit, topological
from fastcnn.plan import fuse_for_prediction, inference_plan
from fastcnn.plan.simplify import (
    cancel_permutes,
    drop_identities,
    fold_channels,
    merge_duplicates,
    simplify,
)

RNG = np.random.default_rng(9)
Pass = Callable[[Sequence[Value]], list[Value]]


def ops(outputs: Sequence[Value]) -> Counter[str]:
    return Counter(node.op.name for node in topological(outputs))


def unary(x: Value, kind: str) -> Value:
    return emit("unary", [x], {"kind": kind, "alpha": 0.0, "beta": 0.0}, "u")


def binary(p: Value, q: Value, kind: str = "add") -> Value:
    return emit("binary", [p, q], {"kind": kind}, "b")


def affine(x: Value, scale: float, shift: float) -> Value:
    return emit("affine", [x], {"scale": scale, "shift": shift}, "a")


def permute(x: Value, *axes: int) -> Value:
    return emit("permute", [x], {"axes": axes}, "p")


def check(change: Pass, x: Value, outputs: Sequence[Value], removed: dict[str, int], exact: bool = True) -> None:
    """The pass removes so many nodes of these kinds (negative: adds), and the results stay."""
    after = change(outputs)
    difference = Counter(ops(outputs))
    difference.subtract(ops(after))
    assert {k: n for k, n in difference.items() if n} == removed
    shape = (3, *(s for s in x.shape[1:] if s is not None))
    data = RNG.standard_normal(shape).astype(np.float32)
    before, found = (inference_plan({x: shape}, v).compute([data]) for v in (outputs, after))
    for a, b in zip(before, found):
        if exact:
            assert np.array_equal(a, b)
        else:
            np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5)


def test_identities() -> None:
    x = L.Input((4, 6))
    y = emit("identity", [emit("dropout", [x], {"rate": 0.5}, "d")], name="i")
    y = permute(affine(unary(y, "relu"), 1.0, 0.0), 0, 1, 2)
    y = emit("reshape", [y], {"shape": (4, 6)}, "r")
    check(drop_identities, x, [unary(y, "exp"), y],
          {"identity": 1, "dropout": 1, "affine": 1, "permute": 1, "reshape": 1})  # fmt: skip
    check(drop_identities, x, [emit("identity", [x], name="only")], {"identity": 1})
    check(drop_identities, x, [permute(affine(x, 1.0, 2.0), 0, 2, 1)], {})


def test_permutes_that_cancel() -> None:
    x = L.Input((4, 5, 3))
    there = permute(x, 0, 3, 1, 2)
    check(cancel_permutes, x, [permute(there, 0, 2, 3, 1)], {"permute": 2})
    check(cancel_permutes, x, [permute(there, 0, 2, 1, 3)], {"permute": 1})
    # Through what works element by element, also where two branches meet.
    check(cancel_permutes, x, [permute(affine(unary(there, "relu"), 2.0, 1.0), 0, 2, 3, 1)], {"permute": 2})
    a, b = permute(unary(x, "exp"), 0, 3, 1, 2), permute(unary(x, "abs"), 0, 3, 1, 2)
    check(cancel_permutes, x, [permute(binary(a, b), 0, 2, 3, 1)], {"permute": 3})
    # Not where it is read elsewhere, nor where the branches differ.
    check(cancel_permutes, x, [unary(there, "relu"), there], {})
    check(cancel_permutes, x, [binary(permute(x, 0, 2, 1, 3), constant(np.ones((5, 1, 1))))], {})


def test_duplicates() -> None:
    x = L.Input((4, 4, 2))
    kernel = Variable(RNG.standard_normal((3, 3, 2, 2)), "kernel").value()
    attrs = {
        "strides": (1, 1),
        "dilation": (1, 1),
        "padding": "same",
        "groups": 1,
        "activation": "linear",
        "alpha": 0.0,
    }
    twice = [emit("conv2d", [x, kernel], attrs, f"conv{i}") for i in range(2)]
    after = [unary(y, "relu") for y in twice]
    check(merge_duplicates, x, [binary(after[0], after[1])], {"conv2d": 1, "unary": 1})
    other = emit("conv2d", [x, kernel], {**attrs, "padding": "valid"}, "other")
    check(merge_duplicates, x, [twice[0], other], {})
    same, different = (affine(binary(x, constant(np.full(2, v))), 2.0, 0.0) for v in (3, 4))
    again = affine(binary(x, constant(np.full(2, 3))), 2.0, 0.0)
    check(merge_duplicates, x, [same, again, different], {"binary": 1, "affine": 1})


@pytest.mark.parametrize("layer", ["conv", "depthwise", "dense"])
@pytest.mark.parametrize("kind", ["add", "subtract", "multiply", "divide"])
@pytest.mark.parametrize("bias", [False, True])
def test_numbers_of_channels(layer: str, kind: str, bias: bool) -> None:
    x = L.Input((6, 5, 4))
    made: dict[str, Any] = {
        "conv": L.Conv2D(4, 3, use_bias=bias),
        "depthwise": L.DepthwiseConv2D(3, use_bias=bias),
        "dense": L.Dense(4, use_bias=bias),
    }
    y = made[layer](x)
    if bias:
        made[layer].bias.assign(RNG.standard_normal(4))
    numbers = constant(RNG.uniform(0.5, 2, (1, 1, 4)))
    result = binary(y, numbers, kind)
    after = fold_channels([result])
    # What is left of the numbers is a part of the weights.
    order = [node for node in topological(after) if any(v is x for v in node.inputs)]
    assert [node.op.name for node in order] == ["dense" if layer == "dense" else "conv2d"]
    assert after[0].node is order[0]
    data = RNG.standard_normal((2, 6, 5, 4)).astype(np.float32)
    before, found = (inference_plan({x: data.shape}, v).compute([data])[0] for v in ([result], after))
    np.testing.assert_allclose(found, before, rtol=1e-4, atol=1e-5)
    assert all(s.once for s in inference_plan({x: data.shape}, after).steps if s.kernel in ("binary", "unary_forward"))


def test_other_numbers_stay() -> None:
    """Not what differs from place to place, comes from an input, or is subtracted from."""
    x = L.Input((6, 5, 4))
    y = L.Conv2D(4, 1)(x)
    check(fold_channels, x, [binary(y, constant(np.ones((5, 1))))], {})
    check(fold_channels, x, [binary(y, emit("reduce", [x], {"axes": (1, 2), "kind": "mean", "keepdims": True}))], {})
    check(fold_channels, x, [binary(constant(np.ones(4)), L.Conv2D(4, 1)(x), "subtract")], {})
    shared = L.Conv2D(4, 1)(x)
    check(fold_channels, x, [binary(shared, constant(np.ones(4))), shared], {})


def test_all_together_fuse_further() -> None:
    """A convolution, its bias and its activation that were written apart are one kernel."""
    x = L.Input((8, 8, 4))
    y = emit("identity", [L.Conv2D(8, 3, use_bias=False)(x)], name="i")
    y = permute(permute(binary(y, constant(np.ones((1, 1, 8)))), 0, 3, 1, 2), 0, 2, 3, 1)
    check(simplify, x, [unary(y, "relu")], {"identity": 1, "permute": 2})
    assert [n.op.name for n in topological(fuse_for_prediction([unary(y, "relu")])) if x in n.inputs] == ["conv2d"]
