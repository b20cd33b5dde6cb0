"""Whole networks beside PyTorch, ONNX Runtime and OpenVINO, as far as these are installed.

    python benchmarks/bench_networks.py                             predictions of all networks, batches of 1 and 8
    python benchmarks/bench_networks.py --networks resnet18 --batch 1 --json out.json
    python benchmarks/bench_networks.py --train                     a training step of ResNet-20 for CIFAR-10, batch 128
    python benchmarks/bench_networks.py --memory --batch 32         peak memory of training
    python benchmarks/bench_networks.py --steps resnet50 --batch 1  where fastcnn's time goes, kernel by kernel

All contenders have the same weights and threads and take turns in one run; before anything is timed their results
must agree. Batch normalization is folded into convolutions for PyTorch, which runs in channels_last, its faster
layout, under `inference_mode`; the others fold it themselves. A ratio is fastcnn's best time over that
of the best peer.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import networks
import numpy as np
from plan_steps import print_steps, step_times

import fastcnn
from fastcnn.cli.info import collect
from fastcnn.cli.timing import best_and_median
from fastcnn.models import Model
from fastcnn.optimizers import SGD
from fastcnn.utils import atomic_write

#: What the ratio of predictions is to be at most, and that of the training step.
BARS = {
    "vgg16": 0.50, "vgg16-no-head": 0.50, "resnet18": 0.60, "resnet50": 0.80, "mobilenet_v2": 0.90,
    "resnet20-cifar step": 0.45,
}  # fmt: skip
#: Largest difference of results, over the largest result.
AGREEMENT = 1e-4
#: Whoever's slowest typical turn is this much above its best turn was disturbed.
NOISY = 1.25
Way = Callable[[], Any]


def images(net: networks.Network, batch: int) -> np.ndarray:
    rng = np.random.default_rng(batch)
    return rng.standard_normal((batch, net.size, net.size, net.channels)).astype(np.float32)


def take_turns(ways: Mapping[str, Way], repeats: int, calls: int = 3) -> dict[str, list[float]]:
    """Seconds of each way's calls, `calls` of them in each of `repeats` rounds.

    Idle threads of a library that has just worked go on spinning for some milliseconds and slow down the next one:
    before a turn they get the time to fall asleep, and a turn's first call doesn't count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(repeats):
        names = list(ways)
        for name in names if turn % 2 == 0 else reversed(names):
            time.sleep(0.02)
            ways[name]()
            for _ in range(calls):
                start = time.perf_counter()
                ways[name]()
                seconds[name].append(time.perf_counter() - start)
    return seconds


# ---------------------------------------------------------------- the contenders


def fastcnn_way(net: networks.Network, x: np.ndarray) -> Way:
    model = networks.to_fastcnn(net)
    return lambda: model.predict_on_batch(x)


def torch_way(net: networks.Network, x: np.ndarray) -> Way:
    import torch

    torch.set_num_threads(fastcnn.get_num_threads())
    module = networks.to_torch(net.folded()).eval().to(memory_format=torch.channels_last)
    image = torch.from_numpy(x).permute(0, 3, 1, 2)  # channels_last as it is

    def predict() -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(module(image).numpy())

    return predict


def onnxruntime_way(net: networks.Network, x: np.ndarray) -> Way:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = fastcnn.get_num_threads()
    session = onnxruntime.InferenceSession(networks.to_onnx(net), options, providers=["CPUExecutionProvider"])
    feed = {"x": np.ascontiguousarray(x.transpose(0, 3, 1, 2))}
    return lambda: np.asarray(session.run(None, feed)[0])


def openvino_way(net: networks.Network, x: np.ndarray) -> Way:
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": fastcnn.get_num_threads(), "INFERENCE_PRECISION_HINT": "f32"}
    model = core.compile_model(core.read_model(networks.to_onnx(net)), "CPU", settings)
    request, feed = model.create_infer_request(), np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    return lambda: np.array(request.infer([feed])[0])


PEERS = {"PyTorch": torch_way, "ONNX Runtime": onnxruntime_way, "OpenVINO": openvino_way}


def versions() -> dict[str, str]:
    """Of the peers that are installed."""
    found = {}
    for name, module in (("PyTorch", "torch"), ("ONNX Runtime", "onnxruntime"), ("OpenVINO", "openvino")):
        try:
            found[name] = str(__import__(module).__version__)
        except ImportError:
            print(f"{name} is not installed", file=sys.stderr)
    return found


