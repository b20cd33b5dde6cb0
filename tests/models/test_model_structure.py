"""Building models: Sequential step by step, models in models, custom layers, configurations, summaries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from model_tools import Offset, X, check_gradients, close, gradients, product, random_weights, same_bits, small

from fastcnn import Input, Variable, losses, ops, regularizers
from fastcnn import layers as L  # noqa: N812
from fastcnn import reference as ref
from fastcnn.graph import Value
from fastcnn.models import Model, Sequential
from fastcnn.optimizers import SGD

# ---------------------------------------------------------------- Sequential


def test_three_ways_to_begin() -> None:
    def stack() -> list[L.Layer]:
        return [L.Conv2D(3, 3, name="a"), L.Flatten(name="b"), L.Dense(2, name="c")]

    first = Sequential([L.Input((6, 5, 2)), *stack()])
    second = Sequential([L.Conv2D(3, 3, name="a", input_shape=(6, 5, 2)), *stack()[1:]])
    third = Sequential(stack())
    assert not third.built
    third.build((None, 6, 5, 2))
    third.build((None, 9, 9, 9))  # built once
    fourth = Sequential([L.InputLayer((6, 5, 2)), *stack()])
    for model in (second, third, fourth):
        model.set_weights(first.get_weights())
        assert same_bits([model.predict(X)], [first.predict(X)])
        assert [layer.name for layer in model.layers] == ["a", "b", "c"]
        assert model.input_shape == (None, 6, 5, 2)
    with pytest.raises(ValueError, match="has no layers"):
        Sequential().build((3,))


def test_taking_layers_off_and_putting_others_on() -> None:
    model = small()
    top = model.pop()
    assert isinstance(top, L.Dense)
    assert model.output_shape == (None, 48)
    model.add(L.Dense(7))
    assert model.predict(X).shape == (50, 7)
    model.compile("sgd", "mse")
    model.fit(X, np.ones((50, 7)), verbose=0)
    for _ in range(3):
        model.pop()
    assert not model.built
    with pytest.raises(ValueError, match="has no layers"):
        model.pop()
    model.add(L.Flatten())
    assert model.predict(X).shape == (50, 60)


def test_models_in_sequential_models() -> None:
    body = Sequential([L.Input((6, 5, 2)), L.Conv2D(3, 3), L.Flatten()])
    unbuilt = Sequential([L.Dense(5, activation="relu"), L.Dense(4)])
    model = Sequential([body, unbuilt, L.Dense(3)])
    assert (model.output_shape, unbuilt.built, len(model.weights)) == ((None, 3), True, 8)
    random_weights(model)
    inner = unbuilt.predict(body.predict(X))
    k, b = model.layers[-1].get_weights()
    close(model.predict(X), inner @ k + b, scale=10)
    a, b = L.Input((3,)), L.Input((3,))
    for wrong, message in (
        (Model(a, [L.Dense(1)(a), L.Dense(2)(a)]), "has several outputs"),
        (Model([a, b], L.Add()([a, b])), "takes 2 inputs, received 1"),
    ):
        with pytest.raises(ValueError, match=message):
            Sequential([L.Input((3,)), wrong])


def test_configurations_of_models() -> None:
    for model in (small(), Model(i := L.Input((4,)), L.Dense(2)(L.Dense(3)(i)))):
        again = type(model).from_config(model.get_config())
        assert again.get_config() == model.get_config()
        again.set_weights(model.get_weights())
        x = X if model.input_shape[-1] == 2 else X.reshape(-1, 4)[:9]
        assert same_bits([again.predict(x)], [model.predict(x)])


def test_layers_by_name_and_place() -> None:
    model = small()
    assert model.get_layer(index=-1) is model.layers[2]
    assert model.get_layer(model.layers[0].name) is model.layers[0]
    part = Model(model.inputs, model.layers[1].output)
    assert part.predict(X).shape == (50, 48)
    assert model.layers[0].input.shape == (None, 6, 5, 2)
    merge = L.Add()
    merge([L.Input((2,)), L.Input((2,))])
    assert [v.shape for v in merge.input] == [(None, 2)] * 2
    merge([L.Input((2,)), L.Input((2,))])
    with pytest.raises(AttributeError, match="was called 2 times, not once"):
        _ = merge.output
    with pytest.raises(ValueError, match="isn't built yet"):
        L.Dense(3).count_params()
    with pytest.raises(ValueError, match="was built for 2 channels"):
        model.layers[0](L.Input((6, 5, 3)))


# ---------------------------------------------------------------- layers of one's own


class Affine(L.Layer):
    """Three weights, one of them a single number, two with the same gradient."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        size = input_shape[-1]
        assert size is not None
        self.a = self.add_weight((size,), "ones", "a")
        self.b = self.add_weight((size,), "ones", "b")
        self.scale = self.add_weight((1,), "ones", "scale")

    def call(self, inputs: Value) -> Value:
        return (inputs - (self.a.value() + self.b.value())) / self.scale.value()


