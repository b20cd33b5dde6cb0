"""What other people's detectors say, as boxes: a decoder for each kind of output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..errors import shown
from ..shapes import whole_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


class Decoder(Protocol):
    """From a network's outputs for one image to boxes: a function, or an object that is called like one."""

    def __call__(self, outputs: list[Array], image_size: tuple[int, int], score_threshold: float) -> tuple[Array, ...]:
        """
        Parameters
        ----------
        outputs : list of array
            The network's outputs in their order, without the batch axis.
        image_size : (int, int)
            Height and width of the network's input.
        score_threshold : float
            What scores less is dropped by the caller. A decoder may leave it out before it computes anything else.

        Returns
        -------
        boxes : array (k, 4)
            Left, top, right, bottom in pixels of the network's input; overlapping ones are left to the caller.
        scores : array (k,)
        labels : array (k,)
            Class numbers from 0.
        keypoints : array (k, points, 2), optional
            x and y in pixels of the network's input.
        """


class CenterFace:
    """Faces with five landmarks: both eyes, nose, corners of the mouth (Xu et al. 2019, "CenterFace: Joint Face
    Detection and Alignment Using Face as Point", section 3).

    The outputs are four maps, channels first, of a quarter of the input's size: how likely a face has its centre there,
    the logarithm of its height and width in places, its centre's offset, and the landmarks in sizes of the box.
    """

    #: Input pixels a place of the maps stands for.
    stride = 4

    def __call__(self, outputs: list[Array], image_size: tuple[int, int], score_threshold: float) -> tuple[Array, ...]:
        if [y.ndim for y in outputs] != [3] * 4 or [len(y) for y in outputs] != [1, 2, 2, 10]:
            shapes = ", ".join(str(y.shape) for y in outputs)
            raise ValueError(f"CenterFace needs four maps of 1, 2, 2 and 10 channels, received {shapes}")
        heat, scale, offset, points = outputs
        rows, columns = np.nonzero(heat[0] >= score_threshold)
        size = np.exp(scale[:, rows, columns]) * self.stride
        middle = (np.stack([rows, columns]) + offset[:, rows, columns] + 0.5) * self.stride
        top, left = middle - size / 2
        boxes = np.stack([left, top, left + size[1], top + size[0]], axis=1)
        # In the network's order y comes before x.
        y, x = points[:, rows, columns].reshape(5, 2, -1).swapaxes(0, 1)
        keypoints = np.stack([left + x * size[1], top + y * size[0]], axis=-1).swapaxes(0, 1)
        return boxes, heat[0, rows, columns], np.zeros(len(rows), np.int64), keypoints


class YOLOX:
    """Networks of the YOLOX family as its exporter writes them (Ge et al. 2021, "YOLOX: Exceeding YOLO Series in 2021",
    section 2.1).

    The output is (places, 5 + classes): the centre's offset and the logarithm of width and height, in strides of the
    place, then how likely there is anything, and of what class. Such networks take pixels from 0 to 255, blue first, in
    the upper left of grey 114: ``ForeignDetector(model, YOLOX(), channel_order="bgr", fit="pad_end")``.

    Parameters
    ----------
    strides : sequence of int
        Of the levels, in their order: 8, 16, 32 and, of the networks called P6, 64.
    """

    def __init__(self, strides: Sequence[int] = (8, 16, 32)) -> None:
        self.strides = tuple(whole_number(stride, "strides") for stride in strides)

    def __call__(self, outputs: list[Array], image_size: tuple[int, int], score_threshold: float) -> tuple[Array, ...]:
        corner, stride = self._places(image_size)
        raw = outputs[0]
        if len(outputs) != 1 or raw.ndim != 2 or len(raw) != len(corner) or raw.shape[1] < 6:
            raise ValueError(
                f"YOLOX needs one output of ({len(corner)}, 5 + classes) for images of {image_size[0]}x{image_size[1]} "
                f"and strides {self.strides}, received {', '.join(str(y.shape) for y in outputs)}"
            )
        # Classes only matter where there is anything.
        likely = np.flatnonzero(raw[:, 4] >= score_threshold)
        raw, corner, stride = raw[likely], corner[likely], stride[likely]
        labels = raw[:, 5:].argmax(axis=1)
        scores = raw[:, 4] * raw[np.arange(len(raw)), 5 + labels]
        middle, half = (raw[:, :2] + corner) * stride, np.exp(raw[:, 2:4]) * stride / 2
        return np.concatenate([middle - half, middle + half], axis=1), scores, labels

    def _places(self, image_size: tuple[int, int]) -> tuple[Array, Array]:
        """Column and row of each place (places, 2), and its stride (places, 1)."""
        corners, strides = [], []
        for stride in self.strides:
            rows, columns = (side // stride for side in image_size)
            y, x = np.divmod(np.arange(rows * columns), max(columns, 1))
            corners.append(np.stack([x, y], axis=1))
            strides.append(np.full((rows * columns, 1), stride))
        return np.concatenate(corners).astype(np.float32), np.concatenate(strides).astype(np.float32)


def checked(found: Any, decoder: Any) -> tuple[Array, Array, Array, Array | None]:
    """What a decoder returned: boxes (k, 4), scores (k,), labels (k,), and keypoints (k, points, 2) or None.

    Raises
    ------
    ValueError, TypeError
        It is something else; the message names the decoder.
    """
    name = getattr(decoder, "__name__", type(decoder).__name__)
    if not isinstance(found, (tuple, list)) or len(found) not in (3, 4):
        raise TypeError(f"{name} must return (boxes, scores, labels) or these and keypoints, received {shown(found)}")
    boxes, scores, labels, *rest = (np.asarray(part) for part in found)
    count = len(scores) if scores.ndim else 0
    if count == boxes.size == 0:  # nothing, be it an empty list
        boxes = boxes.reshape(0, 4)
    if boxes.shape != (count, 4) or scores.shape != (count,) or labels.shape != (count,):
        raise ValueError(
            f"{name} must return boxes (k, 4), scores (k,) and labels (k,), received {boxes.shape}, {scores.shape} and "
            f"{labels.shape}"
        )
    if labels.dtype.kind not in "iu" and count:
        raise ValueError(f"{name} must return class numbers as labels, received {labels.dtype}")
    if (labels < 0).any():
        raise ValueError(f"{name} must return class numbers from 0 as labels, received {int(labels.min())}")
    if rest and rest[0].size == count == 0:
        rest[0] = np.zeros((0, rest[0].shape[1] if rest[0].ndim == 3 else 0, 2))
    if rest and (rest[0].ndim != 3 or len(rest[0]) != count or rest[0].shape[2] != 2):
        raise ValueError(f"{name} must return keypoints of shape (k, points, 2), received {rest[0].shape}")
    return boxes.astype(np.float32), scores.astype(np.float32), labels.astype(np.int64), rest[0] if rest else None
