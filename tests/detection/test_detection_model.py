"""Detectors as models: what they are made of, learn from, and say of pictures."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fastcnn
from fastcnn import ops
from fastcnn._ops import core
from fastcnn.callbacks import BackupAndRestore, EarlyStopping, LambdaCallback, ModelCheckpoint
from fastcnn.data import Dataset, Details, DetectionTargets, Placement, letterbox, scattered_objects
from fastcnn.data.augment import RandomFlip
from fastcnn.detection import DetectionModel, Detections, Selection, decode
from fastcnn.detection.backbones import KNOWN
from fastcnn.layers import Conv2D, Input
from fastcnn.losses import DetectionLoss
from fastcnn.metrics import BoxLoss, ClassLoss
from fastcnn.models import Model, clone_model, load_model

SIZE = (64, 96)
STRIDES = (8, 16, 32)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small steps gain nothing from more, and tests run side by side."""
    before = core.threads()
    core.set_threads(1)
    yield
    core.set_threads(before)


def squares(count: int, seed: int = 0, size: tuple[int, int] = SIZE) -> tuple[np.ndarray, list[Any], list[Any]]:
    """Pictures with bright squares of two classes, red and blue, on grey noise; the last has nothing in it."""
    rng = np.random.default_rng(seed)
    images = rng.integers(90, 130, (count, *size, 3)).astype(np.uint8)
    labels, boxes = [], []
    for number, image in enumerate(images):
        found = []
        for label in rng.integers(0, 2, 0 if number == count - 1 else 2):
            side = int(rng.integers(14, 30))
            x, y = (int(rng.integers(0, limit - side)) for limit in (size[1], size[0]))
            image[y : y + side, x : x + side] = (230, 40, 40) if label == 0 else (40, 40, 230)
            found.append((label, x, y, x + side, y + side))
        rows = np.array(found, np.float32).reshape(-1, 5)
        labels.append(rows[:, 0].astype(np.int64))
        boxes.append(rows[:, 1:])
    return images, labels, boxes


def tiny(**how: Any) -> DetectionModel:
    fastcnn.set_seed(0)
    return DetectionModel(["red", "blue"], SIZE, **how)


