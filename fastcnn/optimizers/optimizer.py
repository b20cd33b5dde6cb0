"""Optimizers: hyperparameters and state; the arithmetic is one kernel over all weights at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

import numpy as np

from .._ops import core
from ..errors import shown
from ..plan import FlatStore
from ..plan.memory import Buffer
from ..shapes import real_number
from ..utils.registry import snake_case

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

    kernel: ClassVar[str]
    #: Names of the state arrays, one float a weight each, as the kernel calls them.
    slots: ClassVar[tuple[str, ...]] = ()

    def __init__(self, learning_rate: Schedule, weight_decay: float | None = None, name: str | None = None) -> None:
        self.name = name or snake_case(type(self).__name__)
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

    @property
    def learning_rate(self) -> float:
        return float(self.schedule(self.iterations)) if self.schedule is not None else self._rate

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

    _PLACES: ClassVar[dict[str, int]] = {"lr": 0, "decay": 1, "momentum": 2, "beta1": 3, "beta2": 4, "epsilon": 5}

    def prepare_step(self) -> None:
        """Set the numbers of the next step where its kernel reads them, and count it."""
        lr = self.learning_rate
        self.iterations += 1
        self._hyper[1] = lr * (self.weight_decay or 0.0)
        for name, value in self.hyper(lr, self.iterations).items():
            self._hyper[self._PLACES[name]] = value

    def bind(self, store: FlatStore) -> None:
        """Keep state for the weights of `store`; that of weights already known is carried over.

        Raises
        ------
        ValueError
            All its steps so far were on other weights: those of another model.
        """
        if self._store is store:
            return
        if self._store is not None and self.iterations and store.size:
            known = {id(v) for v in self._store.variables}
            if not any(id(v) in known for v in store.variables):
                raise ValueError(
                    f"this {type(self).__name__} has taken {self.iterations} steps for other weights, which its state "
                    f"belongs to; give each model an optimizer of its own"
                )
        old = {
            slot: {id(v): part.copy() for v, part in zip(self._store.variables, self._store.split(memory))}
            for slot, memory in self._state.items()
            if self._store is not None
        }
        self._state = {}
        for slot in self.slots:
            memory = core.aligned_empty(4 * max(1, store.size)).view(np.float32)
            memory[:] = self.slot_start(slot)
            for variable, part in zip(store.variables, store.split(memory)):
                kept = old.get(slot, {}).get(id(variable))
                if kept is not None:
                    part[...] = kept
            self._state[slot] = memory
        self._store = store

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

    @property
    def trained_variables(self) -> list[Any]:
        return [] if self._store is None else self._store.variables

    def __repr__(self) -> str:
        return f"<{type(self).__name__} learning_rate={self.learning_rate:g} iterations={self.iterations}>"
