"""Penalties on weights, added to the training loss."""

from __future__ import annotations

from typing import Any

from .errors import shown, unknown_name
from .graph import Value
from .graph.functional import total, unary
from .shapes import real_number


class L1L2:
    """``l1 * sum(|w|) + l2 * sum(w^2)``."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = real_number(l1, "l1"), real_number(l2, "l2")

    def __call__(self, w: Value) -> Value | None:
        parts = []
        if self.l1:
            parts.append(total(unary(w, "abs")) * self.l1)
        if self.l2:
            parts.append(total(unary(w, "square")) * self.l2)
        if not parts:
            return None
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]

    def get_config(self) -> dict[str, float]:
        return {"l1": self.l1, "l2": self.l2}


class L1(L1L2):
    """``l1 * sum(|w|)``."""

    def __init__(self, l1: float = 0.01) -> None:
        super().__init__(l1=l1)

    def get_config(self) -> dict[str, float]:
        return {"l1": self.l1}


class L2(L1L2):
    """``l2 * sum(w^2)``."""

    def __init__(self, l2: float = 0.01) -> None:
        super().__init__(l2=l2)

    def get_config(self) -> dict[str, float]:
        return {"l2": self.l2}


l1, l2, l1_l2 = L1, L2, L1L2
CLASSES = {"L1": L1, "L2": L2, "L1L2": L1L2}
NAMED = {"l1": L1, "l2": L2, "l1l2": lambda: L1L2(0.01, 0.01), "l1_l2": lambda: L1L2(0.01, 0.01)}


def get(regularizer: Any) -> Any:
    """A regularizer from its name, configuration, class or itself; None stays None.

    Raises
    ------
    ValueError
        The name is unknown (the closest known one is suggested).
    TypeError
        None of these.
    """
    if isinstance(regularizer, type) and regularizer in CLASSES.values():
        return regularizer()
    if regularizer is None or callable(regularizer):
        return regularizer
    if isinstance(regularizer, dict):
        if regularizer.get("class_name") not in CLASSES:
            raise unknown_name("regularizer", regularizer.get("class_name"), CLASSES)
        return CLASSES[regularizer["class_name"]](**regularizer["config"])
    if not isinstance(regularizer, str):
        raise TypeError(f"regularizer must be a name, an object or a configuration, received {shown(regularizer)}")
    name = regularizer.lower()
    if name not in NAMED:
        raise unknown_name("regularizer", regularizer, NAMED)
    return NAMED[name]()


def serialize(regularizer: Any) -> dict[str, Any] | None:
    """The configuration to store; only this module's classes can be stored."""
    if regularizer is None:
        return None
    name = type(regularizer).__name__
    if CLASSES.get(name) is not type(regularizer):
        raise ValueError(f"the regularizer {regularizer!r} can't be saved; use one of {', '.join(CLASSES)}")
    return {"class_name": name, "config": regularizer.get_config()}
