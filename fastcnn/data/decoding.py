"""Picture files decoded by Pillow: upright, 8 bits deep, of the size and colours asked for."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..errors import FastcnnError, unknown_name
from .placing import FITS, Placement, fitted, largest_within

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .files import Tree

#: Pillow's names. It takes the mean over all pixels between where pictures become smaller, but for "nearest".
INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS, "area": Image.Resampling.BOX,
}  # fmt: skip
#: Pillow's mode of so many channels.
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
#: The place of EXIF's orientation, and what brings the picture upright for each.
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
_TURNED = (5, 6, 7, 8)
#: JPEG files are decoded at half, a quarter or an eighth of their size where at least so many pixels remain for each
#: that is wanted: a quarter of the time, and after the mean over them nobody sees a difference.
_PIXELS_KEPT = 2


class PictureError(FastcnnError, ValueError):
    """A file that can't be read as a picture; the message has its name and the reason."""


def open_picture(
    source: str | os.PathLike[str] | bytes,
    name: str | None = None,
    channels: int | None = None,
    at_least: tuple[int, int] | None = None,
) -> Image.Image:
    """A picture, upright and 8 bits deep.

    Parameters
    ----------
    source : path-like or bytes
        The file, or its content.
    name : str, optional
        What it is called in messages.
    channels : {1, 3, 4}, optional
        Grey, red-green-blue, or with alpha. None: 1 or 3, as the file has it. Without alpha, transparent parts are
        white.
    at_least : (int, int), optional
        Rows and columns that are enough: large JPEG files are decoded at a fraction of their size.

    Raises
    ------
    PictureError
        There is no such file, it is no picture, a damaged one, or one of more pixels than
        ``PIL.Image.MAX_IMAGE_PIXELS``: a small file may unpack into all of a machine's memory.
    """
    return _opened(source, name, channels, None if at_least is None else lambda rows, columns: at_least)[0]


def _opened(
    source: Any, name: str | None, channels: int | None, at_least: Callable[[int, int], tuple[int, int]] | None
) -> tuple[Image.Image, tuple[int, int]]:
    """The picture, and the rows and columns that it has in the file, upright. `at_least` says how many of these are
    enough.
    """
    given = isinstance(source, bytes)
    name = name or ("picture" if given else os.fspath(source))
    try:
        with Image.open(io.BytesIO(source) if given else source) as file:
            _check_size(file)
            turn = _orientation(file)
            size = (file.width, file.height) if turn in _TURNED else (file.height, file.width)
            if at_least is not None and file.format == "JPEG":
                rows, columns = at_least(*size)
                if turn in _TURNED:
                    rows, columns = columns, rows
                file.draft(MODES.get(channels or 0), (_PIXELS_KEPT * columns, _PIXELS_KEPT * rows))
            file.load()
            image = file.transpose(_UPRIGHT[turn]) if turn in _UPRIGHT else file
            return _eight_bits(image, channels), size
    except PictureError as error:
        raise PictureError(f"{name}: {error}") from None
    except FileNotFoundError:
        raise PictureError(f"{name}: no such file") from None
    except Image.UnidentifiedImageError:
        raise PictureError(f"{name}: not a picture, or of a format that Pillow doesn't read") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise PictureError(f"{name}: {_too_large()}") from None
    except Exception as error:  # Pillow's readers raise almost anything on a damaged file
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise PictureError(f"{name}: can't be read as a picture: {reason}") from None


def picture_size(content: bytes, name: str) -> tuple[int, int]:
    """The rows and columns of a picture, upright, without decoding it.

    Raises
    ------
    PictureError
        The content is none that Pillow reads.
    """
    try:
        with Image.open(io.BytesIO(content)) as file:
            return (file.width, file.height) if _orientation(file) in _TURNED else (file.height, file.width)
    except Exception as error:
        raise PictureError(f"{name}: can't be read as a picture: {error}") from None


def _too_large() -> str:
    return f"refused: it has more than {Image.MAX_IMAGE_PIXELS} pixels (PIL.Image.MAX_IMAGE_PIXELS)"


def _check_size(file: Image.Image) -> None:
    """Pillow only warns of pictures up to twice its limit."""
    if Image.MAX_IMAGE_PIXELS is not None and file.width * file.height > Image.MAX_IMAGE_PIXELS:
        raise PictureError(_too_large())


def _orientation(file: Image.Image) -> int:
    # A JPEG file without EXIF data needn't be looked at: for small pictures that takes as long as decoding.
    if file.format == "JPEG" and "exif" not in file.info:
        return 1
    return file.getexif().get(_ORIENTATION, 1)


