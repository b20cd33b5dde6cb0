"""Every operation of the graph; importing this registers them."""

from . import conv, elementwise, loss, moving, norm, pool  # noqa: F401
