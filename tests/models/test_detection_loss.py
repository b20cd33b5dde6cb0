"""DetectionLoss and the losses of boxes in models: values and gradients against float64, files, bad input."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_tools import check_gradients, gradients, random_weights, same_bits

from fastcnn import layers as L  # noqa: N812
from fastcnn import losses, metrics
from fastcnn import reference as ref
from fastcnn._ops import core
from fastcnn.models import Model, Sequential, load_model
from fastcnn.optimizers import SGD, Adam

SIZE, CLASSES, STRIDES = 32, 3, (8, 16)
PLACES = 16 + 4
Array = np.ndarray


def detector(seed: int = 0) -> Model:
    """Two convolutions, a head of one, at two strides."""
    image = L.Input((SIZE, SIZE, 3))
    x = L.Conv2D(12, 3, strides=4, padding="same", activation="tanh")(image)
    levels = []
    for _ in STRIDES:
        x = L.Conv2D(12, 3, strides=2, padding="same", activation="tanh")(x)
        head = L.Concatenate()([L.Conv2D(4, 1, activation="softplus")(x), L.Conv2D(CLASSES, 1)(x)])
        levels.append(L.Reshape((-1, 4 + CLASSES))(head))
    model = Model(image, L.Concatenate(axis=1)(levels))
    random_weights(model, seed)
    return model


def pictures(count: int = 4, seed: int = 0) -> tuple[Array, Array]:
    """Noise, and up to five objects in it; the last picture has none."""
    rng = np.random.default_rng(seed)
    x = rng.random((count, SIZE, SIZE, 3)).astype(np.float32)
    corner = rng.uniform(0, 20, (count, 5, 2))
    y = np.concatenate(
        [rng.integers(-1, CLASSES, (count, 5, 1)), corner, corner + rng.uniform(2, 16, (count, 5, 2))], 2
    )
    y[-1, :, 0] = -1
    return x, y.astype(np.float32)


def in_float64(loss: losses.DetectionLoss, raw: Array, y: Array, weight: Array | None = None) -> tuple[float, Array]:
    """What the reference says, and its gradient."""
    places = loss.places()
    numbers = (loss.top, loss.alpha, loss.beta)
    assigned, scores = ref.detection_assign(raw, places, y, loss.assignment, *numbers)
    parts, slope = ref.detection_loss(
        raw, places, y, assigned, scores, (loss.class_loss, loss.box_loss), (loss.class_weight, loss.box_weight),
        (loss.gamma, loss.balance), weight, loss.reduction != "sum",
    )  # fmt: skip
    return float(parts.sum()), slope


HOW: list[dict[str, Any]] = [
    {},
    {"class_loss": "quality_focal", "box_loss": "giou", "class_weight": 0.5, "gamma": 1.5},
    {"assignment": "simota", "box_loss": "diou", "top": 4},
    {"class_loss": "varifocal", "assignment": "simota", "beta": 1.0, "max_boxes": 5},
    {"class_loss": "focal", "box_loss": "iou", "box_weight": 2.0, "balance": 0.3, "reduction": "sum"},
]


@pytest.mark.parametrize("how", HOW, ids=lambda how: "-".join(map(str, how.values())) or "usual")
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
def test_loss_and_gradient(how: dict[str, Any], weighted: bool) -> None:
    """Behind the model's output: what a step takes off an offset of it is the gradient."""
    loss = losses.DetectionLoss(SIZE, CLASSES, STRIDES, **how)
    x, y = pictures()
    weight = np.random.default_rng(2).random(len(x)).astype(np.float32) if weighted else None
    offset = Sequential([L.Input((PLACES, 4 + CLASSES)), Shift()])
    raw = np.asarray(detector().predict(x, verbose=0))
    offset.compile(SGD(1.0), loss)
    expected, slope = in_float64(loss, raw.astype(np.float64), y, weight)
    assert offset.test_on_batch(raw, y, sample_weight=weight) == pytest.approx([expected], rel=1e-5)
    assert offset.train_on_batch(raw, y, sample_weight=weight) == pytest.approx([expected], rel=1e-5)
    random_weights(offset, scale=0.0)
    (found,) = gradients(offset, raw, y, sample_weight=weight)
    np.testing.assert_allclose(found, slope.sum(axis=0), rtol=1e-4, atol=1e-5)