def dataset(count: int = 12, seed: int = 0) -> Dataset:
    images, labels, boxes = squares(count, seed)

    def batches() -> Iterator[Any]:
        for start in range(0, count, 4):
            part = slice(start, start + 4)
            yield images[part], labels[part], boxes[part]

    return Dataset.from_generator(batches, -(-count // 4))


# ---- decoding


def raw_output(*found: tuple[int, int, float, tuple[float, float, float, float]]) -> np.ndarray:
    """The raw output for one image in which places (number, class, logit, distances) see something."""
    raw = np.full((1, len(ops.anchor_points(SIZE, STRIDES)[0]), 6), -20, np.float32)
    raw[..., :4] = 1
    for place, label, logit, sides in found:
        raw[0, place, :4], raw[0, place, 4 + label] = sides, logit
    return raw


def test_boxes_are_read_off_the_output() -> None:
    # Place 14 is the third of the second row of stride 8: its centre is (20, 12); 96 is the first of stride 16.
    raw = raw_output((14, 1, 2.0, (1, 0.5, 2, 1)), (96, 0, 0.0, (9, 0.25, 0.5, 0.5)))
    (found,) = decode(raw, SIZE)
    np.testing.assert_allclose(found.boxes, [[12, 8, 36, 20], [0, 4, 16, 16]])
    np.testing.assert_allclose(found.scores, [1 / (1 + math.exp(-2)), 0.5], rtol=1e-6)
    assert found.labels.tolist() == [1, 0] and len(found) == 2
    assert found.boxes.dtype == found.scores.dtype == np.float32 and found.labels.dtype == np.int64


def test_what_is_selected() -> None:
    same = (1.0, 1.0, 1.0, 1.0)
    # The third one's box shares 160 of 176 pixels' area with the first one's.
    raw = raw_output((14, 0, 2.0, same), (14, 1, 1.0, same), (15, 0, 1.5, (2, 1, 0.1, 1)), (40, 0, 0.5, same))
    assert decode(raw, SIZE)[0].labels.tolist() == [0, 1, 0]
    assert len(decode(raw, SIZE, Selection(iou_threshold=1.0))[0]) == 4
    assert len(decode(raw, SIZE, Selection(score_threshold=0.7))[0]) == 2
    assert len(decode(raw, SIZE, Selection(score_threshold=1.0))[0]) == 0
    assert decode(raw, SIZE, Selection(max_boxes=1))[0].labels.tolist() == [0]
    assert decode(raw, SIZE, Selection(candidates=2))[0].labels.tolist() == [0]
    raw[0, 14, 4:] = np.nan
    raw[0, 40, 0] = np.nan
    np.testing.assert_allclose(decode(raw, SIZE)[0].boxes, [[12, 4, 28.8, 20]], rtol=1e-6)
    assert decode(raw[:0], SIZE) == []
    with pytest.raises(ValueError, match=r"raw must have shape \(n, 126, 4 \+ classes\).*received \(1, 126, 4\)"):
        decode(raw[..., :4], SIZE)
    with pytest.raises(ValueError, match=r"raw must have shape \(n, 84, 4 \+ classes\) for images of 64x64"):
        decode(raw, 64)


# ---- structure


@pytest.mark.parametrize("backbone", [None, "ResNet18", "MobileNetV3Small"])
def test_backbones(backbone: str | None) -> None:
    model = tiny(backbone=backbone)
    assert model.output_shape == (None, 126, 6)
    assert [value.shape[1] for value in model.backbone.outputs] == [SIZE[0] // stride for stride in STRIDES]
    raw = model.predict_on_batch(squares(2)[0])
    assert np.isfinite(raw).all() and (raw[..., :4] >= 0).all()


@pytest.mark.parametrize("name", KNOWN)
def test_backbones_are_given_the_pixels_they_were_trained_on(name: str) -> None:
    model = tiny(backbone=name)
    pixels = squares(1)[0]
    module = sys.modules[getattr(fastcnn.applications, name).__module__]
    seen = Model(model.inputs, model.get_layer("pixels").output).predict_on_batch(pixels)
    np.testing.assert_allclose(seen, module.preprocess_input(pixels), rtol=1e-5, atol=1e-5)


def test_sizes_grow() -> None:
    counts = [tiny(size=size).count_params() for size in ("small", "medium", "large")]
    assert counts == sorted(counts) and counts[0] < 2e6 < counts[1] < counts[2]


def test_bad_detectors() -> None:
    image = Input((*SIZE, 3))
    flat = Model(image, Conv2D(4, 3, padding="same")(image))
    for arguments, words in (
        ((["a", "a"], SIZE), "no name twice"),
        ((0, SIZE), "classes"),
        ((2, (64, 90)), "multiples of 32, received 64x90"),
        ((2, SIZE, "ResNet"), "(?i)backbone.*'ResNet'.*ResNet18"),
        ((2, SIZE, None, "huge"), "(?i)size.*'huge'"),
        ((2, SIZE, None, "small", "weights.pth"), "weights are those of a named backbone"),
        ((2, SIZE, flat), "has no maps of stride 8"),
        ((2, (96, 96), flat), r"backbone must take images of shape \(None, 96, 96, 3\)"),
    ):
        with pytest.raises(ValueError, match=words):
            DetectionModel(*arguments)
    with pytest.raises(TypeError, match="backbone must be a name"):
        DetectionModel(2, SIZE, 18)  # type: ignore[arg-type]


def test_pretrained_backbone_is_frozen(tmp_path: Path) -> None:
    from fastcnn.applications import MobileNetV2

    trained = MobileNetV2(include_top=False, input_shape=(*SIZE, 3))
    trained.save_weights(tmp_path / "backbone.safetensors")
    model = tiny(backbone="MobileNetV2", weights=tmp_path / "backbone.safetensors")
    model.backbone.trainable = False
    model.compile()
    before, head = model.backbone.get_weights(), model.get_layer("scores").get_weights()
    assert all((a == b).all() for a, b in zip(before, trained.get_weights(), strict=True))
    model.fit(dataset(), epochs=1, verbose=0)
    assert all((a == b).all() for a, b in zip(before, model.backbone.get_weights()))
    assert all((a != b).any() for a, b in zip(head, model.get_layer("scores").get_weights()))


def test_files(tmp_path: Path) -> None:
    model = tiny()
    model.compile()
    model.metadata["who"] = "me"
    model.fit(dataset(), epochs=1, verbose=0)
    model.save(tmp_path / "detector.safetensors")
    again = load_model(tmp_path / "detector.safetensors")
    assert isinstance(again, DetectionModel)
    assert again.class_names == ["red", "blue"] and again.image_size == SIZE and again.metadata == {"who": "me"}
    x = squares(2)[0]
    assert (again.predict_on_batch(x) == model.predict_on_batch(x)).all()
    for one in (model, again):  # the optimizer's state came along
        fastcnn.set_seed(1)
        one.fit(dataset(), epochs=1, verbose=0)
    assert all((a == b).all() for a, b in zip(model.get_weights(), again.get_weights()))
    assert isinstance(clone_model(model), DetectionModel)


def test_a_class_derived_from_it_stays_a_detector(tmp_path: Path) -> None:
    class Mine(DetectionModel):
        pass

    model = Mine(["red", "blue"], SIZE)
    model.save(tmp_path / "mine.safetensors")
    made = DetectionModel.from_config(model.get_config()), Mine.from_config(model.get_config())
    for again in (load_model(tmp_path / "mine.safetensors"), clone_model(model), *made):
        assert isinstance(again, DetectionModel) and again.class_names == ["red", "blue"] and again.image_size == SIZE
    assert isinstance(made[1], Mine)
    x = Input((8, 8, 3))
    other = Model(x, Conv2D(2, 3)(x))
    with pytest.raises(ValueError, match="it is that of another model"):
        DetectionModel.from_config(other.get_config())


def test_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    model = tiny(size="medium")
    fastcnn.onnx.save(model, tmp_path / "detector.onnx")
    session = runtime.InferenceSession(tmp_path / "detector.onnx", providers=["CPUExecutionProvider"])
    x = squares(2)[0].astype(np.float32)
    (found,) = session.run(None, {session.get_inputs()[0].name: x.transpose(0, 3, 1, 2)})
    expected = model.predict_on_batch(x)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


# ---- learning


@pytest.mark.parametrize("assignment", ["task_aligned", "simota"])
def test_it_learns(assignment: str, tmp_path: Path) -> None:
    """Squares are found after a few dozens of steps, validation says so, and the best epoch is kept."""
    model = tiny()
    model.compile(fastcnn.optimizers.AdamW(2e-3), DetectionLoss(SIZE, 2, assignment=assignment))
    kept = ModelCheckpoint(tmp_path / "best.safetensors", monitor="val_AP50", save_best_only=True)
    val = dataset(8, seed=1)
    history = model.fit(dataset(32), validation_data=val, epochs=15, verbose=0, callbacks=[kept]).history
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    assert max(history["val_AP50"]) > 0.8 > 0.4 > history["val_AP50"][0]
    best = load_model(tmp_path / "best.safetensors")
    assert isinstance(best, DetectionModel)
    found = best.evaluate(val)
    assert found["AP50"] == pytest.approx(max(history["val_AP50"]), abs=1e-12) and found["AP"] < found["AP50"]
    arrays = squares(8, seed=1)
    assert best.evaluate(arrays[0], arrays[1:], batch_size=3) == pytest.approx(found)


def test_metrics_of_the_loss_tell_which_way_is_better() -> None:
    model = tiny()
    loss = DetectionLoss(SIZE, 2)
    model.compile("adamw", loss, metrics=[ClassLoss(loss), BoxLoss(loss)])
    assert [metric.name for metric in model.metrics] == ["class_loss", "box_loss", "AP", "AP50"]
    watching = [EarlyStopping(monitor=name) for name in ("val_class_loss", "val_box_loss", "val_AP")]
    logs = model.fit(dataset(4), validation_data=dataset(4, 1), verbose=0, callbacks=watching).history
    assert [one.best for one in watching] == [logs[one.monitor][0] for one in watching]
    assert [one.improves(0.2, 0.1) for one in watching] == [False, False, True]


def test_judged_in_the_pixels_of_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Details bring sizes of objects back to what they are in the files, and say what is ignored."""
    model = tiny()
    images = squares(1)[0]
    labels = [np.array([0, 1])]
    boxes = [np.array([[8, 12, 28, 32], [40, 20, 80, 60]], np.float32)]
    details = [
        Details("a.jpg", "a", (144, 192), Placement(0.5, 0.5, 0, -4), np.array([False, True]), np.array([1600, 6400.0]))
    ]
    # Both objects are found, and something in the ignored one, which is no mistake.
    found = Detections(
        boxes[0][[0, 1, 1]] + np.float32([[0], [0], [3]]), np.float32([0.9, 0.8, 0.95]), np.array([0, 1, 1])
    )
    monkeypatch.setattr(model, "_found", lambda images, selection: [found])
    numbers = model.evaluate(Dataset.from_generator(lambda: [(images, labels, boxes, details)]))
    assert numbers["AP"] == numbers["AP_medium"] == 1 and numbers["AP_small"] == numbers["AP_large"] == -1
    plain = model.evaluate(Dataset.from_generator(lambda: [(images, labels, boxes)]))
    assert plain["AP_small"] == 1 and plain["AP50"] == pytest.approx(1) and plain["AP_medium"] < 1
    # What is ignored isn't trained on either.
    targets = DetectionTargets(4)(images, labels, boxes, details)[1]
    assert targets[0, :, 0].tolist() == [0, -1, -1, -1]


def trained(threads: int) -> list[np.ndarray]:
    core.set_threads(threads)
    model = tiny()
    model.compile()
    images, labels, boxes = squares(10)
    model.fit(images, (labels, boxes), batch_size=4, epochs=2, verbose=0)
    return model.get_weights()


def test_training_repeats_bit_by_bit() -> None:
    one = trained(1)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one, trained(1)))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one, trained(3)))


def test_an_interrupted_training_goes_on(tmp_path: Path) -> None:
    """Killed within an epoch and begun again: the weights are those of a training that nothing happened to."""

    def train(stop: int | None, callbacks: list[Any]) -> list[np.ndarray]:
        model = tiny()
        model.compile()
        things = np.full((2, 28, 28), 200, np.uint8)
        data = scattered_objects(things, [0, 1], 12, SIZE, (1, 3), batch_size=4).map(RandomFlip(seed=4))
        steps = iter(range(100))

        def end(batch: int, logs: Any = None) -> None:
            if next(steps) == stop:
                raise KeyboardInterrupt

        listeners = [*callbacks, LambdaCallback(on_train_batch_end=end)]
        model.fit(data, validation_data=dataset(4), epochs=3, verbose=0, callbacks=listeners)
        return model.get_weights()

    with pytest.raises(KeyboardInterrupt):
        train(4, [BackupAndRestore(tmp_path, save_freq=1)])
    resumed = train(None, [BackupAndRestore(tmp_path, save_freq=1)])
    assert all(a.tobytes() == b.tobytes() for a, b in zip(train(None, []), resumed, strict=True))


def test_bad_data() -> None:
    model = tiny()
    images, labels, boxes = squares(4)
    with pytest.raises(ValueError, match="isn't compiled"):
        model.fit(images, (labels, boxes))
    model.compile()
    with pytest.raises(ValueError, match=r"images must have shape \(n, 64, 96, 3\).*received \(4, 32, 96, 3\)"):
        model.fit(images[:, :32], (labels, boxes))
    with pytest.raises(ValueError, match=r"labels\[0\] must be class numbers from 0 to 1"):
        model.fit(images, ([np.array([2, 0]), *labels[1:]], boxes))
    with pytest.raises(ValueError, match="batches \\(images, labels, boxes\\)"):
        model.fit(Dataset.from_arrays(images).batch(2), verbose=0)
    with pytest.raises(ValueError, match="equally long"):
        model.evaluate(images, (labels[:3], boxes))
    with pytest.raises(ValueError, match="score_threshold must be a number from 0 to 1"):
        model.predict(images, score_threshold=25)


# ---- prediction


def test_pictures_of_any_size(tmp_path: Path) -> None:
    """Boxes come back in each picture's own pixels."""
    model = tiny()
    large, flat, narrow = (squares(2, size=size)[0][0] for size in ((200, 260), SIZE, (90, 40)))
    Image.fromarray(large).save(tmp_path / "large.png")
    found = model.predict(
        [str(tmp_path / "large.png"), flat, narrow[..., 0]], score_threshold=0.0, max_boxes=20, batch_size=2
    )
    for one, picture in zip(found, (large, flat, np.repeat(narrow[..., :1], 3, axis=2)), strict=True):
        image, placement = letterbox(picture, SIZE, 0.0)
        (seen,) = decode(model.predict_on_batch(image[None]), SIZE, Selection(0.0, max_boxes=20))
        expected = placement.inverse(seen.boxes).clip(0, [picture.shape[1], picture.shape[0]] * 2)
        there = (expected[:, 2:] > expected[:, :2]).all(axis=1)  # not in a margin
        assert len(seen) == 20 and there.sum() > 10
        np.testing.assert_allclose(one.scores, seen.scores[there], rtol=1e-4)
        np.testing.assert_allclose(one.boxes, expected[there], atol=0.01)
    (alone,) = model.predict(tmp_path / "large.png", score_threshold=0.0, max_boxes=20)
    np.testing.assert_allclose(alone.boxes, found[0].boxes, atol=0.01)
    assert len(model.predict(dataset(5))) == 5 and model.predict([]) == []
