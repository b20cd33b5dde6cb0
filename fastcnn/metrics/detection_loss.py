"""What a detector's loss is made of, as metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import losses
from ..errors import shown
from .base import Mean


class _Part(Mean):
    """One of the two parts of a `DetectionLoss`."""

    _direction = "down"
    _place: int

    def __init__(
        self, loss: losses.DetectionLoss | Mapping[str, Any], name: str | None = None, dtype: str | None = None
    ) -> None:
        super().__init__(name, dtype)
        made = losses.get(loss)
        if not isinstance(made, losses.DetectionLoss):
            raise TypeError(f"loss must be a DetectionLoss, received {shown(loss)}")
        self.loss = made

    def update_state(  # type: ignore[override]
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        """Take in a batch: y as the loss has it, and what the detector gave."""
        value = self.loss.parts(y_true, y_pred, sample_weight)[self._place]
        self._add(np.full(np.shape(y_true)[:1], value), None)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "loss": losses.serialize(self.loss)}


class ClassLoss(_Part):
    """What classes have of a `DetectionLoss`, with their weight; with `BoxLoss` it adds up to the loss.

    Parameters
    ----------
    loss : DetectionLoss, or its configuration
        The model's. Its places are given to objects once more for the metric, which costs little.

    Examples
    --------
    >>> loss = fastcnn.losses.DetectionLoss((320, 320), num_classes=3)
    >>> model.compile("adam", loss, metrics=[fastcnn.metrics.ClassLoss(loss), fastcnn.metrics.BoxLoss(loss)])
    """

    _place = 0


class BoxLoss(_Part):
    """What boxes have of a `DetectionLoss`, with their weight; see `ClassLoss`.

    Parameters
    ----------
    loss : DetectionLoss, or its configuration
        The model's.
    """

    _place = 1
