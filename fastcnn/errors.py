"""What goes wrong, said the same way everywhere: the argument's name, what was expected, what came."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class FastcnnError(Exception):
    """Base of the errors that are fastcnn's own (bad arguments raise ValueError and TypeError as usual)."""


class ModelFileError(FastcnnError, ValueError):
    """A model or weights file that can't be read as one: truncated, of another format or version, or not matching."""


class DataNotFoundError(FastcnnError, FileNotFoundError):
    """A dataset that is neither on this machine nor can be downloaded."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> ValueError:
    """A ValueError for an unknown name, with the closest known one suggested.

    Parameters
    ----------
    kind : str
        What was looked for, as the user calls it: ``"activation"``, ``"optimizer"``.
    """
    names = sorted(set(known))
    close = difflib.get_close_matches(str(name).lower(), names, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return ValueError(f"Unknown {kind} {name!r}.{hint} Known: {', '.join(names)}")


def shown(value: Any, limit: int = 80) -> str:
    """`repr` of a received value, short enough for an error message."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."
