"""Detectors that others trained, with a decoder for what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops
from ..data import letterbox
from ..data.placing import Placement
from ..errors import shown, unknown_name
from ..models import Model
from ..shapes import pair, real_number, whole_number
from .decoders import Decoder, checked
from .detections import Detections
from .pictures import pictures

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[Any]

_LAYOUTS = ("NCHW", "NHWC")
_CHANNEL_ORDERS = ("rgb", "bgr")
_FITS = ("stretch", "pad", "pad_end")


class ForeignDetector:
    """A detector made of any model and a decoder for its outputs.

    Parameters
    ----------
    model : Model
        With one input, images; as `fastcnn.onnx.load` gives it.
    decoder : Decoder
        A function ``decoder(outputs, image_size, score_threshold)`` that returns boxes, scores, labels and maybe
        keypoints.
    image_size : int or (int, int), optional
        Height and width of the network's input. Where the model leaves these open and nothing is given, each image
        keeps its size, rounded up to the next multiple of `multiple_of`.
    multiple_of : int
        What open sizes must be a multiple of.
    layout : "NCHW" or "NHWC"
        The order of the model's axes: as ONNX files have them, or as `fastcnn.onnx.load` with ``layout="NHWC"``.
    channel_order : "rgb" or "bgr"
    fit : "stretch", "pad" or "pad_end"
        How images come to that size: stretched; or with their ratio kept, in the middle between margins, or with
        margins at the right and below.
    fill_value : float
        Of margins, as a pixel from 0 to 255.
    mean, std : float or three floats
        The network takes (pixel - mean) / std, of pixels from 0 to 255 in `channel_order`. Of one that takes 0 to 1,
        std is 255.
    class_names : sequence of str, optional

    Raises
    ------
    ValueError, TypeError
        The model has several inputs or none of images; another layout, order or fit; a std of 0.

    Examples
    --------
    A decoder for networks that give one output (places, 4 + classes), boxes as centre and size in pixels::

        def decoder(outputs, image_size, score_threshold):
            boxes, scores = outputs[0][:, :4], outputs[0][:, 4:]
            labels = scores.argmax(axis=1)
            return ops.convert_boxes(boxes, "center_xywh", "xyxy"), scores.max(axis=1), labels

        detector = ForeignDetector(fastcnn.onnx.load("network.onnx"), decoder, image_size=640, fit="pad", std=255)
    """

    def __init__(
        self,
        model: Model,
        decoder: Decoder,
        image_size: Any = None,
        *,
        multiple_of: int = 32,
        layout: str = "NCHW",
        channel_order: str = "rgb",
        fit: str = "stretch",
        fill_value: float = 114.0,
        mean: ArrayLike = 0.0,
        std: ArrayLike = 1.0,
        class_names: Sequence[str] | None = None,
    ) -> None:
        for name, value, known in (
            ("layout", layout, _LAYOUTS), ("channel_order", channel_order, _CHANNEL_ORDERS), ("fit", fit, _FITS),
        ):  # fmt: skip
            if value not in known:
                raise unknown_name(name, value, known)
        if not callable(decoder):
            raise TypeError(f"decoder must be callable, received {shown(decoder)}")
        self.model, self.decoder = model, decoder
        self.layout, self.channel_order, self.fit = layout, channel_order, fit
        self.multiple_of = whole_number(multiple_of, "multiple_of")
        self.fill_value = real_number(fill_value, "fill_value")
        self.class_names = None if class_names is None else list(class_names)
        self.image_size = self._size(image_size)
        self._mean, self._std = _per_channel(mean, "mean"), _per_channel(std, "std")
        if not self._std.all():
            raise ValueError(f"std must not be 0, received {shown(std)}")

    def _size(self, given: Any) -> tuple[int, int] | None:
        """The input's height and width, from the argument or the model; None: open."""
        shape = self.model.input_shape
        if not isinstance(shape, tuple) or len(shape) != 4:
            raise ValueError(f"model must have one input of images, it has {shown(shape)}")
        if shape[0] not in (None, 1):
            raise ValueError(
                f"model must take one image at a time, its input is {shape}: read its file with input_shapes that "
                "leave the first size open"
            )
        known = (shape[2], shape[3]) if self.layout == "NCHW" else (shape[1], shape[2])
        channels = shape[1] if self.layout == "NCHW" else shape[3]
        if channels not in (3, None):
            raise ValueError(f"model must take 3 channels in layout {self.layout}, its input is {shape}")
        if given is not None:
            size = pair(given, "image_size")
            if any(side not in (None, wanted) for side, wanted in zip(known, size)):
                raise ValueError(f"image_size must be the model's, {known[0]}x{known[1]}, received {shown(given)}")
            return size
        if known[0] is None or known[1] is None:
            return None
        return known[0], known[1]

    def predict(
        self,
        images: Any,
        score_threshold: float = 0.5,
        iou_threshold: float = 0.5,
        max_boxes: int = 100,
    ) -> list[Detections]:
        """What is in images.

        Parameters
        ----------
        images : array, path, or list of these
            One image (height, width[, channels]), pixels from 0 to 255; the path of a file; several of them, of any
            sizes; or a batch (n, height, width, channels).
        score_threshold : float
            The least score.
        iou_threshold : float
            Of two boxes of a class whose intersection is more than this share of their union, the better one is kept.
        max_boxes : int
            The best so many of each image.

        Returns
        -------
        list of Detections
            One for each image: boxes and keypoints in pixels of the image as it was given, the best first.

        Raises
        ------
        ValueError, TypeError
            No images; thresholds outside of 0 to 1; a decoder that returns something else.
        PictureError
            A file that can't be read.
        """
        least = real_number(score_threshold, "score_threshold", 0.0, 1.0)
        overlap = real_number(iou_threshold, "iou_threshold", 0.0, 1.0)
        most = whole_number(max_boxes, "max_boxes")
        return [self._detect(image, least, overlap, most) for image in pictures(images)]

    def _detect(self, image: Array, least: float, overlap: float, most: int) -> Detections:
        x, placement = self._prepared(image)
        given = self.model.predict_on_batch(self._in_layout(x))
        outputs = [np.asarray(y)[0] for y in (given if isinstance(given, list) else [given])]
        found = self.decoder(outputs, (x.shape[1], x.shape[2]), least)
        boxes, scores, labels, keypoints = checked(found, self.decoder)
        passed = np.flatnonzero(scores >= least)
        kept, scores = ops.nms(
            boxes[passed], scores[passed], overlap, labels=labels[passed], score_threshold=-np.inf, max_boxes=most
        )
        kept = passed[kept]
        seen = Detections(boxes[kept], scores, labels[kept], None if keypoints is None else keypoints[kept])
        return seen.in_picture(placement, image.shape[:2])

    def _prepared(self, image: Array) -> tuple[Array, Placement]:
        """A batch of the one image in the network's size, (1, height, width, 3), and where it lies there."""
        rows, columns = image.shape[:2]
        step = self.multiple_of
        size = self.image_size or (-(-rows // step) * step, -(-columns // step) * step)
        if self.fit != "stretch":
            return letterbox(image[None], size, self.fill_value, center=self.fit == "pad")
        if size == (rows, columns):
            return image[None].astype(np.float32), Placement(1.0, 1.0, 0.0, 0.0)
        return ops.resize(image[None], size, antialias=True), Placement(size[1] / columns, size[0] / rows, 0.0, 0.0)

    def _in_layout(self, x: Array) -> Array:
        if self.channel_order == "bgr":
            x = x[..., ::-1]
        if self._mean.any() or (self._std != 1).any():
            x = (x - self._mean) / self._std
        if self.layout == "NCHW":
            x = x.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(x, np.float32)


def _per_channel(value: ArrayLike, name: str) -> Array:
    numbers = np.asarray(value)
    if numbers.dtype.kind not in "iuf" or numbers.shape not in ((), (3,)) or not np.isfinite(numbers).all():
        raise ValueError(f"{name} must be one finite number or three, received {shown(value)}")
    return numbers.astype(np.float32)
