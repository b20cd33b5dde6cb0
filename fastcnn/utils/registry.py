"""Objects by name: one way to say ``"he_normal"``, ``HeNormal``, ``HeNormal()`` and ``{"class_name": "HeNormal"}``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from ..errors import shown, unknown_name


class _Configurable(Protocol):
    def get_config(self) -> dict[str, Any]: ...


T = TypeVar("T", bound=_Configurable)


def snake_case(name: str) -> str:
    """The name of a class as Keras writes it: ``GlorotUniform`` -> ``glorot_uniform``, ``Conv2D`` -> ``conv2d``."""
    return re.sub(r"(?<=.)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "_", name).lower()


class Registry(Generic[T]):
    """The classes of one kind that are known by name. Nothing else is ever made from a string or a configuration.

    Parameters
    ----------
    kind : str
        What users call it, for error messages: ``"initializer"``.
    base : class
        Of what `make` accepts as a class.
    classes : iterable of classes
        Known by class name in any case, with or without underscores.
    aliases : mapping, optional
        Further names (``"mse"``).
    spelled : function, optional
        How error messages write a class's name: in snake case if not given.
    """

    def __init__(
        self,
        kind: str,
        base: type[T],
        classes: Iterable[type[T]],
        aliases: Mapping[str, type[T]] | None = None,
        spelled: Callable[[str], str] = snake_case,
    ) -> None:
        self.kind, self.base = kind, base
        self._classes = {self._key(cls.__name__): cls for cls in classes}
        self._names = [spelled(cls.__name__) for cls in self._classes.values()] + list(aliases or ())
        self._classes.update({self._key(name): cls for name, cls in (aliases or {}).items()})

    @staticmethod
    def _key(name: str) -> str:
        return name.replace("_", "").lower()

    def __contains__(self, name: str) -> bool:
        return self._key(name) in self._classes

    def find(self, name: str, extra: Iterable[str] = ()) -> type[T]:
        """The class of that name, or a ValueError that suggests the closest (`extra`: further valid names)."""
        try:
            return self._classes[self._key(name)]
        except KeyError:
            raise unknown_name(self.kind, name, [*self._names, *extra]) from None

    def make(self, identifier: Any) -> T:
        """An object from its name, its configuration (as `serialize` makes it), or its class."""
        if isinstance(identifier, str):
            return self._build(self.find(identifier), {})
        if isinstance(identifier, Mapping):
            name, config = identifier.get("class_name"), identifier.get("config", {})
            if not isinstance(name, str) or not isinstance(config, Mapping):
                raise ValueError(
                    f'a configured {self.kind} must be {{"class_name": str, "config": dict}}, '
                    f"received {shown(identifier)}"
                )
            return self._build(self.find(name), dict(config))
        if inspect.isclass(identifier) and issubclass(identifier, self.base):
            return self._build(identifier, {})
        raise TypeError(
            f"{self.kind} must be a name, an object, a class, a function or a configuration, "
            f"received {shown(identifier)}"
        )

    def _build(self, cls: type[T], config: dict[str, Any]) -> T:
        try:
            return cls(**config)
        except TypeError as error:
            raise ValueError(f"{self.kind} {cls.__name__} can't be made from {shown(config)}: {error}") from None

    @staticmethod
    def serialize(obj: T) -> dict[str, Any]:
        """What `make` builds the same object from; ready for JSON."""
        return {"class_name": type(obj).__name__, "config": obj.get_config()}
