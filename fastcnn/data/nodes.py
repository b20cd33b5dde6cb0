"""What a pipeline is made of: nodes, each of which reads the one before it.

Samples that can be had in any order (arrays, files) are `Rows`: an epoch is an order of their numbers, steps such as
shuffling change the order alone, and a batch is read at once. Everything else is a stream.

An item carries the position behind it, from which its node goes on: so an epoch can be left and taken up again.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import numpy as np

from ..errors import shown
from .structure import Element, changed, row, rows

#: Plain data of JSON; None is the beginning of an epoch.
Position = Any
N = TypeVar("N", bound="Node")
#: Rows of a stream of samples are read so many at a time.
_READ_AT_ONCE = 32


class Item(NamedTuple):
    """What a node gives.

    Attributes
    ----------
    value : Element
    position : Position
        From where the node goes on behind it.
    marks : tuple
        The states, behind it, of the functions that have one, in the pipeline's order.
    """

    value: Element
    position: Position
    marks: tuple[Any, ...] = ()


def close(items: Iterator[Item]) -> None:
    """At once, not when the last reference is gone: threads may work for it."""
    end = getattr(items, "close", None)
    if end is not None:
        end()


class Node:
    """A source or a step. Made once and never changed, but for seeds that `Dataset.load_state_dict` puts back."""

    #: The node that this one reads.
    upstream: Node | None = None
    #: Whether what comes before it is done anew, or not at all, where an epoch goes on: so that functions there have no
    #: state at a position.
    restarts = False

    def length(self) -> int | None:
        """How many items an epoch has; None: that isn't known before, or there is no end."""
        raise NotImplementedError

    def open(self, epoch: int, start: Position) -> Iterator[Item]:
        """The items of an epoch behind a position. Closing the iterator ends all threads that work for it."""
        raise NotImplementedError

    def cached(self) -> Node | None:
        """The same with its source kept in memory; None where that takes a step of its own."""
        return None

    def chain(self) -> Iterator[Node]:
        """The node and those before it."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.upstream


def over(node: N, upstream: Node) -> N:
    """The same step, reading another node."""
    again = copy.copy(node)
    again.upstream = upstream
    return again


class Reading(NamedTuple):
    """Rows that have been read: the element, and which of those asked for are in it (None: all)."""

    element: Element
    kept: np.ndarray | None = None


class Reader(Protocol):
    """What reads rows while a pipeline runs."""

    @property
    def ahead(self) -> int:
        """How many readings it is worth to begin before the first is needed."""

    def begin(self, index: np.ndarray) -> Callable[[], Reading]:
        """Begin to read rows; the function returned waits for them."""


class Rows(Node):
    """Samples that can be had in any order."""

    def order(self, epoch: int) -> np.ndarray:
        """The numbers of an epoch's samples at the source, int64."""
        return np.arange(self.length(), dtype=np.int64)

    def reader(self) -> AbstractContextManager[Reader]:
        raise NotImplementedError

    def length(self) -> int:
        raise NotImplementedError

    def open(self, epoch: int, start: Position) -> Iterator[Item]:
        position = start or 0
        for reading, first, size in self.read(epoch, position, _READ_AT_ONCE):
            numbers = np.arange(size) if reading.kept is None else reading.kept
            for place, number in enumerate(numbers):
                yield Item(row(reading.element, place), first + int(number) + 1)

    def read(self, epoch: int, start: int, size: int) -> Iterator[tuple[Reading, int, int]]:
        """An epoch's rows behind the first `start` ones, `size` at a time: each with the place of its first row and
        how many were asked for.
        """
        order = self.order(epoch)
        waiting: deque[tuple[Callable[[], Reading], int, int]] = deque()
        with self.reader() as reader:
            for first in range(start, len(order), size):
                index = order[first : first + size]
                waiting.append((reader.begin(index), first, len(index)))
                if len(waiting) >= reader.ahead:
                    ready, place, count = waiting.popleft()
                    yield ready(), place, count
            while waiting:
                ready, place, count = waiting.popleft()
                yield ready(), place, count


