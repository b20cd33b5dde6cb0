"""All that a training's further course depends on, at one moment: in memory, or in a file."""

from __future__ import annotations

import json
import os
import random as python_random
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import random
from ..errors import ModelFileError
from ..graph import Variable
from ..utils.plain import pack, unpack
from . import saving

if TYPE_CHECKING:
    from .trainer import Trainer

KIND = "training"
#: Start of the names of arrays that are neither weights nor the optimizer's.
_REST = "/state/"


class Snapshot:
    """Weights, the optimizer's state, random numbers, and what else it is given.

    Parameters
    ----------
    weights : dict of str to np.ndarray
    slots : dict of str to dict of str to np.ndarray
        The optimizer's arrays: by weight and slot.
    state : dict
        Plain data: optimizer, random numbers, and what `take` was given as `rest`.
    """

    def __init__(
        self, weights: dict[str, np.ndarray], slots: dict[str, dict[str, np.ndarray]], state: dict[str, Any]
    ) -> None:
        self.weights, self.slots, self.state = weights, slots, state

    @classmethod
    def take(cls, model: Trainer, rest: dict[str, Any] | None = None) -> Snapshot:
        """A copy of how things are with a compiled model, and of `rest`, plain data."""
        optimizer, keys = model.optimizer, _keys(model)
        assert optimizer is not None
        states = optimizer.states()
        slots = {key: {slot: part.copy() for slot, part in states[v].items()} for key, v in keys.items() if v in states}
        state = {
            "optimizer": {
                "class_name": type(optimizer).__name__,
                "iterations": optimizer.iterations,
                "accumulated": optimizer.accumulated,
                "swapped": optimizer.swapped,
                "learning_rate": optimizer.learning_rate if optimizer.schedule is None else None,
            },
            "dropout": model._ready().rng.tolist(),
            "random": {
                "fastcnn": random.get_state(),
                "python": python_random.getstate(),
                "numpy": np.random.get_state(legacy=False),
            },
            "rest": rest or {},
        }
        return cls({key: v.numpy() for key, v in keys.items()}, slots, state)

    def apply(self, model: Trainer) -> None:
        """Put the model, its optimizer and the random numbers back to where they were."""
        optimizer, keys, given = model.optimizer, _keys(model), self.state["optimizer"]
        assert optimizer is not None
        for key, variable in keys.items():
            variable.assign(self.weights[key])
        optimizer.set_states({keys[key]: parts for key, parts in self.slots.items()})
        optimizer.iterations, optimizer.accumulated = given["iterations"], given["accumulated"]
        optimizer.swapped = given["swapped"]
        if given["learning_rate"] is not None:
            optimizer.learning_rate = given["learning_rate"]
        model._ready().rng[:] = self.state["dropout"]
        numbers = self.state["random"]
        random.set_state(numbers["fastcnn"])
        python_random.setstate(numbers["python"])
        np.random.set_state(numbers["numpy"])

    # ---- files

    def write(self, path: str | os.PathLike[str]) -> None:
        """Replace the file by this snapshot, at once: whoever reads it finds the old one or this one, whole."""
        arrays: dict[str, np.ndarray] = {}
        state = pack(self.state, arrays, "")
        tensors = {**self.weights, **{f"{_REST}{name}": array for name, array in arrays.items()}}
        for key, parts in self.slots.items():
            tensors.update({saving.state_key(slot, key): part for slot, part in parts.items()})
        trained = {key: list(parts) for key, parts in self.slots.items()}
        header = {"format": saving.FORMAT, "version": str(saving.VERSION), "kind": KIND}
        header.update(state=json.dumps({"state": state}), trained=json.dumps(trained))
        saving.write(path, tensors, header, overwrite=True)

    @classmethod
    def read(cls, model: Trainer, path: str | os.PathLike[str]) -> Snapshot:
        """A snapshot for this model from its file.

        Raises
        ------
        ModelFileError
            The file is damaged or no snapshot, or it is one of another model or optimizer.
        """
        with saving.opened(path) as file:
            header = file.metadata() or {}
            if header.get("kind") != KIND:
                raise ModelFileError(f"{path} holds a model, not a training to go on with")
            trained, state = saving.read_json(header, "trained", path), saving.read_json(header, "state", path)
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        try:
            arrays = {key.removeprefix(_REST): a for key, a in tensors.items() if key.startswith(_REST)}
            state = unpack(state["state"], arrays)
            slots = {key: {slot: tensors[saving.state_key(slot, key)] for slot in parts}
                     for key, parts in trained.items()}  # fmt: skip
            snapshot = cls({key: a for key, a in tensors.items() if not key.startswith("/")}, slots, state)
            snapshot._check(model, path)
        except (LookupError, TypeError, AttributeError) as error:
            raise ModelFileError(f"{path} is damaged: {error!r}") from error
        return snapshot

    def _check(self, model: Trainer, path: Any) -> None:
        """Whether it is this model's, and its optimizer's."""
        keys, optimizer = _keys(model), model.optimizer
        assert optimizer is not None
        shapes = {key: v.shape for key, v in keys.items()}
        found = {key: a.shape for key, a in self.weights.items()}
        if shapes != found:
            other = sorted(key for key in shapes.keys() | found.keys() if shapes.get(key) != found.get(key))
            raise ModelFileError(
                f"{path} is the training of another model: weight {other[0]!r} has shape {found.get(other[0])} there "
                f"and {shapes.get(other[0])} here"
            )
        name, slots = self.state["optimizer"]["class_name"], set(optimizer.all_slots)
        if name != type(optimizer).__name__ or any(parts.keys() != slots for parts in self.slots.values()):
            raise ModelFileError(
                f"{path} is a training with another optimizer: {name} with other options than this "
                f"{type(optimizer).__name__}"
            )


def _keys(model: Any) -> dict[str, Variable]:
    return saving.weight_keys(model)
