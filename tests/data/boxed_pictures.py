"""Small pictures with boxes, written as each format has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image


def picture(path: Path, value: int, size: tuple[int, int] = (20, 10)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, 0, 0)).save(path)


def annotation(things: list[tuple[str, tuple[Any, ...]]], size: Any = (20, 10), difficult: str = "") -> str:
    """`difficult` has a 1 for each thing that is."""
    boxes = "".join(
        f"<object><name>{name}</name><difficult>{hard}</difficult><bndbox>"
        + "".join(f"<{side}>{v}</{side}>" for side, v in zip(("xmin", "ymin", "xmax", "ymax"), box))
        + "</bndbox></object>"
        for (name, box), hard in zip(things, difficult.ljust(len(things), "0"))
    )
    return f"<annotation><size><width>{size[0]}</width><height>{size[1]}</height></size>{boxes}</annotation>"


def voc(root: Path, annotations: dict[str, str]) -> Path:
    (root / "Annotations").mkdir(parents=True)
    (root / "ImageSets" / "Main").mkdir(parents=True)
    for i, (name, text) in enumerate(annotations.items()):
        picture(root / "JPEGImages" / f"{name}.png", 10 * i)
        (root / "Annotations" / f"{name}.xml").write_text(text)
    return root


def coco(path: Path, **changed: Any) -> Path:
    listing: dict[str, Any] = {
        "images": [{"id": 7, "file_name": "a.png", "width": 20, "height": 10}, {"id": 8, "file_name": "b.png"}],
        "categories": [{"id": 90, "name": "dog"}, {"id": 3, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 90, "bbox": [2, 1, 8, 8]},
            {"id": 2, "image_id": 8, "category_id": 3, "bbox": [0, 0, 1.5, 2]},
            {"id": 3, "image_id": 7, "category_id": 3, "bbox": [1, 1, 5, 5], "iscrowd": 1},
        ],
    }
    for name in ("a", "b"):
        picture(path.parent / f"{name}.png", 9)
    path.write_text(json.dumps({**listing, **changed}))
    return path


def yolo(root: Path, texts: dict[str, str | None]) -> Path:
    """`images/a.png` of 20 x 10 pixels, and `labels/a.txt` where there is a text."""
    for name, text in texts.items():
        picture(root / "images" / f"{name}.png", 9)
        path = root / "labels" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is not None:
            path.write_text(text)
    return root
