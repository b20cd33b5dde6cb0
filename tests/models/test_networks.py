"""Known networks whole, on small images: results against the reference, layer after layer in float64."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from fastcnn import reference as ref
from fastcnn.losses import SparseCategoricalCrossentropy
from fastcnn.optimizers import SGD

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from networks import NETWORKS, Network, Step, to_fastcnn, to_torch


def result(step: Step, inputs: list[np.ndarray]) -> np.ndarray:
    x, w, padding = inputs[0], step.weights, (step.padding, step.padding)
    if step.op == "conv":
        return ref.conv2d(x, w[0], w[1] if len(w) > 1 else None, step.stride, padding, groups=step.groups)
    if step.op == "norm":
        gamma, beta, mean, variance = (a.astype(np.float64) for a in w)
        return (x - mean) / np.sqrt(variance + step.epsilon) * gamma + beta
    if step.op == "dense":
        return x @ w[0].astype(np.float64) + w[1]
    if step.op == "max_pool":
        return ref.max_pool2d(x, step.kernel, step.stride, padding)
    if step.op == "mean":
        return x.mean((1, 2))
    return {"relu": ref.relu, "relu6": ref.relu6, "flatten": lambda x: x.reshape(len(x), -1)}[step.op](x)


def by_reference(net: Network, x: np.ndarray) -> np.ndarray:
    values = {-1: x.astype(np.float64)}
    for number, step in enumerate(net.steps):
        inputs = [values[i] for i in step.inputs]
        values[number] = inputs[0] + inputs[1] if step.op == "add" else result(step, inputs)
    return values[len(net.steps) - 1]


SIZES = {"vgg16-no-head": 32, "resnet18": 64, "resnet50": 32, "mobilenet_v2": 64, "resnet20-cifar": 16}


@pytest.mark.parametrize("name", SIZES)
def test_whole_network(name: str) -> None:
    net = NETWORKS[name](SIZES[name])
    x = np.random.default_rng(1).standard_normal((2, net.size, net.size, 3)).astype(np.float32)
    expected = by_reference(net, x)
    largest = np.abs(expected).max()
    assert largest > 0.1
    for model in (to_fastcnn(net), to_fastcnn(net.folded())):
        y = model.predict(x)
        assert y.dtype == np.float32
        assert np.abs(y - expected).max() < 1e-5 * largest
        # Nothing of the normalization is left to be done for each image.
        assert not any("norm" in step.kernel for step in model.plan(2).steps if not step.once)


def test_training_is_pytorchs() -> None:
    """Eight steps of ResNet-20 with batch normalization and momentum: the same losses."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    net = NETWORKS["resnet20-cifar"](16)
    model, module = to_fastcnn(net), to_torch(net).train()
    model.compile(SGD(0.05, momentum=0.9), SparseCategoricalCrossentropy(from_logits=True))
    optimizer = torch.optim.SGD(module.parameters(), 0.05, momentum=0.9)
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((24, 16, 16, 3)).astype(np.float32), rng.integers(0, 10, 24)
    image, labels = torch.tensor(x.transpose(0, 3, 1, 2)), torch.tensor(y)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(image), labels)
        loss.backward()
        optimizer.step()
        losses.append((np.ravel(model.train_on_batch(x, y))[0], float(loss.detach())))
    mine, theirs = np.array(losses).T
    assert theirs[-1] < theirs[0] / 2
    np.testing.assert_allclose(mine, theirs, rtol=1e-3)
    np.testing.assert_allclose(mine[:3], theirs[:3], rtol=1e-4)
