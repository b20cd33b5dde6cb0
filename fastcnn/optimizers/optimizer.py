"""Optimizers: hyperparameters and state; the arithmetic is one kernel over all weights at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np

from .._ops import core
from .._ops.kinds import HYPER
from ..errors import shown
from ..graph import Variable
from ..plan import FlatStore
from ..plan.memory import Buffer
from ..shapes import real_number

Schedule: TypeAlias = float | Callable[[int], float]


class Optimizer:
    """Base of the optimizers.

    Parameters
    ----------
    learning_rate : float or callable
        A callable is given the number of the step (from 0) and returns the rate.
    weight_decay : float, optional
        Decoupled from the gradient (Loshchilov and Hutter, 2019): each step takes ``learning_rate * weight_decay``
        of each weight off first.
    """

    #: The kernel that takes a step.
    kernel: str
    #: Names of the state arrays, one float a weight each, as the kernel calls them.
    slots: tuple[str, ...] = ()

    def __init__(self, learning_rate: Schedule, weight_decay: float | None = None, name: str | None = None) -> None:
        self.name = name or type(self).__name__.lower()
        self.schedule: Callable[[int], float] | None = None
        self._rate = 0.0
        if callable(learning_rate):
            self.schedule = learning_rate
        else:
            self._rate = real_number(learning_rate, "learning_rate")
        self.weight_decay = None if weight_decay is None else real_number(weight_decay, "weight_decay")
        self.iterations = 0
        self._hyper = np.zeros(core.HYPER_COUNT, np.float64)
        self._store: FlatStore | None = None
        self._state: dict[str, np.ndarray] = {}
        #: State of weights that are not trained at the moment, for as long as the weights live.
        self._aside: WeakKeyDictionary[Variable, dict[str, np.ndarray]] = WeakKeyDictionary()

    @property
    def learning_rate(self) -> float:
        """The rate of the next step.

        Raises
        ------
        ValueError
            The schedule gives no finite number of at least 0.
        """
        if self.schedule is None:
            return self._rate
        return real_number(self.schedule(self.iterations), f"learning_rate of step {self.iterations}")

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if callable(value):
            self.schedule = value
        else:
            self._rate, self.schedule = real_number(value, "learning_rate"), None

    # ---- what subclasses write

    def hyper(self, lr: float, step: int) -> dict[str, float]:
        """The kernel's hyperparameters for step 1, 2, …: names of FC_HYPER_* in lower case."""
        return {"lr": lr}

    def slot_start(self, slot: str) -> float:
        """What a state array holds before the first step."""
        return 0.0

    def kernel_args(self) -> dict[str, Any]:
        """Further arguments of the kernel."""
        return {}

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor, as plain data."""
        if self.schedule is not None:
            raise ValueError(f"the learning rate schedule {shown(self.schedule)} can't be saved; set a number first")
        config: dict[str, Any] = {"learning_rate": self._rate}
        if self.weight_decay is not None:
            config["weight_decay"] = self.weight_decay
        return config

    # ---- what training uses

    def prepare_step(self) -> None:
        """Set the numbers of the next step where its kernel reads them, and count it."""
        lr = self.learning_rate
        numbers = {"decay": lr * (self.weight_decay or 0.0), **self.hyper(lr, self.iterations + 1)}
        for name, value in numbers.items():
            self._hyper[HYPER[name]] = value
        self.iterations += 1

    def bind(self, store: FlatStore) -> None:
        """Keep state for the weights of `store`; that of other weights is put aside until they are trained again.

        Raises
        ------
        ValueError
            All its steps so far were on other weights: those of another model.
        """
        if self._store is store:
            return
        known = self.states()
        if known and self.iterations and store.size and not any(v in known for v in store.variables):
            raise ValueError(
                f"this {type(self).__name__} has taken {self.iterations} steps for other weights, which its state "
                f"belongs to; give each model an optimizer of its own"
            )
        state = {}
        for slot in self.slots:
            memory = core.aligned_empty(4 * max(1, store.size)).view(np.float32)
            memory[:] = self.slot_start(slot)
            for variable, part in zip(store.variables, store.split(memory)):
                if variable in known:
                    part[...] = known[variable][slot]
            state[slot] = memory
        trained = set(store.variables)
        for variable, parts in known.items():
            if variable in trained:
                self._aside.pop(variable, None)
            else:
                self._aside[variable] = {slot: part.copy() for slot, part in parts.items()}
        self._store, self._state = store, state

    def calls(self, weights: np.ndarray, grads: Buffer) -> list[tuple[str, dict[str, Any]]]:
        """The kernel call that updates all weights, for the plan of a step."""
        if grads.size == 0:
            return []
        args = {"w": weights, "g": grads, "hyper": self._hyper, "count": grads.size, **self._state}
        return [(self.kernel, {**args, **self.kernel_args()})]

    def state(self) -> list[tuple[str, list[np.ndarray]]]:
        """Views of the state: (slot, one array for each trained weight)."""
        store = self._store
        return [] if store is None else [(slot, store.split(memory)) for slot, memory in self._state.items()]

    def states(self) -> dict[Variable, dict[str, np.ndarray]]:
        """The state of every weight that it has, trained at the moment or not: an array of its shape for each slot."""
        found = dict(self._aside)
        if self._store is not None:
            found.update({variable: {} for variable in self._store.variables})
            for slot, parts in self.state():
                for variable, part in zip(self._store.variables, parts):
                    found[variable][slot] = part
        return found

    def set_state(self, variable: Variable, state: dict[str, np.ndarray]) -> None:
        """What to go on with when a weight, not trained at the moment, is trained."""
        self._aside[variable] = state

    def __repr__(self) -> str:
        return f"<{type(self).__name__} learning_rate={self.learning_rate:g} iterations={self.iterations}>"