class Shift(L.Layer):
    """Adds a weight: its gradient is that of the output, summed over the batch."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.shift = self.add_weight((PLACES, 4 + CLASSES), "zeros", "shift")

    def call(self, inputs: Any) -> Any:
        return inputs + self.shift.value()


@pytest.mark.parametrize("assignment", ["task_aligned", "simota"])
def test_a_detector_learns_its_pictures(assignment: str) -> None:
    """From one step to the next it finds more: in the end the surest place of each object is one that fits it."""
    model, (x, y) = detector(), pictures(3)
    y[:, 1:, 0] = -1
    y[:2, 0] = [[0, 1, 3, 19, 21], [2, 10, 8, 30, 26]]
    model.compile(Adam(0.01), losses.DetectionLoss(SIZE, CLASSES, STRIDES, assignment=assignment))
    first = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=300, batch_size=3, verbose=0)
    assert model.evaluate(x, y, verbose=0) < 0.3 * first
    raw = np.asarray(model.predict(x, verbose=0))
    found = ref.predicted_boxes(raw, losses.DetectionLoss(SIZE, CLASSES, STRIDES).places())
    for image in range(2):
        place, label = np.unravel_index(raw[image, :, 4:].argmax(), (PLACES, CLASSES))
        assert label == y[image, 0, 0]
        assert ref.box_overlap(found[image, [place]], y[image, :1, 1:], "iou") > 0.7
    assert raw[2, :, 4:].max() < raw[:2, :, 4:].max(axis=(1, 2)).min()


def test_same_bits_for_any_number_of_threads(keep_threads: None) -> None:
    x, y = pictures(7)
    after = []
    for threads in (1, 2, 3):
        core.set_threads(threads)
        model = detector()
        model.compile(Adam(0.01), losses.DetectionLoss(SIZE, CLASSES, STRIDES))
        model.fit(x, y, epochs=3, batch_size=4, shuffle=False, verbose=0)
        after.append(model.get_weights())
    assert same_bits(after[0], after[1])
    assert same_bits(after[0], after[2])


@pytest.mark.parametrize("how", HOW[1:], ids=lambda how: "-".join(map(str, how.values())))
def test_comes_back_from_a_file(how: dict[str, Any], tmp_path: Path) -> None:
    model, (x, y) = detector(), pictures()
    model.compile("adam", losses.DetectionLoss((SIZE, SIZE), CLASSES, STRIDES, **how))
    model.save(tmp_path / "m.safetensors")
    assert load_model(tmp_path / "m.safetensors").test_on_batch(x, y) == model.test_on_batch(x, y)


def test_parts_of_the_loss_as_metrics(tmp_path: Path) -> None:
    """What classes and boxes have of it adds up to the loss, in each epoch's logs; also of a model from a file."""
    model, (x, y) = detector(), pictures(5)
    loss = losses.DetectionLoss(SIZE, CLASSES, STRIDES, class_loss="quality_focal")
    model.compile("adam", loss, metrics=[metrics.ClassLoss(loss), metrics.BoxLoss(loss)])
    logs = model.fit(x, y, epochs=3, batch_size=2, verbose=0).history
    np.testing.assert_allclose(np.add(logs["class_loss"], logs["box_loss"]), logs["loss"], rtol=1e-5)
    assert min(logs["class_loss"]) > 0
    assert min(logs["box_loss"]) > 0
    model.save(tmp_path / "m.safetensors")
    found = load_model(tmp_path / "m.safetensors").evaluate(x, y, batch_size=5, verbose=0, return_dict=True)
    assert found["class_loss"] + found["box_loss"] == pytest.approx(found["loss"], rel=1e-5)
    raw, weight = np.asarray(model.predict(x, verbose=0)), np.arange(5.0)
    assert sum(loss.parts(y, raw, weight)) == pytest.approx(in_float64(loss, raw, y, weight)[0], rel=1e-5)
    with pytest.raises(ValueError, match=r"y_pred \(batch, 20, 7\), received \(5, 5, 5\) and \(4, 20, 7\)"):
        loss.parts(y, raw[:4])
    with pytest.raises(TypeError, match="loss must be a DetectionLoss, received 'mse'"):
        metrics.BoxLoss("mse")  # type: ignore[arg-type]


