"""Every operation of the graph; importing this registers them."""

from . import (  # noqa: F401
    augment,
    conv,
    detection,
    elementwise,
    group_norm,
    host,
    loss,
    matmul,
    moving,
    norm,
    pool,
    random,
    resize,
    roi_align,
    softmax,
    strided,
)
