"""One training epoch of the classic CNN: fastcnn beside a plain PyTorch loop, and Keras where it is installed.

Same initial weights, same pictures, same number of threads, Adam with the same numbers (PyTorch's fused one); they take
turns in one run, and the fastest of the others counts. PyTorch runs in both of its layouts. fastcnn's `fit` keeps the
accuracy of the epoch as it goes and moves its progress bar, as on a terminal; PyTorch's loop keeps only the loss, and
Keras' `fit` (on TensorFlow) shows nothing.

    python benchmarks/peers.py                          all 60,000 pictures, batches of 32 and 128
    python benchmarks/peers.py --images 6000 --repeats 5 --json peers.json

PyTorch must be installed beside fastcnn: pip install torch==2.13.0. For Keras: pip install keras tensorflow
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

import fastcnn
from fastcnn.cli import peers
from fastcnn.cli.bench import compiled
from fastcnn.cli.info import collect
from fastcnn.cli.timing import best_and_median, take_turns
from fastcnn.datasets import fashion_mnist
from fastcnn.utils import atomic_write


def pictures(count: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Training pictures in [0, 1] and their labels."""
    (x, y), _ = fashion_mnist.load_data()
    return (x[:count, ..., None] / np.float32(255)).astype(np.float32), y[:count]


class Terminal(io.StringIO):
    """Takes what a terminal would show."""

    def isatty(self) -> bool:
        return True


def fit(model: Any, x: np.ndarray, y: np.ndarray, batch: int) -> None:
    """One epoch as a user calls it, with the bar and the metrics."""
    with contextlib.redirect_stdout(Terminal()):
        model.fit(x, y, batch, epochs=1, verbose=1)


def keras_epoch(weights: Sequence[np.ndarray], x: np.ndarray, y: np.ndarray, batch: int) -> Callable[[], object] | None:
    """An epoch of the same network as a Keras user writes it; None where Keras or TensorFlow is not installed."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(fastcnn.get_num_threads())
        import keras
    except ImportError:
        return None
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.set_weights(list(weights))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    epoch = partial(model.fit, batch_size=batch, epochs=1, verbose=0)
    epoch(x[: 4 * batch], y[: 4 * batch])
    return partial(epoch, x, y)


def compare(x: np.ndarray, y: np.ndarray, batch: int, repeats: int) -> dict[str, Any]:
    """Best and median seconds of an epoch, each contender, and the ratio of the best ones."""
    model = compiled()
    ways: dict[str, Callable[[], object]] = {"fastcnn": partial(fit, model, x, y, batch)}
    for layout, name in ((False, "PyTorch"), (True, "PyTorch channels_last")):
        torch = peers.TorchClassic(model.get_weights(), fastcnn.get_num_threads(), layout)
        ways[name] = partial(torch.epoch, *torch.tensors(x, y), batch)
    keras = keras_epoch(model.get_weights(), x, y, batch)
    if keras is not None:
        ways["Keras"] = keras
    # A first turn that doesn't count, on a few pictures: plans, caches and thread pools are made then.
    few = slice(0, 4 * batch)
    fit(model, x[few], y[few], batch)
    seconds = take_turns(ways, repeats, warm=False)
    table: dict[str, Any] = {name: best_and_median(taken) for name, taken in seconds.items()}
    table["ratio"] = min(table[name]["best"] for name in ways if name != "fastcnn") / table["fastcnn"]["best"]
    return table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, help="pictures of an epoch (default: all)")
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, help="for both (default: all cores)")
    parser.add_argument("--json", help="file for the numbers")
    options = parser.parse_args()
    if options.threads:
        fastcnn.set_num_threads(options.threads)
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed here: there is nobody to measure against", file=sys.stderr)
        return 1
    x, y = pictures(options.images)
    keras = f", Keras {version('keras')}" if importlib.util.find_spec("keras") else ", no Keras"
    print(f"{len(x)} pictures an epoch, {fastcnn.get_num_threads()} threads, PyTorch {torch.__version__}{keras}")
    print(f"{'seconds an epoch':<24} {'best':>8} {'median':>8}")
    results: dict[str, Any] = {"images": len(x), "torch": torch.__version__, "machine": collect()}
    for batch in options.batch:
        table = results[f"batch {batch}"] = compare(x, y, batch, options.repeats)
        print(f"batch {batch}")
        for name, row in table.items():
            if name != "ratio":
                print(f"  {name:<22} {row['best']:>8.2f} {row['median']:>8.2f}")
        print(f"  fastcnn is {table['ratio']:.2f}x as fast as the fastest of the others", flush=True)
    if options.json:
        with atomic_write(options.json, "w") as file:
            json.dump(results, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
