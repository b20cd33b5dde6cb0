"""Plans: memory without overlaps, in-place choices, what is computed once, what is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_tools import close, random_weights, same_bits

from fastcnn import layers as L  # noqa: N812
from fastcnn import reference as ref
from fastcnn._ops import core
from fastcnn.models import Model, Sequential
from fastcnn.optimizers import SGD
from fastcnn.plan import plan as plan_module
from fastcnn.plan.lowering import Lowering
from fastcnn.plan.memory import ALIGNMENT, Buffer, lay_out

RNG = np.random.default_rng(0)
X = RNG.standard_normal((9, 12, 11, 3)).astype(np.float32)
LABELS = RNG.integers(0, 4, 9)


def branching() -> Model:
    """Convolutions, pools, a residual connection read three times, dropout, and two activations of one value."""
    inputs = L.Input((12, 11, 3))
    x = L.Conv2D(6, 3, padding="same", activation="relu")(inputs)
    y = L.Conv2D(6, 3, padding="same")(x)
    y = L.Add()([L.Activation("relu")(y), L.Activation("tanh")(y), x])
    y = L.MaxPooling2D()(y)
    y = L.Conv2D(6, 3, groups=6, activation="leaky_relu", kernel_regularizer="l2")(y)
    y = L.Multiply()([y, L.GlobalAveragePooling2D(keepdims=True)(y)])
    y = L.Dropout(0.3)(L.Flatten()(L.AveragePooling2D(padding="same")(y)))
    model = Model(inputs, L.Dense(4, activation="softmax")(L.Dense(8, activation="sigmoid")(y)))
    random_weights(model)
    return model


# ---------------------------------------------------------------- memory


def overlapping(buffers: list[Buffer]) -> list[tuple[Buffer, Buffer]]:
    """Pairs that are alive at the same step and share memory."""
    return [
        (a, b)
        for i, a in enumerate(buffers)
        for b in buffers[:i]
        if a.nbytes and b.nbytes and a.first <= b.last and b.first <= a.last
        and a.offset < b.offset + b.nbytes and b.offset < a.offset + a.nbytes
    ]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 12), st.integers(0, 6)), max_size=14))
def test_layout_never_overlaps(lives: list[tuple[int, int, int]]) -> None:
    buffers = []
    for size, first, length in lives:
        buffer = Buffer(size)
        buffer.first, buffer.last = first, first + length
        buffers.append(buffer)
    total = lay_out(buffers)
    assert not overlapping(buffers)
    assert all(b.offset % ALIGNMENT == 0 and 0 <= b.offset <= total - b.nbytes for b in buffers)
    alive = [sum(b.nbytes for b in buffers if b.first <= step <= b.last) for step in range(20)]
    assert max(alive) <= total <= sum(b.nbytes + ALIGNMENT for b in buffers)


@pytest.fixture
def laid_out(monkeypatch: pytest.MonkeyPatch) -> list[list[Buffer]]:
    """The buffers of every plan made during the test."""
    seen: list[list[Buffer]] = []

    def watched(buffers: Any) -> int:
        seen.append(list(buffers))
        return lay_out(seen[-1])

    monkeypatch.setattr(plan_module, "lay_out", watched)
    return seen


def test_real_plans_never_overlap(laid_out: list[list[Buffer]]) -> None:
    model = branching()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, LABELS, batch_size=4, verbose=0)
    model.evaluate(X, LABELS, verbose=0)
    model.predict(X)
    assert len(laid_out) == 4  # training on 4 and on 1, evaluation, prediction
    for buffers in laid_out:
        assert len(buffers) > 5
        assert not overlapping(buffers)


def test_memory_is_used_again() -> None:
    """A long chain needs two activations' memory, and that of its packed weights."""
    model = Sequential([L.Input((32, 32, 4)), *(L.Conv2D(4, 3, padding="same") for _ in range(8))])
    packed, activation = 8 * 3 * 3 * 4 * 64 * 4, 10 * 32 * 32 * 4 * 4
    assert model.plan(10).arena_bytes <= packed + 2 * activation + 10 * ALIGNMENT


def test_a_gradient_is_used_up_before_the_next() -> None:
    """Training needs a chain's activations, and no more than three gradients at once."""
    chain = [L.Conv2D(4, 3, padding="same", activation="relu") for _ in range(8)]
    model = Sequential([L.Input((32, 32, 4)), *chain, L.GlobalAveragePooling2D()])
    model.compile("sgd", "mse")
    activation = 10 * 32 * 32 * 4 * 4
    assert model._ready()._training_plan(10, False).arena_bytes <= (8 + 3) * activation


