"""Known networks: their sizes, their arguments, their pictures' preparation and their classes' names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fastcnn import applications, weights
from fastcnn.errors import ModelFileError
from fastcnn.layers import Input
from fastcnn.models import Model, load_model

#: Trainable weights as the papers' authors and PyTorch's collection count them, and maps without a top.
NETWORKS: dict[str, tuple[int, int]] = {
    "ResNet18": (11_689_512, 512),
    "ResNet34": (21_797_672, 512),
    "ResNet50": (25_557_032, 2048),
    "MobileNetV2": (3_504_872, 1280),
    "MobileNetV3Small": (2_542_856, 576),
    "EfficientNetLite0": (4_652_008, 1280),
    "SqueezeNet": (1_235_496, 512),
    "ResNet20": (272_474, 64),
    "ResNet56": (855_770, 64),
}
SMALL = [name for name in NETWORKS if name not in ("ResNet34", "ResNet50", "ResNet56")]


def network(name: str) -> Callable[..., Model]:
    return getattr(applications, name)


def trainable(model: Model) -> int:
    return sum(variable.size for variable in model.trainable_weights)


@pytest.mark.parametrize("name", NETWORKS)
def test_as_many_weights_as_published(name: str) -> None:
    model = network(name)()
    assert trainable(model) == NETWORKS[name][0]
    classes, size = (10, 32) if name in ("ResNet20", "ResNet56") else (1000, 224)
    assert (model.input_shape, model.output_shape) == ((None, size, size, 3), (None, classes))


def test_vgg16_has_as_many_weights_as_published() -> None:
    """Its dense layers have 124 million, which are counted and not made."""
    model = applications.VGG16(include_top=False)
    dense = sum((inputs + 1) * outputs for inputs, outputs in ((25088, 4096), (4096, 4096), (4096, 1000)))
    assert trainable(model) + dense == 138_357_544
    assert model.output_shape == (None, 7, 7, 512)
    small = applications.VGG16(input_shape=(32, 32, 3), classes=3)
    assert trainable(small) == trainable(model) + 513 * 4096 + 4097 * 4096 + 4097 * 3


@pytest.mark.parametrize("name", SMALL)
def test_without_a_top(name: str) -> None:
    shape, maps = (64, 48, 3), NETWORKS[name][1]
    x = np.random.default_rng(0).standard_normal((2, *shape)).astype(np.float32)
    plain = network(name)(include_top=False, input_shape=shape)
    found = plain.predict(x)
    assert found.shape[-1] == maps
    for pooling, pooled in (("avg", found.mean((1, 2))), ("max", found.max((1, 2)))):
        model = network(name)(include_top=False, input_shape=shape, pooling=pooling)
        model.set_weights(plain.get_weights())
        np.testing.assert_allclose(model.predict(x), pooled, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_keeps_its_weights(name: str, tmp_path: Path) -> None:
    """Through its own files: the whole network, and the one without a top from the whole one's."""
    shape = (40, 40, 3)
    model = network(name)(input_shape=shape, classes=7)
    x = np.random.default_rng(0).standard_normal((2, *shape)).astype(np.float32)
    model.save(tmp_path / "model.safetensors")
    model.save_weights(tmp_path / "weights.safetensors")
    for file in ("model.safetensors", "weights.safetensors"):
        again = network(name)(input_shape=shape, classes=7, weights=tmp_path / file)
        np.testing.assert_array_equal(again.predict(x), model.predict(x))
        features = network(name)(include_top=False, input_shape=shape, weights=str(tmp_path / file))
        for variable in features.weights:
            layer = model.get_layer(variable.path.split("/")[0])
            (same,) = [v for v in layer.weights if v.name == variable.name]
            np.testing.assert_array_equal(variable.numpy(), same.numpy())
    np.testing.assert_array_equal(load_model(tmp_path / "model.safetensors").predict(x), model.predict(x))


