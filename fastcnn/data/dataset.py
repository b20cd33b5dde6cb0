"""The pipeline that people build: from samples to batches."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np

from .. import random
from ..errors import shown
from ..shapes import whole_number
from .given import as_column, listed, numpy_file, thread_count
from .nodes import ArrayRows, Item, Node, Part, Position, Repeated, Rows, Sampled, SamplerLike, Shuffled
from .steps import Batch, Cache, Generated, Map, Prefetch, Repeat, ShuffleBuffer, Skip, Take
from .structure import Element, changed, checked, joined, leaves


class Dataset:
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
        self._node = node
        self.class_names, self.file_paths = class_names, file_paths
        #: The epoch that is run, or will be; how far it has come; whether an iteration of it was begun.
        self._epoch, self._position, self._begun = 0, None, False
        self._marks: tuple[Any, ...] | None = None
        self._reported = 0

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

    # ---- iteration

    def __len__(self) -> int:
        length = self._node.length()
        if length is None:
            raise TypeError("this dataset has no length: its source doesn't say how much it gives, or has no end")
        return length

    def __iter__(self) -> Iterator[Element]:
        """One epoch, or what is left of it behind `load_state_dict`."""
        if self._begun:
            self.next_epoch()
        self._begun = True
        return self._run(self._epoch, self._position)

    def _run(self, epoch: int, start: Position) -> Iterator[Element]:
        self._restore()
        finished = False
        items = self._node.open(epoch, start)
        try:
            for item in items:
                if epoch == self._epoch:  # else another iteration has begun, and the position is its own
                    self._position, self._marks = item.position, item.marks
                yield item.value
            finished = True
        finally:
            _close(items)
            if epoch == self._epoch:
                # What runs ahead has changed functions' states for elements that nobody has seen.
                self._restore()
                if finished:
                    self.next_epoch()
            self._report()

    def next_epoch(self) -> None:
        """End this epoch, wherever it is: the next iteration begins another."""
        self._epoch, self._position, self._begun = self._epoch + 1, None, False

    def pause(self) -> None:
        """Stop here: the next iteration goes on behind this element where the dataset has no end, as behind
        ``repeat()``; else it begins another epoch.
        """
        if self._endless():
            self._begun = False
        else:
            self.next_epoch()

    def _endless(self) -> bool:
        """Whether an epoch never ends, and can be taken up in the middle."""
        nodes = list(self._node.chain())
        repeats = [i for i, node in enumerate(nodes) if isinstance(node, Repeat) and node.count is None]
        if not repeats or any(isinstance(node, Take) for node in nodes[: repeats[0]]):
            return False
        return not (isinstance(nodes[-1], Generated) and nodes[-1].once)

    def peek(self) -> Element:
        """The element that comes next where the last iteration ended: an epoch's first one, or that behind the position
        that was loaded. It will still come first.

        Raises
        ------
        ValueError
            There is none.
        """
        before = [f.state_dict() for f in self._functions()]
        epoch, start = (self._epoch + 1, None) if self._begun else (self._epoch, self._position)
        *_, source = self._node.chain()
        with source.read_again() if isinstance(source, Generated) else nullcontext():
            items = self._node.open(epoch, start)
            try:
                found = next(items, None)
            finally:
                _close(items)
                for function, state in zip(self._functions(), before):
                    function.load_state_dict(state)
        if found is None:
            raise ValueError("the dataset is empty")
        return found.value

    def to_arrays(self) -> Element:
        """All elements of an epoch, which must be batches, joined: ``x, y = dataset.to_arrays()``."""
        parts = list(self)
        if not parts:
            raise ValueError("the dataset is empty")
        return joined(parts)

    # ---- position

    def state_dict(self) -> dict[str, Any]:
        """Where the dataset is: plain data (numbers, strings, lists) for `load_state_dict` of one that was made alike.

        Taken behind an element of an iteration, the iteration goes on behind that element, with the same ones.

        Raises
        ------
        ValueError
            A function with a state stands before a shuffled stream, whose elements depend on more than that.
        """
        functions = [f.state_dict() for f in self._functions()] if self._marks is None else list(self._marks)
        return {
            "epoch": self._epoch,
            "position": self._position,
            "seeds": [node.seed for node in self._seeded()],
            "functions": functions,
            "length": self._node.length(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another dataset, made in the same way, was: the next iteration is the rest of its epoch.

        Raises
        ------
        ValueError
            The state is no dataset's, or that of one with other steps or of another length.
        """
        expected = {"epoch", "position", "seeds", "functions", "length"}
        if not isinstance(state, dict) or set(state) != expected:
            raise ValueError(f"state must be what state_dict gave, received {shown(state)}")
        seeded, functions = self._seeded(), self._functions()
        if len(state["seeds"]) != len(seeded) or len(state["functions"]) != len(functions):
            raise ValueError(
                f"state is of a dataset with {len(state['seeds'])} shuffling steps and {len(state['functions'])} "
                f"functions with a state, this one has {len(seeded)} and {len(functions)}"
            )
        # A cache learns the length of a source that didn't know it, and another one may not have been filled yet.
        if None not in (state["length"], self._node.length()) and state["length"] != self._node.length():
            raise ValueError(f"state is of a dataset of length {state['length']}, this one's is {self._node.length()}")
        for node, seed in zip(seeded, state["seeds"]):
            node.seed = seed
        self._epoch, self._position, self._begun = whole_number(state["epoch"], "epoch", 0), state["position"], False
        self._marks = tuple(state["functions"])
        self._restore()

    def _restore(self) -> None:
        if self._marks is not None:
            for function, state in zip(self._functions(), self._marks):
                function.load_state_dict(state)

    def _seeded(self) -> list[Any]:
        return [node for node in self._node.chain() if getattr(node, "seed", None) is not None]

    def _functions(self) -> list[Any]:
        """The functions with a state of the steps that go on where an epoch is taken up, in the pipeline's order."""
        found = []
        for node in self._node.chain():
            if isinstance(node, Map) and node.stateful:
                found.append(node.function)
            if node.restarts:
                break
        return found[::-1]

    # ---- what can't be read

    @property
    def problems(self) -> list[str]:
        """What is wrong with files, as far as is known: those listed wrongly, and those that were left out because they
        couldn't be read (``on_error="skip"``).
        """
        *_, source = self._node.chain()
        # A copy: threads may find more meanwhile, and in any order.
        found = getattr(source, "problems", {}).copy()
        return [*getattr(source, "notes", ()), *(text for _, text in sorted(found.items()))]

    def _report(self) -> None:
        """A warning about files left out since the last one."""
        *_, source = self._node.chain()
        found = list(getattr(source, "problems", {}).values())
        if len(found) > self._reported:
            new = found[self._reported :]
            self._reported = len(found)
            which = "1 file" if len(new) == 1 else f"{len(new)} files"
            warnings.warn(listed(f"left out, as {which} can't be read as pictures:", new), stacklevel=3)

    def __repr__(self) -> str:
        steps = [type(node).__name__ for node in self._node.chain()][::-1]
        length = self._node.length()
        return f"<Dataset {' → '.join(steps)}, {'unknown length' if length is None else f'{length} elements'}>"


def sample_shape(dataset: Dataset) -> tuple[int, ...]:
    """The shape of one sample of x, from the first batch."""
    first = dataset.peek()
    x = first[0] if isinstance(first, tuple) else first
    return tuple(np.shape(next(leaves(x)))[1:])


def _close(items: Iterator[Item]) -> None:
    """At once, not when the last reference is gone: threads may work for it."""
    close = getattr(items, "close", None)
    if close is not None:
        close()
