"""fastcnn as a contender: the plans that models run, on arrays that are there already."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._ops import core
from ..._ops.kinds import HYPER
from ...graph import Value, Variable, apply, emit, gradients
from ...plan import Plan, inference_plan
from ...plan.lowering import Lowering
from .contender import Contender, Task, aligned
from .shapes import CONVOLUTIONS

NAME = "fastcnn"
#: Of batch normalisation, as in Keras.
EPSILON = 1e-3
#: As in a training step: weights change, so packing them is part of each call; a pool keeps the places of its maxima.
TRAINING = "fastcnn (training)"


def contenders(task: Task) -> list[Contender]:
    """fastcnn as in predictions and, forward, as in training where that is something else."""
    if task.shape.kind == "adam":
        return [_adam(task)]
    if task.shape.kind == "softmax":
        return [_softmax(task)]
    if task.direction == "backward":
        return [_backward(task)]
    outputs, inputs = _described(task)
    if task.shape.kind == "batch_norm":
        return [_planned(NAME, task, inputs, outputs[:3], training=True)]
    found = [_planned(NAME, task, inputs, outputs[:1], training=False)]
    if task.shape.kind in CONVOLUTIONS and not task.shape.geometry(task.batch).is_depthwise:
        found.append(_planned(TRAINING, task, inputs, outputs[:1], training=True))
    elif task.shape.kind == "max_pool":
        found.append(_planned(TRAINING, task, inputs, outputs, training=True))
    return found


def methods(task: Task) -> list[str]:
    """The kernels that compute the task, in order, without those that run once for given weights."""
    if task.shape.kind == "adam":
        return ["adam"]
    if task.shape.kind == "softmax":
        return ["softmax_crossentropy"]
    if task.direction == "backward":
        plan, _ = _backward_plan(task)
    else:
        outputs, inputs = _described(task)
        plan = _plan(task, inputs, outputs[:1], training=task.shape.kind == "batch_norm")
    return [step.kernel for step in plan.steps if not step.once]


def _described(task: Task) -> tuple[list[Value], dict[Value, np.ndarray]]:
    """The graph of the layer: results, and inputs with their arrays."""
    shape = task.shape
    x = Value((None, *task.x.shape[1:]), name="x")
    window = {"strides": shape.stride, "padding": shape.pads}
    if shape.kind == "max_pool":
        return list(apply("max_pool2d", [x], {**window, "pool_size": shape.kernel}).outputs), {x: task.x}
    if shape.kind == "avg_pool":
        attrs = {**window, "pool_size": shape.kernel, "count_include_pad": False}
        return [emit("avg_pool2d", [x], attrs)], {x: task.x}
    if shape.kind == "relu":
        return [emit("unary", [x], {"kind": "relu", "alpha": 0.0})], {x: task.x}
    assert task.weights is not None and task.bias is not None
    if shape.kind == "batch_norm":
        weights = [task.weights, task.bias, np.zeros_like(task.bias), np.ones_like(task.bias)]
        attrs = {"epsilon": EPSILON, "momentum": 0.99, "activation": "linear", "alpha": 0.0}
        node = apply("batch_norm_training", [x, *(Variable(w, "weight").value() for w in weights)], attrs)
        return list(node.outputs), {x: task.x}
    w, b = Variable(task.weights, "kernel").value(), Variable(task.bias, "bias").value()
    conv = {**window, "dilation": shape.dilation, "groups": shape.groups}
    if shape.kind == "transposed":
        like = Value((None, *task.dy.shape[1:]), name="like")
        y = emit("conv2d_backward_data", [x, w], {**conv, "like": like})
        return [emit("binary", [y, b], {"kind": "add"})], {x: task.x, like: task.dy}
    return [emit("conv2d", [x, w, b], {**conv, "activation": "linear", "alpha": 0.0})], {x: task.x}


def _plan(task: Task, inputs: dict[Value, np.ndarray], outputs: Sequence[Value], training: bool) -> Plan:
    shapes = {value: array.shape for value, array in inputs.items()}
    if not training:
        return inference_plan(shapes, outputs)
    lowering = Lowering(shapes, outputs, training=True)
    lowering.lower()
    return Plan(lowering)


def _results(plan: Plan) -> list[np.ndarray]:
    return [aligned(array) for array in plan.new_outputs()]


def _planned(
    name: str, task: Task, inputs: dict[Value, np.ndarray], outputs: Sequence[Value], training: bool
) -> Contender:
    plan = _plan(task, inputs, outputs, training)
    arrays, results = list(inputs.values()), _results(plan)
    return Contender(name, lambda: plan.run(arrays, results), lambda _: results[:1])


def _backward_plan(task: Task) -> tuple[Plan, list[np.ndarray]]:
    outputs, inputs = _described(task)
    x, y = next(iter(inputs)), outputs[0]
    dy = Value(y.shape, name="dy")
    if task.shape.kind == "transposed":
        return _transposed_backward(task, x, dy)
    wrt = [x, *(v for v in (y.node.inputs[1:3] if y.node else ()) if v is not None)]  # and weights, bias
    grads = [g for g in gradients({y: dy}, wrt) if g is not None]
    given = {x: task.x, dy: task.dy}
    if task.shape.kind in ("max_pool", "batch_norm"):  # from what the forward pass leaves: places, statistics
        found = _plan(task, inputs, outputs, training=True)
        kept = _results(found)
        found.run([task.x], kept)
        given = {x: task.x, dy: task.dy, **dict(zip(outputs[1:], kept[1:]))}
    elif task.shape.kind == "relu":
        given = {y: aligned(np.maximum(task.x, 0)), dy: task.dy}
    return _plan(task, given, grads, training=True), list(given.values())


def _transposed_backward(task: Task, x: Value, dy: Value) -> tuple[Plan, list[np.ndarray]]:
    """The gradient of the adjoint of a convolution is that convolution; the weights' has x and dy exchanged."""
    shape = task.shape
    assert task.weights is not None
    w = Variable(task.weights, "kernel").value()
    conv = {"strides": shape.stride, "padding": shape.pads, "dilation": shape.dilation, "groups": shape.groups}
    dx = emit("conv2d", [dy, w], {**conv, "activation": "linear", "alpha": 0.0})
    dw = emit("conv2d_backward_weights", [dy, x], {**conv, "like": w})
    given = {x: task.x, dy: task.dy}
    return _plan(task, given, [dx, dw, emit("bias_gradient", [dy])], training=True), [task.x, task.dy]


