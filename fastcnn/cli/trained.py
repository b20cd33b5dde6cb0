"""A saved model together with what is needed to show it pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import layers, models


@dataclass
class Trained:
    """A model that classifies pictures.

    Attributes
    ----------
    size : (height, width)
    channels : 1 or 3
    class_names : list of str
        Empty if the file has none.
    data : str or None
        What it was trained on, as the command line calls it.
    dark_background : bool
        All pictures it was trained on were light on dark.
    takes_bytes : bool
        It scales pixels itself; others get them in [0, 1].
    """

    model: Any
    size: tuple[int, int]
    channels: int
    class_names: list[str]
    data: str | None
    dark_background: bool
    takes_bytes: bool

    @property
    def wanted(self) -> str:
        return f"{self.size[0]}x{self.size[1]}, {'gray' if self.channels == 1 else 'colour'}"

    def scaled(self, x: np.ndarray) -> np.ndarray:
        """Pictures of bytes as the model takes them."""
        return x if self.takes_bytes else x.astype(np.float32) / np.float32(255)


def load(path: str) -> Trained:
    """Read a model file.

    Raises
    ------
    ValueError
        The model isn't one that takes one picture and gives a probability for each class.
    """
    model = models.load_model(path)
    shape, out = model.input_shape, model.output_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or None in shape[1:] or shape[3] not in (1, 3):
        raise ValueError(f"{path} is a model of inputs {shape}; pictures have (batch, height, width, 1 or 3)")
    if not isinstance(out, tuple) or len(out) != 2:
        raise ValueError(f"{path} gives outputs {out}; a classifier gives (batch, classes)")
    metadata = model.metadata
    names = [str(name) for name in metadata.get("class_names") or []]
    if names and len(names) != out[1]:
        raise ValueError(f"{path} names {len(names)} classes, but gives {out[1]} probabilities")
    return Trained(
        model,
        (shape[1], shape[2]),
        shape[3],
        names,
        metadata.get("data"),
        bool(metadata.get("dark_background", False)),
        any(isinstance(layer, layers.Rescaling) for layer in model.layers),
    )
