"""Host nodes: functions on arrays among the kernels; and inputs whose sizes each batch brings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn
from fastcnn import layers as L  # noqa: N812
from fastcnn.graph import Spec, Value, apply, emit
from fastcnn.models import Model, Sequential, load_model
from fastcnn.plan import Plan, StagedPlan, inference_plan

RNG = np.random.default_rng(5)


class Host(L.Layer):
    """A function on arrays as a layer."""

    def __init__(self, function: Callable[..., Any], infer: Callable[..., Any], **more: Any) -> None:
        super().__init__(name=more.pop("name", None))
        self.function, self.infer, self.more = function, infer, more

    def call(self, inputs: Any) -> Any:
        values = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        attrs = {"function": self.function, "infer": self.infer, "kind": "Test", **self.more}
        outputs = apply("host", values, attrs, self.name).outputs
        return outputs[0] if len(outputs) == 1 else list(outputs)


def flipped(arrays: list[np.ndarray]) -> list[np.ndarray]:
    return [arrays[0][:, ::-1]]


def same(specs: list[Spec]) -> list[Spec]:
    return [Spec(specs[0].shape, specs[0].dtype)]


def positive(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The rows that begin with a positive number: how many is known when it runs."""
    return [arrays[0][arrays[0][:, 0] > 0]]


def some(specs: list[Spec]) -> list[Spec]:
    return [Spec((None, *specs[0].shape[1:]), specs[0].dtype)]


def test_between_kernels() -> None:
    """Two stages, the second of known sizes: made with the plan."""
    x = L.Input((6, 6, 2))
    before = L.Conv2D(3, 3, activation="relu")(x)
    after = L.Conv2D(4, 2)(Host(flipped, same)(before))
    model = Model(x, [after, before])
    images = RNG.standard_normal((5, 6, 6, 2), np.float32)
    found, first = model.predict(images, verbose=0)
    expected = Model(x, before).predict(images, verbose=0)
    assert np.array_equal(first, expected)
    tail = Sequential([L.Input((4, 4, 3)), L.Conv2D(4, 2)])
    tail.set_weights(model.layers[-1].get_weights())
    assert np.array_equal(found, tail.predict(np.ascontiguousarray(expected[:, ::-1]), verbose=0))
    plan = model.plan(5)
    assert isinstance(plan, StagedPlan)
    assert [s.kernel for s in plan.steps].count("host: Test") == 1
    assert "host: Test" in str(plan)
    assert "2 stages" in str(plan)
    assert plan.flops > Model(x, before).plan(5).flops
    assert plan.current
    model.layers[-1].set_weights([2 * w for w in tail.get_weights()])
    again, _ = model.predict(images, verbose=0)
    np.testing.assert_allclose(again, 2 * found, rtol=1e-5, atol=1e-6)
    assert isinstance(Model(x, before).plan(5), Plan)


def test_results_go_into_given_arrays() -> None:
    x = L.Input((3,))
    model = Model(x, [Host(flipped, same)(x), L.Dense(2)(x)])
    plan = model.plan(4)
    given = [np.zeros((4, 3), np.float32), np.zeros((4, 2), np.float32)]
    data = RNG.standard_normal((4, 3), np.float32)
    plan.run([data], given)
    for mine, other in zip(given, plan.compute([data])):
        assert np.array_equal(mine, other)
    with pytest.raises(ValueError, match=r"has shape \(4, 3\) .*, the array for it has \(3, 3\)"):
        plan.run([data], [given[0][1:], given[1]])


def test_sizes_known_when_it_runs() -> None:
    """The stage behind gets a program for each count of rows, also for none."""
    x = L.Input((3,))
    dense = L.Dense(2)
    chosen = Host(positive, some)(x)
    model = Model(x, [dense(chosen), chosen])
    for count in (4, 0, 1, 4):
        data = np.full((4, 3), -1, np.float32)
        data[:count] = RNG.random((count, 3), np.float32) + 0.5
        found, rows = model.predict_on_batch(data)
        assert rows.shape == (count, 3)
        w, b = dense.get_weights()
        np.testing.assert_allclose(found, data[:count] @ w + b, rtol=1e-5, atol=1e-6)
    assert "kernels" in str(model.plan(4))
    data = np.full((8, 3), -1, np.float32)
    data[[0, 5]] = 1
    with pytest.raises(ValueError, match=r"has shape \(1, 2\) for 4 samples, not a row for each"):
        model.predict(data, batch_size=4, verbose=0)


