"""Batches out of iterables: pipelines, generators, objects with ``__len__`` and ``__getitem__``."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any

from ..data.dataset import Dataset
from ..errors import shown
from .data import Batch, check_no_name, checked_batch

if TYPE_CHECKING:
    from .trainer import Trainer


def raw_batches(source: Any, steps: int | None = None, left_out: int = 0, goes_on: bool = False) -> Iterator[Any]:
    """What an iterable, or an object with ``__len__`` and ``__getitem__``, gives: at most `steps` items, behind the
    first ones that are `left_out`.

    A generator is not asked for more than that, and is left open: the next epoch goes on where this one ended. A
    `Dataset` begins its next epoch then; where it `goes_on`, one without an end does as a generator.
    """
    if isinstance(source, Sized) and hasattr(source, "__getitem__"):
        count = len(source) if steps is None else min(left_out + steps, len(source))
        for i in range(left_out, count):
            yield source[i]
        return
    items = iter(source)
    for _ in itertools.islice(items, left_out):
        pass
    for _ in itertools.count() if steps is None else range(steps):
        try:
            item = next(items)
        except StopIteration:
            return
        yield item
    if isinstance(source, Dataset):
        if goes_on:
            source.pause()
        else:
            source.next_epoch()


class Stream:
    """Batches out of an iterable that gives (x, y) or (x, y, sample_weight), each checked as it comes.

    With `steps`, a dataset without an end begins anew each epoch, so that it is judged by the same batches, or
    `goes_on` where the epoch before stopped, so that all of it is learned from.
    """

    def __init__(
        self,
        model: Trainer,
        source: Iterable[Any],
        class_weight: Any = None,
        steps: int | None = None,
        goes_on: bool = False,
    ) -> None:
        check_no_name(class_weight)
        self.model, self.source, self.class_weight, self.steps = model, source, class_weight, steps
        self.goes_on = goes_on
        #: Batches given so far: in all epochs, and in this one.
        self._all = self._given = 0
        #: How often the source was told that an epoch ended.
        self._ends = 0
        self._resumed = False

    def __len__(self) -> int:
        if self.steps is not None:
            return self.steps
        if isinstance(self.source, Sized):
            return len(self.source)
        raise TypeError("this source of batches has no length")

    def __iter__(self) -> Iterator[Batch]:
        left_out = self._left_out()
        if not self._resumed:
            self._given = 0
        self._resumed = False
        steps = None if self.steps is None else self.steps - self._given
        for item in raw_batches(self.source, steps, left_out, self.goes_on):
            self._all, self._given = self._all + 1, self._given + 1
            yield self.batch(item, self._given - 1)
        self._end()

    def _end(self) -> None:
        end = getattr(self.source, "on_epoch_end", None)
        if callable(end):  # objects of batches may shuffle themselves between epochs, as Keras' do
            self._ends += 1
            end()

    def _left_out(self) -> int:
        """How many batches were given before by a source that can't be told where to go on."""
        if not self._resumed or hasattr(self.source, "load_state_dict"):
            return 0
        # An iterator gives all epochs one after the other; everything else begins each anew.
        return self._all if isinstance(self.source, Iterator) else self._given

    def state_dict(self) -> dict[str, Any]:
        """Where the source is, as plain data; it is asked if it has such a method itself."""
        own = self.source.state_dict() if hasattr(self.source, "state_dict") else None
        return {"all": self._all, "given": self._given, "ends": self._ends, "source": own}

    def load_state_dict(self, state: dict[str, Any], within: bool) -> None:
        """Let the next iteration be the rest of the epoch if `within` one, else the next epoch.

        A source without a state must be as new: what it gave is skipped, and ``on_epoch_end()`` called as often as it
        was before.
        """
        if state.get("source") is not None and hasattr(self.source, "load_state_dict"):
            self.source.load_state_dict(state["source"])
        else:
            for _ in range(self._ends, state.get("ends", 0)):  # none if the same state is loaded again
                self._end()
        self._all, self._given, self._resumed = state["all"], state["given"] if within else 0, True

    def batch(self, item: Any, number: int) -> Batch:
        try:
            item = self.model._given(item)
            if not isinstance(item, (tuple, list)) or len(item) not in (2, 3):
                raise ValueError(f"expected (x, y) or (x, y, sample_weight), received {shown(item)}")
            weight = item[2] if len(item) == 3 else None
            return checked_batch(self.model, item[0], item[1], weight, self.class_weight)
        except (ValueError, TypeError) as error:
            raise type(error)(f"batch {number}: {error}") from None
