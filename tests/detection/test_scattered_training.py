"""The whole way at reduced size: clothes scattered over pictures are found and told apart, from scratch."""

from __future__ import annotations

import numpy as np

import fastcnn
from fastcnn.data import scattered_objects
from fastcnn.datasets import fashion_mnist
from fastcnn.detection import DetectionModel
from fastcnn.optimizers import AdamW
from fastcnn.optimizers.schedules import CosineDecay

#: Five of the ten classes, whose 200 sample pictures each are enough to tell them apart.
CLASSES = ("Trouser", "Dress", "Sandal", "Bag", "Ankle boot")
PICTURES, EPOCHS, BATCH = 1600, 4, 16


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
    model = DetectionModel(CLASSES, 96)
    steps = EPOCHS * len(learned)
    model.compile(AdamW(CosineDecay(1e-4, steps - 50, 0.01, warmup_target=2e-3, warmup_steps=50), weight_decay=0.05))
    model.fit(learned.prefetch(), epochs=EPOCHS, verbose=0)
    found = model.judge(judged)
    assert found.result()["AP50"] >= 0.9
    assert min(row["AP50"] for row in found.per_class().values()) > 0.75
