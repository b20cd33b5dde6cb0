"""Changes to a graph that write functions of one number in one pass over the data, where it has several.

Networks that come from elsewhere spell them out: ``x * clip(x + 3, 0, 6) / 6`` is four passes, hard SiLU one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..graph import Node, Value, constant, emit
from ..graph.functional import affine, unary
from .rewrite import Rewrite

#: How far numbers of a file in float32, such as 1 / 6, may be from those that are meant.
_CLOSE = 1e-6


def name_functions(outputs: Sequence[Value]) -> list[Value]:
    """One kernel for what is one function.

    - Arithmetic with one number is a line, scale x + shift; lines of lines are one, and the line x is x itself.
    - Clipping to 0 .. 6 or to 0 and more is ReLU6 or ReLU; a line, ReLU6 and a sixth of it is hard sigmoid.
    - x times sigmoid(c x), hard sigmoid(x), ReLU6(x + 3) or tanh(softplus(x)) is SiLU, hard SiLU (6 times it) or Mish.
    - x times 1 + erf(x / sqrt(2)), or 1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)), is twice GELU or its approximation.

    Only where nothing else reads what then isn't made.
    """
    return Rewrite(outputs, _name_function).outputs


def fold_lines(outputs: Sequence[Value]) -> list[Value]:
    """For prediction: a line behind a convolution or dense layer becomes part of its weights.

    The new weights depend on weights alone, so a plan computes them once for each version of them.
    """
    return Rewrite(outputs, _fold_line).outputs


def _name_function(r: Rewrite, node: Node, inputs: list[Value | None]) -> Sequence[Value] | None:
    name = node.op.name
    if name == "binary":
        line = _as_line(node, inputs)
        if line is not None:
            return [_join_lines(r, node, *line)]
        if node.attrs["kind"] == "multiply":
            return _gated(r, node, inputs) or _gelu(r, node, inputs)
    if name == "affine" and inputs[0] is not None:
        joined = _join_lines(r, node, inputs[0], node.attrs["scale"], node.attrs["shift"])
        return None if _made_by(joined, "affine") and joined.node.attrs == node.attrs else [joined]  # type: ignore[union-attr]
    if name == "unary" and node.attrs["kind"] == "clip" and node.attrs["alpha"] == 0 and inputs[0] is not None:
        kind = {6.0: "relu6", math.inf: "relu"}.get(node.attrs.get("beta", 0.0))
        return None if kind is None else [unary(inputs[0], kind, name=node.name)]
    return None


def _made_by(value: Value | None, op: str, kind: str = "") -> bool:
    """Whether `value` is the result of an operation, of the kind given."""
    return (
        value is not None
        and value.node is not None
        and value.node.op.name == op
        and (not kind or value.node.attrs["kind"] == kind)
    )


def _argument(value: Value) -> Value:
    """What the function that gave `value` was applied to."""
    assert value.node is not None and value.node.inputs[0] is not None
    return value.node.inputs[0]


def _line_of(value: Value) -> tuple[Value, float, float]:
    """x, scale and shift of the line that gave `value`; itself, 1 and 0 if none did."""
    if not _made_by(value, "affine"):
        return value, 1.0, 0.0
    assert value.node is not None
    return _argument(value), value.node.attrs["scale"], value.node.attrs["shift"]


def _as_line(node: Node, inputs: Sequence[Value | None]) -> tuple[Value, float, float] | None:
    """x, scale and shift, if one of two operands is a constant number and the other has the result's shape."""
    p, q = inputs[:2]
    assert p is not None and q is not None
    kind, swapped = node.attrs["kind"], p.constant is not None
    x, other = (q, p) if swapped else (p, q)
    if other.constant is None or other.constant.size != 1 or x.shape != node.outputs[0].shape:
        return None
    number = float(np.ravel(other.constant)[0])
    if kind == "add":
        return x, 1.0, number
    if kind == "subtract":
        return (x, -1.0, number) if swapped else (x, 1.0, -number)
    if kind == "multiply":
        return x, number, 0.0
    if kind == "divide" and not swapped and number != 0:
        return x, 1.0 / number, 0.0
    return None


def _join_lines(r: Rewrite, node: Node, x: Value, scale: float, shift: float) -> Value:
    """scale x + shift, with the line or the ReLU6 that x is from."""
    source = next((v for v in node.inputs if v is not None and r.now(v) is x), None)
    if source is not None and r.once(source):
        inner, slope, start = _line_of(x)
        x, scale, shift = inner, scale * slope, scale * start + shift
        if _made_by(x, "unary", "relu6") and shift == 0 and abs(6 * scale - 1) < _CLOSE:
            before, slope, start = _line_of(_argument(x))
            return unary(before, "hard_sigmoid", slope / 6, node.name, beta=start / 6)
    if abs(scale - 1) < _CLOSE and shift == 0:
        return x
    return affine(x, scale, shift, node.name)


