"""Find and read the text in a picture with the three networks of PP-OCR (Li et al. 2022, "PP-OCRv3"), which come as
ONNX files in the package `rapidocr-onnxruntime` (Apache-2.0): one finds lines, one tells which way up they are, and
one reads them.

pip install "fastcnn[onnx]" scikit-image && pip install --no-deps rapidocr-onnxruntime
python examples/read_text.py                           scikit-image's page
python examples/read_text.py picture.jpg               a picture of yours
"""

from __future__ import annotations

import argparse
import importlib.util
import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from skimage import data
from skimage.measure import label, regionprops

import fastcnn.onnx

PACKAGE = "rapidocr_onnxruntime"
FINDER, TURNER, READER = (
    "ch_PP-OCRv4_det_infer.onnx",
    "ch_ppocr_mobile_v2.0_cls_infer.onnx",
    "ch_PP-OCRv4_rec_infer.onnx",
)
#: Height in pixels that lines are read at.
HEIGHT = 48


def load(name: str) -> Any:
    """A network of the package, which is not imported; it takes pictures of any size."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("the networks are in a package: pip install --no-deps rapidocr-onnxruntime")
    return fastcnn.onnx.load(Path(spec.submodule_search_locations[0]) / "models" / name)


def as_input(image: Image.Image) -> np.ndarray:
    """(3, height, width), blue first, from -1 to 1."""
    return (np.asarray(image.convert("RGB"), np.float32)[..., ::-1].transpose(2, 0, 1) / 255 - 0.5) / 0.5


def find_lines(finder: Any, image: Image.Image) -> list[np.ndarray]:
    """Corners (4, 2) as x, y of lines of text: top left, bottom left, bottom right, top right; from top to bottom.

    The network gives for each pixel how likely it lies in the core of a line (Liao et al. 2020, "Real-time scene text
    detection with differentiable binarization"); the line around a core is larger by area x 1.6 / perimeter.
    """
    grow = max(1.0, 736 / min(image.size))
    width, height = (max(32, round(side * grow / 32) * 32) for side in image.size)
    likely = finder.predict(as_input(image.resize((width, height), Image.Resampling.BILINEAR))[None])[0, 0]
    scale = np.array([image.width / width, image.height / height])
    lines = []
    for core in regionprops(label(likely > 0.3), intensity_image=likely):
        if core.area < 50 or core.intensity_mean < 0.5:
            continue
        # A rectangle along the core: lines may rise or fall.
        points = core.coords[:, ::-1] * scale
        centre = points.mean(axis=0)
        along = np.linalg.svd(points - centre, full_matrices=False)[2][0]
        along = along * np.sign(along[0]) if abs(along[0]) > abs(along[1]) else along * np.sign(along[1])
        axes = np.stack([along, [-along[1], along[0]]])
        low, high = ((points - centre) @ axes.T).min(axis=0), ((points - centre) @ axes.T).max(axis=0)
        size = high - low + scale
        if size[1] < 3:
            continue
        more = size.prod() * 1.6 / (2 * size.sum())
        (left, top), (right, bottom) = low - more, high + more
        lines.append(centre + np.array([[left, top], [left, bottom], [right, bottom], [right, top]]) @ axes)
    return sorted(lines, key=lambda corners: corners[:, 1].mean())


def cut_out(image: Image.Image, corners: np.ndarray) -> Image.Image:
    """The picture of one line, made level."""
    width, height = (round(float(np.linalg.norm(corners[i] - corners[0]))) for i in (3, 1))
    quad = corners.ravel().tolist()
    return image.transform((max(1, width), max(1, height)), Image.Transform.QUAD, quad, Image.Resampling.BICUBIC)


def line_input(line: Image.Image, width: int) -> np.ndarray:
    """A line's picture at the height lines are read at, filled up with grey to the right."""
    own = min(width, math.ceil(HEIGHT * line.width / line.height))
    x = np.zeros((1, 3, HEIGHT, width), np.float32)
    x[0, :, :, :own] = as_input(line.resize((own, HEIGHT), Image.Resampling.BILINEAR))
    return x


def read_line(turner: Any, reader: Any, characters: list[str], line: Image.Image) -> tuple[str, float]:
    """A line's text, and how sure the network is of it, from 0 to 1."""
    _, upside_down = turner.predict(line_input(line, 192))[0]
    if upside_down < 0.9:
        return read(reader, characters, line)
    # It errs now and then: the reader has the last word.
    return max((read(reader, characters, way) for way in (line, line.rotate(180))), key=lambda found: found[1])


def read(reader: Any, characters: list[str], line: Image.Image) -> tuple[str, float]:
    width = max(320, math.ceil(HEIGHT * line.width / line.height))
    steps = reader.predict(line_input(line, width))[0]
    best = steps.argmax(axis=1)
    # A character lasts until another follows; 0 stands between two that are the same (Graves et al. 2006, "CTC").
    new = (best != 0) & (best != np.concatenate([[0], best[:-1]]))
    sure = steps.max(axis=1)[new]
    return "".join(characters[i] for i in best[new]), float(sure.mean()) if sure.size else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description="Find and read the text in a picture.")
    parser.add_argument("picture", nargs="?", help="a file that Pillow reads; without it, scikit-image's page")
    parser.add_argument("--output", default="text.png", help="picture to write (text.png)")
    options = parser.parse_args()
    image = Image.open(options.picture) if options.picture else Image.fromarray(data.page())
    finder, turner, reader = load(FINDER), load(TURNER), load(READER)
    characters = ["", *reader.metadata["character"].splitlines(), " "]
    drawn = image.convert("RGB")
    pen = ImageDraw.Draw(drawn)
    for corners in find_lines(finder, image):
        text, sure = read_line(turner, reader, characters, cut_out(image, corners))
        if sure < 0.5:
            continue
        print(f"{sure:.2f}  {text}")
        pen.polygon([tuple(corner) for corner in corners], outline="#1f6feb")
    drawn.save(options.output)
    print(f"drawn into {options.output}")


if __name__ == "__main__":
    main()