def test_pictures_without_objects_and_any_number_of_them() -> None:
    """Nothing but background has a class loss only; y may have any number of rows, none as well."""
    model, (x, y) = detector(), pictures()
    loss = losses.DetectionLoss(SIZE, CLASSES, STRIDES)
    model.compile(SGD(0.1), loss)
    y[:, :, 0] = -1
    raw = np.asarray(model.predict(x, verbose=0)).astype(np.float64)
    background = float(ref.softplus(raw[:, :, 4:]).sum())
    for rows in (5, 2, 0):
        assert model.train_on_batch(x, y[:, :rows]) == pytest.approx([background], rel=1e-5)
        random_weights(model)


def test_a_spoiled_network_says_so() -> None:
    """NaN in what the network gives comes out as a loss of NaN, with the warning that training always has for it."""
    model, (x, y) = detector(), pictures()
    model.compile(SGD(0.1), losses.DetectionLoss(SIZE, CLASSES, STRIDES))
    model.set_weights([np.full(w.shape, np.nan) for w in model.get_weights()])
    with pytest.warns(RuntimeWarning, match="the loss is NaN although the data is not"):
        assert np.isnan(model.train_on_batch(x, y)).all()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(-1, CLASSES - 1), *[st.floats(-8, 40, width=32)] * 4]), min_size=1, max_size=8),
    st.sampled_from(["task_aligned", "simota"]),
    st.integers(1, 30),
    st.integers(0, 99),
)
def test_what_every_assignment_keeps(objects: list[tuple[float, ...]], method: str, top: int, seed: int) -> None:
    """Whatever the boxes: places lie in their object's box, or it has none there and the one place next to it."""
    rng = np.random.default_rng(seed)
    raw = rng.standard_normal((1, PLACES, 4 + CLASSES)).astype(np.float32)
    raw[:, :, :4] = np.abs(raw[:, :, :4]) + np.float32(0.1)
    targets = np.array([objects], np.float32)
    places = losses.DetectionLoss(SIZE, CLASSES, STRIDES).places()
    assigned, scores = np.full(PLACES, 9, np.int32), np.full(PLACES, 9, np.float32)
    core.call(
        "detection_assign", raw=raw, places=places, targets=targets, assigned=assigned, scores=scores,
        totals=np.empty(1, np.float32), n=1, p=PLACES, c=CLASSES, m=len(objects),
        method=list(ref.ASSIGNMENTS).index(method), top=top, alpha=1.0, beta=2.5,
    )  # fmt: skip
    real = ref.is_object(targets[0].astype(np.float64), CLASSES)
    assert set(assigned) <= {-1, *np.flatnonzero(real)}
    assert (scores[assigned < 0] == 0).all()
    assert ((scores >= 0) & (scores <= 1.00001)).all()
    x, y = places[:2]
    forced = set()
    for number in np.flatnonzero(real):
        left, top_side, right, bottom = targets[0, number, 1:]
        inside = (x > left) & (x < right) & (y > top_side) & (y < bottom)
        mine = assigned == number
        assert mine.sum() <= max(1, top)
        if inside.any():
            assert inside[mine].all()
        else:
            far = np.hypot(x - (left + right) / 2, y - (top_side + bottom) / 2)
            forced.add(int(far.argmin()))
            assert set(np.flatnonzero(mine)) <= {int(far.argmin())}
    for place in forced:  # one of the objects that have no other place has it
        assert assigned[place] >= 0


# ---- losses of boxes


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
@pytest.mark.parametrize("name", ["iou_loss", "GIoULoss", "diou_loss", "ciou"])
def test_losses_of_boxes(name: str, reduction: str, weighted: bool) -> None:
    """A dense layer whose results are boxes, three for each sample; CIoU's factor is held fast."""
    rng = np.random.default_rng(5)
    loss = losses.get({"class_name": name, "config": {"reduction": reduction}}) if name != "ciou" else None
    loss = loss or losses.CIoULoss(reduction)
    assert isinstance(loss, losses.IoULoss)
    kind = loss.kind
    model = Sequential([L.Input((3, 6)), L.Dense(4)])
    random_weights(model)
    model.set_weights([model.get_weights()[0], np.array([0.0, 0.0, 4.0, 5.0])])
    x = rng.standard_normal((5, 3, 6)).astype(np.float32)
    corner = rng.uniform(-1, 2, (5, 3, 2))
    y = np.concatenate([corner, corner + rng.uniform(1, 4, (5, 3, 2))], axis=2).astype(np.float32)
    model.compile(SGD(1.0), loss)
    weight = rng.random(5).astype(np.float32) if weighted else None
    each = np.ones(15) if weight is None else np.repeat(weight, 3).astype(np.float64)
    rows = np.asarray(model.predict(x, verbose=0)).reshape(-1, 4)
    factor = ref.ciou_factor(rows, y.reshape(-1, 4)) if kind == "ciou" else None

    def value(kernel: Array, bias: Array) -> float:
        p = (x @ kernel + bias).reshape(-1, 4)
        each_loss = each * (1.0 - ref.box_overlap(p, y.reshape(-1, 4), kind, factor))
        return float(each_loss.sum() if reduction == "sum" else each_loss.mean())

    weights = model.get_weights()
    assert model.test_on_batch(x, y, sample_weight=weight) == pytest.approx([value(*weights)], rel=1e-4)
    check_gradients(value, weights, gradients(model, x, y, sample_weight=weight))


