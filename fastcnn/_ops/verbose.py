"""What FASTCNN_VERBOSE=1 shows: which kernel computes each convolution, and why that one."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from . import core

#: What a convolution's kernel writes; those that only pack weights write nothing of these.
_RESULTS = ("y", "dx", "dweights")


def wanted() -> bool:
    """Whether the environment variable FASTCNN_VERBOSE asks for it (anything but nothing and 0)."""
    return os.environ.get("FASTCNN_VERBOSE", "").strip() not in ("", "0")


def say(kernel: str, numbers: Mapping[str, Any], why: str, name: str) -> None:
    """A line on stderr, if it is wanted and `kernel` computes a convolution or one of its gradients.

    Parameters
    ----------
    numbers
        The kernel's arguments by name; those that are no numbers don't matter.
    why : str
        The reason for this kernel; "" where there was no choice.
    name : str
        Of the layer or the function.
    """
    fields = core.KERNELS[kernel].by_name
    if not wanted() or "kh" not in fields or not any(result in fields for result in _RESULTS):
        return
    x, y = ("x".join(str(numbers[k]) for k in keys) for keys in (("n", "h", "w", "c"), ("n", "oh", "ow", "k")))
    more = [
        f"{title} {numbers[a]}x{numbers[b]}"
        for title, a, b in (("strides", "sh", "sw"), ("dilation", "dh", "dw"))
        if (numbers[a], numbers[b]) != (1, 1)
    ]
    if numbers["groups"] != 1:
        more.append(f"groups {numbers['groups']}")
    window = " ".join([f"{numbers['kh']}x{numbers['kw']}", *more])
    reason = why or "no other fits"
    # One write, so that lines of several threads don't run into each other.
    sys.stderr.write(f"fastcnn: {name}: {kernel} ({core.isa()}), {x} -> {y}, {window}: {reason}\n")
