"""Steps of a pipeline that are streams: batches, functions, caches, and what runs ahead in the background."""

from __future__ import annotations

import itertools
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from ..errors import shown
from .nodes import Item, Node, Part, Position, Rows, close, over
from .structure import Element, stacked


class Generated(Node):
    """What an iterable gives, or a function that returns one."""

    def __init__(self, source: Callable[[], Iterable[Element]] | Iterable[Element], count: int | None) -> None:
        self.source, self.count = source, count

    def length(self) -> int | None:
        return self.count

    @property
    def once(self) -> bool:
        """Whether the source is an iterator, which gives everything a single time."""
        return isinstance(self.source, Iterator) and not callable(self.source)

    @contextmanager
    def read_again(self) -> Iterator[None]:
        """What is read meanwhile comes again, also of an iterator."""
        if not self.once:
            yield
            return
        read: list[Element] = []
        source = iter(self.source)  # type: ignore[arg-type]

        def noting() -> Iterator[Element]:
            for element in source:
                read.append(element)
                yield element

        self.source = noting()
        try:
            yield
        finally:
            self.source = itertools.chain(read, source)

    def open(self, epoch: int, start: Position) -> Iterator[Item]:
        made = self.source() if callable(self.source) else self.source
        if not hasattr(made, "__iter__"):
            raise TypeError(f"the source of a dataset must give an iterable, received {shown(made)}")
        number = 0
        for number, element in enumerate(made, 1):
            if number > (start or 0):
                yield Item(tuple(element) if isinstance(element, list) else element, number)
        if number == 0 and not callable(self.source):
            raise ValueError(
                "the source of this dataset gave nothing; a generator that is used up can't be read again: give the "
                "function that makes it"
            )


