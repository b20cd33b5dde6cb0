"""Concatenations whose parts are written in place: nothing is copied, and every bit stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcnn import layers as L  # noqa: N812
from fastcnn import ops
from fastcnn.graph import Value, apply, constant, emit
from fastcnn.models import Model
from fastcnn.plan import inference_plan, plan

SIDE = (9, 10)


def conv(k: int, size: int = 1, **how: Any) -> L.Conv2D:
    return L.Conv2D(k, size, padding="same", activation="relu", **how)


def fire() -> Model:
    """SqueezeNet's module: two convolutions side by side, one of them by Winograd."""
    x = conv(16)(inputs := L.Input((*SIDE, 24)))
    return Model(inputs, conv(5)(L.Concatenate()([conv(32)(x), conv(40, 3)(x)])))


def inception() -> Model:
    """Branches that end with convolutions, a fused pool, and one without."""
    x = conv(19)(inputs := L.Input((8, 10, 3)))
    parts = [
        L.MaxPooling2D(2)(conv(17, 3)(x)), conv(21, 5, strides=2)(x), L.AveragePooling2D(2)(x),
        L.DepthwiseConv2D(3, 2, "same", activation="relu6")(x), L.MaxPooling2D(3, 2, "same")(x),
        conv(40, 3, strides=2, groups=1)(L.DepthwiseConv2D(2, padding="same")(x)),
    ]  # fmt: skip
    return Model(inputs, L.GlobalAveragePooling2D()(L.Concatenate()(parts)))


def nested() -> Model:
    """One concatenation is a part of another."""
    inputs = L.Input((*SIDE, 8))
    inner = L.Concatenate()([conv(3)(inputs), conv(17, 3)(inputs)])
    return Model(inputs, conv(4)(L.Concatenate()([conv(6)(inputs), inner, conv(33)(inputs)])))


def vectors() -> Model:
    """Dense layers and global pools, side by side in each row."""
    inputs = L.Input((6, 5, 7))
    flat = L.Flatten()(inputs)
    pools = L.GlobalMaxPooling2D(keepdims=True)(inputs), L.GlobalAveragePooling2D(keepdims=True)(inputs)
    both = L.Flatten()(L.Concatenate()(pools))
    return Model(inputs, L.Dense(3)(L.Concatenate()([L.Dense(9, activation="relu")(flat), both, L.Dense(4)(flat)])))


def activated() -> Model:
    """Activations that take loops of their own, and a residual: that part is copied."""
    x = conv(16)(inputs := L.Input((*SIDE, 4)))
    parts = [L.Activation(f)(L.Conv2D(k, 3, padding="same")(x)) for f, k in (("silu", 20), ("hard_silu", 16))]
    parts.append(L.Add()([L.Conv2D(16, 1)(x), x]))
    return Model(inputs, conv(4)(L.Concatenate()(parts)))


def unet() -> Model:
    """A part that is read elsewhere too is copied, the other one is not."""
    skip = conv(12, 3)(inputs := L.Input((8, 8, 3)))
    x = conv(10)(L.UpSampling2D(2)(conv(24, 3)(L.MaxPooling2D(2)(skip))))
    return Model(inputs, conv(2, 3)(L.Concatenate()([skip, x])))


def twice() -> Model:
    """The same value is both parts."""
    x = conv(9)(inputs := L.Input((*SIDE, 4)))
    return Model(inputs, conv(4)(L.Concatenate()([x, x])))


def given_parts() -> Model:
    """A part is the model's input, and the whole is its output."""
    inputs = L.Input((*SIDE, 4))
    return Model(inputs, L.Concatenate()([inputs, conv(3)(inputs)]))


#: How many parts of each are copied.
MODELS: list[tuple[Callable[[], Model], int]] = [
    (fire, 0), (inception, 0), (nested, 0), (vectors, 1), (activated, 1), (unet, 1), (twice, 2), (given_parts, 2),
]  # fmt: skip


def check(model: Model, batch: int, monkeypatch: pytest.MonkeyPatch, copies: int | None) -> None:
    """Predictions with and without, twice each: what a run leaves behind is in the next one's way."""
    rng = np.random.default_rng(batch)
    model.set_weights([rng.standard_normal(w.shape, np.float32) / 3 for w in model.get_weights()])
    images = [rng.standard_normal((batch, *model.inputs[0].shape[1:]), np.float32) for _ in range(2)]
    ours = [model.predict_on_batch(x) for x in images]
    kernels = [s.kernel for s in model.plan(max(batch, 1)).steps]
    with monkeypatch.context() as m:
        m.setattr(plan, "join_in_place", lambda low, order: None)
        apart = Model.from_config(model.get_config())
        apart.set_weights(model.get_weights())
        for x, y in zip(images, ours, strict=True):
            np.testing.assert_array_equal(y, apart.predict_on_batch(x))
        before = [s.kernel for s in apart.plan(max(batch, 1)).steps].count("copy_columns")
    assert kernels.count("copy_columns") <= (before if copies is None else copies)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("make", "copies"), MODELS, ids=lambda v: getattr(v, "__name__", ""))
