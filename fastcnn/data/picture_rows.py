"""Picture files as rows of a pipeline: decoded by several threads, each picture straight into its batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from .._ops import get_num_threads
from .._ops.arrays import check_memory
from ..errors import unknown_name
from .decoding import Decoder, PictureError
from .files import Tree
from .nodes import Node, Reader, Reading, Rows
from .placing import Placement
from .structure import Element, rows

ON_ERROR = ("raise", "skip")
#: Bytes of a file from which on decoding takes so much longer than what Python does beside it that threads pay.
_LARGE = 4096
#: To know that, so many files are looked at.
_LOOKED_AT = 5
#: A thread is given so many parts of a batch: the last ones to finish wait for less than a whole share.
_PARTS = 4


def check_on_error(on_error: str) -> str:
    """What becomes of what can't be used: one of `ON_ERROR`."""
    if on_error not in ON_ERROR:
        raise unknown_name("on_error", on_error, ON_ERROR)
    return on_error


class PictureRows(Rows):
    """Pictures in files, and what is known of each.

    Parameters
    ----------
    tree : Tree
    names : sequence of str
        Of files in the tree.
    decoder : Decoder
    columns : tuple of Element
        What comes behind the pictures in each batch; nothing: batches are arrays, not tuples.
    workers : int, optional
        Threads that decode. None: one for each core, or a single one where files are so small that the threads would
        mostly wait for each other: for Python's own work on each.
    on_error : {"raise", "skip"}
        What becomes of files that can't be read as pictures. Those left out are in `problems`.
    """

    def __init__(
        self,
        tree: Tree,
        names: Sequence[str],
        decoder: Decoder,
        columns: tuple[Element, ...] = (),
        workers: int | None = 1,
        on_error: str = "raise",
    ) -> None:
        self.tree, self.names, self.decoder, self.columns = tree, list(names), decoder, columns
        self.workers, self.skip = workers, check_on_error(on_error) == "skip"
        #: What is wrong with files, by their numbers.
        self.problems: dict[int, str] = {}
        self._store: _Store | None = None

    def length(self) -> int:
        return len(self.names)

    def cached(self) -> Node | None:
        if self._store is None:
            again = type(self).__new__(type(self))
            again.__dict__.update(self.__dict__)
            again._store = _Store(len(self.names), self.decoder.shape)
            return again
        return self

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        workers = self.workers
        if workers is None:
            workers = get_num_threads() if self._are_large() else 1
        if workers == 1:
            yield _Alone(self)
            return
        pool = ThreadPoolExecutor(workers, "fastcnn-pictures")
        try:
            yield _Together(self, pool, workers)
        finally:
            pool.shutdown(cancel_futures=True)

    def _are_large(self) -> bool:
        """Whether the middle one of a few files, by size, is large."""
        sizes = []
        for name in self.names[:: max(1, len(self.names) // _LOOKED_AT)]:
            with suppress(OSError, ValueError):  # of what can't be read is told where it is needed
                sizes.append(len(self.tree.read(name)))
        return bool(sizes) and sorted(sizes)[len(sizes) // 2] >= _LARGE

    def element(self, images: np.ndarray, index: np.ndarray, placements: list[Placement]) -> Element:
        """A batch of the pictures `index`, which lie in theirs as the placements say."""
        return (images, *(rows(column, index) for column in self.columns)) if self.columns else images

    def decode(self, index: np.ndarray, out: np.ndarray, placements: list[Placement | None], first: int) -> None:
        """Pictures into rows of a batch, from `first` on; the placement None for those that are left out."""
        for place, number in enumerate(index, first):
            placements[place] = self._decoded(int(number), out[place])

    def _decoded(self, number: int, out: np.ndarray) -> Placement | None:
        if number in self.problems:
            return None
        if self._store is not None and (known := self._store.placements[number]) is not None:
            out[:] = self._store.images[number]
            return known
        try:
            placement = self.decoder.read(self.tree, self.names[number], out)
        except PictureError as error:
            if not self.skip:
                raise
            self.problems[number] = str(error)
            return None
        if self._store is not None:
            self._store.images[number] = out
            self._store.placements[number] = placement  # the last, as other threads look at it
        return placement

    def finished(self, images: np.ndarray, index: np.ndarray, placements: list[Placement | None]) -> Reading:
        """What has been decoded, without those that couldn't be."""
        good = [p for p in placements if p is not None]
        if len(good) == len(index):
            return Reading(self.element(images, index, good))
        kept = np.array([i for i, p in enumerate(placements) if p is not None], np.int64)
        return Reading(self.element(images[kept], index[kept], good), kept)


class _Store:
    """Pictures that have been decoded, for other epochs."""

    def __init__(self, count: int, shape: tuple[int, ...]) -> None:
        check_memory((-(-count * math.prod(shape) // 4),), f"{count} pictures of shape {shape} in memory")
        self.images = np.empty((count, *shape), np.uint8)
        self.placements: list[Placement | None] = [None] * count


class _Alone:
    """Reads when asked."""

    ahead = 1

    def __init__(self, pictures: PictureRows) -> None:
        self.pictures = pictures

    def begin(self, index: np.ndarray) -> Callable[[], Reading]:
        def read() -> Reading:
            images = np.empty((len(index), *self.pictures.decoder.shape), np.uint8)
            placements: list[Placement | None] = [None] * len(index)
            self.pictures.decode(index, images, placements, 0)
            return self.pictures.finished(images, index, placements)

        return read


class _Together:
    """Reads with several threads, which go on with the next batch while this one's last pictures are waited for."""

    ahead = 2

    def __init__(self, pictures: PictureRows, pool: ThreadPoolExecutor, workers: int) -> None:
        self.pictures, self.pool, self.parts = pictures, pool, _PARTS * workers

    def begin(self, index: np.ndarray) -> Callable[[], Reading]:
        images = np.empty((len(index), *self.pictures.decoder.shape), np.uint8)
        placements: list[Placement | None] = [None] * len(index)
        part = max(1, len(index) // self.parts)
        futures: list[Future[Any]] = [
            self.pool.submit(self.pictures.decode, index[i : i + part], images, placements, i)
            for i in range(0, len(index), part)
        ]

        def wait() -> Reading:
            for future in futures:
                future.result()
            return self.pictures.finished(images, index, placements)

        return wait