def _gated(r: Rewrite, node: Node, inputs: Sequence[Value | None]) -> Sequence[Value] | None:
    """x times a function of x."""
    for mine, other in ((0, 1), (1, 0)):
        gate, source, x = inputs[mine], node.inputs[mine], inputs[other]
        if gate is None or x is None or source is None or not _made_by(gate, "unary") or not r.once(source):
            continue
        assert gate.node is not None
        attrs, inner = gate.node.attrs, _argument(gate)
        before, scale, shift = _line_of(inner)
        if attrs["kind"] == "sigmoid" and before is x and shift == 0 and scale > 0:
            return [unary(x, "silu", scale, node.name)]
        if attrs["kind"] == "hard_sigmoid" and inner is x and _is_a_sixth(attrs):
            return [unary(x, "hard_silu", name=node.name)]
        if attrs["kind"] == "relu6" and before is x and scale == 1 and shift == 3:
            return [affine(unary(x, "hard_silu", name=node.name), 6.0, 0.0, node.name)]
        if attrs["kind"] == "tanh" and _made_by(inner, "unary", "softplus") and _argument(inner) is x:
            return [unary(x, "mish", name=node.name)]
    return None


def _gelu(r: Rewrite, node: Node, inputs: Sequence[Value | None]) -> Sequence[Value] | None:
    """x times one and a function between -1 and 1; there may be factors on both."""
    for mine, other in ((0, 1), (1, 0)):
        gate, source, x = inputs[mine], node.inputs[mine], inputs[other]
        if gate is None or x is None or source is None or not r.once(source):
            continue
        (curve, scale, shift), (x, factor, start) = _line_of(gate), _line_of(x)
        if start != 0 or abs(scale - shift) > _CLOSE * abs(scale) or not _made_by(curve, "unary"):
            continue
        assert curve.node is not None
        kind, (inner, slope, offset) = curve.node.attrs["kind"], _line_of(_argument(curve))
        found = ""
        if kind == "erf" and inner is x and offset == 0 and abs(slope - math.sqrt(0.5)) < _CLOSE:
            found = "gelu"
        if kind == "tanh" and offset == 0 and abs(slope - math.sqrt(2 / math.pi)) < _CLOSE and _is_x_and_cube(inner, x):
            found = "gelu_tanh"
        if found:
            gelu, times = unary(x, found, name=node.name), 2 * scale * factor
            return [gelu if abs(times - 1) < _CLOSE else affine(gelu, times, 0.0, node.name)]
    return None


def _is_x_and_cube(value: Value, x: Value) -> bool:
    """Whether a value is x + 0.044715 x^3."""
    if not _made_by(value, "binary", "add"):
        return False
    assert value.node is not None
    for p, q in (value.node.inputs, value.node.inputs[::-1]):
        if p is x and q is not None:
            cube, scale, shift = _line_of(q)
            return shift == 0 and abs(scale - 0.044715) < _CLOSE and _is_cube(cube, x)
    return False


def _is_cube(value: Value, x: Value) -> bool:
    if _made_by(value, "unary", "power"):
        assert value.node is not None
        return _argument(value) is x and value.node.attrs["alpha"] == 3
    if not _made_by(value, "binary", "multiply"):
        return False
    assert value.node is not None
    for p, q in (value.node.inputs, value.node.inputs[::-1]):
        if p is x and _made_by(q, "binary", "multiply"):
            assert q is not None and q.node is not None
            return all(v is x for v in q.node.inputs)
        if p is x and _made_by(q, "unary", "square"):
            assert q is not None
            return _argument(q) is x
    return False


def _is_a_sixth(attrs: Mapping[str, Any]) -> bool:
    """Whether a hard sigmoid is Keras', min(max(x / 6 + 1 / 2, 0), 1)."""
    return abs(6 * attrs["alpha"] - 1) < _CLOSE and abs(attrs["beta"] - 0.5) < _CLOSE


def _fold_line(r: Rewrite, node: Node, inputs: list[Value | None]) -> Sequence[Value] | None:
    if node.op.name != "affine":
        return None
    source, before = node.inputs[0], None if inputs[0] is None else inputs[0].node
    if source is None or before is None or not r.once(source) or before.op.name not in ("conv2d", "dense"):
        return None
    if before.attrs["activation"] != "linear" or len(before.inputs) > 3:
        return None
    x, w, bias = [*before.inputs, None][:3]
    scale, shift = node.attrs["scale"], node.attrs["shift"]
    assert w is not None and w.shape[-1] is not None
    if bias is not None:
        bias = affine(bias, scale, shift, node.name)
    elif shift != 0:
        bias = constant(np.full(w.shape[-1], shift, np.float32))
    return [emit(before.op.name, [x, affine(w, scale, 0.0, node.name), bias], before.attrs, before.name)]
