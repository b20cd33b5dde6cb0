"""Kernels of batch normalization."""

from __future__ import annotations

from typing import Any

from .._ops.geometry import norm_at_once, norm_parts
from .._ops.kinds import UNARY
from ..graph import Node, Value
from .lowering import Lowering, activation, lowers
from .memory import Buffer


def _sizes(low: Lowering, x: Value) -> tuple[dict[str, int], int]:
    """rows and c, and into how many parts sums over rows are split."""
    c = low.shape(x)[-1]
    rows = low.size(x) // c
    return {"rows": rows, "c": c}, norm_parts(rows, c)


def _residual(node: Node, place: int) -> Value | None:
    return node.inputs[place] if len(node.inputs) > place else None


def _read(low: Lowering, value: Value | None) -> Buffer | None:
    return None if value is None else low.read(value)


def _apply(
    low: Lowering, node: Node, sizes: dict[str, int], scale: Buffer, shift: Buffer, residual: Value | None
) -> None:
    x = node.inputs[0]
    assert x is not None
    low.step("batch_norm_apply", node, x=low.read(x), scale=scale, shift=shift, residual=_read(low, residual),
             y=low.write(node.outputs[0], residual, x), **sizes, **activation(node))  # fmt: skip


@lowers("batch_norm_scales")
def batch_norm_scales(low: Lowering, node: Node) -> None:
    gamma, beta, mean, variance = node.inputs
    assert mean is not None and variance is not None
    scale, shift = (low.write(v) for v in node.outputs)
    _scales(low, node, gamma, beta, mean, variance, scale, shift)


def _scales(
    low: Lowering, node: Node, gamma: Value | None, beta: Value | None, mean: Value, variance: Value, scale: Buffer,
    shift: Buffer,
) -> None:  # fmt: skip
    low.step("batch_norm_scales", node, low.shape(mean), gamma=_read(low, gamma), beta=_read(low, beta),
             mean=low.read(mean), variance=low.read(variance), scale=scale, shift=shift, c=low.size(mean),
             epsilon=node.attrs["epsilon"])  # fmt: skip


@lowers("batch_norm")
def batch_norm(low: Lowering, node: Node) -> None:
    x, gamma, beta, mean, variance = node.inputs[:5]
    assert x is not None and mean is not None and variance is not None
    sizes, _ = _sizes(low, x)
    scale, shift = (low.temporary(sizes["c"], name=name) for name in ("scale", "shift"))
    _scales(low, node, gamma, beta, mean, variance, scale, shift)
    _apply(low, node, sizes, scale, shift, _residual(node, 5))


@lowers("batch_norm_training")
def batch_norm_training(low: Lowering, node: Node) -> None:
    x, gamma, beta, moving_mean, moving_variance = node.inputs[:5]
    _, new_mean, new_variance, *numbers = node.outputs
    assert x is not None and moving_mean is not None and moving_variance is not None
    sizes, parts = _sizes(low, x)
    sums = low.temporary(2 * parts * sizes["c"], name="partial sums")
    mean, variance, scale, shift = (low.write(v) for v in numbers)
    channel = low.shape(moving_mean)
    low.step("batch_norm_statistics", node, (parts, 2, *channel), x=low.read(x), sums=sums, parts=parts, **sizes)
    low.step("batch_norm_join", node, channel, sums=sums, gamma=_read(low, gamma), beta=_read(low, beta),
             moving_mean=low.read(moving_mean), moving_variance=low.read(moving_variance), mean=mean,
             variance=variance, scale=scale, shift=shift, new_mean=low.write(new_mean),
             new_variance=low.write(new_variance), parts=parts, epsilon=node.attrs["epsilon"],
             momentum=node.attrs["momentum"], **sizes)  # fmt: skip
    _apply(low, node, sizes, scale, shift, _residual(node, 5))


@lowers("batch_norm_apply")
def batch_norm_apply(low: Lowering, node: Node) -> None:
    x, scale, shift = node.inputs[:3]
    assert x is not None and scale is not None and shift is not None
    sizes, _ = _sizes(low, x)
    _apply(low, node, sizes, low.read(scale), low.read(shift), _residual(node, 3))


@lowers("batch_norm_backward")
def batch_norm_backward(low: Lowering, node: Node) -> None:
    dy, x, y, mean, variance, scale, shift = node.inputs
    assert dy is not None and x is not None
    assert mean is not None and variance is not None and scale is not None and shift is not None
    dx, dgamma, dbeta, dz = node.outputs
    sizes, parts = _sizes(low, x)
    numbers = {"scale": low.read(scale), "shift": low.read(shift)}
    channel = low.shape(mean)
    gradients = {k: low.write(v) for k, v in (("dgamma", dgamma), ("dbeta", dbeta)) if low.wanted(v)}
    if low.wanted(dx) and norm_at_once(sizes["rows"], sizes["c"]):
        low.step("batch_norm_gradients", node, x=low.read(x), dy=low.read(dy), y=_read(low, y), mean=low.read(mean),
                 variance=low.read(variance), dz=low.write(dz, dy) if low.wanted(dz) else None, dx=low.write(dx, dy),
                 epsilon=node.attrs["epsilon"], **gradients, **numbers, **sizes, **activation(node))  # fmt: skip
        return
    # dy behind the activation is written by the first pass if another branch needs it: the second reads it then.
    target = low.write(dz, dy) if low.wanted(dz) else None
    sums = low.temporary(2 * parts * sizes["c"], name="partial sums")
    low.step("batch_norm_sums", node, (parts, 2, *channel), x=low.read(x), dy=low.read(dy), y=_read(low, y),
             mean=low.read(mean), dz=target, sums=sums, parts=parts, **numbers, **sizes,
             **activation(node))  # fmt: skip
    slope, offset = (low.temporary(sizes["c"], name=name) for name in ("slope", "offset"))
    low.step("batch_norm_slopes", node, channel, sums=sums, mean=low.read(mean), variance=low.read(variance),
             scale=numbers["scale"], slope=slope, offset=offset, parts=parts, epsilon=node.attrs["epsilon"],
             **gradients, **sizes)  # fmt: skip
    if not low.wanted(dx):
        return
    source: dict[str, Any] = {"dy": low.read(dy), "y": _read(low, y), **activation(node)}
    if target is not None:
        source = {"dy": target, "y": None, "act": UNARY["linear"], "alpha": 0.0}
    low.step("batch_norm_backward", node, x=low.read(x), slope=slope, offset=offset, dx=low.write(dx, dy),
             **source, **numbers, **sizes)  # fmt: skip
