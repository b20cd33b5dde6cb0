"""The classic CNN beside PyTorch's, step by step: the same weights, the same batches, the same loss.

With SGD at a rate of 0.01 and batches of 128 both run on their own, and the whole curve of 200 steps must agree to
1e-3: PyTorch in float32 and PyTorch in float64 stay within 2e-4 of each other there.

Adam, and SGD at rates that learn faster, multiply rounding errors: those two, started alike, then differ by up to 10 %
in the loss of single steps before the 200th. So that errors show and chaos does not,
PyTorch takes over our weights and Adam's moments before each step, and every one of the 200 steps must give the same
loss and the same gradients. Beside that it runs on its own, and then the averages of the curve must agree.

PyTorch's Adam divides by ``sqrt(v) / sqrt(1 - beta_2^t) + eps``, Keras' (and fastcnn's) by ``sqrt(v) + eps`` after
moving that correction into the rate. To compare the same algorithm, PyTorch is given ``eps / sqrt(1 - beta_2^t)`` at
step t, which is Keras' formula written PyTorch's way. Its layers take NCHW and OIHW; before the dense head the
activations are brought back to NHWC, so that the weights need no other order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn
from fastcnn.datasets import fashion_mnist
from fastcnn.datasets.sample import read_sample
from fastcnn.layers import Conv2D, Dense, Flatten, MaxPooling2D
from fastcnn.models import Sequential
from fastcnn.optimizers import SGD

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

STEPS, BATCH, EPSILON = 200, 32, 1e-7
#: Agreement of each step's loss.
RTOL = 1e-5


def images() -> tuple[np.ndarray, np.ndarray]:
    """The full training set where it lies at hand, else the sample that comes along."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data" / "fashion-mnist"
    places = [Path(os.environ[v]) for v in ("FASTCNN_DATA_DIR",) if os.environ.get(v)]
    for folder in (*places, *(p / "fashion-mnist" for p in places), beside):
        if fashion_mnist.DATASET.find(folder).folder is not None:
            return fashion_mnist.DATASET.load(folder)[0][0]
    return read_sample()[0]


def classic() -> Sequential:
    model = Sequential([
        Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)), MaxPooling2D((2, 2)),
        Conv2D(64, (3, 3), activation="relu"), MaxPooling2D((2, 2)), Conv2D(64, (3, 3), activation="relu"), Flatten(),
        Dense(64, activation="relu"), Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


class Twin:
    """The same network and optimizer in PyTorch."""

    def __init__(self, weights: list[np.ndarray], sgd: float | None = None) -> None:
        self.parameters = [to_torch(w).requires_grad_() for w in weights]
        if sgd is None:
            self.optimizer: Any = torch.optim.Adam(self.parameters, lr=1e-3, betas=(0.9, 0.999))
        else:
            self.optimizer = torch.optim.SGD(self.parameters, lr=sgd)
        self.step = 0

    def logits(self, x: Any) -> Any:
        f = torch.nn.functional
        k1, b1, k2, b2, k3, b3, k4, b4, k5, b5 = self.parameters
        x = f.max_pool2d(f.relu(f.conv2d(x, k1, b1)), 2)
        x = f.max_pool2d(f.relu(f.conv2d(x, k2, b2)), 2)
        x = f.relu(f.conv2d(x, k3, b3)).permute(0, 2, 3, 1).flatten(1)
        return f.relu(x @ k4 + b4) @ k5 + b5

    def take_over(self, model: Sequential) -> None:
        """Go on from where the model is: its weights, and its optimizer's moments."""
        assert model.optimizer is not None
        state = dict(model.optimizer.state())
        with torch.no_grad():
            for i, (parameter, weight) in enumerate(zip(self.parameters, model.get_weights())):
                parameter.copy_(to_torch(weight))
                if state:
                    self.optimizer.state[parameter] = {
                        "step": torch.tensor(float(self.step)),
                        "exp_avg": to_torch(state["m"][i]),
                        "exp_avg_sq": to_torch(state["v"][i]),
                    }

    def train(self, x: np.ndarray, y: np.ndarray) -> float:
        self.step += 1
        if isinstance(self.optimizer, torch.optim.Adam):
            self.optimizer.param_groups[0]["eps"] = EPSILON / (1 - 0.999**self.step) ** 0.5
        images = torch.tensor(np.transpose(x, (0, 3, 1, 2))).contiguous()
        loss = torch.nn.functional.cross_entropy(self.logits(images), torch.tensor(y.astype(np.int64)))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    def moments(self) -> np.ndarray:
        """The first moments of all weights, one after the other, in our layout."""
        arrays = [self.optimizer.state[p]["exp_avg"].numpy() for p in self.parameters]
        return np.concatenate([(np.transpose(a, (2, 3, 1, 0)) if a.ndim == 4 else a).ravel() for a in arrays])


