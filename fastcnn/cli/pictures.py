"""Picture files as arrays of the size and colours that a model takes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

#: Where pictures of any size may set the size of a dataset: the classic CNN on larger ones is slow and learns little.
LARGEST_AUTOMATIC_SIZE = 96


class PictureError(ValueError):
    """A file that can't be read as a picture, with the reason."""


def open_picture(path: str | os.PathLike[str]) -> Image.Image:
    """The picture in a file, upright and 8 bits deep, in mode L or RGB; transparent parts are white.

    Raises
    ------
    PictureError
        There is no such file, it is no picture, or a damaged one; the message names it.
    """
    name = os.fspath(path)
    try:
        with Image.open(name) as file:
            image = ImageOps.exif_transpose(file)
            image.load()
    except FileNotFoundError:
        raise PictureError(f"{name}: no such file") from None
    except Image.UnidentifiedImageError:
        raise PictureError(f"{name}: not a picture, or of a format that Pillow doesn't read") from None
    except Exception as error:  # Pillow's readers raise almost anything on a damaged file
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise PictureError(f"{name}: can't be read as a picture: {reason}") from None
    return _eight_bits(image, name)


def _eight_bits(image: Image.Image, name: str) -> Image.Image:
    if image.mode == "F":
        raise PictureError(f"{name}: pixels are floating-point numbers, whose range is unknown; save it with 8 bits")
    if image.mode.startswith("I"):
        # 16 bits a pixel; Pillow's own conversion would cut everything above 255 off.
        pixels = np.asarray(image)
        return Image.fromarray((pixels >> 8 if pixels.max(initial=0) > 255 else pixels).astype(np.uint8))
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        paper.alpha_composite(layer)
        grey = image.mode in ("LA", "La")
        return paper.convert("L" if grey else "RGB")
    return image if image.mode in ("L", "RGB") else image.convert("L" if image.mode == "1" else "RGB")


def as_array(image: Image.Image, size: tuple[int, int], channels: int, invert: bool = False) -> np.ndarray:
    """Pixels of an opened picture: uint8 (height, width, channels), stretched to `size` (height, width)."""
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (size[1], size[0]):
        image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    if invert:
        image = ImageOps.invert(image)
    return np.asarray(image, dtype=np.uint8).reshape(size[0], size[1], channels)


def has_light_background(pixels: np.ndarray) -> bool:
    """Whether the rim of a picture is rather white than black."""
    rim = np.concatenate([pixels[0].ravel(), pixels[-1].ravel(), pixels[:, 0].ravel(), pixels[:, -1].ravel()])
    return bool(np.median(rim) > 127)


def class_folders(folder: Path) -> dict[str, list[Path]]:
    """Files of each class: a folder's folders, in alphabetical order. Names that start with a dot don't count."""
    classes = {}
    for place in sorted(folder.iterdir()):
        if place.is_dir() and not place.name.startswith("."):
            files = sorted(p for p in place.rglob("*") if p.is_file() and not p.name.startswith("."))
            if files:
                classes[place.name] = files
    return classes


def load_classes(
    classes: dict[str, list[Path]], size: tuple[int, int], channels: int
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """All pictures of a folder.

    Returns
    -------
    x : (n, height, width, channels) uint8
    y : (n,) int64
        Place of the picture's class in `classes`.
    problems : list of str
        What was wrong with the files that are left out.
    """
    pixels: list[np.ndarray] = []
    labels: list[int] = []
    problems: list[str] = []
    for label, files in enumerate(classes.values()):
        for path in files:
            try:
                pixels.append(as_array(open_picture(path), size, channels))
                labels.append(label)
            except PictureError as error:
                problems.append(str(error))
    x = np.stack(pixels) if pixels else np.empty((0, *size, channels), np.uint8)
    return x, np.array(labels, dtype=np.int64), problems


def first_picture(classes: dict[str, list[Path]]) -> Image.Image:
    """The first picture that can be read, of any class.

    Raises
    ------
    PictureError
        There is none; the message is about the last file.
    """
    problem = PictureError("there are no files")
    for files in classes.values():
        for path in files:
            try:
                return open_picture(path)
            except PictureError as error:
                problem = error
    raise PictureError(f"none of the files can be read as a picture; the last: {problem}")
