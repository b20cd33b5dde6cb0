"""What detectors are given to learn from and to be judged by, and how that is judged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import fastcnn
from fastcnn.data import Dataset, Details, DetectionTargets, Placement, scattered_objects
from fastcnn.detection import DetectionModel, Detections, ForeignDetector
from fastcnn.losses import DetectionLoss

SIZE = (64, 64)
THINGS = np.stack([np.full((28, 28), 90, np.uint8), np.full((28, 28), 220, np.uint8)])


def compiled(names: Any = ("dim", "bright")) -> DetectionModel:
    fastcnn.set_seed(0)
    model = DetectionModel(list(names), SIZE)
    model.compile("sgd")
    return model


def toys(count: int, **how: Any) -> Dataset:
    return scattered_objects(THINGS, [0, 1], count, SIZE, (1, 3), class_names=["dim", "bright"], batch_size=4, **how)


def seen_by(model: DetectionModel) -> list[float]:
    """Sums of the pixels of the batches that a model is trained on."""
    sums: list[float] = []
    step = model._step

    def noted(batch: Any, objective: Any, training: bool) -> Any:
        if training:
            sums.append(float(batch.inputs[0].sum()))
        return step(batch, objective, training)

    model._step = noted  # type: ignore[method-assign]
    return sums


def test_a_dataset_goes_on_from_fit_to_fit() -> None:
    """As with any other model: nothing is seen twice before all has been seen."""
    model, data = compiled(), toys(16).repeat()
    sums = seen_by(model)
    for _ in range(2):
        model.fit(data, steps_per_epoch=2, verbose=0)
    assert len(set(sums)) == 4
    data = toys(16)
    for _ in range(2):
        model.fit(data, verbose=0)
    assert data.state_dict()["epoch"] == 2
    assert sorted(sums[4:8]) != sorted(sums[8:]) and sum(sums[4:8]) == sum(sums[8:])  # shuffled anew


def test_all_forms_of_batches() -> None:
    """Generators, targets that are there already, labels and boxes as y: all give the same first loss."""
    images, labels, boxes = toys(4, shuffle=False).peek()
    targets = DetectionTargets(100)(images, labels, boxes)[1]

    def first(x: Any, y: Any = None) -> float:
        return float(compiled().fit(x, y, verbose=0).history["loss"][0])

    expected = first(images, (labels, boxes))
    for given in (
        iter([(images, labels, boxes)]), iter([(images, (labels, boxes))]), iter([(images, targets)]),
        Dataset.from_generator(lambda: [(images, targets)]), iter([(images, targets, np.ones(4))]),
    ):  # fmt: skip
        assert first(given) == pytest.approx(expected, rel=1e-6)  # arrays are shuffled
    model = compiled()
    assert model.train_on_batch(images, (labels, boxes)) == pytest.approx([expected], rel=1e-6)
    logs = model.fit(
        images, (labels, boxes), 4, 1, 0, None, 0.0, [images, (labels, boxes), np.ones(4)]
    ).history  # validation data by its place
    assert set(logs) == {"loss", "val_loss", "val_AP", "val_AP50"}
    assert model.evaluate([(images, labels, boxes)], verbose=0) == model.evaluate(images, (labels, boxes))
    assert len(model.predict(images, verbose=0)) == 4
    with pytest.raises(ValueError, match="don't give y as well"):
        model.evaluate(toys(4), (labels, boxes))
    single = Dataset.from_generator(lambda: [(images[0], labels[0], boxes[0])])
    with pytest.raises(ValueError, match=r"received a single one.*\.batch\(16\)"):
        model.fit(single, verbose=0)


def test_classes_in_another_order_are_refused() -> None:
    model, swapped = compiled(["bright", "dim"]), toys(4)
    for call in (
        lambda: model.fit(swapped), lambda: model.evaluate(swapped),
        lambda: model.fit(*toys(4).peek()[:1], toys(4).peek()[1:], validation_data=swapped),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"classes must be the detector's.*class_names=model\.class_names"):
            call()
    model = DetectionModel(2, SIZE)
    assert "AP" in model.evaluate(swapped)  # numbers are no names


def test_a_loss_of_other_images_is_refused() -> None:
    model = DetectionModel(2, (64, 96))
    with pytest.raises(ValueError, match=r"images of \(64, 96\).*received \(96, 64\)"):
        model.compile("sgd", DetectionLoss((96, 64), 2))


def letterboxed() -> tuple[Any, ...]:
    """A picture of 50x100 in an image of 64x64, with margins of 16 rows, and a thing at its upper edge."""
    details = Details("a", "a", (50, 100), Placement(0.64, 0.64, 0, 16), np.zeros(1, bool), np.array([3000.0]))
    box = details.placement.boxes(np.array([[0, 0, 100, 30]], np.float64)).astype(np.float32)
    return np.zeros((1, *SIZE, 3), np.uint8), [np.array([0])], [box], [details]


def test_margins_are_no_part_of_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """What reaches into them is cut off before it is judged, and what lies in them is nothing."""
    model, batch = compiled(), letterboxed()
    high = np.concatenate([batch[2][0] - np.float32([0, 12, 0, 0]), np.float32([[10, 0, 40, 12]])])
    found = Detections(high, np.float32([0.8, 0.9]), np.array([0, 0]))
    monkeypatch.setattr(model, "_found", lambda images, selection: [found])
    assert model.evaluate(Dataset.from_generator(lambda: [batch]))["AP"] == pytest.approx(1)
    (one,) = model.predict(np.zeros((50, 100, 3), np.uint8))
    np.testing.assert_allclose(one.boxes, [[0, 0, 100, 30]], atol=1e-3)
    assert one.scores.tolist() == [np.float32(0.8)]

    def decoder(outputs: Any, image_size: Any, score_threshold: float) -> tuple[Any, ...]:
        return high, found.scores, found.labels, np.full((2, 1, 2), 32.0)

    foreign = ForeignDetector(model, decoder, fit="pad", layout="NHWC")
    (other,) = foreign.predict(np.zeros((50, 100, 3), np.uint8))
    np.testing.assert_allclose(other.boxes, one.boxes, atol=1e-3)
    assert other.keypoints is not None
    np.testing.assert_allclose(other.keypoints, [[[50, 25]]], atol=1e-3)


def test_validation_judges_as_evaluate_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what is ignored, and objects that there is no room for in the targets."""
    fastcnn.set_seed(0)
    model = DetectionModel(["dim", "bright"], SIZE)
    model.compile("sgd", DetectionLoss(SIZE, 2, max_boxes=1))
    images, _, _, _ = letterboxed()
    grid = np.array([[x, y, x + 10, y + 10] for x in (2, 20, 40) for y in (2, 30)], np.float32)
    details = [Details("a", "a", SIZE, Placement(1, 1, 0, 0), np.arange(6) == 5, np.full(6, 100.0))]
    batch = images, [np.zeros(6, np.int64)], [grid], details

    def batches() -> Iterator[Any]:
        yield batch

    found = Detections(grid, np.linspace(0.9, 0.4, 6, dtype=np.float32), np.zeros(6, np.int64))
    monkeypatch.setattr("fastcnn.detection.model.decode", lambda *given: [found])
    with pytest.warns(UserWarning, match="boxes left out"):
        logs = model.fit(Dataset.from_generator(batches), validation_data=Dataset.from_generator(batches), verbose=0)
    numbers = model.evaluate(Dataset.from_generator(batches))
    assert logs.history["val_AP"] == [numbers["AP"]] and numbers["AP"] == pytest.approx(1)


def test_other_losses_are_trained_without_boxes() -> None:
    """The network's output may be fitted to anything; then there is nothing to judge."""
    model = DetectionModel(2, SIZE)
    model.compile("sgd", "mse")
    x, y = np.zeros((4, *SIZE, 3), np.uint8), np.zeros((4, *model.output_shape[1:]), np.float32)
    logs = model.fit(x, y, validation_data=(x, y), verbose=0).history
    assert set(logs) == {"loss", "val_loss"}
