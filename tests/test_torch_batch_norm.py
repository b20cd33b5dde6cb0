"""A small residual network with batch normalization beside PyTorch's: training, moving statistics, evaluation.

PyTorch's momentum is one minus Keras', and its running variance is the unbiased one, Keras' the biased one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastcnn import layers as L  # noqa: N812
from fastcnn.models import Model
from fastcnn.optimizers import SGD

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

BATCH, SIZE, STEPS, MOMENTUM, EPSILON, RATE = 16, 12, 12, 0.9, 1e-3, 0.05


def ours() -> Model:
    def norm(x: Any) -> Any:
        return L.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON)(x)

    inputs = L.Input((SIZE, SIZE, 3))
    x = L.ReLU()(norm(L.Conv2D(16, 3, padding="same", use_bias=False)(inputs)))
    y = L.ReLU()(norm(L.Conv2D(16, 3, padding="same", use_bias=False)(x)))
    y = norm(L.Conv2D(16, 3, padding="same", use_bias=False)(y))
    x = L.ReLU()(L.Add()([y, x]))
    model = Model(inputs, L.Dense(5)(L.GlobalAveragePooling2D()(x)))
    model.compile(SGD(RATE), "mse")
    return model


class Twin(torch.nn.Module):  # type: ignore[misc]
    def __init__(self, model: Model) -> None:
        super().__init__()
        self.convs = torch.nn.ModuleList([torch.nn.Conv2d(c, 16, 3, padding=1, bias=False) for c in (3, 16, 16)])
        self.norms = torch.nn.ModuleList([torch.nn.BatchNorm2d(16, EPSILON, 1 - MOMENTUM) for _ in range(3)])
        self.dense = torch.nn.Linear(16, 5)
        convs = [layer for layer in model.layers if isinstance(layer, L.Conv2D)]
        with torch.no_grad():
            for mine, theirs in zip(self.convs, convs):
                mine.weight.copy_(torch.tensor(np.transpose(theirs.get_weights()[0], (3, 2, 0, 1))))
            kernel, bias = model.layers[-1].get_weights()
            self.dense.weight.copy_(torch.tensor(kernel.T))
            self.dense.bias.copy_(torch.tensor(bias))

    def forward(self, x: Any) -> Any:
        (a, b, c), (p, q, r) = self.convs, self.norms
        x = torch.relu(p(a(x)))
        x = torch.relu(r(c(torch.relu(q(b(x))))) + x)
        return self.dense(x.mean(dim=(2, 3)))


def batches() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((STEPS, BATCH, SIZE, SIZE, 3)).astype(np.float32)
    y = np.stack([x.mean(axis=(2, 3, 4)) * i for i in range(5)], axis=-1) + rng.standard_normal((STEPS, BATCH, 5)) * 0.1
    return list(zip(x, y.astype(np.float32)))


def test_training_and_evaluation() -> None:
    model = ours()
    twin = Twin(model)
    optimizer = torch.optim.SGD(twin.parameters(), lr=RATE)
    for x, y in batches():
        images = torch.tensor(np.transpose(x, (0, 3, 1, 2)))
        loss = torch.nn.functional.mse_loss(twin.train()(images), torch.tensor(y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        np.testing.assert_allclose(model.train_on_batch(x, y), float(loss.detach()), rtol=1e-4, atol=1e-6)
    norms = [layer for layer in model.layers if isinstance(layer, L.BatchNormalization)]
    # The running variance is (1 - 0.9^STEPS) parts unbiased variances and 0.9^STEPS parts its start, 1.
    count, start = BATCH * SIZE * SIZE, MOMENTUM**STEPS
    for mine, theirs in zip(norms, twin.norms):
        gamma, beta, mean, variance = mine.get_weights()
        np.testing.assert_allclose(gamma, theirs.weight.detach().numpy(), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(beta, theirs.bias.detach().numpy(), rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(mean, theirs.running_mean.numpy(), rtol=1e-3, atol=1e-4)
        unbiased = (variance - start) * count / (count - 1) + start
        np.testing.assert_allclose(unbiased, theirs.running_var.numpy(), rtol=1e-4, atol=1e-5)
        with torch.no_grad():
            theirs.running_var.copy_(torch.tensor(variance))
    x = batches()[0][0]
    with torch.no_grad():
        expected = twin.eval()(torch.tensor(np.transpose(x, (0, 3, 1, 2)))).numpy()
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-3, atol=1e-4)


def test_a_frozen_layer_is_torch_s_in_eval_mode() -> None:
    """Gradients go through fixed statistics: after a step on both sides, the first convolution's kernels agree."""
    model = ours()
    for layer in model.layers:
        if isinstance(layer, L.BatchNormalization):
            layer.trainable = False
    model.compile(SGD(RATE), "mse")
    twin = Twin(model).eval()
    optimizer = torch.optim.SGD([c.weight for c in twin.convs], lr=RATE)
    x, y = batches()[0]
    loss = torch.nn.functional.mse_loss(twin(torch.tensor(np.transpose(x, (0, 3, 1, 2)))), torch.tensor(y))
    loss.backward()
    optimizer.step()
    np.testing.assert_allclose(model.train_on_batch(x, y), float(loss.detach()), rtol=1e-4)
    convs = [layer for layer in model.layers if isinstance(layer, L.Conv2D)]
    for mine, theirs in zip(convs, twin.convs):
        kernel = np.transpose(theirs.weight.detach().numpy(), (2, 3, 1, 0))
        np.testing.assert_allclose(mine.get_weights()[0], kernel, rtol=1e-4, atol=1e-6)
