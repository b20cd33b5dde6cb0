"""The layer that takes regions out of feature maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..graph import Value, emit
from ..shapes import pair, real_number, whole_number
from .base import Layer


class RoIAlign(Layer):
    """Regions of feature maps at one size, for the second stage of a detector (He et al., "Mask R-CNN", ICCV 2017).

    Takes a list of two inputs, feature maps (batch, height, width, channels) and boxes (batch, k, 4): left, top, right,
    bottom. Gives (batch, k, rows, columns, channels). Gradients go to the feature maps, none to the boxes. Regions of
    boxes that aren't finite are NaN.

    Parameters
    ----------
    output_size : int or (int, int)
        Rows and columns of each region.
    spatial_scale : float
        What boxes are multiplied by to get pixels of the maps: 1 / 16 for maps of stride 16 and boxes of the image.
    sampling_ratio : int
        Points each way of which a result is the mean; 0: as many as it is pixels high and wide, rounded up.
    aligned : bool
        Whether pixels' centres lie at halves; see `fastcnn.ops.roi_align`.

    Raises
    ------
    TypeError, ValueError
        Numbers that are none or out of range; inputs of other shapes.
    """

    def __init__(
        self,
        output_size: int | Sequence[int],
        spatial_scale: float = 1.0,
        sampling_ratio: int = 0,
        aligned: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        where = f"layer {self.name!r}:"
        self.output_size = pair(output_size, f"{where} output_size")
        self.spatial_scale = real_number(spatial_scale, f"{where} spatial_scale")
        self.sampling_ratio = whole_number(sampling_ratio, f"{where} sampling_ratio", 0)
        self.aligned = bool(aligned)

    def call(self, inputs: Any) -> Value:
        if not isinstance(inputs, (list, tuple)) or len(inputs) != 2:
            raise ValueError("takes a list of two inputs, feature maps and boxes")
        attrs = {
            "size": self.output_size,
            "scale": self.spatial_scale,
            "samples": self.sampling_ratio,
            "aligned": self.aligned,
        }
        return emit("roi_align", list(inputs), attrs, self.name)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "output_size": list(self.output_size),
            "spatial_scale": self.spatial_scale,
            "sampling_ratio": self.sampling_ratio,
            "aligned": self.aligned,
        }
