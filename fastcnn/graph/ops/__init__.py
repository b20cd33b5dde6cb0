"""Every operation of the graph; importing this registers them."""

from . import conv, elementwise, group_norm, host, loss, matmul, moving, norm, pool, resize, softmax, strided  # noqa: F401
