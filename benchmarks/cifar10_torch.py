"""CIFAR-10: examples/cifar10.py and its twin in PyTorch, epochs taking turns in one run.

The same network, recipe, pictures and number of threads; PyTorch in its channels_last layout. Each epoch's time is that
of its training alone; both are judged on the test pictures behind it. What has been measured so far is always in the
JSON file.

    FASTCNN_DATA_DIR=folder python benchmarks/cifar10_torch.py --json cifar10.json
    python benchmarks/cifar10_torch.py --epochs 2 --images 5000 --only pytorch

PyTorch must be installed beside fastcnn: pip install torch==2.13.0
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import fastcnn
from fastcnn.cli.info import collect
from fastcnn.utils import atomic_write

sys.path.insert(0, str(Path(__file__).parent.parent / "examples"))
import cifar10


class Ours:
    """The example, an epoch at a time."""

    def __init__(self, recipe: cifar10.Recipe, train: Any, test: Any) -> None:
        self.model = cifar10.compiled(recipe, len(train[0]))
        self.data, self.test = cifar10.batches(*train, recipe), test

    def epoch(self) -> None:
        self.model.fit(self.data, verbose=0)

    def accuracy(self) -> float:
        return float(self.model.evaluate(*self.test, batch_size=256, verbose=0)[1])


def convolve(channels: int, filters: int, pool: bool = False) -> nn.Sequential:
    convolution = nn.Conv2d(channels, filters, 3, padding=1, bias=False)
    nn.init.xavier_uniform_(convolution.weight)
    pooling = [nn.MaxPool2d(2)] if pool else []
    return nn.Sequential(convolution, *pooling, nn.BatchNorm2d(filters, eps=1e-3, momentum=0.1), nn.ReLU())


class Residual(nn.Module):
    def __init__(self, filters: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(convolve(filters, filters), convolve(filters, filters))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


class Network(nn.Module):
    def __init__(self, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.features = nn.Sequential(
            convolve(3, widths[0]),
            convolve(widths[0], widths[1], pool=True),
            Residual(widths[1]),
            convolve(widths[1], widths[2], pool=True),
            convolve(widths[2], widths[3], pool=True),
            Residual(widths[3]),
        )
        self.head = nn.Linear(widths[3], cifar10.CLASSES, bias=False)
        nn.init.xavier_uniform_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).amax(dim=(2, 3)) / 8)


class Twin:
    """The same in PyTorch: a plain loop, augmentation on whole batches."""

    def __init__(self, recipe: cifar10.Recipe, train: Any, test: Any) -> None:
        self.recipe, self.step = recipe, 0
        self.network = Network(recipe.widths).to(memory_format=torch.channels_last)
        self.schedule = recipe.schedule(len(train[0]))
        self.optimizer = torch.optim.SGD(self.network.parameters(), recipe.rate, recipe.momentum, nesterov=True)
        self.loss = nn.CrossEntropyLoss(label_smoothing=recipe.smoothing)
        self.mean, self.deviation = (torch.tensor(t).reshape(3, 1, 1) for t in (cifar10.MEAN, cifar10.DEVIATION))
        self.y = torch.from_numpy(train[1].argmax(axis=1))
        self.test = torch.from_numpy(test[0]), torch.from_numpy(test[1].argmax(axis=1))
        pad = recipe.padding
        padded = np.pad(train[0], ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="symmetric")
        self.padded = torch.from_numpy(padded)

    def _normalized(self, x: Tensor) -> Tensor:
        """Bytes (n, height, width, 3) as the network takes them; channels stay last in memory."""
        return (x.permute(0, 3, 1, 2).float() - self.mean) / self.deviation

    def _augmented(self, index: Tensor) -> Tensor:
        count, hole, places = len(index), self.recipe.hole, torch.arange(32)
        shift = torch.randint(0, 2 * self.recipe.padding + 1, (count, 2))
        across = torch.where(torch.rand(count, 1) < 0.5, places, 31 - places)
        rows, columns = shift[:, :1] + places, shift[:, 1:] + across
        x = self._normalized(self.padded[index[:, None, None], rows[:, :, None], columns[:, None, :]])
        at = torch.randint(0, 32, (count, 2)) - hole // 2
        inside = (places >= at[..., None]) & (places < at[..., None] + hole)
        return x.masked_fill_((inside[:, 0, :, None] & inside[:, 1, None, :])[:, None], 0.0)

    def epoch(self) -> None:
        self.network.train()
        order = torch.randperm(len(self.y))
        for index in order[: len(order) // self.recipe.batch * self.recipe.batch].split(self.recipe.batch):
            rate = self.schedule(self.step)
            self.step += 1
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            with torch.no_grad():
                torch._foreach_mul_(list(self.network.parameters()), 1 - rate * self.recipe.decay)
            self.optimizer.zero_grad(set_to_none=True)
            self.loss(self.network(self._augmented(index)), self.y[index]).backward()
            self.optimizer.step()

    @torch.inference_mode()
    def accuracy(self) -> float:
        self.network.eval()
        right = sum(
            int((self.network(self._normalized(x)).argmax(1) == y).sum())
            for x, y in zip(self.test[0].split(256), self.test[1].split(256))
        )
        return right / len(self.test[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=cifar10.Recipe.epochs)
    parser.add_argument("--images", type=int, help="only the first so many pictures")
    parser.add_argument("--only", choices=("fastcnn", "pytorch"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", default="cifar10.json", metavar="FILE")
    options = parser.parse_args()
    recipe = cifar10.Recipe(epochs=options.epochs)
    fastcnn.random.set_seed(options.seed)
    torch.manual_seed(options.seed)
    torch.set_num_threads(fastcnn.get_num_threads())
    train, test = cifar10.load(options.images)
    makers = {"fastcnn": Ours, "pytorch": Twin}
    contenders = {n: make(recipe, train, test) for n, make in makers.items() if options.only in (None, n)}
    machine = {**collect(), "pytorch": torch.__version__}
    found: dict[str, Any] = {name: {"seconds": [], "accuracy": []} for name in contenders}
    for epoch in range(recipe.epochs):
        for name, contender in contenders.items():
            start = time.perf_counter()
            contender.epoch()
            found[name]["seconds"].append(time.perf_counter() - start)
            found[name]["accuracy"].append(contender.accuracy())
            total = sum(found[name]["seconds"])
            print(f"{name} {epoch + 1}/{recipe.epochs}: {total:.1f} s, {found[name]['accuracy'][-1]:.4f}", flush=True)
        with atomic_write(options.json, "w") as file:
            json.dump({"recipe": recipe.__dict__, "machine": machine, **found}, file, indent=1)


if __name__ == "__main__":
    main()
