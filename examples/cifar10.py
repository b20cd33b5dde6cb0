"""CIFAR-10 with a small residual network, which learns to name 90 % of the test pictures in 17 minutes on two cores.

FASTCNN_DATA_DIR=folder python examples/cifar10.py                     with cifar10-jpeg.zip in that folder
python examples/cifar10.py --epochs 2 --images 2000 --save cifar10.safetensors     a quick look

The network is nine layers deep, its residual blocks at 16x16 and 4x4 pixels, after Page, "How to train your ResNet",
2018, at half to three quarters of its width. The learning rate goes up and down once (Smith and Topin, 2018); pictures
are mirrored, shifted by up to four pixels and lose a square of eight (DeVries and Taylor, 2017); labels are smoothed.
benchmarks/cifar10_torch.py trains the same in PyTorch beside it.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from typing import Any

import numpy as np

import fastcnn
from fastcnn.data import Dataset
from fastcnn.data.augment import Compose, Cutout, RandomCrop, RandomFlip
from fastcnn.datasets import cifar10
from fastcnn.graph import Value
from fastcnn.layers import (
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    GlobalMaxPooling2D,
    Input,
    MaxPooling2D,
    Normalization,
    ReLU,
    Rescaling,
)
from fastcnn.losses import CategoricalCrossentropy
from fastcnn.models import Model
from fastcnn.optimizers import SGD
from fastcnn.optimizers.schedules import OneCycle
from fastcnn.utils import to_categorical

#: Mean and standard deviation of the training pictures' pixels, red, green and blue.
MEAN, DEVIATION = (125.3, 122.9, 113.9), (62.5, 61.9, 66.5)
CLASSES = 10


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How it is trained."""

    epochs: int = 24
    batch: int = 256
    rate: float = 0.25
    rising: float = 0.25  # share of the steps
    momentum: float = 0.9
    decay: float = 0.01  # times the learning rate, of each weight, a step
    smoothing: float = 0.1
    padding: int = 4
    hole: int = 8
    widths: tuple[int, int, int, int] = (32, 64, 192, 384)

    def schedule(self, images: int) -> OneCycle:
        return OneCycle(self.rate, self.epochs * (images // self.batch), self.rising)


def network(widths: tuple[int, int, int, int]) -> Model:
    """Takes bytes, gives probabilities."""

    def convolve(x: Value, filters: int, pool: bool = False) -> Value:
        x = Conv2D(filters, 3, padding="same", use_bias=False)(x)
        if pool:
            x = MaxPooling2D()(x)
        return ReLU()(BatchNormalization(momentum=0.9)(x))

    def residual(x: Value, filters: int) -> Value:
        return Add()([x, convolve(convolve(x, filters), filters)])

    inputs = Input((32, 32, 3))
    x = Normalization(mean=MEAN, variance=np.square(DEVIATION))(inputs)
    x = convolve(x, widths[0])
    x = residual(convolve(x, widths[1], pool=True), widths[1])
    x = convolve(x, widths[2], pool=True)
    x = residual(convolve(x, widths[3], pool=True), widths[3])
    x = Rescaling(1 / 8)(GlobalMaxPooling2D()(x))
    return Model(inputs, Dense(CLASSES, use_bias=False, activation="softmax")(x))


def compiled(recipe: Recipe, images: int) -> Model:
    model = network(recipe.widths)
    model.compile(
        SGD(recipe.schedule(images), recipe.momentum, nesterov=True, weight_decay=recipe.decay),
        CategoricalCrossentropy(label_smoothing=recipe.smoothing),
        metrics=["accuracy"],
    )
    return model


def load(images: int | None = None) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Training and test pictures, of the first so many if given; classes as rows with a single one."""
    parts = cifar10.load_data()
    train, test = ((x[:images], to_categorical(y.reshape(-1)[:images], CLASSES)) for x, y in parts)
    return train, test


def batches(x: np.ndarray, y: np.ndarray, recipe: Recipe, augmented: bool = True) -> Dataset:
    """Shuffled batches, other ones each epoch."""
    data = Dataset.from_arrays(x, y).shuffle().batch(recipe.batch, drop_remainder=True)
    if augmented:
        crop = RandomCrop(32, 32, padding=recipe.padding, fill_mode="reflect")
        data = data.map(Compose([RandomFlip("horizontal"), crop, Cutout(recipe.hole, fill_value=float(np.mean(MEAN)))]))
    return data.prefetch()


def speeds(recipe: Recipe, rounds: int) -> dict[str, Any]:
    """Pictures a second of training from memory and with augmentation, which take turns; the best rounds count."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (20 * recipe.batch, 32, 32, 3), np.uint8)
    y = to_categorical(rng.integers(0, CLASSES, len(x)), CLASSES)
    model = compiled(recipe, len(x))
    ways = {"from memory": batches(x, y, recipe, False), "with augmentation": batches(x, y, recipe)}
    found = dict.fromkeys(ways, 0.0)
    for number in range(rounds + 1):
        for name, data in ways.items():
            start = time.perf_counter()
            model.fit(data, verbose=0)
            if number:  # the first round makes plans
                found[name] = max(found[name], len(x) / (time.perf_counter() - start))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=Recipe.epochs)
    parser.add_argument("--batch", type=int, default=Recipe.batch, help="the learning rate goes with it")
    parser.add_argument("--images", type=int, help="only the first so many pictures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", metavar="FILE", help="where the trained model goes")
    parser.add_argument("--speed", action="store_true", help="only measure what augmentation costs")
    options = parser.parse_args()
    recipe = Recipe(options.epochs, options.batch, Recipe.rate * options.batch / Recipe.batch)
    if options.speed:
        for name, speed in speeds(recipe, 3).items():
            print(f"{name:<18} {speed:,.0f} pictures a second")
        return
    fastcnn.random.set_seed(options.seed)
    train, test = load(options.images)
    model = compiled(recipe, len(train[0]))
    start = time.perf_counter()
    model.fit(batches(*train, recipe), epochs=recipe.epochs, validation_data=test, validation_batch_size=256)
    print(f"trained {recipe.epochs} epochs in {time.perf_counter() - start:.0f} s, validation included")
    print(f"test accuracy {model.evaluate(*test, batch_size=256, verbose=0)[1]:.4f}")
    if options.save:
        model.save(options.save)


if __name__ == "__main__":
    main()