# ---- bad input

MODEL_INPUT = (2, SIZE, SIZE, 3)


def _row(*numbers: float) -> Array:
    return np.array([[numbers], [[0, 1, 1, 5, 5]]], np.float32)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros((2, 4)), r"y must have shape \(batch, any number, 5\) .* 'detection_loss', received \(2, 4\)"),
        (np.zeros((2, 3, 4)), r"y must have shape \(batch, any number, 5\)"),
        (_row(CLASSES, 1, 1, 5, 5), "class numbers must be whole, below 3, .* received 3 for image 0, row 0"),
        (_row(0.5, 1, 1, 5, 5), "received 0.5 for image 0, row 0"),
        (_row(0, 1, np.nan, 5, 5), "must hold classes and boxes, received NaN or infinity for image 0"),
        (_row(0, 1, 1, 5, np.inf), "received NaN or infinity for image 0"),
    ],
)
def test_bad_targets(y: Array, message: str) -> None:
    model = detector()
    model.compile("sgd", losses.DetectionLoss(SIZE, CLASSES, STRIDES))
    with pytest.raises(ValueError, match=message):
        model.train_on_batch(np.zeros(MODEL_INPUT), y)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: losses.DetectionLoss(SIZE, 0), "num_classes must be at least 1"),
        (lambda: losses.DetectionLoss((1, 2, 3), 3), r"image_size must be an int or a pair"),
        (lambda: losses.DetectionLoss(SIZE, 3, strides=(16, 8)), "strides must be different and begin with the small"),
        (lambda: losses.DetectionLoss(SIZE, 3, strides=()), "strides must be different"),
        (lambda: losses.DetectionLoss(SIZE, 3, box_loss="cious"), "Unknown box_loss 'cious'. Did you mean 'ciou'"),
        (lambda: losses.DetectionLoss(SIZE, 3, class_loss="ce"), "Unknown class_loss 'ce'"),
        (lambda: losses.DetectionLoss(SIZE, 3, assignment="sim_ota"), "Unknown assignment .* Did you mean 'simota'"),
        (lambda: losses.DetectionLoss(SIZE, 3, box_weight=-1), "box_weight must be a finite number of at least 0"),
        (lambda: losses.DetectionLoss(SIZE, 3, top=0), "top must be at least 1"),
        (lambda: losses.DetectionLoss(SIZE, 3, balance=1.5), "balance must be a number from 0 to 1, received 1.5"),
    ],
)
def test_bad_arguments(make: Callable[[], losses.Loss], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_single_stride_is_no_sequence() -> None:
    with pytest.raises(TypeError, match="strides must be a sequence of integers, received 8"):
        losses.DetectionLoss(SIZE, 3, strides=8)  # type: ignore[arg-type]


def test_a_model_that_is_no_such_detector() -> None:
    model = detector()
    for loss in (losses.DetectionLoss(SIZE, CLASSES + 1, STRIDES), losses.DetectionLoss(2 * SIZE, CLASSES, STRIDES)):
        model.compile("sgd", loss)
        with pytest.raises(ValueError, match=r"needs an output of shape \(batch, \d+, \d+\), received \(None, 20, 7\)"):
            model.train_on_batch(*pictures())
    flat = Sequential([L.Input((6,)), L.Dense(3)])
    flat.compile("sgd", losses.IoULoss())
    with pytest.raises(ValueError, match=r"needs predictions of shape \(..., 4\)"):
        flat.train_on_batch(np.zeros((2, 6)), np.zeros((2, 3)))