def _backward(task: Task) -> Contender:
    plan, arrays = _backward_plan(task)
    results = _results(plan)
    return Contender(NAME, lambda: plan.run(arrays, results), lambda _: results)


def _softmax(task: Task) -> Contender:
    """Softmax, cross entropy, and the gradient with respect to the logits."""
    logits = Value((None, task.shape.channels), name="logits")
    labels = Value((None,), "int32", name="labels")
    attrs = {"sparse": True, "smoothing": 0.0, "scale": 1.0, "mean_rows": True}
    losses, dlogits, _ = apply("softmax_crossentropy", [logits, labels], attrs).outputs
    plan = _plan(task, {logits: task.x, labels: _labels(task)}, [losses, dlogits], training=True)
    results = _results(plan)
    return Contender(NAME, lambda: plan.run([task.x, _labels(task)], results), lambda _: results[1:])


def _labels(task: Task) -> np.ndarray:
    assert task.labels is not None
    return task.labels


def _adam(task: Task) -> Contender:
    """One step of the optimizer over flat memory, the third or so of a training."""
    size = task.x.size
    hyper = np.zeros(core.HYPER_COUNT)
    rates = {"lr": 1e-3 * math.sqrt(1 - 0.999) / (1 - 0.9), "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7}
    for name, value in rates.items():
        hyper[HYPER[name]] = value
    w, m, v = aligned(task.x), *(aligned(np.zeros(size, np.float32)) for _ in range(2))
    slots = [core.Slot(i, "float32", size, name) for i, name in enumerate(("w", "g", "m", "v"))]
    args: dict[str, Any] = {**{s.name: s for s in slots}, "hyper": hyper, "count": size}
    program = core.Program([("adam", args)], 0, slots)
    arrays = [w, task.dy.reshape(-1), m, v]
    return Contender(NAME, lambda: program.run(arrays), lambda _: [w])
