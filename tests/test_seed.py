"""One call of `set_seed` makes a program repeat, from process to process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import fastcnn

#: Initial weights, shuffled arrays, dropout, noise; a shuffled pipeline with augmentation, layers that augment.
PROGRAM = """
import sys, zlib
import numpy as np
import fastcnn
from fastcnn import data, layers, models
fastcnn.set_seed(int(sys.argv[1]))
x = np.arange(24 * 8 * 8 * 3, dtype=np.float32).reshape(24, 8, 8, 3) % 11 / 11
y = np.arange(24) % 3
def network(*first):
    model = models.Sequential([layers.Input((8, 8, 3)), *first, layers.Conv2D(4, 3, activation="relu"),
                               layers.GaussianNoise(0.1), layers.Flatten(), layers.Dropout(0.3),
                               layers.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model
def crc(model):
    return zlib.crc32(b"".join(w.tobytes() for w in model.get_weights()))
first, second = network(), network(layers.RandomFlip(), layers.RandomRotation(0.2))
found = [crc(first), crc(second)]
first.fit(x, y, batch_size=8, epochs=2, verbose=0)
found.append(crc(first))
augment = data.augment.Compose([data.augment.RandomFlip(), data.augment.RandomTranslation(0.2, 0.2)])
pipeline = data.Dataset.from_arrays(x, y).shuffle().batch(8).map(lambda x, y: (augment(x), y)).prefetch(2)
first.fit(pipeline, epochs=2, verbose=0)
second.fit(x, y, batch_size=8, epochs=2, verbose=0)
print([*found, crc(first), crc(second)])
"""


def _run(seed: int, threads: int) -> list[int]:
    paths = {"PYTHONPATH": str(Path(fastcnn.__file__).parents[1]), "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-c", PROGRAM, str(seed)]
    done = subprocess.run(command, env={**os.environ, **paths}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[int] = eval(done.stdout)
    return found


def test_set_seed_repeats_a_program() -> None:
    one, again, other = _run(1, threads=1), _run(1, threads=2), _run(2, threads=1)
    assert one == again
    assert all(a != b for a, b in zip(one, other))
    assert len(set(one)) == 5