@pytest.mark.parametrize("name", SMALL)
def test_learns(name: str) -> None:
    """A step of training changes all that can be trained, and finite numbers stay finite."""
    model = network(name)(input_shape=(32, 32, 3), classes=3)
    model.compile("sgd", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    before = [v.numpy() for v in model.trainable_weights]
    history = model.fit(rng.standard_normal((8, 32, 32, 3)), rng.integers(0, 3, 8), batch_size=8, verbose=0)
    assert np.isfinite(history.history["loss"][0])
    changed = [not np.array_equal(old, v.numpy()) for old, v in zip(before, model.trainable_weights)]
    assert np.mean(changed) > 0.9


def test_built_on_an_input() -> None:
    image = Input((32, 32, 3), name="picture")
    model = applications.ResNet20(input_tensor=image, name="mine")
    assert (model.name, model.input_names) == ("mine", ["picture"])
    assert applications.ResNet20(input_tensor=image, input_shape=(32, 32, 3)).output_shape == (None, 10)
    with pytest.raises(ValueError, match="input_shape"):
        applications.ResNet20(input_tensor=image, input_shape=(64, 64, 3))
    with pytest.raises(TypeError, match="input_tensor"):
        applications.ResNet20(input_tensor=np.zeros(3))


def test_classifier_activation() -> None:
    for name in ("ResNet20", "SqueezeNet"):
        logits = network(name)(input_shape=(40, 40, 3), classes=5, classifier_activation=None)
        shares = network(name)(input_shape=(40, 40, 3), classes=5)
        shares.set_weights(logits.get_weights())
        x = np.random.default_rng(0).standard_normal((2, 40, 40, 3)).astype(np.float32)
        scores = logits.predict(x).astype(np.float64)
        exponentials = np.exp(scores - scores.max(1, keepdims=True))
        wanted = exponentials / exponentials.sum(1, keepdims=True)
        np.testing.assert_allclose(shares.predict(x), wanted, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("size", range(31, 39))
def test_squeezenet_counts_windows_that_reach_beyond(size: int) -> None:
    """Maps after each pooling: of n pixels, ceil((n - 3) / 2) + 1."""
    model = applications.SqueezeNet(include_top=False, input_shape=(size, size, 3))
    side = (size - 3) // 2 + 1
    for _ in range(3):
        side = -(-(side - 3) // 2) + 1
    assert model.output_shape == (None, side, side, 512)


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="download"):
        applications.ResNet20(weights="imagenet")
    with pytest.raises(TypeError, match="weights"):
        applications.ResNet20(weights=3)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match=r"nothing\.pth"):
        applications.ResNet20(weights=tmp_path / "nothing.pth")
    with pytest.raises(ValueError, match='"avg" or "max"'):
        applications.ResNet20(include_top=False, pooling="mean")
    with pytest.raises(ValueError, match="units"):
        applications.ResNet20(classes=0)
    with pytest.raises(ValueError, match="shape"):
        applications.ResNet20(input_shape=(32, 3))
    applications.ResNet20().save_weights(tmp_path / "ten.safetensors")
    with pytest.raises(ModelFileError, match="predictions/kernel"):
        applications.ResNet20(weights=tmp_path / "ten.safetensors", classes=11)
    with pytest.raises(ModelFileError, match="nothing was changed"):
        weights.load(applications.ResNet56(), tmp_path / "ten.safetensors")


# ---------------------------------------------------------------- pictures in, names out


def test_preprocess_input() -> None:
    pixels = np.array([[[0, 128, 255]]], np.uint8)
    torch = (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    wanted = {"torch": torch, "tf": pixels / 127.5 - 1, "caffe": pixels[..., ::-1] - [103.939, 116.779, 123.68]}
    for mode, values in wanted.items():
        found = applications.preprocess_input(pixels, mode)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, values, rtol=1e-5, atol=1e-6)
    lite = applications.efficientnet_lite.preprocess_input(pixels.astype(np.float32))
    np.testing.assert_array_equal(lite, (pixels.astype(np.float32) - 127) / 128)
    assert pixels.tolist() == [[[0, 128, 255]]]
    with pytest.raises(ValueError, match="Did you mean 'torch'"):
        applications.preprocess_input(pixels, "pytorch")
    with pytest.raises(ValueError, match=r"\(\.\.\., 3\)"):
        applications.preprocess_input(np.zeros((4, 4)))


def test_preprocess_input_leaves_floats_alone() -> None:
    pixels = np.full((2, 2, 3), 100, np.float32)
    for mode in ("torch", "tf", "caffe"):
        applications.preprocess_input(pixels, mode)
    assert (pixels == 100).all()


def test_decode_predictions() -> None:
    scores = np.zeros((2, 1000), np.float32)
    scores[0, [285, 281]] = 0.6, 0.3
    scores[1, [0, 999, 517]] = 0.5, 0.3, 0.2
    first, second = applications.decode_predictions(scores, top=3)
    assert first[:2] == [("n02124075", "Egyptian cat", pytest.approx(0.6)), ("n02123045", "tabby", pytest.approx(0.3))]
    assert [label for _, label, _ in second] == ["tench", "toilet tissue", "crane"]
    with pytest.raises(ValueError, match="1000"):
        applications.decode_predictions(np.zeros((1, 10)))
    with pytest.raises(ValueError, match="top"):
        applications.decode_predictions(scores, top=0)


def test_imagenet_classes() -> None:
    classes = applications.imagenet_utils.imagenet_classes()
    synsets = [synset for synset, _ in classes]
    assert len(classes) == 1000
    assert synsets == sorted(set(synsets))  # the challenge numbers them in this order
    assert all(words and all(words) for _, words in classes)
    assert dict(classes)["n02123045"] == ("tabby", "tabby cat")


@pytest.mark.parametrize("name", SMALL)
def test_predictions_have_no_normalization_left(name: str) -> None:
    """Nor layouts to change: all of it is in the convolutions' weights, worked out once."""
    plan = network(name)(input_shape=(64, 64, 3), classes=3).plan(2)
    kernels = [step.kernel for step in plan.steps if not step.once]
    assert not [kernel for kernel in kernels if "norm" in kernel or "permute" in kernel or "transpose" in kernel]
