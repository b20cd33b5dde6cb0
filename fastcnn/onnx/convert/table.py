"""The table of converters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..reader import Reader
    from ..source import SourceNode

Converter = Callable[["Reader", "SourceNode"], bool]
CONVERTERS: dict[str, Converter] = {}


def converts(*op_types: str) -> Callable[[Converter], Converter]:
    """Decorator: the function converts nodes of these operators."""

    def keep(function: Converter) -> Converter:
        CONVERTERS.update(dict.fromkeys(op_types, function))
        return function

    return keep
