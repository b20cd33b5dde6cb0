"""Every operation of the graph; importing this registers them."""

from . import conv, elementwise, loss, pool  # noqa: F401