def _eight_bits(image: Image.Image, channels: int | None) -> Image.Image:
    mode = MODES[channels] if channels else None
    if image.mode == mode or (mode is None and image.mode in ("L", "RGB") and "transparency" not in image.info):
        return image
    if image.mode == "F":
        raise PictureError("pixels are floating-point numbers, whose range is unknown; save it with 8 bits")
    if image.mode.startswith("I"):
        # 16 bits a pixel; Pillow's own conversion would cut everything above 255 off.
        pixels = np.asarray(image)
        shallow = Image.fromarray((pixels >> 8 if pixels.max(initial=0) > 255 else pixels).astype(np.uint8))
        return shallow.convert(mode) if mode else shallow
    if mode != "RGBA" and ("A" in image.mode or "a" in image.mode or "transparency" in image.info):
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        paper.alpha_composite(layer)
        return paper.convert(mode or ("L" if image.mode in ("LA", "La") else "RGB"))
    return image.convert(mode or ("L" if image.mode == "1" else "RGB"))


@dataclass(frozen=True)
class Decoder:
    """From a file's content to pixels of one size.

    Parameters
    ----------
    height, width : int
    channels : {1, 3, 4}
    interpolation : str
        One of `INTERPOLATIONS`.
    fit : {"stretch", "crop", "pad"}
        What becomes of another ratio of height to width: stretched, or cut off at two sides evenly, or kept between
        margins of `fill`.
    fill : int
        From 0 to 255.
    """

    height: int
    width: int
    channels: int = 3
    interpolation: str = "bilinear"
    fit: str = "stretch"
    fill: int = 0

    def __post_init__(self) -> None:
        for kind, name, known in (("interpolation", self.interpolation, INTERPOLATIONS), ("fit", self.fit, FITS)):
            if name not in known:
                raise unknown_name(kind, name, known)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.height, self.width, self.channels

    def decode(self, source: bytes | str | os.PathLike[str], name: str, out: NDArray[np.uint8]) -> Placement:
        """The picture's pixels into `out`, (height, width, channels) uint8; where they lie there.

        Raises
        ------
        PictureError
            As `open_picture`.
        """
        wanted = (self.height, self.width)
        image, (rows, columns) = _opened(source, name, self.channels, self._enough)
        y, x = image.height / rows, image.width / columns  # below 1 where decoded at a fraction
        if self.fit == "pad":
            return self._padded(image, (rows, columns), out)
        top, left, part_rows, part_columns = 0, 0, image.height, image.width
        if self.fit == "crop":
            top, left, part_rows, part_columns = largest_within(image.height, image.width, *wanted)
        if (part_rows, part_columns) != wanted or self.fit == "crop":
            image = self._resized(image, wanted, (left, top, left + part_columns, top + part_rows))
        out[:] = _pixels(image, self.channels)
        scale_x, scale_y = self.width / part_columns, self.height / part_rows
        return Placement(scale_x * x, scale_y * y, -left * scale_x, -top * scale_y, (rows, columns))

    def read(self, tree: Tree, name: str, out: NDArray[np.uint8]) -> Placement:
        """`decode` of a file in a folder or an archive.

        Raises
        ------
        PictureError
            As `open_picture`, or it can't be read.
        """
        try:
            content = tree.read(name)
        except (OSError, ValueError) as error:
            raise PictureError(f"{tree.path(name)}: {getattr(error, 'strerror', None) or error}") from None
        return self.decode(content, tree.path(name), out)

    def _enough(self, rows: int, columns: int) -> tuple[int, int]:
        return fitted(rows, columns, self.height, self.width) if self.fit == "pad" else (self.height, self.width)

    def _padded(self, image: Image.Image, size: tuple[int, int], out: NDArray[np.uint8]) -> Placement:
        rows, columns = fitted(*size, self.height, self.width)
        top, left = (self.height - rows) // 2, (self.width - columns) // 2
        scale_x, scale_y = columns / size[1], rows / size[0]
        out[:] = self.fill
        image = self._resized(image, (rows, columns), (0, 0, image.width, image.height))
        out[top : top + rows, left : left + columns] = _pixels(image, self.channels)
        return Placement(scale_x, scale_y, left, top, size)

    def _resized(self, image: Image.Image, size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
        if box == (0, 0, image.width, image.height) and (image.height, image.width) == size:
            return image
        return image.resize((size[1], size[0]), INTERPOLATIONS[self.interpolation], box=box)


def _pixels(image: Image.Image, channels: int) -> NDArray[np.uint8]:
    return np.frombuffer(image.tobytes(), np.uint8).reshape(image.height, image.width, channels)


def read_picture(
    path: str | os.PathLike[str],
    size: tuple[int, int] | None = None,
    channels: int = 3,
    interpolation: str = "bilinear",
    fit: str = "stretch",
) -> NDArray[np.uint8]:
    """The pixels of one file: uint8 (height, width, channels).

    Parameters
    ----------
    path : path-like
    size : (int, int), optional
        Height and width; as the file has them if not given.
    channels : {1, 3, 4}
    interpolation, fit
        As for `Decoder`.

    Raises
    ------
    PictureError
        As `open_picture`.
    """
    if size is None:
        return _pixels(open_picture(path, channels=channels), channels).copy()
    decoder = Decoder(*size, channels, interpolation, fit)
    out = np.empty(decoder.shape, np.uint8)
    decoder.decode(path, os.fspath(path), out)
    return out
