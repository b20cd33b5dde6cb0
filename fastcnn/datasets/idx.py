"""IDX files, the format of MNIST: a magic number, the sizes of the axes, and the numbers themselves.

A file may be compressed with gzip. What it must hold is known beforehand, so no size in a file is trusted: not more
is ever unpacked than should be there.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import FastcnnError

_GZIP_MAGIC = b"\x1f\x8b"
_UINT8 = 0x08


class DamagedFileError(FastcnnError, ValueError):
    """A data file that does not hold what it should; the message names it."""


class OtherDatasetError(DamagedFileError):
    """A whole IDX file, but not of the dataset that was asked for."""


@dataclass(frozen=True)
class IdxFile:
    """What one file must hold.

    Parameters
    ----------
    name : str
        Its name, without ``.gz``.
    shape : tuple of int
        Of the uint8 array in it.
    sha256 : str
        Of the uncompressed file: the same data go about in differently packed ``.gz`` files.
    """

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def size(self) -> int:
        """Bytes of the uncompressed file."""
        return 4 + 4 * len(self.shape) + math.prod(self.shape)

    def read(self, path: Path) -> NDArray[np.uint8]:
        """The array in the file at `path`, compressed or not.

        Raises
        ------
        DamagedFileError
            It holds something else.
        OSError
            It can't be read.
        """
        with open(path, "rb") as file:
            return self._read(file, str(path))

    def unpack(self, content: bytes, origin: str) -> NDArray[np.uint8]:
        """The array in a file's content, which came from `origin`."""
        return self._read(io.BytesIO(content), origin)

    def _read(self, file: io.BufferedIOBase, origin: str) -> NDArray[np.uint8]:
        packed = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        if not packed:
            return self._parse(file, origin)
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                return self._parse(unpacked, origin)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DamagedFileError(f"{origin}: the gzip data are damaged or end too early ({error})") from None

    def _parse(self, file: io.BufferedIOBase, origin: str) -> NDArray[np.uint8]:
        header = file.read(4 + 4 * len(self.shape))
        expected = bytes([0, 0, _UINT8, len(self.shape)])
        if header[:4] != expected:
            raise DamagedFileError(
                f"{origin}: not an IDX file of {len(self.shape)} axes of bytes: it begins with {header[:4].hex(' ')} "
                f"instead of {expected.hex(' ')}"
            )
        sizes = tuple(int.from_bytes(header[i : i + 4], "big") for i in range(4, len(header), 4))
        if sizes != self.shape:
            raise OtherDatasetError(f"{origin}: holds an array of shape {sizes}, expected {self.shape}")
        data = np.empty(self.shape, np.uint8)
        view, filled = data.data.cast("B"), 0
        while filled < len(view) and (got := file.readinto(view[filled:])):
            filled += got
        if filled < len(view):
            raise DamagedFileError(f"{origin}: ends after {len(header) + filled} bytes, expected {self.size}")
        if file.read(1):  # at the end of gzip data this checks their checksum too
            raise DamagedFileError(f"{origin}: goes on after the {self.size} bytes that were expected")
        digest = hashlib.sha256(header)
        digest.update(data.data)
        if digest.hexdigest() != self.sha256:
            raise OtherDatasetError(f"{origin}: has the right form, but other content (SHA-256 {digest.hexdigest()})")
        return data
