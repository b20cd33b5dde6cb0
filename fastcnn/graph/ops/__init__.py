"""Every operation of the graph; importing this registers them."""

from . import conv, elementwise, host, loss, moving, norm, pool  # noqa: F401