def test_host_of_weights_alone() -> None:
    """A value that no input leads to is made for the host node that reads it."""

    class Doubled(L.Layer):
        def build(self, input_shape: tuple[int | None, ...]) -> None:
            self.w = self.add_weight((3,), "ones", "w")

        def call(self, inputs: Value) -> Value:
            twice = emit("affine", [self.w.value()], {"scale": 2.0, "shift": 0.0}, self.name)
            attrs = {"function": lambda a: [a[0] + a[1] + a[2]], "infer": same, "kind": "Sum"}
            return emit("host", [inputs, twice, self.w.value()], attrs, self.name)

    x = L.Input((3,))
    model = Model(x, Doubled()(x))
    assert np.array_equal(model.predict(np.zeros((2, 3)), verbose=0), np.full((2, 3), 3, np.float32))
    model.set_weights([np.full(3, 2, np.float32)])
    assert np.array_equal(model.predict(np.zeros((2, 3)), verbose=0), np.full((2, 3), 6, np.float32))


def test_other_types_between_host_nodes() -> None:
    x = L.Input((5,))
    order = Host(lambda a: [a[0].argsort(-1)], lambda s: [Spec(s[0].shape, "int64")])(x)
    taken = Host(lambda a: [np.take_along_axis(a[0], a[1], -1)], same)([x, order])
    model = Model(x, [L.ReLU()(taken), order])
    data = RNG.standard_normal((7, 5), np.float32)
    found, places = model.predict(data, batch_size=3, verbose=0)
    assert places.dtype == np.int64
    assert np.array_equal(places, data.argsort(-1))
    assert np.array_equal(found, np.maximum(np.sort(data, -1), 0))


def test_inputs_of_other_types() -> None:
    x = L.InputLayer((4,), dtype="int64", convert=False).value
    table = RNG.standard_normal((9, 3), np.float32)
    rows = Host(lambda a: [table[a[0]]], lambda s: [Spec((*s[0].shape, 3))])(x)
    model = Model(x, L.ReLU()(rows))
    index = RNG.integers(0, 9, (5, 4))
    assert np.array_equal(model.predict(index, verbose=0), np.maximum(table[index], 0))
    assert np.array_equal(model.predict(index.astype(np.int32), verbose=0), np.maximum(table[index], 0))
    with pytest.raises(TypeError, match="x must have dtype int64, received float32"):
        model.predict(np.zeros((5, 4), np.float32), verbose=0)


def test_constants_are_folded_and_sizes_decide() -> None:
    """What is decided when a plan is made leaves no host node behind."""

    def as_reshape(inputs: list[Value | None]) -> list[Value]:
        assert inputs[0] is not None
        return [emit("reshape", [inputs[0]], {"like": Spec((inputs[0].shape[0], 6))}, "there")]

    x = L.Input((None, None))
    rows = Host(lambda a: [a[0].reshape(len(a[0]), -1)], lambda s: [Spec((None, None))], specialize=as_reshape)(x)
    model = Model(x, L.ReLU()(rows))
    for shape in ((4, 2, 3), (4, 6, 1)):
        data = RNG.standard_normal(shape, np.float32)
        assert np.array_equal(model.predict_on_batch(data), np.maximum(data.reshape(4, 6), 0))
    assert isinstance(model.plan(input_shapes=[(4, 3, 2)]), Plan)
    with pytest.raises(ValueError, match=r"open sizes.*input_shapes"):
        model.plan(4)


def test_results_are_held_against_what_was_promised() -> None:
    x = L.Input((3,))
    model = Model(x, Host(lambda a: [a[0].astype(np.float64)], same, name="bad")(x))
    with pytest.raises(ValueError, match=r"Test 'bad': expected a result of shape .* float32, received .* float64"):
        model.predict(np.ones((2, 3)), verbose=0)


def test_training() -> None:
    """What lies behind host nodes learns; the model is judged as ever."""
    x = L.Input((3,))
    hidden = L.Dense(3, name="first")(x)
    model = Model(x, L.Dense(1)(Host(flipped, same, name="wall")(hidden)))
    model.compile("sgd", "mse")
    with pytest.raises(NotImplementedError, match="Test 'wall' has no gradient"):
        model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
    model.get_layer("first").trainable = False
    model.compile("sgd", "mse")
    data, target = RNG.standard_normal((8, 3), np.float32), RNG.standard_normal((8, 1), np.float32)
    tail = Sequential([L.Input((3,)), L.Dense(1)])
    tail.set_weights(model.layers[-1].get_weights())
    tail.compile("sgd", "mse")
    first = Model(x, hidden).predict(data, verbose=0)
    loss = model.evaluate(data, target, verbose=0)
    assert np.isclose(loss, tail.evaluate(np.ascontiguousarray(first[:, ::-1]), target, verbose=0))
    for count in (8, 4):
        model.train_on_batch(data[:count], target[:count])
        tail.train_on_batch(np.ascontiguousarray(first[:count, ::-1]), target[:count])
    for mine, other in zip(model.layers[-1].get_weights(), tail.get_weights()):
        assert np.array_equal(mine, other)
    assert model.evaluate(data, target, verbose=0) < loss
    with pytest.raises(NotImplementedError, match="Test 'wall' runs on arrays"):
        inference_plan({x: (4, 3)}, model.outputs)


