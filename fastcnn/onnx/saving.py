"""Models as ONNX files."""

from __future__ import annotations

import os

import onnx
from onnx import defs

from ..errors import shown
from ..graph import Node, topological
from ..models import Model
from ..shapes import whole_number
from ..utils.files import atomic_write
from .writer import Writer
from .writer_ops import CONVERTERS

#: The oldest opset written: since then Squeeze, Softmax and ReduceSum are as they are today.
OLDEST = 13
#: The opset written unless another is asked for: old enough for what is in use, and it has LayerNormalization.
USUAL = 18
#: The first with an operator for group normalization that has numbers for each channel.
_WITH_GROUPS = 21
#: No protocol buffer can be larger.
_LARGEST = 2**31 - 1


def save(model: Model, path: str | os.PathLike[str], opset: int | None = None, layout: str = "NCHW") -> None:
    """Write a model as an ONNX file, for prediction.

    Weights become initializers and keep their names ("conv2d/kernel"); layers' names become those of nodes. The batch
    axis stays free. Dropout and other layers that act in training only are left out.

    Parameters
    ----------
    model : Model
        Built; compiled or not.
    path : path-like
        Replaced only once the file is complete.
    opset : int, optional
        Version of ONNX's operators, from 13 to the newest that the installed package knows. None is 18, or 21 for
        models with group normalization, of which older files have but the pieces.
    layout : {"NCHW", "NHWC"}
        Order of the axes of the images that the file takes and gives. A model that was read from a file keeps the
        order that it takes and gives itself.

    Raises
    ------
    ValueError
        An opset or layout that there isn't; a model that isn't built; a layer that ONNX has no operators for; weights
        beyond 2 GiB, more than one ONNX file can hold.
    """
    proto = to_proto(model, opset, layout)
    if proto.ByteSize() > _LARGEST:
        raise ValueError(f"the model would take {proto.ByteSize() / 2**30:.1f} GiB, an ONNX file holds less than 2 GiB")
    with atomic_write(path) as file:
        file.write(proto.SerializeToString())


def to_proto(model: Model, opset: int | None = None, layout: str = "NCHW") -> onnx.ModelProto:
    """The model as `save` writes it, as an object of the onnx package."""
    if not isinstance(model, Model):
        raise TypeError(f"model must be a fastcnn model, received {shown(model)}")
    newest = defs.onnx_opset_version()
    opset = _usual(model) if opset is None else whole_number(opset, "opset")
    if not OLDEST <= opset <= newest:
        raise ValueError(f"opset must be from {OLDEST} to {newest}, received {opset}")
    if layout not in ("NCHW", "NHWC"):
        raise ValueError(f'layout must be "NCHW" or "NHWC", received {layout!r}')
    model._require_built()
    return Writer(opset, layout, CONVERTERS).write(model)


def _usual(model: Model) -> int:
    """The opset of a file unless one is asked for."""
    model._require_built()
    nodes = topological(model.outputs, model.inputs)
    groups = any(node.op.name == "group_norm" and 1 < node.attrs["groups"] < (_channels(node) or 0) for node in nodes)
    return min(_WITH_GROUPS if groups else USUAL, defs.onnx_opset_version())


def _channels(node: Node) -> int | None:
    x = node.inputs[0]
    return None if x is None else x.shape[-1]