def test_what_only_the_prologue_reads_makes_room(laid_out: list[list[Buffer]]) -> None:
    """Weights with batch normalization folded in are packed, and their memory is used for activations."""
    layers = [layer for _ in range(4) for layer in (L.Conv2D(64, 3, padding="same"), L.BatchNormalization())]
    model = Sequential([L.Input((8, 8, 64)), *layers])
    x = RNG.standard_normal((16, 8, 8, 64)).astype(np.float32)
    first = model.predict(x, batch_size=16)
    packed = sum(b.nbytes for b in laid_out[-1] if b.name == "packed weights")
    numbers = 4 * 4 * 64 * 4  # scales and shifts
    assert model.plan(16).arena_bytes <= packed + 2 * x.nbytes + numbers
    assert same_bits([first], [model.predict(x, batch_size=16)])
    model.set_weights([2 * w for w in model.get_weights()])
    changed = model.predict(x, batch_size=16)
    model._forget_plans()
    assert same_bits([changed], [model.predict(x, batch_size=16)])


@pytest.mark.parametrize("padding", ["valid", 0, "same"])
def test_a_pool_is_part_of_the_convolution_before(padding: Any) -> None:
    model = Sequential(
        [L.Input((8, 8, 3)), L.Conv2D(5, 3, padding=1, activation="relu"), L.MaxPooling2D(2, 2, padding)]
    )
    random_weights(model)
    assert {s.kernel for s in model.plan(9).steps} == {"conv2d_pack", "conv2d_forward"}
    weights, bias = model.get_weights()
    x = X[:, :8, :8]
    full = np.maximum(ref.conv2d(x, weights, bias, padding=1), 0)
    close(model.predict(x), ref.max_pool2d(full))


