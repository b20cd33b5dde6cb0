"""Small sets of pictures with boxes in all forms of listings, drawn here: red squares and blue ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ["blue", "red"]
SIDE = 96

#: A picture's pixels, class numbers, and boxes.
Drawn = tuple[np.ndarray, list[int], list[tuple[int, int, int, int]]]


def drawn(count: int, seed: int = 0) -> list[Drawn]:
    """Pictures of noise with one to three squares that don't touch."""
    generator = np.random.default_rng(seed)
    made: list[Drawn] = []
    for _ in range(count):
        pixels = generator.integers(0, 60, (SIDE, SIDE, 3), dtype=np.uint8)
        labels, boxes = [], []
        for quarter in generator.permutation(4)[: generator.integers(1, 4)]:
            side = int(generator.integers(20, 40))
            x, y = (int(48 * at + generator.integers(0, 48 - side)) for at in divmod(int(quarter), 2))
            label = int(generator.integers(2))
            pixels[y : y + side, x : x + side, 2 * (1 - label)] = 230
            labels.append(label)
            boxes.append((x, y, x + side, y + side))
        made.append((pixels, labels, boxes))
    return made


def write(root: Path, form: str, parts: dict[str, list[Drawn]]) -> Path:
    """The pictures of all parts and their listings, in the form ``voc``, ``coco``, ``yolo`` or ``csv``."""
    for part, pictures in parts.items():
        folder = {"voc": "JPEGImages", "yolo": f"images/{part}"}.get(form, part)
        for number, (pixels, _, _) in enumerate(pictures):
            file = root / folder / f"{part}{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file)
        {"voc": _voc, "coco": _coco, "yolo": _yolo, "csv": _csv}[form](root, part, pictures)
    return root


def _voc(root: Path, part: str, pictures: list[Drawn]) -> None:
    names = [f"{part}{number}" for number in range(len(pictures))]
    for name, (_, labels, boxes) in zip(names, pictures):
        things = "".join(
            f"<object><name>{CLASSES[label]}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax>"
            f"<ymax>{y1}</ymax></bndbox></object>"
            for label, (x0, y0, x1, y1) in zip(labels, boxes)
        )
        _put(root / "Annotations" / f"{name}.xml", f"<annotation>{things}</annotation>")
    _put(root / "ImageSets" / "Main" / f"{part}.txt", "\n".join(names))


def _coco(root: Path, part: str, pictures: list[Drawn]) -> None:
    images, annotations = [], []
    for number, (_, labels, boxes) in enumerate(pictures):
        images.append({"id": number, "file_name": f"{part}{number}.png", "width": SIDE, "height": SIDE})
        for label, (x0, y0, x1, y1) in zip(labels, boxes):
            box = {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0), "iscrowd": 0}
            annotations.append({"id": len(annotations), "image_id": number, "category_id": 7 * (label + 1), **box})
    categories = [{"id": 7 * (i + 1), "name": name} for i, name in enumerate(CLASSES)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    _put(root / "annotations" / f"instances_{part}.json", json.dumps(content))


def _yolo(root: Path, part: str, pictures: list[Drawn]) -> None:
    for number, (_, labels, boxes) in enumerate(pictures):
        lines = [
            f"{label} {(x0 + x1) / 2 / SIDE} {(y0 + y1) / 2 / SIDE} {(x1 - x0) / SIDE} {(y1 - y0) / SIDE}"
            for label, (x0, y0, x1, y1) in zip(labels, boxes)
        ]
        _put(root / "labels" / part / f"{part}{number}.txt", "\n".join(lines))
    _put(root / "classes.txt", "\n".join(CLASSES))


def _csv(root: Path, part: str, pictures: list[Drawn]) -> None:
    lines = ["filename,xmin,ymin,xmax,ymax,class"]
    for number, (_, labels, boxes) in enumerate(pictures):
        lines += [
            f"{part}{number}.png,{x0},{y0},{x1},{y1},{CLASSES[label]}" for label, (x0, y0, x1, y1) in zip(labels, boxes)
        ]
    _put(root / f"{part}.csv", "\n".join(lines))


def _put(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, "utf-8")