# ---------------------------------------------------------------- predictions


def check_agreement(results: dict[str, np.ndarray]) -> float:
    """The largest difference from fastcnn's result; an error where it is too large."""
    mine = results["fastcnn"]
    worst = 0.0
    for name, other in results.items():
        theirs = other.transpose(0, 2, 3, 1) if other.ndim == 4 and name != "fastcnn" else other
        off = float(np.abs(theirs - mine).max() / np.abs(theirs).max())
        if not off <= AGREEMENT:
            raise SystemExit(f"{name} and fastcnn disagree by {off:.1e} of the largest result")
        worst = max(worst, off)
    return worst


def row(name: str, seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Times, the ratio to the best peer, and whether the machine was quiet enough."""
    table = {who: best_and_median(taken) for who, taken in seconds.items()}
    peers = {who: t["best"] for who, t in table.items() if who != "fastcnn"}
    made: dict[str, Any] = {"name": name, "seconds": table}
    made["noisy"] = any(t["median"] > NOISY * t["best"] for t in table.values())
    if peers:
        made["best peer"] = min(peers, key=peers.__getitem__)
        made["ratio"] = table["fastcnn"]["best"] / peers[made["best peer"]]
    return made


def predictions(name: str, batch: int, repeats: int, peers: dict[str, str]) -> dict[str, Any]:
    net = networks.NETWORKS[name]()
    x = images(net, batch)
    ways: dict[str, Way] = {"fastcnn": fastcnn_way(net, x), **{p: PEERS[p](net, x) for p in peers}}
    difference = check_agreement({who: way() for who, way in ways.items()})
    made = row(f"{name}, batch {batch}", take_turns(ways, repeats))
    return {**made, "bar": BARS.get(name), "difference": difference}


# ---------------------------------------------------------------- training


def compiled(net: networks.Network, recompute: bool = False) -> Model:
    model = networks.to_fastcnn(net)
    loss = fastcnn.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(SGD(0.01, momentum=0.9), loss, recompute=recompute)
    return model


def fastcnn_step(net: networks.Network, x: np.ndarray, y: np.ndarray, recompute: bool = False) -> Way:
    model = compiled(net, recompute)
    return lambda: model.train_on_batch(x, y)


def torch_step(net: networks.Network, x: np.ndarray, y: np.ndarray) -> Way:
    import torch

    torch.set_num_threads(fastcnn.get_num_threads())
    module = networks.to_torch(net).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(module.parameters(), 0.01, momentum=0.9, fused=True)
    image, labels = torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(y)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(module(image), labels)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


STEPS = {"fastcnn": fastcnn_step, "PyTorch": torch_step}
MEMORY: dict[str, Callable[..., Way]] = {
    "fastcnn": fastcnn_step, "recomputing": partial(fastcnn_step, recompute=True), "PyTorch": torch_step,
}  # fmt: skip


def training_data(net: networks.Network, batch: int) -> tuple[np.ndarray, np.ndarray]:
    return images(net, batch), np.random.default_rng(0).integers(0, 10, batch)


def training(batch: int, repeats: int, peers: dict[str, str]) -> dict[str, Any]:
    """One step of stochastic gradient descent with momentum."""
    net = networks.NETWORKS["resnet20-cifar"]()
    data = training_data(net, batch)
    ways = {who: STEPS[who](net, *data) for who in STEPS if who in ("fastcnn", *peers)}
    losses = {who: float(np.ravel(way())[0]) for who, way in ways.items()}
    for who, loss in losses.items():
        if not abs(loss - losses["fastcnn"]) <= AGREEMENT * abs(loss):
            raise SystemExit(f"the first loss is {loss} in {who} and {losses['fastcnn']} in fastcnn")
    made = row(f"resnet20-cifar step, batch {batch}", take_turns(ways, repeats))
    return {**made, "bar": BARS["resnet20-cifar step"]}


def memory(name: str, batch: int) -> dict[str, Any]:
    """Peak memory in bytes of processes that train a network for three steps, and the time of the last one; each
    contender in its own.
    """
    found: dict[str, Any] = {"name": f"{name} step, batch {batch}, peak memory"}
    for who in MEMORY:
        command = [sys.executable, __file__, "--memory-of", who, "--networks", name, "--batch", str(batch)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            before, peak, seconds = done.stdout.split()
            found[who] = {"before the first step": int(before), "peak": int(peak), "seconds": float(seconds)}
        else:
            print(f"{who}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
    return found


def memory_of(who: str, name: str, batch: int) -> None:
    """Print this process' largest memory before and after training, and the time of a step."""
    net = networks.NETWORKS[name]()
    step = MEMORY[who](net, *training_data(net, batch))
    before, seconds = _peak(), 0.0
    for _ in range(3):
        start = time.perf_counter()
        step()
        seconds = time.perf_counter() - start
    print(before, _peak(), seconds)


def _peak() -> int:
    # In KiB, on macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def where_time_goes(name: str, batch: int, repeats: int, train: bool) -> None:
    """Print fastcnn's time kernel by kernel, of a prediction or of a training step."""
    net = networks.NETWORKS[name]()
    x, y = training_data(net, batch)
    if train:
        model = compiled(net)
        print_steps(step_times(model, lambda: model.train_on_batch(x, y), repeats))
    else:
        model = networks.to_fastcnn(net)
        print_steps(step_times(model, lambda: model.predict_on_batch(x), repeats))


# ---------------------------------------------------------------- the command


def show(found: dict[str, Any]) -> None:
    print(found["name"])
    for who, times in found["seconds"].items():
        print(f"  {who:<14} {1e3 * times['best']:>9.3f} {1e3 * times['median']:>9.3f}")
    if "ratio" in found:
        bar = f", wanted {found['bar']:.2f}" if found["bar"] else ""
        noise = "   (too noisy to trust)" if found["noisy"] else ""
        print(f"  {found['ratio']:.3f} of {found['best peer']}{bar}{noise}", flush=True)


def show_memory(found: dict[str, Any]) -> None:
    print(found["name"])
    for who in MEMORY:
        if who in found:
            sizes = ", ".join(f"{k} {found[who][k] / 2**20:.0f} MiB" for k in ("before the first step", "peak"))
            print(f"  {who:<14} {sizes}, a step {1e3 * found[who]['seconds']:.0f} ms", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=networks.NETWORKS, metavar="NAME",
                        help="default: all for large pictures; --memory: classic-cnn, resnet18")  # fmt: skip
    parser.add_argument("--batch", type=int, nargs="+")
    parser.add_argument("--repeats", type=int, default=5, help="rounds of turns")
    parser.add_argument("--threads", type=int, help="for all (default: all cores)")
    parser.add_argument("--train", action="store_true", help="a training step instead of predictions")
    parser.add_argument("--memory", action="store_true", help="memory of training instead of predictions")
    parser.add_argument("--memory-of", choices=MEMORY, help=argparse.SUPPRESS)
    parser.add_argument(
        "--steps",
        metavar="NAME",
        choices=networks.NETWORKS,
        help="fastcnn's time kernel by kernel, of a prediction or (--train) of a step",
    )
    parser.add_argument("--json", help="file for the numbers")
    options = parser.parse_args()
    if options.threads:
        fastcnn.set_num_threads(options.threads)
    batches = options.batch or ([128] if options.train else [32] if options.memory or options.memory_of else [1, 8])
    if options.memory_of:
        memory_of(options.memory_of, options.networks[0], batches[0])
        return 0
    if options.steps:
        for batch in batches:
            where_time_goes(options.steps, batch, options.repeats, options.train)
        return 0
    rows: list[dict[str, Any]] = []
    peers = {}
    if options.memory:
        for name in options.networks or ["classic-cnn", "resnet18"]:
            for batch in batches:
                rows.append(memory(name, batch))
                show_memory(rows[-1])
    else:
        peers = versions()
        print(f"{fastcnn.get_num_threads()} threads, " + ", ".join(f"{k} {v}" for k, v in peers.items()))
        print(f"{'milliseconds':<16} {'best':>9} {'median':>9}")
        for name in ["training"] if options.train else options.networks or networks.LARGE:
            for batch in batches:
                make = training if options.train else lambda b, r, p, n=name: predictions(n, b, r, p)
                rows.append(make(batch, options.repeats, peers))
                show(rows[-1])
    if options.json:
        with atomic_write(options.json, "w") as file:
            json.dump({"versions": peers, "machine": collect(), "rows": rows}, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