def test_open_sizes(tmp_path: Path) -> None:
    x = L.Input((None, None, 3))
    y = L.Conv2D(4, 3, padding="same", activation="relu")(x)
    y = L.MaxPooling2D()(L.BatchNormalization()(y))
    y = L.Concatenate()([y, L.Conv2D(2, 1)(y)])
    y = L.UpSampling2D()(L.ZeroPadding2D(1)(y))
    model = Model(x, [y, L.GlobalAveragePooling2D()(y)])
    assert model.output_shape == [(None, None, None, 6), (None, 6)]
    model.save(tmp_path / "open.safetensors")
    again = load_model(tmp_path / "open.safetensors")
    for size in ((8, 12), (5, 7)):
        fixed = fastcnn.Input((*size, 3))
        known = Model(fixed, model(fixed))
        data = RNG.standard_normal((3, *size, 3), np.float32)
        for mine, read, other in zip(*(m.predict(data, batch_size=2, verbose=0) for m in (model, again, known))):
            assert np.array_equal(mine, other)
            assert np.array_equal(read, other)
    with pytest.raises(ValueError, match=r"x must have shape \(batch, None, None, 3\)"):
        model.predict(np.zeros((2, 8, 8, 4)))


def test_training_with_open_sizes() -> None:
    x = L.Input((None, None, 2))
    model = Model(x, L.GlobalAveragePooling2D()(L.Conv2D(3, 3, activation="relu")(x)))
    fixed = Sequential([L.Input((6, 5, 2)), L.Conv2D(3, 3, activation="relu"), L.GlobalAveragePooling2D()])
    fixed.set_weights(model.get_weights())
    data, target = RNG.standard_normal((8, 6, 5, 2), np.float32), RNG.standard_normal((8, 3), np.float32)
    for net in (model, fixed):
        net.compile("sgd", "mse")
        net.fit(data, target, batch_size=4, shuffle=False, verbose=0)
    for mine, other in zip(model.get_weights(), fixed.get_weights()):
        assert np.array_equal(mine, other)


def test_axis_0_need_not_count_samples(tmp_path: Path) -> None:
    a, b = L.Input(batch_shape=(2, 3)), L.InputLayer(batch_shape=(None, 3), samples=False).value
    model = Model([a, b], [L.ReLU()(a), L.ReLU()(b)])
    model.save(tmp_path / "whole.safetensors")
    data = [RNG.standard_normal((n, 3), np.float32) for n in (2, 5)]
    for net in (model, load_model(tmp_path / "whole.safetensors")):
        for given, found in zip(data, net.predict(data, verbose=0)):
            assert np.array_equal(found, np.maximum(given, 0))
        with pytest.raises(ValueError, match=r"must have shape \(2, 3\) .* received \(3, 3\)"):
            net.predict([np.zeros((3, 3)), data[1]])


@pytest.mark.parametrize("side", [9, 40])
def test_fit_with_open_sizes_is_fit_with_those_sizes(side: int) -> None:
    """Places of maxima over whole images: bytes, or numbers of 32 bits from 257 pixels on."""
    x = np.random.default_rng(side).standard_normal((6, side, side + 1, 3), np.float32)
    results = []
    for size in ((None, None), (side, side + 1)):
        fastcnn.set_seed(3)
        inputs = L.Input((*size, 3))
        y = L.Conv2D(6, 3, padding="same", activation="relu")(inputs)
        y = L.Concatenate()([L.GlobalMaxPooling2D()(y), L.GlobalAveragePooling2D()(L.MaxPooling2D(2)(y))])
        model = Model(inputs, L.Dense(3, activation="softmax")(y))
        model.compile("adam", "sparse_categorical_crossentropy")
        losses = model.fit(x, np.arange(6) % 3, epochs=3, batch_size=4, verbose=0).history["loss"]
        results.append([*losses, *model.get_weights(), model.predict(x, verbose=0)])
    for opened, fixed in zip(*results, strict=True):
        np.testing.assert_array_equal(opened, fixed)