class Batch(Node):
    """So many samples as one element."""

    def __init__(self, upstream: Node, size: int, drop_remainder: bool) -> None:
        self.upstream, self.size, self.drop = upstream, size, drop_remainder

    def length(self) -> int | None:
        assert self.upstream is not None
        samples = self.upstream.length()
        if samples is None:
            return None
        return samples // self.size if self.drop else -(-samples // self.size)

    def open(self, epoch: int, start: Position) -> Iterator[Item]:
        if isinstance(self.upstream, Rows):
            return self._of_rows(self.upstream, epoch, start or 0)
        return self._of_stream(epoch, start)

    def _of_rows(self, upstream: Rows, epoch: int, start: int) -> Iterator[Item]:
        """Batch by batch, whose number is the position."""
        for reading, first, count in upstream.read(epoch, start * self.size, self.size):
            kept = count if reading.kept is None else len(reading.kept)
            # What can't be read makes a batch smaller; a last one that is smaller by itself may be unwanted.
            if kept and not (self.drop and count < self.size):
                yield Item(reading.element, first // self.size + 1)

    def _of_stream(self, epoch: int, start: Position) -> Iterator[Item]:
        assert self.upstream is not None
        samples: list[Item] = []
        for item in self.upstream.open(epoch, start):
            samples.append(item)
            if len(samples) == self.size:
                yield self._joined(samples)
                samples = []
        if samples and not self.drop:
            yield self._joined(samples)

    @staticmethod
    def _joined(samples: list[Item]) -> Item:
        return Item(stacked([item.value for item in samples]), samples[-1].position, samples[-1].marks)

    def cached(self) -> Node | None:
        """Samples are kept, not batches, so that they can be shuffled anew."""
        inner = self.upstream.cached() if isinstance(self.upstream, Rows) else None
        return None if inner is None else over(self, inner)

    def part(self, start: int, stop: int | None) -> Node | None:
        """Some of the batches, without reading the others; None of a stream."""
        if not isinstance(self.upstream, Rows):
            return None
        last = None if stop is None else stop * self.size
        return over(self, Part(self.upstream, start * self.size, last))


class Map(Node):
    """A function of each element: `function(x, y)` of tuples, `function(x)` of anything else.

    A function with ``state_dict`` and ``load_state_dict`` is called in the elements' order, whatever `workers` is, and
    its state goes along with them.
    """

    def __init__(self, upstream: Node, function: Callable[..., Element], workers: int) -> None:
        self.upstream, self.function, self.workers = upstream, function, workers
        self.stateful = hasattr(function, "state_dict") and hasattr(function, "load_state_dict")

    def length(self) -> int | None:
        assert self.upstream is not None
        return self.upstream.length()

    def open(self, epoch: int, start: Position) -> Iterator[Item]:
        assert self.upstream is not None
        items = self.upstream.open(epoch, start)
        return self._parallel(items) if self.workers > 1 and not self.stateful else self._serial(items)

    def _call(self, value: Element) -> Element:
        return self.function(*value) if isinstance(value, tuple) else self.function(value)

    def _serial(self, items: Iterator[Item]) -> Iterator[Item]:
        for item in items:
            value = self._call(item.value)
            marks = (*item.marks, self.function.state_dict()) if self.stateful else item.marks  # type: ignore[attr-defined]
            yield Item(value, item.position, marks)

    def _parallel(self, items: Iterator[Item]) -> Iterator[Item]:
        waiting: deque[tuple[Future[Element], Item]] = deque()
        pool = ThreadPoolExecutor(self.workers, "fastcnn-map")
        try:
            for item in items:
                waiting.append((pool.submit(self._call, item.value), item))
                if len(waiting) > self.workers:
                    yield self._done(*waiting.popleft())
            while waiting:
                yield self._done(*waiting.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    @staticmethod
    def _done(future: Future[Element], item: Item) -> Item:
        return Item(future.result(), item.position, item.marks)


class Cache(Node):
    """Elements kept in memory as they come, from the first epoch on that is read to its end; always epoch 0's."""

    restarts = True

    def __init__(self, upstream: Node) -> None:
        self.upstream = upstream
        self._kept: list[Element] | None = None

    def length(self) -> int | None:
        assert self.upstream is not None
        return self.upstream.length() if self._kept is None else len(self._kept)

    def open(self, epoch: int, start: Position) -> Iterator[Item]:
        assert self.upstream is not None
        first = start or 0
        if self._kept is not None:
            for number in range(first, len(self._kept)):
                yield Item(self._kept[number], number + 1)
            return
        found: list[Element] = []
        for item in self.upstream.open(0, None):
            found.append(item.value)
            if len(found) > first:
                yield Item(item.value, len(found))
        self._kept = found


class ShuffleBuffer(Node):
    """A stream in random order: each element is drawn from among the next `size` ones."""

    restarts = True

    def __init__(self, upstream: Node, size: int, seed: int, anew: bool) -> None:
        self.upstream, self.size, self.seed, self.anew = upstream, size, seed, anew

    def length(self) -> int | None:
        assert self.upstream is not None
        return self.upstream.length()

    def open(self, epoch: int, start: Position) -> Iterator[Item]:
        for number, value in enumerate(self._drawn(epoch if self.anew else 0, epoch), 1):
            if number > (start or 0):
                yield Item(value, number)

    def _drawn(self, salt: int, epoch: int) -> Iterator[Element]:
        assert self.upstream is not None
        generator = np.random.default_rng([self.seed, salt])
        buffer: list[Element] = []
        for item in self.upstream.open(epoch, None):
            if len(buffer) < self.size:
                buffer.append(item.value)
                continue
            place = int(generator.integers(self.size))
            yield buffer[place]
            buffer[place] = item.value
        for place in generator.permutation(len(buffer)):
            yield buffer[place]


class Take(Node):
    """The first elements of each epoch."""

    def __init__(self, upstream: Node, count: int) -> None:
        self.upstream, self.count = upstream, count

    def length(self) -> int | None:
        assert self.upstream is not None
        inner = self.upstream.length()
        return None if inner is None else min(inner, self.count)

    def open(self, epoch: int, start: Position) -> Iterator[Item]:
        assert self.upstream is not None
        taken, position = start or (0, None)
        if taken >= self.count:
            return
        for item in self.upstream.open(epoch, position):
            taken += 1
            yield Item(item.value, [taken, item.position], item.marks)
            if taken == self.count:  # before the next one is asked for, which may take long, or never come
                return


class Skip(Node):
    """All but the first elements of each epoch."""

    def __init__(self, upstream: Node, count: int) -> None:
        self.upstream, self.count = upstream, count

    def length(self) -> int | None:
        assert self.upstream is not None
        inner = self.upstream.length()
        return None if inner is None else max(0, inner - self.count)

    def open(self, epoch: int, start: Position) -> Iterator[Item]:
        assert self.upstream is not None
        for number, item in enumerate(self.upstream.open(epoch, start)):
            if start is not None or number >= self.count:
                yield item


class Repeat(Node):
    """Several epochs, or endlessly many, as one."""

    def __init__(self, upstream: Node, count: int | None) -> None:
        self.upstream, self.count = upstream, count

    def length(self) -> int | None:
        assert self.upstream is not None
        inner = self.upstream.length()
        return None if inner is None or self.count is None else inner * self.count

    def open(self, epoch: int, start: Position) -> Iterator[Item]:
        assert self.upstream is not None
        done, position = start or (0, None)
        while self.count is None or done < self.count:
            inner = done if self.count is None else epoch * self.count + done
            empty = position is None
            for item in self.upstream.open(inner, position):
                empty = False
                yield Item(item.value, [done, item.position], item.marks)
            if empty:  # or it would look for more forever
                return
            done, position = done + 1, None


class Prefetch(Node):
    """Elements made in the background, by one thread, at most `size` before they are needed."""

    def __init__(self, upstream: Node, size: int) -> None:
        self.upstream, self.size = upstream, size

    def length(self) -> int | None:
        assert self.upstream is not None
        return self.upstream.length()

    def cached(self) -> Node | None:
        assert self.upstream is not None
        inner = self.upstream.cached()
        return None if inner is None else over(self, inner)

    def open(self, epoch: int, start: Position) -> Iterator[Item]:
        assert self.upstream is not None
        return _ahead(self.upstream.open(epoch, start), self.size)


def _ahead(items: Iterator[Item], size: int) -> Iterator[Item]:
    """What `items` gives, asked for by another thread. Its errors come out here, in their place; closing this iterator
    ends the thread before it returns.
    """
    ready: queue.SimpleQueue[tuple[Item | None, BaseException | None]] = queue.SimpleQueue()
    room = threading.Semaphore(size)  # an item is begun where there is room for it: so no more than `size` ever wait
    stopped = threading.Event()

    def work() -> None:
        try:
            while room.acquire() and not stopped.is_set():
                item = next(items, None)
                ready.put((item, None))
                if item is None:
                    return
        except BaseException as error:
            ready.put((None, error))
        finally:
            close(items)  # a generator is closed by the thread that runs it

    thread = threading.Thread(target=work, name="fastcnn-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is None:
                return
            room.release()
            yield item
    finally:
        stopped.set()
        room.release()
        thread.join()
