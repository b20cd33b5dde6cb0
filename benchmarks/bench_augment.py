"""Images a second of augmentation: fastcnn beside albumentations and PyTorch, on one core and on two, in turns.

    pip install albumentations torch==2.13.0
    python benchmarks/bench_augment.py

Three recipes on uint8 images: CIFAR's (crop of 32 x 32 with padding 4, flip, cutout), ImageNet's (random resized crop
to 224 x 224 of 320 x 400, flip, brightness, contrast, saturation and hue), RandAugment with two operations at magnitude
9 on 224 x 224. albumentations takes image by image, on two cores in two processes that write to shared memory;
PyTorch's code is batched, as torchvision computes it, each image with random numbers of its own.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import fastcnn
from fastcnn.data import augment as A  # noqa: N812

Contender = Callable[[np.ndarray], Any]
RECIPES = {"cifar": (256, (32, 32)), "imagenet": (32, (320, 400)), "randaugment": (32, (224, 224))}
JITTER = {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2, "hue": 0.1}


def ours(recipe: str, threads: int) -> Contender:
    augment = {
        "cifar": lambda: A.Compose([A.RandomCrop(32, 32, padding=4), A.RandomFlip("horizontal"), A.Cutout(8)]),
        "imagenet": lambda: A.Compose([
            A.RandomResizedCrop(224, 224), A.RandomFlip("horizontal"),
            # In Keras' terms a hue of 0.2 is 0.1 of a turn, and saturations of 0.8 to 1.2 are f / (1 - f).
            A.RandomColorJitter((0, 255), 0.2, 0.2, (0.8 / 1.8, 1.2 / 2.2), 0.2),
        ]),
        "randaugment": lambda: A.RandAugment(num_ops=2, magnitude=9),
    }[recipe]()  # fmt: skip

    def run(x: np.ndarray) -> Any:
        fastcnn.set_num_threads(threads)
        return augment(x)

    return run


# ---------------------------------------------------------------- albumentations


def albumentations_of(recipe: str) -> Callable[[np.ndarray], np.ndarray]:
    import albumentations as B  # noqa: N812
    import cv2

    cv2.setNumThreads(1)
    if recipe == "cifar":
        chain = B.Compose([
            B.PadIfNeeded(40, 40, border_mode=cv2.BORDER_CONSTANT), B.RandomCrop(32, 32), B.HorizontalFlip(),
            B.CoarseDropout((1, 1), (8, 8), (8, 8), p=1.0),
        ])  # fmt: skip
    elif recipe == "imagenet":
        chain = B.Compose([B.RandomResizedCrop((224, 224)), B.HorizontalFlip(), B.ColorJitter(
            (0.8, 1.2), (0.8, 1.2), (0.8, 1.2), (-0.1, 0.1), p=1.0)])  # fmt: skip
    else:
        level, nearest = 0.3, {"interpolation": cv2.INTER_NEAREST, "p": 1.0}
        near = (1 - 0.9 * level, 1 + 0.9 * level)
        one = [
            B.Affine(shear={"x": (-17 * level, 17 * level), "y": (0, 0)}, **nearest),
            B.Affine(shear={"x": (0, 0), "y": (-17 * level, 17 * level)}, **nearest),
            B.Affine(translate_percent={"x": (-0.45 * level, 0.45 * level), "y": (0, 0)}, **nearest),
            B.Affine(translate_percent={"x": (0, 0), "y": (-0.45 * level, 0.45 * level)}, **nearest),
            B.Affine(rotate=(-30 * level, 30 * level), **nearest), B.AutoContrast(p=1.0), B.Equalize(p=1.0),
            B.ColorJitter((1, 1), near, (1, 1), (0, 0), p=1.0), B.ColorJitter(near, (1, 1), (1, 1), (0, 0), p=1.0),
            B.ColorJitter((1, 1), (1, 1), near, (0, 0), p=1.0), B.Posterize(7, p=1.0),
            B.Solarize((1 - level, 1 - level), p=1.0), B.Sharpen((0.9 * level, 0.9 * level), p=1.0), B.NoOp(p=1.0),
        ]  # fmt: skip
        chain = B.SomeOf(one, 2, replace=True, p=1.0)
        chain = B.Compose([chain])
    return lambda image: chain(image=image)["image"]


def albumentations(recipe: str, threads: int) -> Contender:
    one = albumentations_of(recipe)
    count, size = RECIPES[recipe]
    shape = (count, *((224, 224) if recipe != "cifar" else size), 3)
    if threads == 1:
        y = np.empty(shape, np.uint8)

        def run(x: np.ndarray) -> Any:
            for i, image in enumerate(x):
                y[i] = one(image)
            return y

        return run
    context = multiprocessing.get_context("fork")
    inputs = context.RawArray("B", count * size[0] * size[1] * 3)
    outputs = context.RawArray("B", math.prod(shape))
    pipes = [context.Pipe() for _ in range(threads)]
    for k, (_, end) in enumerate(pipes):
        context.Process(
            target=_serve, args=(recipe, end, inputs, outputs, shape, size, k, threads), daemon=True
        ).start()
    memory = np.frombuffer(inputs, np.uint8).reshape(count, *size, 3)
    result = np.frombuffer(outputs, np.uint8).reshape(shape)

    def run_shared(x: np.ndarray) -> Any:
        if not np.array_equal(memory[-1], x[-1]):
            memory[:] = x  # once: the images lie there already, as in a worker that reads files
        for start, _ in pipes:
            start.send(1)
        for start, _ in pipes:
            start.recv()
        return result

    return run_shared


def _serve(
    recipe: str,
    pipe: Any,
    inputs: Any,
    outputs: Any,
    shape: tuple[int, ...],
    size: tuple[int, int],
    k: int,
    threads: int,
) -> None:
    one = albumentations_of(recipe)
    x = np.frombuffer(inputs, np.uint8).reshape(shape[0], *size, 3)
    y = np.frombuffer(outputs, np.uint8).reshape(shape)
    while pipe.recv():
        for i in range(k, len(x), threads):
            y[i] = one(x[i])
        pipe.send(1)


# ---------------------------------------------------------------- PyTorch


def pytorch(recipe: str, threads: int) -> Contender:
    import torch

    steps = {"cifar": _torch_cifar, "imagenet": _torch_imagenet, "randaugment": _torch_randaugment}[recipe]

    def run(x: np.ndarray) -> Any:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            return steps(torch.from_numpy(x).permute(0, 3, 1, 2))

    return run


def _torch_cifar(x: Any) -> Any:
    import torch
    from torch.nn import functional

    n, _, h, w = x.shape
    padded = functional.pad(x, (4, 4, 4, 4))
    rows = torch.randint(0, 9, (n, 1)) + torch.arange(h)
    columns = torch.randint(0, 9, (n, 1)) + torch.arange(w)
    flip = torch.rand(n, 1) < 0.5
    columns = torch.where(flip, columns.flip(1), columns)
    x = padded[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    top, left = torch.randint(0, h, (n, 1)), torch.randint(0, w, (n, 1))
    inside = [((torch.arange(s) >= p - 4) & (torch.arange(s) < p + 4)) for s, p in ((h, top), (w, left))]
    return x.masked_fill((inside[0][:, None, :, None] & inside[1][:, None, None, :]), 0)


def _gray(x: Any) -> Any:
    return (0.2989 * x[:, 0] + 0.587 * x[:, 1] + 0.114 * x[:, 2])[:, None]


def _uniform(n: int, low: float, high: float) -> Any:
    import torch

    return torch.empty(n, 1, 1, 1).uniform_(low, high)


def _torch_imagenet(x: Any) -> Any:
    import torch
    from torch.nn import functional

    n, _, h, w = x.shape
    x = x.float().div_(255)
    area, shape = torch.empty(n).uniform_(0.08, 1), torch.empty(n).uniform_(math.log(3 / 4), math.log(4 / 3)).exp()
    width = ((area * h * w * shape).sqrt() / w).clamp(max=1)
    height = ((area * h * w / shape).sqrt() / h).clamp(max=1)
    zero, flip = torch.zeros(n), torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    along, down = (torch.rand(n) * 2 - 1) * (1 - width), (torch.rand(n) * 2 - 1) * (1 - height)
    theta = torch.stack([torch.stack([width * flip, zero, along], 1), torch.stack([zero, height, down], 1)], 1)
    grid = functional.affine_grid(theta, [n, 3, 224, 224], align_corners=False)
    x = functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
    x = (x * _uniform(n, 0.8, 1.2)).clamp_(0, 1)
    mean = _gray(x).mean((1, 2, 3), keepdim=True)
    x = (mean + (x - mean) * _uniform(n, 0.8, 1.2)).clamp_(0, 1)
    gray = _gray(x)
    x = (gray + (x - gray) * _uniform(n, 0.8, 1.2)).clamp_(0, 1)
    return _turn_hue(x, torch.empty(n, 1, 1).uniform_(-0.1, 0.1)).mul_(255).round_().to(torch.uint8)


def _turn_hue(x: Any, turns: Any) -> Any:
    import torch

    r, g, b = x.unbind(1)
    value, least = x.amax(1), x.amin(1)
    chroma = value - least
    safe = torch.where(chroma == 0, torch.ones_like(chroma), chroma)
    hue = torch.where(value == r, (g - b) / safe, torch.where(value == g, 2 + (b - r) / safe, 4 + (r - g) / safe))
    hue = hue + 6 * turns
    k = torch.stack([(hue + offset) % 6 for offset in (5, 3, 1)], 1)
    return value[:, None] - chroma[:, None] * torch.minimum(k, 4 - k).clamp_(0, 1)


def _torch_randaugment(x: Any) -> Any:
    """Each operation on those images that drew it, one turn after the other."""
    import torch

    level = 0.3
    for _ in range(2):
        y, pick = x.clone(), torch.randint(0, 14, (len(x),))
        for kind in range(13):
            chosen = torch.nonzero(pick == kind)[:, 0]
            if len(chosen):
                y[chosen] = _torch_operation(kind, x[chosen], level)
        x = y
    return x


def _torch_operation(kind: int, x: Any, level: float) -> Any:
    import torch
    from torch.nn import functional

    n = len(x)
    v = x.float()
    sign = torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    if kind < 5:
        one, zero, s = torch.ones(n), torch.zeros(n), sign * level
        angle = sign * level * math.radians(30)
        rows = {
            0: (one, 0.3 * s, zero, zero, one, zero), 1: (one, zero, zero, 0.3 * s, one, zero),
            2: (one, zero, 0.9 * s, zero, one, zero), 3: (one, zero, zero, zero, one, 0.9 * s),
            4: (angle.cos(), -angle.sin(), zero, angle.sin(), angle.cos(), zero),
        }[kind]  # fmt: skip
        grid = functional.affine_grid(torch.stack(rows, 1).reshape(n, 2, 3), list(x.shape), align_corners=False)
        return functional.grid_sample(v, grid, mode="nearest", align_corners=False).to(torch.uint8)
    factor = (1 + 0.9 * level * sign)[:, None, None, None]
    if kind == 5:
        low, high = v.amin((2, 3), keepdim=True), v.amax((2, 3), keepdim=True)
        v = (v - low) * (255 / (high - low).clamp(min=1))
    elif kind == 6:
        mean = _gray(v).mean((1, 2, 3), keepdim=True)
        v = mean + (v - mean) * factor
    elif kind == 7:
        v = v * factor
    elif kind == 8:
        gray = _gray(v)
        v = gray + (v - gray) * factor
    elif kind == 9:
        return x & 0xFE
    elif kind == 10:
        return torch.where(x >= 255 * (1 - level), 255 - x, x)
    elif kind == 11:
        return torch.stack([torch.stack([_equalized(channel) for channel in image]) for image in x])
    else:
        kernel = torch.ones(3, 1, 3, 3) / 13
        kernel[:, :, 1, 1] = 5 / 13
        smooth = functional.pad(functional.conv2d(v, kernel, groups=3), (1, 1, 1, 1))
        v = smooth + (v - smooth) * factor
    return v.clamp_(0, 255).round_().to(torch.uint8)


def _equalized(channel: Any) -> Any:
    import torch

    counts = torch.bincount(channel.reshape(-1).long(), minlength=256)
    step = (counts.sum() - counts[counts.nonzero()[-1]]) // 255
    if step == 0:
        return channel
    table = (step // 2 + torch.cumsum(counts, 0) - counts) // step
    return table.clamp(max=255).to(torch.uint8)[channel.long()]


# ---------------------------------------------------------------- taking turns


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--without", nargs="*", default=[], help="contenders to leave out")
    options = parser.parse_args()
    makers = {"fastcnn": ours, "albumentations": albumentations, "PyTorch": pytorch}
    rng = np.random.default_rng(0)
    print("images/s, best (median)")
    for recipe in options.recipes:
        count, size = RECIPES[recipe]
        # Smooth pictures: what is in photographs costs what photographs cost.
        coarse = rng.integers(0, 256, (count, size[0] // 8 + 1, size[1] // 8 + 1, 3), dtype=np.uint8)
        x = np.ascontiguousarray(coarse.repeat(8, 1).repeat(8, 2)[:, : size[0], : size[1]])
        for threads in options.threads:
            runs = {name: make(recipe, threads) for name, make in makers.items() if name not in options.without}
            seconds: dict[str, list[float]] = {name: [] for name in runs}
            for run in runs.values():
                run(x)
            for _ in range(options.repeats):
                for name, run in runs.items():
                    time.sleep(0.03)  # until the threads of the one before have gone to sleep
                    start = time.perf_counter()
                    run(x)
                    seconds[name].append(time.perf_counter() - start)
            for name, taken in seconds.items():
                best, median = (count / t for t in (min(taken), sorted(taken)[len(taken) // 2]))
                print(f"{recipe:12} {threads} {name:15} {best:10,.0f} ({median:,.0f})", flush=True)


if __name__ == "__main__":
    main()