def test_parts_are_written_in_place(
    make: Callable[[], Model], copies: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(make(), batch, monkeypatch, copies)


def test_along_other_axes_parts_are_pieces_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one image: rows of images lie one after the other, and any kernel can write them, also in a part of a part."""
    inputs = L.Input((6, 5, 4))
    rows = L.Concatenate(axis=1)([L.Activation("gelu")(L.MaxPooling2D(2, 1, "same")(inputs)), conv(4)(inputs)])
    inner = L.Concatenate(axis=1)([rows, conv(4, 3)(inputs)])
    outer = Model(inputs, conv(3)(L.Concatenate(axis=1)([inner, L.Softmax()(inputs), conv(4)(inputs)])))
    check(outer, 1, monkeypatch, 0)
    check(outer, 2, monkeypatch, 7)


def test_a_part_of_weights_alone_stays() -> None:
    """It is computed once; where the whole is then overwritten, in place, it must not be lost."""
    rng = np.random.default_rng(0)
    x = Value((1, *SIDE, 4), name="x")
    table, kernel = (constant(rng.standard_normal(shape, np.float32)) for shape in ((1, *SIDE, 4), (1, 1, 4, 5)))
    how = {"strides": (1, 1), "padding": "valid", "dilation": (1, 1), "groups": 1, "activation": "relu", "alpha": 0.0}
    parts = [emit("conv2d", [v, kernel], how) for v in (x, table)]
    whole = ops.tanh(emit("concatenate", parts, {"axis": 3}))
    made = inference_plan({x: (1, *SIDE, 4)}, [emit("permute", [ops.gelu(whole)], {"axes": (0, 2, 1, 3)})])
    image = rng.standard_normal(x.shape, np.float32)
    np.testing.assert_array_equal(made.compute([image])[0], made.compute([image])[0])
    assert [s.kernel for s in made.steps].count("copy_columns") == 1


def test_pooled_parts_whose_places_are_read_stay() -> None:
    """The places of maxima lie one after the other, also where the maxima would not."""
    rng = np.random.default_rng(0)
    x = Value((1, 8, 8, 16), name="x")
    how = {"strides": (1, 1), "padding": "same", "dilation": (1, 1), "groups": 1, "activation": "linear", "alpha": 0.0}
    kernels = [constant(rng.standard_normal((3, 3, 16, 16), np.float32)) for _ in range(2)]
    nodes = [apply("conv2d_max_pool2d", [x, kernel], how) for kernel in kernels]
    whole = ops.tanh(emit("concatenate", [node.outputs[0] for node in nodes], {"axis": 3}))
    image = rng.standard_normal(x.shape, np.float32)
    both = inference_plan({x: x.shape}, [whole, nodes[0].outputs[1]]).compute([image])
    alone = inference_plan({x: x.shape}, list(nodes[0].outputs)).compute([image])
    np.testing.assert_array_equal(both[1], alone[1])
    np.testing.assert_array_equal(both[0][..., :16], ops.tanh(alone[0]))


def test_memory_is_saved() -> None:
    """The whole takes the place of its parts, which would be there beside it."""
    inputs = L.Input((64, 64, 8))
    wide = L.Concatenate()([conv(32)(inputs), conv(32, 3)(inputs)])
    arena = Model(inputs, conv(1)(wide)).plan(1).arena_bytes
    assert 64 * 64 * 64 * 4 <= arena < 64 * 64 * 64 * 4 * 1.2


@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_any_channels(data: st.DataObject) -> None:
    batch, channels = data.draw(st.integers(0, 3)), data.draw(st.lists(st.integers(1, 40), min_size=2, max_size=4))
    inputs = L.Input((data.draw(st.integers(1, 7)), data.draw(st.integers(1, 7)), data.draw(st.integers(1, 20))))
    parts: list[Any] = [conv(c, data.draw(st.sampled_from([1, 3])))(inputs) for c in channels]
    if data.draw(st.booleans()):
        parts[:2] = [L.Concatenate()(parts[:2]), conv(7)(inputs)]
    with pytest.MonkeyPatch.context() as monkeypatch:
        check(Model(inputs, L.Concatenate()([*parts, L.MaxPooling2D(3, 1, "same")(inputs)])), batch, monkeypatch, None)
        check(Model(inputs, conv(3)(L.Concatenate()(parts))), batch, monkeypatch, 0)