def to_torch(weight: np.ndarray) -> Any:
    """A copy, HWIO as OIHW."""
    return torch.tensor(np.transpose(weight, (3, 2, 0, 1)) if weight.ndim == 4 else weight).contiguous()


def batches(size: int = BATCH) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The same STEPS batches each time."""
    x, y = images()
    order = np.random.default_rng(0).permutation(max(len(x), STEPS * size)) % len(x)
    for step in range(STEPS):
        index = order[step * size : (step + 1) * size]
        yield (x[index, ..., None] / 255).astype(np.float32), y[index]


@pytest.fixture
def exact_torch() -> Any:
    """Single precision throughout, and always the same algorithms."""
    before = torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision()
    torch.use_deterministic_algorithms(True)
    torch.set_float32_matmul_precision("highest")
    yield
    torch.use_deterministic_algorithms(before[0])
    torch.set_float32_matmul_precision(before[1])


@pytest.fixture(params=["fast", "exact"])
def precision(request: pytest.FixtureRequest) -> Any:
    """Convolutions by Winograd where that is faster, and none."""
    fastcnn.set_precision(request.param)
    yield request.param
    fastcnn.set_precision("fast")


@pytest.mark.usefixtures("exact_torch", "precision")
@pytest.mark.parametrize("seed", [0, 1])
def test_the_whole_curve_is_pytorchs(seed: int) -> None:
    fastcnn.set_seed(seed)
    model = classic()
    model.compile(SGD(0.01), "sparse_categorical_crossentropy")
    twin = Twin(model.get_weights(), sgd=0.01)
    losses = np.array([(model.train_on_batch(*batch)[0], twin.train(*batch)) for batch in batches(128)])
    assert losses[-20:].mean() < losses[:20].mean() - 0.2
    np.testing.assert_allclose(losses[:, 0], losses[:, 1], rtol=1e-3)


@pytest.mark.usefixtures("exact_torch", "precision")
def test_each_step_of_adam_is_pytorchs() -> None:
    fastcnn.set_seed(0)
    model = classic()
    # Biases of 0 make sums over the empty background exactly 0, and Winograd's only nearly: on which side of ReLU's
    # corner they fall, and so a few percent of the first gradients, would be up to rounding.
    generator = np.random.default_rng(1)
    model.set_weights([w if w.ndim > 1 else generator.uniform(0.01, 0.05, w.shape) for w in model.get_weights()])
    beside, free = Twin(model.get_weights()), Twin(model.get_weights())
    losses, apart = np.empty((STEPS, 3)), []
    for step, batch in enumerate(batches()):
        beside.take_over(model)
        losses[step] = model.train_on_batch(*batch)[0], beside.train(*batch), free.train(*batch)
        assert model.optimizer is not None
        ours = np.concatenate([m.ravel() for m in dict(model.optimizer.state())["m"]])
        theirs = beside.moments()
        apart.append(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
    ours, beside_us, on_its_own = losses.T
    assert ours[-20:].mean() < 0.5 * ours[0]
    np.testing.assert_allclose(ours, beside_us, rtol=RTOL)
    # The gradients as well: nearly always to rounding, and where a ReLU or a maximum tips over, to little.
    assert np.median(apart) < 1e-5
    assert max(apart) < 1e-2
    # On its own PyTorch's curve is the same one until rounding has grown into another path to the same place.
    np.testing.assert_allclose(ours[:5], on_its_own[:5], rtol=1e-3)
    np.testing.assert_allclose(ours.reshape(-1, 50).mean(1), on_its_own.reshape(-1, 50).mean(1), rtol=0.03)
