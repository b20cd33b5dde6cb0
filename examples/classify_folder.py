"""From a folder of pictures to a judged classifier: read, augment, train, judge, save, predict.

python examples/classify_folder.py pictures/                 one folder for each class in it, or a zip archive of such
python examples/classify_folder.py --demo demo/ --epochs 4   makes a folder of clothes first, and learns those

A fifth of each class is kept to judge on. Training ends when that part isn't done better any more, and the best weights
are kept. Classes count the same however many pictures they have; files that can't be read are named and left out.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

import fastcnn
from fastcnn import layers
from fastcnn.callbacks import EarlyStopping, ReduceLROnPlateau
from fastcnn.data import image_dataset_from_directory, read_picture
from fastcnn.data.augment import Compose, RandomBrightness, RandomFlip, RandomRotation, RandomTranslation
from fastcnn.datasets import fashion_mnist
from fastcnn.metrics import classification_report
from fastcnn.models import Sequential, load_model
from fastcnn.optimizers import Adam
from fastcnn.utils import class_weights


def make_demo(folder: Path) -> None:
    """Clothes from the sample of Fashion-MNIST as PNG files, of which there are fewer from class to class."""
    (x, y), _ = fashion_mnist.load_sample()
    for label, name in enumerate(fashion_mnist.CLASS_NAMES[:5]):
        place = folder / name.replace("/", " or ")
        place.mkdir(parents=True, exist_ok=True)
        for number, i in enumerate(np.flatnonzero(y == label)[: 200 - 30 * label]):
            Image.fromarray(x[i]).save(place / f"{number:03}.png")


def network(shape: tuple[int, int, int], classes: int) -> Sequential:
    """Four convolutions with batch normalization; takes bytes, of pictures of any size."""
    model = Sequential([layers.Input(shape), layers.Rescaling(1 / 255)])
    for filters in (32, 64, 128, 128):
        model.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
        if filters < 128:
            model.add(layers.MaxPooling2D())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dropout(0.2))
    model.add(layers.Dense(classes, activation="softmax"))
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="with a folder of pictures for each class")
    parser.add_argument("--demo", type=Path, metavar="FOLDER", help="make a folder of clothes and learn those")
    parser.add_argument("--image-size", type=int, default=32, help="height and width that all are brought to")
    parser.add_argument("--gray", action="store_true", help="without colours")
    parser.add_argument("--epochs", type=int, default=30, help="at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, default=Path("classifier.safetensors"), help="where the model goes")
    options = parser.parse_args()
    if (options.folder is None) == (options.demo is None):
        parser.error("give a folder of pictures, or --demo FOLDER")
    if options.demo:
        make_demo(options.demo)
    folder = options.folder or options.demo
    fastcnn.random.set_seed(options.seed)

    # Read. Pictures are decoded by threads while the network learns, and kept in memory from then on.
    colours = "grayscale" if options.gray else "rgb"
    train, judged = image_dataset_from_directory(
        folder,
        image_size=options.image_size,
        color_mode=colours,
        validation_split=0.2,
        subset="both",
        seed=options.seed,
        on_error="skip",
    )
    names = train.class_names
    labels = [names.index(Path(path).parent.name) for path in train.file_paths]
    counts = Counter(labels)
    print("to learn from:", ", ".join(f"{counts[i]} {name}" for i, name in enumerate(names)))

    # Augment. Pictures are mirrored, turned by up to 18 degrees, shifted and lit differently, another way each epoch.
    augment = Compose(
        [RandomFlip("horizontal"), RandomRotation(0.05), RandomTranslation(0.1, 0.1), RandomBrightness(0.15)]
    )

    # Train.
    model = network((options.image_size, options.image_size, 1 if options.gray else 3), len(names))
    model.compile(Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        train.cache().map(augment).prefetch(),
        epochs=options.epochs,
        validation_data=judged.cache(),
        class_weight=class_weights(labels),
        callbacks=[EarlyStopping(patience=8, restore_best_weights=True), ReduceLROnPlateau(factor=0.3, patience=3)],
        verbose=2,
    )

    # Judge, on pictures that it has never seen.
    x, y = judged.to_arrays()
    print(classification_report(y, model.predict(x, verbose=0), names), end="")

    # Save, and use what was saved.
    model.metadata["class_names"] = names
    model.save(options.save)
    same = load_model(options.save)
    path = judged.file_paths[0]
    size = (options.image_size, options.image_size)
    probabilities = same.predict(read_picture(path, size, model.input_shape[3])[None], verbose=0)[0]
    best = probabilities.argsort()[::-1][:3]
    print(f"{path}: " + ", ".join(f"{same.metadata['class_names'][i]} {probabilities[i]:.2f}" for i in best))
    print(f"the model is in {options.save}", file=sys.stderr)


if __name__ == "__main__":
    main()
