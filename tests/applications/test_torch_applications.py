"""Networks beside PyTorch's, with weights that PyTorch saved: the same numbers come out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn
from fastcnn import applications
from fastcnn.errors import ModelFileError

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
import torch_networks  # noqa: E402
from trained import efficientnet_lite0  # noqa: E402

#: The images' size for each network: small, and odd where a network takes it.
SIZES = {
    "VGG16": 64, "ResNet18": 97, "ResNet34": 64, "ResNet50": 65, "MobileNetV2": 95, "MobileNetV3Small": 91,
    "EfficientNetLite0": 93, "SqueezeNet": 82, "ResNet20": 33, "ResNet56": 32,
}  # fmt: skip
CLASSES = 9
NAMES = {
    "VGG16": applications.vgg16.torch_name,
    "ResNet18": applications.resnet.torch_name,
    "ResNet34": applications.resnet.torch_name,
    "ResNet50": applications.resnet.torch_name,
    "ResNet20": applications.resnet_cifar.torch_name,
    "ResNet56": applications.resnet_cifar.torch_name,
    "MobileNetV2": applications.mobilenet_v2.torch_name,
    "MobileNetV3Small": applications.mobilenet_v3.torch_name,
    "EfficientNetLite0": applications.efficientnet_lite.torch_name,
    "SqueezeNet": applications.squeezenet.torch_name,
}


def images(size: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal((2, size, size, 3)).astype(np.float32)


def by_torch(module: Any, x: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return np.asarray(module(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy())


def assert_agrees(found: np.ndarray, wanted: np.ndarray) -> None:
    assert np.abs(wanted).max() > 1e-3  # there is something to compare
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("name", SIZES)
def test_same_numbers(name: str, tmp_path: Path) -> None:
    module = torch_networks.network(name, SIZES[name], CLASSES)
    torch.save(module.state_dict(), tmp_path / "weights.pth")
    model = getattr(applications, name)(
        weights=tmp_path / "weights.pth",
        input_shape=(SIZES[name], SIZES[name], 3),
        classes=CLASSES,
        classifier_activation=None,
    )
    x = images(SIZES[name])
    assert_agrees(model.predict(x), by_torch(module, x))
    # Its modules' names and their order lead to the same tensors, and none is left over.
    reports = [fastcnn.weights.compare(model, tmp_path / "weights.pth", names) for names in (NAMES[name], None)]
    assert [report.by for report in reports] == ["name", "order"]
    for report in reports:
        assert report.complete
        assert len(report.matched) + len(report.ignored) == len(module.state_dict())
    by_name, by_order = ({match.weight: match.tensor for match in report.matched} for report in reports)
    assert by_name == by_order


def save_safetensors(state: Any, path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({key: np.ascontiguousarray(value.numpy()) for key, value in state.items()}, path)


WAYS: dict[str, Callable[[Any, Path], Any]] = {
    "zip": lambda s, p: torch.save(s, p),
    "legacy": lambda s, p: torch.save(s, p, _use_new_zipfile_serialization=False),
    "newest pickle": lambda s, p: torch.save(s, p, pickle_protocol=4),
    "in a checkpoint": lambda s, p: torch.save({"epoch": 3, "state_dict": s}, p),
    "trained in parallel": lambda s, p: torch.save({f"module.{k}": v for k, v in s.items()}, p),
    "parameters": lambda s, p: torch.save({k: torch.nn.Parameter(v, v.is_floating_point()) for k, v in s.items()}, p),
    "doubles": lambda s, p: torch.save({k: v.double() for k, v in s.items()}, p),
    "views": lambda s, p: torch.save({k: torch.stack([v, v])[1] for k, v in s.items()}, p),
    "transposed": lambda s, p: torch.save({k: v.mT.contiguous().mT if v.ndim > 1 else v for k, v in s.items()}, p),
    "safetensors": save_safetensors,
}


@pytest.mark.parametrize("way", WAYS)
def test_ways_to_save(way: str, tmp_path: Path) -> None:
    module = torch_networks.network("ResNet20", 32, CLASSES)
    WAYS[way](module.state_dict(), tmp_path / "weights")
    read = fastcnn.weights.read(tmp_path / "weights")
    wanted = {key: tensor.numpy() for key, tensor in module.state_dict().items()}
    assert len(read) == len(wanted)
    for key, array in read.items():
        np.testing.assert_array_equal(array, wanted[key.removeprefix("module.")])
    model = applications.ResNet20(weights=tmp_path / "weights", classes=CLASSES, classifier_activation=None)
    assert_agrees(model.predict(images(32)), by_torch(module, images(32)))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves(dtype: str, tmp_path: Path) -> None:
    state = {k: v.to(getattr(torch, dtype)) for k, v in torch_networks.network("ResNet20", 32, 5).state_dict().items()}
    torch.save(state, tmp_path / "weights.pt")
    for key, array in fastcnn.weights.read(tmp_path / "weights.pt").items():
        np.testing.assert_array_equal(array, state[key].float().numpy())


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 3), tmp_path / "module.pt")
    with pytest.raises(ModelFileError, match=r"torch\.nn\.modules\.linear\.Linear"):
        fastcnn.weights.read(tmp_path / "module.pt")


def test_without_a_top(tmp_path: Path) -> None:
    module = torch_networks.network("MobileNetV2", 64, 1000)
    torch.save(module.state_dict(), tmp_path / "weights.pth")
    model = applications.MobileNetV2(
        include_top=False, weights=tmp_path / "weights.pth", input_shape=(64, 64, 3), pooling="avg"
    )
    module.classifier = torch.nn.Identity()
    assert_agrees(model.predict(images(64)), by_torch(module, images(64)))


def test_efficientnet_lite0_as_it_was_trained() -> None:
    path = efficientnet_lite0()
    module = torch_networks.network("EfficientNetLite0", 224, 1000)
    module.load_state_dict(torch.load(path, weights_only=True))
    model = applications.EfficientNetLite0(weights=path, classifier_activation=None)
    assert_agrees(model.predict(images(224)), by_torch(module, images(224)))
