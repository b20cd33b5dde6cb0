"""A pipeline's epochs: how they are iterated, left, and taken up again."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

from ..errors import shown
from ..shapes import whole_number
from .given import listed
from .nodes import Node, Position, close
from .steps import Generated, Map, Repeat, Take
from .structure import Element, joined


class Epochs:
    """What the last node of a chain gives, an epoch at each iteration."""

    def __init__(self, node: Node) -> None:
        self._node = node
        #: The epoch that is run, or will be; how far it has come; whether an iteration of it was begun.
        self._epoch, self._position, self._begun = 0, None, False
        self._marks: tuple[Any, ...] | None = None
        self._reported = 0

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
            close(items)
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
                close(items)
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