@pytest.fixture
def dirty_memory(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes fresh memory of plans hold a byte of choice: 255 is NaN as float32."""
    real = core.aligned_empty
    filling = [0]

    def filled(nbytes: int) -> np.ndarray:
        memory = real(nbytes)
        memory[:] = filling[0]
        return memory

    monkeypatch.setattr(core, "aligned_empty", filled)
    return lambda byte: filling.__setitem__(0, byte)


def test_results_do_not_depend_on_what_memory_held(dirty_memory: Callable[[int], None]) -> None:
    results = []
    for byte in (0, 255, 73):
        dirty_memory(byte)
        model = branching()
        model.compile("adam", "sparse_categorical_crossentropy")
        model._objective.rng[0] = 5  # type: ignore[union-attr]
        model.fit(X, LABELS, batch_size=4, verbose=0, shuffle=False, epochs=2)
        results.append([model.predict(X), np.float32(model.evaluate(X, LABELS, verbose=0)), *model.get_weights()])
    assert np.isfinite(results[0][0]).all()
    assert same_bits(results[0], results[1])
    assert same_bits(results[0], results[2])


# ---------------------------------------------------------------- in place


def _twice(kind: str) -> tuple[Model, Callable[[np.ndarray], np.ndarray]]:
    inputs = L.Input((5,))
    scaled = L.Rescaling(2.0)(inputs)
    relu = L.Activation("relu")(scaled)
    if kind == "input and result":
        return Model(inputs, L.Add()([scaled, relu])), lambda x: 2 * x + ref.relu(2 * x)
    if kind == "two activations":
        return Model(
            inputs, L.Subtract()([relu, L.Activation("tanh")(scaled)])
        ), lambda x: ref.relu(2 * x) - np.tanh(2 * x)
    if kind == "through a reshape":
        flat = L.Flatten()(L.Reshape((5, 1))(scaled))
        return Model(inputs, L.Add()([L.Activation("exponential")(flat), scaled])), lambda x: np.exp(2 * x) + 2 * x
    if kind == "with itself":
        return Model(inputs, L.Multiply()([scaled, scaled])), lambda x: 4 * x * x
    if kind == "an output is read":
        return Model(inputs, [scaled, relu, L.Softmax()(relu)]), lambda x: 2 * x
    raise AssertionError(kind)


@pytest.mark.parametrize(
    "kind", ["input and result", "two activations", "through a reshape", "with itself", "an output is read"]
)
def test_values_read_twice_are_not_overwritten(kind: str) -> None:
    model, expected = _twice(kind)
    x = X.reshape(-1)[:35].reshape(7, 5)
    before = x.copy()
    result = model.predict(x)
    if isinstance(result, list):
        close(result[1], ref.relu(2 * x))
        close(result[2], ref.softmax(ref.relu(2 * x)))
        result = result[0]
    close(result, expected(x))
    assert same_bits([x], [before])


def test_outputs_that_are_inputs_or_each_other() -> None:
    inputs = L.Input((4,))
    flat = L.Flatten()(inputs)
    model = Model(inputs, [flat, flat, L.Reshape((2, 2))(flat)])
    x = X.reshape(-1, 4)[:6]
    a, b, c = model.predict(x)
    assert same_bits([a, b, c], [x, x, x.reshape(-1, 2, 2)])
    assert not np.shares_memory(a, x)
    assert not np.shares_memory(a, b)


def test_a_chain_works_in_place() -> None:
    """Element-wise layers that nobody else reads need the memory of one."""
    chain = [L.Activation(a) for a in ("tanh", "sigmoid", "exponential", "softmax")]
    model = Sequential([L.Input((1000,)), L.Rescaling(2.0), *chain, L.Dense(1)])
    plan = model.plan(10)
    packed = 1000 * 64 * 4
    assert plan.arena_bytes <= packed + 4 * 10 * 1000 + 4 * ALIGNMENT


LAYERS: list[Callable[[Any, Any], Any]] = [
    lambda a, b: L.Add()([a, b]),
    lambda a, b: L.Subtract()([a, b]),
    lambda a, b: L.Multiply()([a, b]),
    lambda a, b: L.Activation("relu")(a),
    lambda a, b: L.Activation("tanh")(a),
    lambda a, b: L.Activation("softmax")(a),
    lambda a, b: L.Rescaling(0.5, 0.1)(a),
    lambda a, b: L.Dropout(0.25)(a),
    lambda a, b: L.Conv2D(4, 3, padding="same", activation="relu")(a),
    lambda a, b: L.Conv2D(4, 3, padding="same", groups=4)(a),
    lambda a, b: L.Dense(4, activation="sigmoid")(a),
    lambda a, b: L.MaxPooling2D(3, 1, "same")(a),
    lambda a, b: L.AveragePooling2D(3, 1, "same")(a),
    lambda a, b: L.Reshape((6, 5, 4))(L.Flatten()(a)),
    lambda a, b: L.Multiply()([a, L.GlobalAveragePooling2D(keepdims=True)(b)]),
]


def grown(choices: list[tuple[int, int, int]]) -> Model:
    """A model grown by (layer, first input, second input), each input counted from the youngest value."""
    values = [L.Input((6, 5, 4))]
    for layer, first, second in choices:
        values.append(LAYERS[layer](values[-1 - first % len(values)], values[-1 - second % len(values)]))
    flat = L.Dense(3, activation="softmax")(L.Flatten()(values[-1]))
    model = Model(values[0], [flat, values[len(values) // 2], values[-1]])
    random_weights(model)
    model.compile("adam", ["sparse_categorical_crossentropy", "mse", None])
    model._ready().rng[0] = 1
    return model


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(LAYERS) - 1), st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=9)
)
def test_working_in_place_changes_no_bit(choices: list[tuple[int, int, int]]) -> None:
    """Any graph gives the same predictions and takes the same steps as with memory of its own for every value."""
    x = RNG.standard_normal((3, 6, 5, 4)).astype(np.float32)
    y = [np.array([0, 1, 2]), RNG.standard_normal((3, 6, 5, 4))]
    results = []
    for in_place in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            if not in_place:
                patch.setattr(Lowering, "_free_after", lambda *args: False)
                patch.setattr(plan_module, "lay_out", _apart)
            model = grown(choices)
            losses = [np.float32(model.train_on_batch(x, y)[0]) for _ in range(2)]
            results.append([*model.predict(x), *losses, *model.get_weights()])
    assert same_bits(*results)


def _apart(buffers: Any) -> int:
    """A layout in which no two buffers share memory at any time."""
    end = 0
    for buffer in buffers:
        buffer.offset = end
        end += (buffer.nbytes + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
    return end


# ---------------------------------------------------------------- once, and again


def _changes(model: Model, folder: Any) -> Iterator[str]:
    """Change the weights in every way there is; yields what was done."""
    weights = model.get_weights()
    model.set_weights([w * 0.9 for w in weights])
    yield "set_weights"
    model.weights[0].assign(weights[0] * 0.8)
    yield "assign"
    model.layers[1].set_weights([w * 0.7 for w in model.layers[1].get_weights()])
    yield "a layer's set_weights"
    model.train_on_batch(X, LABELS)
    yield "train_on_batch"
    model.fit(X, LABELS, verbose=0)
    yield "fit"
    model.save_weights(folder / "w")
    model.set_weights([w * 0.3 for w in weights])
    yield "set_weights again"
    model.load_weights(folder / "w")
    yield "load_weights"


def test_changed_weights_change_predictions(tmp_path: Any) -> None:
    model = branching()
    model.compile("sgd", "sparse_categorical_crossentropy")
    fresh = branching()
    before = model.predict(X)
    assert any(step.once for step in model.plan(9).steps)
    for what in _changes(model, tmp_path):
        after = model.predict(X)
        assert not np.array_equal(after, before), what
        fresh.set_weights(model.get_weights())
        assert same_bits([after], [fresh.predict(X)]), what
        before = after


def test_evaluation_sees_changed_weights() -> None:
    model = branching()
    model.compile("sgd", "sparse_categorical_crossentropy")
    first = model.evaluate(X, LABELS, verbose=0)
    model.set_weights([w * 2 for w in model.get_weights()])
    second = model.evaluate(X, LABELS, verbose=0)
    assert first != second
    model.set_weights([w / 2 for w in model.get_weights()])
    assert model.evaluate(X, LABELS, verbose=0) == first


def test_plans_are_bounded_and_kept() -> None:
    model = branching()
    plan = model.plan(3)
    assert model.plan(3) is plan
    for size in range(4, 40):
        model.plan(size)
    assert len(model._plans) <= 8
    assert model.plan(3) is not plan


def test_only_the_last_smaller_batch_builds_a_second_plan(laid_out: list[list[Buffer]]) -> None:
    model = branching()
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(X, LABELS, batch_size=4, epochs=3, verbose=0)
    assert len(laid_out) == 2


def test_compiling_again_never_meets_an_old_plan() -> None:
    """Objectives come and go at the same address; their plans must not be taken for each other's."""
    model = Sequential([L.Input((3,)), L.Dense(2)])
    for i in range(20):
        model.compile(SGD(0.1 if i % 2 else 0.0), "mse")
        before = model.get_weights()
        model.train_on_batch(np.ones((2, 3)), np.full((2, 2), i))
        assert same_bits(before, model.get_weights()) == (i % 2 == 0)


def test_shown() -> None:
    text = str(branching().plan(32))
    for word in ("conv2d_forward", "depthwise_forward", "max_pool_forward", "32x12x11x6", "MFLOP", "arena", "(once)",
                 f"instruction set {core.isa()}", f"{core.threads()} threads"):  # fmt: skip
        assert word in text, word
    assert "dropout" not in text  # nothing to do in a prediction
    plan = Sequential([L.Input((10, 9, 2)), L.Conv2D(4, 3)]).plan(5)
    assert plan.flops == 2 * 5 * 8 * 7 * 4 * 9 * 2
    assert [s.kernel for s in plan.steps] == ["conv2d_pack", "conv2d_forward"]
    assert plan.steps[1].bytes == 4 * (5 * 90 * 2 + 9 * 2 * 64 + 4 + 5 * 56 * 4)


def test_activations_are_fused() -> None:
    inputs = L.Input((6, 6, 2))
    y = L.ReLU(6)(L.Conv2D(3, 3)(inputs))
    y = L.LeakyReLU(0.1)(L.Dense(4)(y))
    model = Model(inputs, L.Activation("relu")(L.Activation("relu")(y)))
    kernels = [s.kernel for s in model.plan(2).steps if not s.once]
    assert kernels == ["conv2d_forward", "conv2d_forward", "unary_forward", "unary_forward"]
    random_weights(model)
    x = X[:2, :6, :6, :2]
    k, b, k2, b2 = model.get_weights()
    close(model.predict(x), ref.relu(ref.relu6(ref.conv2d(x, k, b)) @ k2 + b2))


def test_batch_must_be_positive() -> None:
    with pytest.raises(ValueError, match="batch must be at least 1"):
        branching().plan(0)