class PromptRows(Rows):
    """So many rows that are read when they are asked for, without threads and with nothing to open or close."""

    ahead = 1

    def __init__(self, count: int) -> None:
        self.count = count

    def length(self) -> int:
        return self.count

    def at(self, index: np.ndarray) -> Element:
        """The rows with these numbers."""
        raise NotImplementedError

    def reader(self) -> AbstractContextManager[Reader]:
        return nullcontext(self)

    def begin(self, index: np.ndarray) -> Callable[[], Reading]:
        return lambda: Reading(self.at(index))


class ArrayRows(PromptRows):
    """Rows of arrays in memory, or mapped into it."""

    def __init__(self, element: Element, count: int) -> None:
        super().__init__(count)
        self.element = element

    def at(self, index: np.ndarray) -> Element:
        return rows(self.element, index)

    def cached(self) -> Node:
        read = changed(self.element, lambda leaf: np.array(leaf) if isinstance(leaf, np.memmap) else leaf)
        return ArrayRows(read, self.count)


class _Reordered(Rows):
    """Other rows in another order."""

    upstream: Rows

    def __init__(self, upstream: Rows) -> None:
        self.upstream = upstream

    def length(self) -> int:
        return self.upstream.length()

    def reader(self) -> AbstractContextManager[Reader]:
        return self.upstream.reader()

    def cached(self) -> Node | None:
        inner = self.upstream.cached()
        return None if inner is None else over(self, inner)


class Shuffled(_Reordered):
    """In random order, which depends on the seed and the number of the epoch alone.

    Parameters
    ----------
    anew : bool
        Whether each epoch has an order of its own.
    """

    def __init__(self, upstream: Rows, seed: int, anew: bool) -> None:
        super().__init__(upstream)
        self.seed, self.anew = seed, anew

    def order(self, epoch: int) -> np.ndarray:
        order = self.upstream.order(epoch)
        return np.random.default_rng([self.seed, epoch if self.anew else 0]).permutation(order)


class Part(_Reordered):
    """Those from the number `start` to below `stop`."""

    def __init__(self, upstream: Rows, start: int, stop: int | None = None) -> None:
        super().__init__(upstream)
        self.range = range(upstream.length())[start:stop]

    def length(self) -> int:
        return len(self.range)

    def order(self, epoch: int) -> np.ndarray:
        return self.upstream.order(epoch)[self.range.start : self.range.stop]


class Repeated(_Reordered):
    """Several epochs as one."""

    def __init__(self, upstream: Rows, count: int) -> None:
        super().__init__(upstream)
        self.count = count

    def length(self) -> int:
        return self.count * self.upstream.length()

    def order(self, epoch: int) -> np.ndarray:
        parts = [self.upstream.order(epoch * self.count + i) for i in range(self.count)]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)


class SamplerLike(Protocol):
    """What chooses an epoch's samples: some more than once, some not at all. A `seed` of it is kept with the position
    of the dataset.
    """

    def __len__(self) -> int:
        """How many samples an epoch has."""

    def order(self, epoch: int) -> np.ndarray:
        """The numbers of an epoch's samples; they depend on the seed and the epoch alone."""


class Sampled(_Reordered):
    """In the order that a sampler gives."""

    def __init__(self, upstream: Rows, sampler: SamplerLike) -> None:
        super().__init__(upstream)
        if not callable(getattr(sampler, "order", None)) or not hasattr(sampler, "__len__"):
            raise TypeError(f"sampler must have order(epoch) and a length, received {shown(sampler)}")
        self.sampler = sampler

    @property
    def seed(self) -> int | None:
        return cast("int | None", getattr(self.sampler, "seed", None))

    @seed.setter
    def seed(self, value: int) -> None:
        self.sampler.seed = value  # type: ignore[attr-defined]

    def length(self) -> int:
        return len(self.sampler)

    def order(self, epoch: int) -> np.ndarray:
        chosen = np.asarray(self.sampler.order(epoch))
        order = self.upstream.order(epoch)
        wrong = chosen.dtype.kind not in "iu" or chosen.ndim != 1 or len(chosen) != len(self.sampler)
        if wrong or (len(chosen) and not 0 <= int(chosen.min()) <= int(chosen.max()) < len(order)):
            raise ValueError(
                f"the sampler must give {len(self.sampler)} whole numbers from 0 to {len(order) - 1}, "
                f"received {shown(chosen)}"
            )
        return order[chosen]
