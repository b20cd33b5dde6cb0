"""How good is a network, and how sure can one be of that? Cross-validation on the sample of Fashion-MNIST.

python examples/cross_validation.py                      five folds of 2,000 pictures, some 20 seconds
python examples/cross_validation.py --folds 10 --epochs 20

Prints loss and accuracy of each fold, their mean, spread and interval, and what all out-of-fold predictions together
say; with matplotlib it draws these into the folder --output.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

from fastcnn import Sequential, layers, metrics
from fastcnn.datasets import fashion_mnist
from fastcnn.evaluation import cross_validate
from fastcnn.models import Model


def build() -> Model:
    """A new network, compiled; each fold gets its own."""
    model = Sequential([
        layers.Input((28, 28, 1)),
        layers.Rescaling(1 / 255),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(0.4),
        layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy", "roc_auc"])
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description="Cross-validation on the sample of Fashion-MNIST.")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=1, help="everything so often, with other folds")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--images", type=int, default=2000, help="of the sample, the first so many (at most 2000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("out"), help="folder for the pictures")
    options = parser.parse_args()

    (x, y), _ = fashion_mnist.load_sample()
    x, y = x[: options.images, ..., None], y[: options.images]

    found = cross_validate(
        build, (x, y), options.folds, repeats=options.repeats, epochs=options.epochs, seed=options.seed
    )
    print(f"\n{found}\n")

    # Each picture was judged by a network that hadn't seen it: together they are a test set as large as the data.
    probabilities = found.predictions
    metrics.print_classification_report(y, probabilities, fashion_mnist.CLASS_NAMES, title="Out of fold")
    print(f"Cohen's kappa               {metrics.cohen_kappa_score(y, probabilities):.4f}")
    print(f"Matthews' correlation       {metrics.matthews_corrcoef(y, probabilities):.4f}")
    print(f"expected calibration error  {metrics.expected_calibration_error(y, probabilities):.4f}")

    if importlib.util.find_spec("matplotlib") is None:
        print('\nfor pictures: pip install "fastcnn[plot]"')
        return
    from fastcnn import viz

    options.output.mkdir(parents=True, exist_ok=True)
    names = fashion_mnist.CLASS_NAMES
    viz.plot_confusion_matrix(y, probabilities, options.output / "confusion-matrix.png", names)
    viz.plot_reliability(y, probabilities, options.output / "reliability.png")
    viz.plot_roc(y, probabilities, options.output / "roc.png", names)
    viz.plot_mistakes(x, y, probabilities, options.output / "mistakes.png", names)
    viz.plot_confused_pairs(x, y, probabilities, options.output / "confused-pairs.png", names)
    print(f"\npictures in {options.output}")


if __name__ == "__main__":
    main()
