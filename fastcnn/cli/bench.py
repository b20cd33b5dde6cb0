"""``fastcnn bench``: how fast this machine trains and predicts, beside whoever else is installed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .. import datasets, ops, reference, utils
from .._ops import cpu_info, get_num_threads
from . import peers, versus
from .classic import classic_cnn
from .timing import best_and_median, calls_for, many, take_turns

#: Pictures of one timed pass of training: seconds, not minutes, on a small machine.
IMAGES = 2000
#: Layers of the classic CNN as (name, input, kernel): height and width, then channels in and out, of one batch of 32.
CONVOLUTIONS = (("conv 28x28 1->32", 28, 1, 32), ("conv 13x13 32->64", 13, 32, 64), ("conv 5x5 64->64", 5, 64, 64))


def run(options: argparse.Namespace) -> int:
    """Measure and print; the exit code."""
    if options.layers:
        return versus.run(options)
    (x, y), _ = datasets.fashion_mnist.load_sample()
    x, y = (x[:IMAGES, ..., None] / np.float32(255)).astype(np.float32), y[:IMAGES]
    info = cpu_info()
    results: dict[str, Any] = {"threads": get_num_threads(), "instruction_set": info["instruction_set"]}
    if not options.json:
        print(f"{info['instruction_set']}, {get_num_threads()} threads; best (median) of {options.repeats} rounds\n")
    for batch in (32, 128):
        title = f"training, batch {batch}: images/s"
        results[title] = _show(title, _training(x, y, batch, options.repeats), len(x), options, higher=True)
    results["prediction of one image: ms"] = _show(
        "prediction of one image: ms", _latency(x[:1], options.repeats), 1e3, options, higher=False
    )
    for name, seconds in _operations(options.repeats).items():
        results[f"{name}, batch 32: ms"] = _show(f"{name}, batch 32: ms", seconds, 1e3, options, higher=False)
    if options.json:
        print(json.dumps(results, indent=1))
    return 0


def _show(
    title: str, seconds: dict[str, list[float]], scale: float, options: argparse.Namespace, higher: bool
) -> dict[str, Any]:
    """Print one table, and give its numbers: per second if `higher` is better, else seconds times `scale`."""
    table = {}
    for name, taken in seconds.items():
        figures = best_and_median(taken)
        table[name] = {k: scale / v if higher else scale * v for k, v in figures.items()}
    if not options.json:
        print(title)
        ours = min(seconds["fastcnn"])
        for name, row in table.items():
            times = "" if name == "fastcnn" else f"   fastcnn is {min(seconds[name]) / ours:.2f}x as fast"
            print(f"  {name:<24} {row['best']:>10,.4g} ({row['median']:,.4g}){times}")
        print(flush=True)
    return table


def _training(x: np.ndarray, y: np.ndarray, batch: int, repeats: int) -> dict[str, list[float]]:
    model = compiled()
    ways: dict[str, Callable[[], object]] = {"fastcnn": lambda: model.fit(x, y, batch, epochs=1, verbose=0)}
    for layout in (False, True):
        try:
            torch = peers.TorchClassic(model.get_weights(), get_num_threads(), layout)
        except ImportError:
            break
        name = "PyTorch channels_last" if layout else "PyTorch"
        ways[name] = partial(torch.epoch, *torch.tensors(x, y), batch)
    return take_turns(ways, repeats)


def _latency(image: np.ndarray, repeats: int) -> dict[str, list[float]]:
    model = compiled()
    threads = get_num_threads()
    weights = model.get_weights()
    ways: dict[str, Callable[[], np.ndarray]] = {"fastcnn": lambda: model.predict_on_batch(image)}
    for name, make in (
        ("PyTorch", lambda: peers.TorchClassic(weights, threads, False).predictor(image)),
        ("ONNX Runtime", lambda: peers.onnx_predictor(weights, image, threads)),
    ):
        try:
            ways[name] = make()
        except ImportError as error:
            print(f"({name} is not measured: {error})", file=sys.stderr)
    expected = ways["fastcnn"]()
    for name, way in ways.items():
        if not np.allclose(way(), expected, rtol=1e-3, atol=1e-5):
            raise ValueError(f"{name} and fastcnn predict different things from the same weights")
    calls = {name: calls_for(way) for name, way in ways.items()}
    seconds = take_turns({name: many(way, calls[name]) for name, way in ways.items()}, repeats)
    return {name: [s / calls[name] for s in taken] for name, taken in seconds.items()}


def _operations(repeats: int) -> dict[str, dict[str, list[float]]]:
    generator = np.random.default_rng(0)
    found = {}
    for name, size, channels, filters in CONVOLUTIONS:
        x = generator.standard_normal((32, size, size, channels), dtype=np.float32)
        w = generator.standard_normal((3, 3, channels, filters), dtype=np.float32)
        fast, plain = partial(ops.conv2d, x, w), partial(reference.conv2d, x, w)
        calls = calls_for(fast)
        seconds = take_turns({"fastcnn": many(fast, calls), "NumPy reference": plain}, min(repeats, 3))
        seconds["fastcnn"] = [s / calls for s in seconds["fastcnn"]]
        found[name] = seconds
    return found


def compiled() -> Any:
    """The classic CNN for 28x28 pictures, ready to train, always with the same weights."""
    utils.set_random_seed(1)
    model = classic_cnn((28, 28, 1), 10)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
