"""What helps rare classes: Fashion-MNIST with 6,000 pictures of one class down to 60 of another, learned in eight ways.

python examples/long_tailed.py                          three runs of each, a table, and long-tailed.png
python examples/long_tailed.py --data sample --steps 100 --runs 1      a quick look

Each way trains the same network on the same pictures for the same number of steps; the test pictures have all classes
equally often. The numbers of pictures fall exponentially from class to class, as in Cui et al., "Class-balanced loss
based on effective number of samples", CVPR 2019; another run has another order of the classes, so that no class is
always the rare one.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastcnn
from fastcnn.data import Dataset, RandomOverSampler, RandomUnderSampler
from fastcnn.datasets import fashion_mnist
from fastcnn.layers import Conv2D, Dense, Flatten, Input, MaxPooling2D, Rescaling
from fastcnn.losses import LogitAdjustedCrossentropy, SparseCategoricalCrossentropy, SparseCategoricalFocalCrossentropy
from fastcnn.models import Sequential
from fastcnn.utils import atomic_write, class_weights

CLASSES = 10
#: Classes from the most frequent to the rarest, in three groups.
GROUPS = {"frequent": slice(0, 3), "middle": slice(3, 7), "rare": slice(7, 10)}

#: name: the loss, the weights of the classes, the sampler; each made from the labels to train on.
Way = tuple[Callable[[np.ndarray], Any], Callable[[np.ndarray], Any], Callable[[np.ndarray], Any]]


def plain(y: np.ndarray) -> Any:
    return SparseCategoricalCrossentropy()


def nothing(y: np.ndarray) -> Any:
    return None


WAYS: dict[str, Way] = {
    "plain": (plain, nothing, nothing),
    "label smoothing 0.1": (lambda y: SparseCategoricalCrossentropy(label_smoothing=0.1), nothing, nothing),
    "focal loss": (lambda y: SparseCategoricalFocalCrossentropy(alpha=1.0), nothing, nothing),
    "effective number": (plain, lambda y: class_weights(y, "effective_number"), nothing),
    "balanced weights": (plain, class_weights, nothing),
    "over-sampling": (plain, nothing, lambda y: RandomOverSampler(y, seed=0)),
    "under-sampling": (plain, nothing, lambda y: RandomUnderSampler(y, seed=0)),
    "logit adjustment": (lambda y: LogitAdjustedCrossentropy(np.bincount(y)), nothing, nothing),
}


def long_tail(y: np.ndarray, order: np.ndarray, factor: float) -> np.ndarray:
    """Places of the pictures to keep: of order[0] all, of order[-1] one in `factor`, in between exponentially fewer."""
    most = np.bincount(y).min()
    kept = []
    for rank, label in enumerate(order):
        count = max(1, round(most * factor ** (-rank / (CLASSES - 1))))
        kept.append(np.flatnonzero(y == label)[:count])
    return np.concatenate(kept)


def recalls(way: Way, train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray], steps: int) -> Any:
    """Train in this way; the recall of each class."""
    (x, y), (x_test, y_test) = train, test
    loss, weights, sampler = (make(y) for make in way)
    model = Sequential(
        [
            Input((28, 28, 1)),
            Rescaling(1 / 255),
            Conv2D(32, 3, activation="relu"),
            MaxPooling2D(),
            Conv2D(64, 3, activation="relu"),
            MaxPooling2D(),
            Conv2D(64, 3, activation="relu"),
            Flatten(),
            Dense(64, activation="relu"),
            Dense(CLASSES, activation="softmax"),
        ]
    )
    model.compile("adam", loss)
    data = Dataset.from_arrays(x, y, sampler=sampler) if sampler else Dataset.from_arrays(x, y).shuffle(seed=0)
    batches = data.repeat().batch(128)
    model.fit(batches, steps_per_epoch=steps, class_weight=weights, verbose=0)
    named = model.predict(x_test, batch_size=256, verbose=0).argmax(axis=1)
    return np.array([(named[y_test == label] == label).mean() for label in range(CLASSES)])


def study(options: argparse.Namespace) -> dict[str, np.ndarray]:
    """For each way the recalls of each run, the most frequent class first: (runs, classes)."""
    sample = options.data == "sample"
    (x, y), (x_test, y_test) = fashion_mnist.load_sample() if sample else fashion_mnist.load_data()
    x, x_test = x[..., None], x_test[..., None]
    found: dict[str, list[np.ndarray]] = {name: [] for name in WAYS}
    for run in range(options.runs):
        order = np.roll(np.arange(CLASSES), 3 * run)
        places = long_tail(y, order, options.factor)
        for name, way in WAYS.items():
            fastcnn.random.set_seed(run)
            found[name].append(recalls(way, (x[places], y[places]), (x_test, y_test), options.steps)[order])
            print(f"run {run + 1}, {name}: accuracy {found[name][-1].mean():.3f}", flush=True)
    return {name: np.array(runs) for name, runs in found.items()}


def table(found: dict[str, np.ndarray]) -> str:
    """Mean recalls of the groups in percent, as a Markdown table."""
    lines = ["| | all classes | " + " | ".join(GROUPS) + " |", "|---|---|" + "---|" * len(GROUPS)]
    for name, runs in found.items():
        groups = [f"{100 * runs[:, part].mean():.1f}" for part in GROUPS.values()]
        lines.append(f"| {name} | {100 * runs.mean():.1f} | " + " | ".join(groups) + " |")
    return "\n".join(lines)


def draw(found: dict[str, np.ndarray], path: Path) -> None:
    """The groups' recalls, one row a way."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 4.2), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    names = list(found)
    for (group, part), colour in zip(GROUPS.items(), ("#8c959f", "#1f6feb", "#d9480f")):
        means = [100 * runs[:, part].mean() for runs in found.values()]
        axes.plot(means, range(len(names)), "o", color=colour, markersize=8, label=f"{group} classes")
        for runs_of, row in zip(found.values(), range(len(names))):
            each = 100 * runs_of[:, part].mean(axis=1)
            axes.plot([each.min(), each.max()], [row, row], color=colour, linewidth=2, alpha=0.4)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("recall, %")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(loc="lower left", frameon=False)
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("fashion_mnist", "sample"), default="fashion_mnist")
    parser.add_argument("--factor", type=float, default=100.0, help="most frequent to rarest class")
    parser.add_argument("--steps", type=int, default=1500, help="of 128 pictures")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("long-tailed.png"), help="the plot; .json beside it")
    options = parser.parse_args()
    found = study(options)
    print(f"\nrecall in %, mean of {options.runs} runs\n\n{table(found)}")
    with atomic_write(options.output.with_suffix(".json"), "w") as file:
        json.dump({name: runs.tolist() for name, runs in found.items()}, file, indent=1)
    try:
        draw(found, options.output)
    except ImportError:
        print("no plot: it needs matplotlib")


if __name__ == "__main__":
    main()
