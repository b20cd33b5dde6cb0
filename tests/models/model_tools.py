"""What the tests of models share: gradients as training takes them, and layers held against the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastcnn.graph import Value
from fastcnn.layers import Conv2D, Dense, Flatten, Input, Layer
from fastcnn.models import Model, Sequential, load_model
from fastcnn.optimizers import SGD

Array = np.ndarray

#: Images and classes for tests that only need some.
X = np.random.default_rng(0).standard_normal((50, 6, 5, 2)).astype(np.float32)
LABELS = np.random.default_rng(1).integers(0, 3, 50)


def small(optimizer: Any = "sgd", **how: Any) -> Sequential:
    """A compiled classifier of `X`, always with the same weights; `how`: further arguments of compile."""
    model = Sequential(
        [Conv2D(4, 3, activation="relu", input_shape=(6, 5, 2)), Flatten(), Dense(3, activation="softmax")]
    )
    random_weights(model)
    model.compile(optimizer, "sparse_categorical_crossentropy", **{"metrics": ["accuracy"], **how})
    return model


def random_weights(model: Layer, seed: int = 0, scale: float = 0.4) -> None:
    """Normally distributed weights, biases included: zeros would hide mistakes."""
    rng = np.random.default_rng(seed)
    model.set_weights([rng.standard_normal(w.shape) * scale for w in model.get_weights()])


def close(actual: Array, expected: Any, scale: float = 1.0) -> None:
    """Hold a float32 result to the tolerance that the kernels promise."""
    assert actual.dtype == np.float32
    assert actual.shape == np.shape(expected)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5 * scale)


def same_bits(a: Sequence[Array], b: Sequence[Array]) -> bool:
    """Whether two lists of arrays are the same bit by bit."""
    return len(a) == len(b) and all(p.shape == q.shape and p.tobytes() == q.tobytes() for p, q in zip(a, b))


def gradients(model: Model, x: Any, y: Any, **options: Any) -> list[Array]:
    """Gradients of the compiled loss: what a step of plain SGD with rate 1 takes off the trainable weights.

    The model must be compiled with ``SGD(1.0)``; its weights are put back.
    """
    assert isinstance(model.optimizer, SGD)
    assert (model.optimizer.learning_rate, model.optimizer.momentum) == (1.0, 0.0)
    before = model.get_weights()
    held = [v.numpy() for v in model.trainable_weights]
    model.train_on_batch(x, y, **options)
    taken = [h.astype(np.float64) - v.numpy() for h, v in zip(held, model.trainable_weights)]
    model.set_weights(before)
    return taken


def check_gradients(
    loss: Callable[..., float], arrays: Sequence[Array], found: Sequence[Array], picks: int = 16, step: float = 1e-5
) -> None:
    """Hold gradients against central differences of ``loss(*arrays)``, at up to `picks` places of each array."""
    rng = np.random.default_rng(1)
    assert len(arrays) == len(found)
    for which, (array, gradient) in enumerate(zip(arrays, found)):
        assert gradient.shape == array.shape
        places = rng.permutation(array.size)[:picks]
        expected = np.empty(len(places))
        for i, place in enumerate(places):
            ends = []
            for sign in (step, -step):
                moved = [np.array(a, np.float64) for a in arrays]
                moved[which].flat[place] += sign
                ends.append(loss(*moved))
            expected[i] = (ends[0] - ends[1]) / (2 * step)
        size = max(1.0, float(np.abs(expected).max(initial=0)))
        np.testing.assert_allclose(gradient.flat[places], expected, rtol=2e-4, atol=2e-5 * size)


class Offset(Layer):
    """Adds a weight of its input's shape: its gradient is that of the input, summed over the batch."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.offset = self.add_weight([s for s in input_shape[1:] if s is not None], "zeros", "offset")

    def call(self, inputs: Value) -> Value:
        return inputs + self.offset.value()


def product(y_true: Value, y_pred: Value) -> Value:
    """A loss whose gradient with respect to the prediction is y_true over the number of elements."""
    return y_true * y_pred


@dataclass(frozen=True)
class LayerCase:
    """A layer, and what it computes: ``expected(x, *weights)`` in float64."""

    name: str
    make: Callable[[], Layer]
    shape: tuple[int, ...]
    expected: Callable[..., Array]

    def __str__(self) -> str:
        return self.name


def check_layer(case: LayerCase, folder: Path, batch: int = 3) -> None:
    """Results, gradients, configuration and file of one layer."""
    rng = np.random.default_rng(7)
    layer = case.make()
    inputs = Input(case.shape)
    model = Model(inputs, layer(inputs))
    random_weights(model)
    x = rng.standard_normal((batch, *case.shape)).astype(np.float32)
    expected = case.expected(x, *layer.get_weights())
    assert model.output_shape == (None, *expected.shape[1:])
    close(model.predict(x), expected)
    close(model.predict(x[:1]), expected[:1])
    _check_layer_gradients(case, layer, x, expected.shape)
    _check_keeping(layer, model, x, folder)


def _check_layer_gradients(case: LayerCase, layer: Layer, x: Array, result: tuple[int, ...]) -> None:
    model = Sequential([Input(case.shape), Offset(), layer])
    model.compile(SGD(1.0), product)
    y = (np.random.default_rng(8).standard_normal(result) * np.prod(result)).astype(np.float32)

    def loss(offset: Array, *weights: Array) -> float:
        return float((y * case.expected(x + offset, *weights)).mean())

    check_gradients(loss, model.get_weights(), gradients(model, x, y))


def _check_keeping(layer: Layer, model: Model, x: Array, folder: Path) -> None:
    """The configuration makes an equal layer; a file gives back the same bits."""
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    inputs = Input(x.shape[1:])
    other = Model(inputs, again(inputs))
    other.set_weights(model.get_weights())
    assert same_bits([other.predict(x)], [model.predict(x)])
    model.save(folder / "layer.fastcnn")
    assert same_bits([load_model(folder / "layer.fastcnn").predict(x)], [model.predict(x)])
