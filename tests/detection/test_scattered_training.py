"""The whole way at reduced size: clothes scattered over pictures are found and told apart, from scratch."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import fastcnn
from fastcnn.data import Dataset, scattered_objects
from fastcnn.data.augment import RandomFlip
from fastcnn.datasets import fashion_mnist
from fastcnn.detection import DetectionModel
from fastcnn.optimizers import AdamW
from fastcnn.optimizers.schedules import CosineDecay

#: Five of the ten classes, whose 200 sample pictures each are enough to tell them apart.
CLASSES = ("Trouser", "Dress", "Sandal", "Bag", "Ankle boot")
PICTURES, EPOCHS, BATCH = 1600, 4, 16


#: Where the full set may be: as the user has said before the tests began, or beside the checkout.
FULL = [Path(os.environ.get("FASTCNN_DATA_DIR") or "."), Path(__file__).resolve().parents[3] / "shared" / "data"]


def trained(learned: Dataset, epochs: int, rate: float) -> DetectionModel:
    model = DetectionModel(learned.class_names or [], 96)
    steps = epochs * len(learned)
    schedule = CosineDecay(rate / 20, steps - 50, 0.01, warmup_target=rate, warmup_steps=50)
    model.compile(AdamW(schedule, weight_decay=0.05))
    model.fit(learned.prefetch(), epochs=epochs, verbose=0)
    return model


def test_scattered_clothes_are_found() -> None:
    fastcnn.set_seed(0)
    chosen = [fashion_mnist.CLASS_NAMES.index(name) for name in CLASSES]
    sets = []
    for (x, y), count in zip(fashion_mnist.load_sample(), (PICTURES, 100)):
        mine = np.isin(y, chosen)
        sets.append(
            scattered_objects(
                x[mine], np.searchsorted(chosen, y[mine]), count, 96, (1, 6), (1.0, 1.5), class_names=CLASSES,
                batch_size=BATCH, seed=len(sets),
            )
        )  # fmt: skip
    learned, judged = sets
    found = trained(learned, EPOCHS, 2e-3).judge(judged)
    assert found.result()["AP50"] >= 0.9, found.table()
    assert min(row["AP50"] for row in found.per_class().values()) > 0.75


def test_all_ten_kinds_of_clothes(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the 60,000 pictures of the full set, which tell shirts from coats."""
    places = [f / inside for f in FULL for inside in ("", fashion_mnist.DATASET.folder)]
    folder = next((f for f in places if fashion_mnist.DATASET.find(f).folder is not None), None)
    if folder is None:
        pytest.skip(f"Fashion-MNIST is neither in FASTCNN_DATA_DIR nor in {FULL[1]}")
    monkeypatch.setenv("FASTCNN_DATA_DIR", str(folder))
    fastcnn.set_seed(0)
    learned, judged = (
        scattered_objects(
            x, y, count, 96, (1, 6), (1.0, 1.6), 0.2, class_names=fashion_mnist.CLASS_NAMES, batch_size=32, seed=number
        )
        for number, ((x, y), count) in enumerate(zip(fashion_mnist.load_data(), (40000, 300)))
    )
    found = trained(learned.map(RandomFlip(seed=0)), 4, 3e-3).judge(judged)
    assert found.result()["AP50"] >= 0.9, found.table()