def test_custom_layers_train() -> None:
    model = Sequential([L.Input((3, 4)), Affine()])
    random_weights(model, scale=1.0)
    model.compile(SGD(1.0), product)
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((5, 3, 4)).astype(np.float32) for _ in range(2))

    def expected(a: np.ndarray, b: np.ndarray, scale: np.ndarray) -> np.ndarray:
        return (x - (a + b)) / scale

    close(model.predict(x), expected(*model.get_weights()), scale=10)
    check_gradients(lambda *w: float((y * 60 * expected(*w)).mean()), model.get_weights(), gradients(model, x, y * 60))


class Nothing(L.Layer):
    def call(self, inputs: Value) -> Value:
        return inputs


class TwoWeights(L.Layer):
    """Adds the sum of two weights of given names."""

    def __init__(self, *names: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.names = names

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.first, self.second = (self.add_weight((3,), "ones", name) for name in self.names)

    def call(self, inputs: Value) -> Value:
        return inputs + self.first.value() + self.second.value()


def test_weights_of_one_layer_have_names_of_their_own() -> None:
    inputs = L.Input((3,))
    for names, message in (
        (("a", "a"), "layer 'two': the name of a weight must be its own, received 'a'"),
        (("a", "b/c"), "layer 'two': the name of a weight must be a non-empty string without '/', received 'b/c'"),
        (("a", ""), "without '/', received ''"),
        (("a", None), "without '/', received None"),
    ):
        layer = TwoWeights(*names, name="two")
        with pytest.raises(ValueError, match=message):
            layer(inputs)
        assert (layer.built, layer.weights) == (False, [])
    layer = TwoWeights("a", "b")
    other = TwoWeights("a", "b")  # another layer's weights may be named the same
    model = Model(inputs, other(layer(inputs)))
    assert np.array_equal(model.predict(np.zeros((1, 3))), [[4.0, 4.0, 4.0]])


def test_layers_that_pass_their_input_on() -> None:
    model = Sequential([L.Input((4,)), Nothing(), L.Dense(3, activation="softmax"), Nothing(), Nothing()])
    x = X.reshape(-1, 4)[:20]
    k, b = model.get_weights()
    close(model.predict(x), ref.softmax(x @ k + b))
    # The softmax is found behind them: training works on logits.
    model.compile("sgd", "sparse_categorical_crossentropy")
    kernels = [s.kernel for s in model._ready()._training_plan(4, False).steps]
    assert "softmax_forward" not in kernels
    assert "softmax_backward" not in kernels
    inputs = L.Input((4,))
    same = Model(inputs, inputs)
    assert same_bits([same.predict(x)], [x])
    assert same_bits([Model(inputs, same(inputs)).predict(x)], [x])


def test_layers_that_return_no_values() -> None:
    class Wrong(L.Layer):
        def call(self, inputs: Value) -> Any:
            return 3

    with pytest.raises(TypeError, match=r"call\(\) must return graph values, received int"):
        Wrong()(L.Input((2,)))


def test_values() -> None:
    value = Input((3,))
    with pytest.raises(TypeError, match="no truth value"):
        bool(value)
    with pytest.raises(NotImplementedError, match="powers that are numbers only"):
        value**value
    assert [(value**p).node.attrs["kind"] for p in (2, 0.5, 3)] == ["square", "sqrt", "power"]  # type: ignore[union-attr]
    assert "shape=(None, 3)" in repr(value)
    for array in (np.ones(3), np.float32(2.0)):
        assert (array * value).shape == (None, 3)
        assert (value - array).shape == (None, 3)
    with pytest.raises(ValueError, match="axis 2 is out of range"):
        ops.sum(value, axis=2)
    with pytest.raises(ValueError, match="softmax: axis must be from 1 to 1"):
        ops.softmax(value, axis=0)
    with pytest.raises(ValueError, match="don't broadcast"):
        _ = value + np.ones(4)


def test_reductions_over_any_axes() -> None:
    """As a loss, whose gradient they have as well."""
    rng = np.random.default_rng(3)
    x, y = (rng.standard_normal((4, 3, 2, 5)).astype(np.float32) for _ in range(2))
    for axis in ((), 1, (1, 3), (2, 3), -1, (0, 2), None):
        for reduce, expected in ((ops.sum, np.sum), (ops.mean, np.mean)):
            model = Sequential([L.Input((3, 2, 5)), Offset()])
            model.compile(SGD(1.0), lambda t, p, f=reduce, a=axis: f(t * p, axis=a) ** 2)

            def loss(offset: np.ndarray, f: Any = expected, a: Any = axis) -> float:
                return float((f(y * (x + offset), axis=a) ** 2).mean())

            assert model.test_on_batch(x, y) == pytest.approx([loss(model.get_weights()[0])], rel=1e-4)
            check_gradients(loss, model.get_weights(), gradients(model, x, y), picks=6)


def test_variables() -> None:
    variable = Variable([[1, 2], [3, 4]], "w")
    assert (variable.shape, variable.size, variable.dtype) == ((2, 2), 4, "float32")
    copy = variable.numpy()
    copy[:] = 0
    assert np.asarray(variable).sum() == 10
    assert np.asarray(variable, dtype=np.float64).dtype == np.float64
    assert repr(variable) == "<Variable w shape=(2, 2)>"


# ---------------------------------------------------------------- descriptions


def test_losses_and_regularizers_as_configurations() -> None:
    for loss in (
        losses.SparseCategoricalCrossentropy(True, "sum"), losses.CategoricalCrossentropy(True, 0.1),
        losses.BinaryCrossentropy(True, name="mine"), losses.MeanSquaredError(), losses.MeanAbsoluteError("sum"),
    ):  # fmt: skip
        again = losses.get(losses.serialize(loss))
        assert type(again) is type(loss)
        assert vars(again) == vars(loss)
        assert repr(loss) == f"<{type(loss).__name__} {loss.name!r}>"
        assert losses.get(type(loss)).reduction == "sum_over_batch_size"
    for regularizer in (regularizers.L1(0.1), regularizers.L2(0.2), regularizers.L1L2(0.3, 0.4)):
        again = regularizers.get(regularizers.serialize(regularizer))
        assert (type(again), vars(again)) == (type(regularizer), vars(regularizer))
    assert vars(regularizers.get("L1L2")) == vars(regularizers.get("l1_l2")) == {"l1": 0.01, "l2": 0.01}
    assert vars(regularizers.get(regularizers.L2)) == {"l1": 0.0, "l2": 0.01}
    with pytest.raises(ValueError, match="Unknown regularizer 'L3'"):
        regularizers.get({"class_name": "L3", "config": {}})


def test_summary(capsys: pytest.CaptureFixture[str]) -> None:
    model = Sequential([L.Conv2D(32, 3, input_shape=(28, 28, 1), name="conv"), L.Flatten(name="flat"), L.Dense(10)])
    model.layers[0].trainable = False
    model.summary()
    out = capsys.readouterr().out
    for text in (
        f'Model: "{model.name}"',
        "conv (Conv2D)",
        "(None, 26, 26, 32)",
        "216,330",
        "Total params: 216,650 (846.29 KB)",
        "Trainable params: 216,330 (845.04 KB)",
        "Non-trainable params: 320 (1.25 KB)",
    ):
        assert text in out, text
    assert "Connected to" not in out
    a, b = L.Input((3,), name="left"), L.Input((3,), name="right")
    shared = L.Dense(4, name="shared")
    lines: list[str] = []
    joined = Model([a, b], L.Add(name="sum")([shared(a), shared(b)]))
    joined.summary(print_fn=lines.append, line_length=90)
    text = "\n".join(lines)
    for part in ("Connected to", "left[0][0]", "shared[0][0], shared[1][0]", "(shared)", "Total params: 16 (64.00 B)"):
        assert part in text, part
    assert repr(joined) == f"<Model {joined.name!r}: 4 layers, 16 weights>"
    assert repr(Sequential(name="empty")) == "<Sequential 'empty': 0 layers, not built>"
    assert "learning_rate=0.01 iterations=0" in repr(SGD())
    assert repr(L.Dense(3, name="d")) == "<Dense 'd', not built>"


def test_summary_of_nested_models() -> None:
    start = L.Input((8, 8, 3), name="pictures")
    inner = Sequential([L.Input((8, 8, 3)), L.Conv2D(4, 3, name="within"), L.Flatten(name="flat")], name="inner")
    head = L.Dense(2, name="head", trainable=False)
    model = Model(start, head(L.Add(name="sum")([inner(start), inner(start)])))
    lines: list[str] = []
    model.summary(print_fn=lines.append, expand_nested=True, show_trainable=True, line_length=120)
    rows = [line for line in lines[0].splitlines() if line[0] in "│|"]
    table = [[cell.strip() for cell in row[1:-1].split(row[0])] for row in rows]
    cells = {row[0]: row[1:] for row in reversed(table)}
    assert [row[0] for row in table[1:]] == [
        "pictures (InputLayer)", "inner (Sequential)", "within (Conv2D)", "flat (Flatten)", "inner (Sequential)",
        "sum (Add)", "head (Dense)",
    ]  # fmt: skip
    assert cells["inner (Sequential)"] == ["(None, 144)", "112", "pictures[0][0]", "Y"]
    assert cells["head (Dense)"] == ["(None, 2)", "290", "sum[0][0]", "N"]
    assert cells["sum (Add)"][2:] == ["inner[0][0], inner[1][0]", "-"]
    model.summary(print_fn=lines.append, layer_range=["inn.*", "sum"])
    assert "inner (" in lines[1] and "sum (" in lines[1] and "head (" not in lines[1] and "pictures (" not in lines[1]
    assert "Total params: 402" in lines[1]
    with pytest.raises(ValueError, match="Unknown layer 'none'"):
        model.summary(layer_range=["none", "sum"])
    with pytest.raises(ValueError, match="layer_range must be two names"):
        model.summary(layer_range="sum")  # type: ignore[arg-type]


def test_targets_and_weights_that_do_not_fit() -> None:
    model = Sequential([L.Input((4,)), L.Dense(3)])
    x = np.ones((6, 4))
    model.compile("sgd", "mse")
    for y, message in (
        (
            np.ones((6, 2)),
            r"y must have shape \(batch, 3\) for output .* with the loss 'mean_squared_error'.* \(6, 2\)",
        ),
        (np.ones(6), r"for class numbers use the loss \"sparse_categorical_crossentropy\", or to_categorical"),
    ):
        with pytest.raises(ValueError, match=message):
            model.train_on_batch(x, y)
    assert model.test_on_batch([x], [np.ones((6, 3))]) == model.test_on_batch(x, np.ones((6, 3)))
    inputs = L.Input((4, 2))
    rows = Model(inputs, [L.Dense(3, name="a")(inputs), L.Dense(3, name="b")(inputs)])
    with pytest.raises(ValueError, match="output 'b' has metrics but no loss"):
        rows.compile("sgd", {"a": "mse"}, metrics={"b": ["mae"]})
    with pytest.raises(ValueError, match="needs a loss for at least one output"):
        rows.compile("sgd", [None, None])
    rows.compile("sgd", "sparse_categorical_crossentropy")
    labels = np.zeros((6, 4), int)
    with pytest.raises(ValueError, match="one output; give sample_weight"):
        rows.train_on_batch(np.ones((6, 4, 2)), [labels, labels], class_weight={0: 1.0})
    one = Model(inputs, rows.layers[1].output)
    one.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="one class a sample; give sample_weight"):
        one.train_on_batch(np.ones((6, 4, 2)), labels, class_weight={0: 1.0})


def test_a_network_deeper_than_pythons_stack() -> None:
    model = Sequential([L.Input((2, 2, 1)), *(L.ReLU() for _ in range(1500))])
    assert model.predict(np.ones((1, 2, 2, 1)), verbose=0).shape == (1, 2, 2, 1)
