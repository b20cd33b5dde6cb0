"""Train a detector from scratch on BCCD: 364 blood smears with boxes around red cells, white cells and platelets (MIT).

python examples/detect_cells.py                    bccd.zip from the folder FASTCNN_DATA_DIR
python examples/detect_cells.py --data VOC         any folder or archive in VOC's form with lists train, val and test

The pictures of the list "train" are learned from; after each epoch those of "val" say how good the detector is, and
the best one is kept; those of "test" are looked at once, at the end. Into the folder --output go the model, the
learning curves, and a sheet of test pictures with what was found in them.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import fastcnn
from fastcnn.callbacks import Callback, ModelCheckpoint
from fastcnn.data import Dataset, detection_dataset_from_voc
from fastcnn.data.augment import Compose, Mosaic, RandomColorJitter, RandomFlip, RandomTranslation, RandomZoom
from fastcnn.detection import DetectionModel
from fastcnn.models import load_model
from fastcnn.optimizers import AdamW
from fastcnn.optimizers.schedules import CosineDecay
from fastcnn.viz import draw_boxes, plot_history

ARCHIVE = "bccd.zip/BCCD"
#: Of the training's steps, so many warm up, since the first gradients are large.
WARM_UP = 100


class Told(Callback):
    """A line for every fifth epoch: losses, AP, and the time so far."""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        found = logs or {}
        if epoch % 5 == 4 or epoch + 1 == self.params["epochs"]:
            print(f"epoch {epoch + 1:4}   {time.perf_counter() - self.start:6.0f} s   loss {found['loss']:.3f}   "
                  f"val_loss {found['val_loss']:.3f}   val_AP {found['val_AP']:.3f}   "
                  f"val_AP50 {found['val_AP50']:.3f}", flush=True)  # fmt: skip


def load(options: argparse.Namespace, part: str, classes: list[str] | None = None) -> Dataset:
    """The pictures of a list, between margins where they are of another shape than the network's images."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = detection_dataset_from_voc(
            options.data, part, classes, image_size=options.image_size, pad_to_aspect_ratio=True,
            details=part == "test", batch_size=options.batch_size, shuffle=part == "train", seed=options.seed,
        )  # fmt: skip
    for warning in told:
        print(f"{part}: {warning.message}")
    return found.cache()


def augmentation(seed: int) -> Compose:
    """Smears have no up and down; cells differ in size, stains in colour."""
    return Compose(
        [
            Mosaic(0.3, seed=seed),
            RandomFlip("horizontal_and_vertical", seed=seed + 1),
            RandomZoom((-0.3, 0.3), fill_mode="constant", seed=seed + 2),
            RandomTranslation(0.1, 0.1, fill_mode="constant", seed=seed + 3),
            RandomColorJitter(
                brightness_factor=0.1, contrast_factor=0.2, saturation_factor=(0.4, 0.6), hue_factor=0.02, seed=seed + 4
            ),
        ]
    )


def train(options: argparse.Namespace, learned: Dataset, judged: Dataset) -> DetectionModel:
    """The detector that was best on the pictures `judged`."""
    model = DetectionModel(learned.class_names or [], options.image_size, size=options.size)
    steps = len(learned) * options.epochs
    rate = CosineDecay(options.rate / 20, max(1, steps - WARM_UP), alpha=0.01, warmup_target=options.rate,
                       warmup_steps=WARM_UP)  # fmt: skip
    model.compile(AdamW(rate, weight_decay=0.05, global_clipnorm=10.0))
    best = options.output / "cells.safetensors"
    history = model.fit(
        learned.map(augmentation(options.seed)).prefetch(),
        validation_data=judged,
        epochs=options.epochs,
        verbose=0,
        callbacks=[Told(), ModelCheckpoint(best, monitor="val_AP50", save_best_only=True)],
    )
    try:
        plot_history(history, options.output / "cells-learning.png")
    except ImportError as error:
        print(f"no learning curves: {error}")
    found = load_model(best)
    assert isinstance(found, DetectionModel)
    return found


def table(model: DetectionModel, test: Dataset) -> str:
    """Average precision of each class and their means, as a Markdown table."""
    judged = model.judge(test)
    lines = ["| class | objects | AP50 | AP75 | AP |", "|---|---|---|---|---|"]
    for name, row in judged.per_class().items():
        lines.append(f"| {name} | {row['objects']} | {row['AP50']:.3f} | {row['AP75']:.3f} | {row['AP']:.3f} |")
    mean = judged.result()
    lines.append(f"| **mean** | | **{mean['AP50']:.3f}** | {mean['AP75']:.3f} | {mean['AP']:.3f} |")
    return "\n".join(lines)


def sheet(model: DetectionModel, test: Dataset, rows: int = 2, columns: int = 3) -> Image.Image:
    """The first test pictures with what was found in them."""
    images = list(itertools.islice((image for batch in test for image in batch[0]), rows * columns))
    found = model.predict(images, score_threshold=0.3)
    drawn = [
        draw_boxes(image, one.boxes, one.labels, one.scores, model.class_names) for image, one in zip(images, found)
    ]
    blank = np.full_like(drawn[0], 255)
    drawn += [blank] * (rows * columns - len(drawn))
    return Image.fromarray(np.concatenate([np.concatenate(drawn[r * columns : (r + 1) * columns], axis=1)
                                           for r in range(rows)]))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder or archive in VOC's form, or a folder in an archive")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--image-size", type=int, nargs=2, default=(320, 416), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--size", choices=("small", "medium", "large"), default="small")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rate", type=float, default=1e-3, help="the highest learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("cells"))
    options = parser.parse_args()
    options.image_size = tuple(options.image_size)
    if any(side < 32 or side % 32 for side in options.image_size):
        parser.error(f"--image-size: height and width must be multiples of 32, received {options.image_size}")
    options.data = options.data or Path(os.environ.get("FASTCNN_DATA_DIR", ".")) / ARCHIVE
    options.output.mkdir(parents=True, exist_ok=True)
    fastcnn.set_seed(options.seed)
    try:
        learned = load(options, "train")
        judged, test = (load(options, part, learned.class_names) for part in ("val", "test"))
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f"{error}\nname the archive with --data, or its folder with FASTCNN_DATA_DIR")
    start = time.perf_counter()
    model = train(options, learned, judged)
    print(f"\ntrained in {(time.perf_counter() - start) / 60:.1f} minutes; the test pictures:\n\n{table(model, test)}")
    sheet(model, test).save(options.output / "cells.png")
    print(f"\nmodel, learning curves and test pictures with boxes are in {options.output}")


if __name__ == "__main__":
    main()
