"""How many pictures a second come out of the pipeline, beside what Pillow alone and a loader in PyTorch's style give.

    python benchmarks/bench_data.py                     # pictures made for it, 500x375 JPEG to 224x224
    python benchmarks/bench_data.py --zip cifar10.zip   # those of an archive, by folders of classes

All contenders take turns in one run; shown is the best of several. `pillow` is a plain loop: open, convert, resize, and
an array. `loader` does the same by PyTorch's DataLoader, where PyTorch is installed, with processes for workers.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fastcnn.data import Dataset, image_dataset_from_directory
from fastcnn.data.files import open_tree, pictures

BATCH = 32


def make_pictures(folder: Path, count: int, size: tuple[int, int]) -> None:
    """JPEG files with the detail of photographs: noise of several scales."""
    generator = np.random.default_rng(0)
    for i in range(count):
        scales = [generator.integers(0, 256, (size[0] // k, size[1] // k, 3), dtype=np.uint8) for k in (60, 12, 3)]
        layers = [np.asarray(Image.fromarray(s).resize(size[::-1], Image.Resampling.BICUBIC), float) for s in scales]
        path = folder / f"class{i % 2}" / f"{i:04}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.mean(layers, axis=0).astype(np.uint8)).save(path, quality=90)


def by_pillow(tree: Any, names: list[str], side: int) -> None:
    """One picture after the other, by Pillow alone."""
    for start in range(0, len(names), BATCH):
        np.stack([decoded(tree, name, side) for name in names[start : start + BATCH]])


def decoded(tree: Any, name: str, side: int) -> np.ndarray:
    image = Image.open(io.BytesIO(tree.read(name))).convert("RGB")
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))


class Files:
    """A dataset as PyTorch's loader wants it."""

    def __init__(self, place: str, names: list[str], side: int) -> None:
        self.place, self.names, self.side = place, names, side

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> np.ndarray:
        if not hasattr(self, "tree"):
            self.tree = open_tree(self.place)  # each process has its own
        return decoded(self.tree, self.names[index], self.side)


def by_loader(place: str, names: list[str], side: int, workers: int) -> Callable[[], None]:
    from torch.utils.data import DataLoader

    loader: Any = DataLoader(Files(place, names, side), BATCH, num_workers=workers)  # type: ignore[arg-type]
    return lambda: consume(loader)


def by_fastcnn(place: str, side: int, workers: int) -> Callable[[], None]:
    dataset = image_dataset_from_directory(
        place, batch_size=BATCH, image_size=side, shuffle=False, labels=None, workers=workers
    )
    return lambda: consume(dataset)


def consume(batches: Any) -> None:
    for _ in batches:
        pass


def in_memory(count: int, side: int) -> Callable[[], None]:
    """Shuffled batches of arrays: what the pipeline itself takes."""
    x = np.zeros((count, side, side, 3), np.uint8)
    dataset = Dataset.from_arrays(x, np.zeros(count, np.int64)).shuffle(seed=1).batch(128).prefetch()
    return lambda: consume(dataset)


def best(run: Callable[[], None], found: float) -> float:
    start = time.perf_counter()
    run()
    return min(found, time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zip", help="a folder or an archive of pictures instead of those made here")
    parser.add_argument("--count", type=int, default=400, help="pictures to make")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--size", type=int, nargs=2, default=(375, 500), help="of the pictures made here")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        place = options.zip or made
        if options.zip is None:
            make_pictures(Path(made), options.count, tuple(options.size))
        tree = open_tree(place)
        names = pictures(tree.names())
        contenders = {f"fastcnn, {n} threads": by_fastcnn(place, options.side, n) for n in (1, 2)}
        contenders["pillow"] = lambda: by_pillow(tree, names, options.side)
        try:
            contenders |= {f"loader, {n} processes": by_loader(place, names, options.side, n) for n in (0, 2)}
        except ImportError:
            print("PyTorch is not installed: its loader takes no part")
        times = dict.fromkeys(contenders, float("inf"))
        for _ in range(options.repeats):
            for name, run in contenders.items():
                times[name] = best(run, times[name])
        for name, seconds in times.items():
            print(f"{name:<22}{len(names) / seconds:>10.0f} pictures/s")
        run, seconds = in_memory(50_000, 32), float("inf")
        for _ in range(options.repeats):
            seconds = best(run, seconds)
        print(f"{'32x32 from memory':<22}{50_000 / seconds:>10.0f} pictures/s")


if __name__ == "__main__":
    main()
