"""The network that the command line trains and measures: the classic CNN of the textbooks."""

from __future__ import annotations

from .. import layers
from ..models import Sequential

#: Three 3x3 convolutions and two 2x2 poolings leave one pixel of this many rows or columns.
SMALLEST = 18


def check_size(height: int, width: int) -> None:
    """An error where pictures are too small for the classic CNN."""
    if min(height, width) < SMALLEST:
        raise ValueError(f"the classic CNN takes pictures of at least {SMALLEST}x{SMALLEST}, received {height}x{width}")


def classic_cnn(shape: tuple[int, int, int], classes: int, scale: float | None = None) -> Sequential:
    """Three convolutions with two poolings between them, and two dense layers.

    Parameters
    ----------
    shape : (height, width, channels)
        Of a picture.
    classes : int
        How many there are.
    scale : float, optional
        Pixels are multiplied by it inside the model (1 / 255: it takes bytes as they are).

    Raises
    ------
    ValueError
        Pictures smaller than 18 x 18.
    """
    check_size(*shape[:2])
    model = Sequential(name="classic_cnn")
    model.add(layers.Input(shape))
    if scale is not None:
        model.add(layers.Rescaling(scale))
    model.add(layers.Conv2D(32, (3, 3), activation="relu"))
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Conv2D(64, (3, 3), activation="relu"))
    model.add(layers.MaxPooling2D((2, 2)))
    model.add(layers.Conv2D(64, (3, 3), activation="relu"))
    model.add(layers.Flatten())
    model.add(layers.Dense(64, activation="relu"))
    model.add(layers.Dense(classes, activation="softmax"))
    return model
