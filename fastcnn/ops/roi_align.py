"""Parts of images and feature maps, brought to one size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._ops import core
from .._ops.arrays import as_images, as_labels, empty, same_shape
from ..shapes import pair, real_number, whole_number
from .boxes import as_boxes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._ops.arrays import Floats


def roi_align(
    features: ArrayLike,
    boxes: ArrayLike,
    output_size: int | Sequence[int],
    *,
    image: ArrayLike | None = None,
    spatial_scale: float = 1.0,
    sampling_ratio: int = 0,
    aligned: bool = True,
) -> Floats:
    """Regions of feature maps at one size (He et al., "Mask R-CNN", ICCV 2017, section 3).

    A box is cut into bins, and each bin is the mean over a grid of points in it. Between pixels the map is bilinear,
    nothing is rounded to whole ones. Points more than a pixel outside of the map count as 0.

    Parameters
    ----------
    features : array_like, (n, height, width, c)
    boxes : array_like, (k, 4)
        Left, top, right, bottom; finite.
    output_size : int or (int, int)
        Rows and columns of bins.
    image : array_like of int, (k,), optional
        Which of the maps each box is of; needed where there are several.
    spatial_scale : float
        What boxes are multiplied by to get pixels of the map: 1 / 16 for a map of stride 16 and boxes of the image.
    sampling_ratio : int
        A bin has so many points each way; 0: as many as it is high and wide, rounded up.
    aligned : bool
        True: pixels' centres lie at halves, as everywhere here. False: at whole numbers, half a pixel off, and boxes
        are at least a pixel large: the older form of this operation, and ONNX's "output_half_pixel".

    Returns
    -------
    ndarray, (k, rows, columns, c)

    Raises
    ------
    TypeError, ValueError
        Shapes that don't fit, boxes that aren't finite, an image that isn't there.

    Notes
    -----
    Gradients go to the features (`roi_align_backward`), none to the boxes, as in Mask R-CNN.
    """
    maps = as_images(features, "features")
    rows, columns = pair(output_size, "output_size")
    arguments = _checked(maps.shape, boxes, image, spatial_scale, sampling_ratio, aligned)
    y = empty((arguments["regions"], rows, columns, maps.shape[3]), "roi_align: the result")
    core.call("roi_align", x=maps, y=y, oh=rows, ow=columns, **arguments)
    return y


def roi_align_backward(
    dy: ArrayLike,
    features: ArrayLike,
    boxes: ArrayLike,
    output_size: int | Sequence[int],
    *,
    image: ArrayLike | None = None,
    spatial_scale: float = 1.0,
    sampling_ratio: int = 0,
    aligned: bool = True,
) -> Floats:
    """The gradient of `roi_align` with respect to the features.

    Parameters
    ----------
    dy : array_like, (k, rows, columns, c)
        The gradient with respect to the result.
    features, boxes, output_size, image, spatial_scale, sampling_ratio, aligned
        As given to `roi_align`; of the features only the shape matters.

    Returns
    -------
    ndarray
        Of the features' shape. The same bits for any number of threads.
    """
    shape = as_images(features, "features").shape
    rows, columns = pair(output_size, "output_size")
    arguments = _checked(shape, boxes, image, spatial_scale, sampling_ratio, aligned)
    upstream = same_shape(dy, "dy", (arguments["regions"], rows, columns, shape[3]), "the result")
    dx = empty(shape, "roi_align_backward: the result")
    core.call("roi_align_backward", dy=upstream, dx=dx, oh=rows, ow=columns, **arguments)
    return dx


def _checked(
    shape: Sequence[int], boxes: ArrayLike, image: ArrayLike | None, scale: float, samples: int, aligned: bool
) -> dict[str, Any]:
    n, h, w, c = shape
    corners = as_boxes(boxes, "boxes")
    if min(h, w) < 1:
        raise ValueError(f"features must be at least 1x1, received maps of {h}x{w}")
    bad = np.flatnonzero(~np.isfinite(corners).all(1))
    if bad.size:
        raise ValueError(f"boxes must be finite, received {corners[bad[0]].tolist()} at {int(bad[0])}")
    if image is None:
        if n != 1 and len(corners):
            raise ValueError(f"image must say which of the {n} feature maps each box is of, received None")
        image = np.zeros(len(corners), np.int32)
    of = as_labels(image, "image", (len(corners),), n)
    return {
        "boxes": corners, "image": of, "n": n, "h": h, "w": w, "c": c, "regions": len(corners),
        "samples": whole_number(samples, "sampling_ratio", 0),
        "aligned": int(bool(aligned)), "scale": real_number(scale, "spatial_scale"),
    }  # fmt: skip
