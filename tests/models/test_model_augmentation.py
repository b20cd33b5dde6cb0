"""Augmentation in models: what the reference does with the model's random numbers, in training alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_tools import product

import fastcnn
from fastcnn import layers as L  # noqa: N812
from fastcnn.data import Dataset
from fastcnn.data import augment as A  # noqa: N812
from fastcnn.layers.augmentation import AugmentationLayer
from fastcnn.models import Sequential, load_model
from fastcnn.optimizers import SGD

X = np.random.default_rng(0).uniform(0, 255, (6, 9, 8, 3)).astype(np.float32)

#: Arguments that each layer needs.
NEEDED: dict[str, dict[str, Any]] = {
    "RandomBrightness": {"factor": 0.2}, "RandomColorDegeneration": {"factor": 0.5}, "RandomContrast": {"factor": 0.3},
    "RandomColorJitter": {"brightness_factor": 0.1, "contrast_factor": 0.2, "saturation_factor": 0.7, "hue_factor": 1},
    "RandomCrop": {"height": 9, "width": 8, "padding": 2}, "RandomHue": {"factor": 0.3},
    "RandomPosterization": {"factor": (2, 5)}, "RandomResizedCrop": {"height": 9, "width": 8},
    "RandomRotation": {"factor": (0.05, 0.2)}, "RandomSaturation": {"factor": (0.6, 0.8)},
    "RandomSharpness": {"factor": (0.7, 0.9)}, "RandomShear": {"x_factor": 0.3, "y_factor": (0.1, 0.2)},
    "RandomTranslation": {"height_factor": 0.3, "width_factor": 0.2}, "RandomZoom": {"height_factor": 0.4},
    "Solarization": {"addition_factor": 0.2, "threshold_factor": 0.4}, "RandomGaussianBlur": {"sigma": (0.5, 1.0)},
}  # fmt: skip
CLASSES = sorted(name for name, layer in L.CLASSES.items() if issubclass(layer, AugmentationLayer))


class Seen:
    """A model's predictions in training, as a metric sees them."""

    def __init__(self) -> None:
        self.y = np.zeros(0, np.float32)

    def __call__(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        self.y = y_pred.copy()
        return np.zeros(len(y_pred))


class Bias(L.Layer):
    """Zeros to learn, behind the augmentation."""

    def build(self, input_shape: Any) -> None:
        self.bias = self.add_weight((1,), "zeros", "bias")

    def call(self, inputs: Any) -> Any:
        return inputs + self.bias.value()


def trained(*layers: L.Layer, step: int = 2) -> tuple[Sequential, np.ndarray, int]:
    """A model, what it gave in its last step of training, and its seed."""
    seen = Seen()
    model = Sequential([L.Input(X.shape[1:]), *layers, Bias()])
    model.compile(SGD(0.0), product, metrics=[seen])
    seed = int(model._ready().rng[0])
    for _ in range(step):
        model.train_on_batch(X, np.zeros((len(X), *model.output_shape[1:]), np.float32))
    return model, seen.y, seed


@pytest.mark.parametrize("name", CLASSES)
def test_a_layer_does_what_its_namesake_does(name: str) -> None:
    layer = L.CLASSES[name](**NEEDED.get(name, {}))
    model, seen, seed = trained(layer)
    same = getattr(A, name)(**NEEDED.get(name, {}))
    same.load_state_dict({"seed": seed, "step": 2})
    np.testing.assert_array_equal(seen, same(X))
    assert not np.array_equal(seen, X)
    # Nothing of it is left in prediction, nor in what files say about it.
    np.testing.assert_array_equal(model.predict(X, verbose=0), X)
    assert "augment" not in str(model.plan(batch=2))
    again = L.deserialize(L.serialize(layer))
    assert again.get_config() == layer.get_config()


def test_layers_draw_for_themselves_and_anew_in_each_step() -> None:
    shapes = [L.RandomTranslation(0.3, 0.3), L.RandomTranslation(0.3, 0.3)]
    model, second, _ = trained(*shapes)
    model.train_on_batch(X, np.zeros_like(X))
    first, other = (layer.augmentation for layer in shapes)  # type: ignore[attr-defined]
    for found in (first, other):
        found.load_state_dict({"seed": int(model._ready().rng[0]), "step": 2})
    # Were their random numbers the same, this would be the second step's images.
    assert not np.array_equal(other(first(X)), second)
    model, third, _ = trained(*shapes, step=3)
    assert not np.array_equal(second, third)


def test_a_crop_changes_the_size_in_prediction_too() -> None:
    model, seen, _ = trained(L.RandomCrop(5, 4))
    assert seen.shape == (6, 5, 4, 3) and model.output_shape == (None, 5, 4, 3)
    # The largest part of that shape in the middle, resized: of 9 x 8 it is 9 x 7.
    expected = A.RandomCrop(5, 4)(X, training=False)
    np.testing.assert_array_equal(model.predict(X, verbose=0), expected)
    same, _, _ = trained(L.RandomCrop(9, 8, padding=3))
    np.testing.assert_array_equal(same.predict(X, verbose=0), X)


def test_the_same_bits_for_any_number_of_threads(keep_threads: None) -> None:
    found = []
    for threads in (1, 2, 3):
        fastcnn.set_seed(4)
        fastcnn.set_num_threads(threads)
        found.append(trained(L.RandAugment(seed=0), L.RandomRotation(0.2), L.RandomErasing())[1])
    np.testing.assert_array_equal(found[0].view(np.uint32), found[1].view(np.uint32))
    np.testing.assert_array_equal(found[0].view(np.uint32), found[2].view(np.uint32))


def test_saved_and_loaded(tmp_path: Path) -> None:
    kinds = [L.RandomFlip("horizontal"), L.RandomZoom((-0.2, 0.1), fill_mode="wrap"), L.RandomHue(0.2)]
    model = Sequential([L.Input(X.shape[1:]), *kinds])
    model.save(tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors", compile=False)
    assert [layer.get_config() for layer in loaded.layers[:3]] == [layer.get_config() for layer in model.layers[:3]]


def test_called_with_arrays_it_is_its_namesake() -> None:
    layer = L.RandomFlip("vertical", seed=5)
    np.testing.assert_array_equal(layer(X), A.RandomFlip("vertical", seed=5)(X))
    np.testing.assert_array_equal(layer(X, training=False), X)
    mixed = L.MixUp(seed=1)({"images": X, "labels": np.eye(6, dtype=np.float32)})
    assert set(mixed) == {"images", "labels"}
    np.testing.assert_allclose(mixed["labels"].sum(1), 1, rtol=1e-6)


@pytest.mark.parametrize("kind", [L.MixUp, L.CutMix])
def test_mapped_over_a_dataset_it_has_labels_and_a_state(kind: Any) -> None:
    def mapped() -> Dataset:
        return Dataset.from_arrays(X, np.arange(6)).batch(2).map(kind(seed=1, num_classes=6))

    whole = list(mapped())
    assert all(y.shape == (2, 6) and np.allclose(y.sum(1), 1) for _, y in whole)
    begun, again = mapped(), mapped()
    next(iter(begun))
    again.load_state_dict(json.loads(json.dumps(begun.state_dict())))
    rest = list(again)
    assert len(rest) == 2
    for (x, y), (same_x, same_y) in zip(whole[1:], rest):
        np.testing.assert_array_equal(x, same_x)
        np.testing.assert_array_equal(y, same_y)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: L.RandomFlip("sideways", name="bad"), "layer 'bad': Unknown mode 'sideways'"),
        (lambda: L.RandomRotation("a", name="bad"), "layer 'bad': factor must be a finite number, received 'a'"),
        (lambda: L.RandomHue(0.1, (-1, 1), name="bad"), "layer 'bad': value_range must start at 0"),
        (
            lambda: L.RandomHue(0.1, name="bad")(L.Input((4, 4, 2))),
            "RandomHue: images must have 1 or 3 channels, received 2",
        ),
        (lambda: L.RandomFlip(name="bad")(L.Input((4, 2))), r"layer 'bad' \(RandomFlip\) takes inputs of rank 4"),
        (lambda: L.MixUp(name="bad")(L.Input((4, 4, 2))), "layer 'bad': MixUp mixes labels as well"),
    ],
)
def test_bad_arguments(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()


def test_weights_before_it_can_not_be_trained() -> None:
    model = Sequential([L.Input(X.shape[1:]), Bias(), L.RandomFlip(name="flip")])
    model.compile(SGD(0.1), product)
    with pytest.raises(NotImplementedError, match="'flip' has no gradient: put augmentation before the first layer"):
        model.train_on_batch(X, X)
