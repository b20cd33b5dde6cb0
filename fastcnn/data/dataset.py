"""The pipeline that people build: from samples to batches."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import random
from ..errors import shown
from ..shapes import whole_number
from .epochs import Epochs
from .given import as_column, numpy_file, thread_count
from .nodes import ArrayRows, Node, Part, Repeated, Rows, Sampled, SamplerLike, Shuffled
from .steps import Batch, Cache, Generated, Map, Prefetch, Repeat, ShuffleBuffer, Skip, Take
from .structure import Element, changed, checked, leaves


class Dataset(Epochs):
    """Samples, and what becomes of them on their way to a model.

    Made by the functions ``from_…`` and by `image_dataset_from_directory` and its kin. Each step returns a new dataset;
    nothing is read before it is needed. A dataset is iterated once an epoch, as often as one likes, and given to `fit`,
    `evaluate` and `predict` as it is: elements are then batches, ``(x, y)``, ``(x, y, sample_weight)`` or ``x``.

    >>> dataset = Dataset.from_arrays(x, y).shuffle(seed=1).batch(32).prefetch()

    Attributes
    ----------
    class_names : list of str or None
        Where the source knows them.
    file_paths : list of str or None
        Of the samples in the source's order, where these are files.
    """

    def __init__(self, node: Node, class_names: list[str] | None = None, file_paths: list[str] | None = None) -> None:
        super().__init__(node)
        self.class_names, self.file_paths = class_names, file_paths

    # ---- sources

    @classmethod
    def from_arrays(cls, *arrays: Any, sampler: SamplerLike | None = None) -> Dataset:
        """Samples in arrays, one in each row.

        Parameters
        ----------
        *arrays : array_like, or tuple or dict of these
            ``x``, ``x, y`` or ``x, y, sample_weight``. Arrays are not copied; those that NumPy maps from a file
            (``np.load(path, mmap_mode="r")``) may be larger than memory.
        sampler : SamplerLike, optional
            Chooses each epoch's samples, in its order.

        Raises
        ------
        ValueError, TypeError
            The arrays are not equally long; they are no arrays; the sampler is none.
        """
        if not arrays:
            raise ValueError("from_arrays needs at least one array")
        element = changed(arrays if len(arrays) > 1 else arrays[0], as_column)
        node: Rows = ArrayRows(element, checked(element, "from_arrays"))
        return cls(node if sampler is None else Sampled(node, sampler))

    @classmethod
    def from_npz(cls, path: str | os.PathLike[str], names: Iterable[str] = ("x", "y")) -> Dataset:
        """Samples in a ``.npz`` file, read into memory.

        Parameters
        ----------
        path : path-like
        names : iterable of str
            The arrays in the file that make an element, in this order. Pickled objects are not read.

        Raises
        ------
        ValueError
            No such array, or no such file format; the message has the file's name and what is in it.
        """
        names = (names,) if isinstance(names, str) else tuple(names)
        opened = numpy_file(path, None)
        if isinstance(opened, np.ndarray):
            raise ValueError(f"{os.fspath(path)}: expected a .npz file, received a single array; use from_npy")
        with opened as file:
            missing = [name for name in names if name not in file.files]
            if missing:
                raise ValueError(f"{os.fspath(path)} has no array {missing[0]!r}; it has {', '.join(file.files)}")
            try:
                arrays = [file[name] for name in names]
            except Exception as error:  # the zip archive's and the arrays' own errors are of many kinds
                raise ValueError(f"{os.fspath(path)} can't be read: {error}") from None
        return cls.from_arrays(*arrays)

    @classmethod
    def from_npy(cls, *paths: str | os.PathLike[str]) -> Dataset:
        """Samples in ``.npy`` files, one for each array, mapped into memory: they may be larger than it.

        Raises
        ------
        ValueError
            No such file format, or the arrays are not equally long.
        """
        arrays = [numpy_file(path, "r") for path in paths]
        for path, array in zip(paths, arrays):
            if not isinstance(array, np.ndarray):
                array.close()
                raise ValueError(f"{os.fspath(path)}: expected a .npy file, received a .npz file; use from_npz")
        return cls.from_arrays(*arrays)

    @classmethod
    def from_generator(
        cls, generator: Callable[[], Iterable[Element]] | Iterable[Element], length: int | None = None
    ) -> Dataset:
        """Elements as they come, samples or whole batches.

        Parameters
        ----------
        generator : function or iterable
            A function without arguments that returns an iterable, called for each epoch; or an object that can be
            iterated again and again. Of a generator itself there is one epoch only.
        length : int, optional
            How many elements an epoch has.
        """
        if not callable(generator) and not hasattr(generator, "__iter__"):
            raise TypeError(f"generator must be a function or an iterable, received {shown(generator)}")
        return cls(Generated(generator, None if length is None else whole_number(length, "length", 0)))

    # ---- steps

    def _then(self, node: Node) -> Dataset:
        return Dataset(node, self.class_names, self.file_paths)

    def shuffle(
        self, buffer_size: int | None = None, seed: int | None = None, reshuffle_each_iteration: bool = True
    ) -> Dataset:
        """Elements in random order, another one each epoch.

        Arrays and files are shuffled as a whole. An epoch's order depends on the seed and the epoch's number alone.

        Parameters
        ----------
        buffer_size : int, optional
            Of a stream, from which elements can't be had in any order (a generator, or behind `map`): among so many is
            each one drawn. Of arrays and files it is not needed.
        seed : int, optional
            Drawn from fastcnn's own random numbers if not given (`fastcnn.set_seed`).
        reshuffle_each_iteration : bool
            Whether each epoch has another order.
        """
        seed = random.next_seed() if seed is None else random.check_seed(seed)
        size = None if buffer_size is None else whole_number(buffer_size, "buffer_size")
        if isinstance(self._node, Rows):
            return self._then(Shuffled(self._node, seed, bool(reshuffle_each_iteration)))
        if size is None:
            raise ValueError(
                "buffer_size must be given here: elements of a stream can't be had in any order; where the samples are "
                "arrays or files, shuffle before map and batch"
            )
        return self._then(ShuffleBuffer(self._node, size, seed, bool(reshuffle_each_iteration)))

    def batch(self, batch_size: int, drop_remainder: bool = False) -> Dataset:
        """So many elements as one.

        Parameters
        ----------
        batch_size : int
        drop_remainder : bool
            Leave out the last batch of an epoch if it is smaller.
        """
        return self._then(Batch(self._node, whole_number(batch_size, "batch_size"), bool(drop_remainder)))

    def map(self, function: Callable[..., Element], num_parallel_calls: int | None = None) -> Dataset:
        """A function of each element: of batches behind `batch`, which is faster than of each sample before it.

        Parameters
        ----------
        function : callable
            ``function(x, y)`` of elements that are tuples, ``function(x)`` of others; returns the new element. One
            with ``state_dict()`` and ``load_state_dict(state)`` has a state, which is kept with the dataset's.
        num_parallel_calls : int, optional
            So many threads call it at a time; -1: as many as fastcnn uses. Elements stay in their order.
        """
        if not callable(function):
            raise TypeError(f"function must be callable, received {shown(function)}")
        return self._then(Map(self._node, function, thread_count(num_parallel_calls, "num_parallel_calls", 1)))

    def cache(self) -> Dataset:
        """Keep in memory what comes before, when it is first read.

        Of files the pictures are kept, also behind `batch` and `shuffle`, which go on to make other batches. Arrays
        mapped from files are read into memory at once. Of streams the elements are kept as they are in the first epoch
        that is read to its end.
        """
        kept = self._node.cached()
        return self._then(Cache(self._node) if kept is None else kept)

    def prefetch(self, buffer_size: int = 2) -> Dataset:
        """Make elements in the background, by a thread, while those before are worked on.

        Its errors are raised where the element would have come. The thread ends with the iteration.

        Parameters
        ----------
        buffer_size : int
            At most so many elements wait; -1: 2.
        """
        return self._then(Prefetch(self._node, 2 if buffer_size == -1 else whole_number(buffer_size, "buffer_size")))

    def repeat(self, count: int | None = None) -> Dataset:
        """Several epochs as one, each shuffled anew; None or -1: endless."""
        number = None if count is None or count == -1 else whole_number(count, "count", 0)
        if number is not None and isinstance(self._node, Rows):
            return self._then(Repeated(self._node, number))
        return self._then(Repeat(self._node, number))

    def take(self, count: int) -> Dataset:
        """The first elements of each epoch; shuffled before, they are others each epoch."""
        number = whole_number(count, "count", 0)
        return self._then(self._part(0, number) or Take(self._node, number))

    def skip(self, count: int) -> Dataset:
        """All but the first elements of each epoch."""
        number = whole_number(count, "count", 0)
        return self._then(self._part(number, None) or Skip(self._node, number))

    def _part(self, start: int, stop: int | None) -> Node | None:
        """Some elements without those before them, where they can be had so."""
        if isinstance(self._node, Rows):
            return Part(self._node, start, stop)
        return self._node.part(start, stop) if isinstance(self._node, Batch) else None


def sample_shape(dataset: Dataset) -> tuple[int, ...]:
    """The shape of one sample of x, from the first batch."""
    first = dataset.peek()
    x = first[0] if isinstance(first, tuple) else first
    return tuple(np.shape(next(leaves(x)))[1:])
