"""All callbacks of a run behind one object, cheap where nobody listens."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

from .backup import BackupAndRestore
from .callback import Callback, History, Logs
from .progbar import ProgbarLogger

#: A batch's logs, or a function that works them out: it is only called if a callback wants them.
BatchLogs = Logs | Callable[[], Logs] | None
_Hook = tuple[Callable[[int], bool] | None, Callable[..., Any]]


class CallbackList(Callback):
    """Passes every hook on to each of several callbacks, in order.

    Parameters
    ----------
    callbacks : callback or iterable of callbacks, optional
        Nested lists are flattened.
    add_history, add_progbar : bool
        Add a `History` or a `ProgbarLogger` at the end where there is none.
    model : optional
        Passed to their `set_model`.
    **params
        Passed to their `set_params`.
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        self.callbacks: list[Callback] = list(_flattened(callbacks))
        self.history = next((c for c in self.callbacks if isinstance(c, History)), None)
        if self.history is None and add_history:
            self.history = History()
            self.callbacks.append(self.history)
        if add_progbar and not any(isinstance(c, ProgbarLogger) for c in self.callbacks):
            self.callbacks.append(ProgbarLogger())
        self._backup_last()
        if model is not None:
            self.set_model(model)
        self.set_params(params)
        self._find_hooks()

    def append(self, callback: Callback) -> None:
        """Add a callback at the end."""
        for added in _flattened(callback):
            added.set_params(self.params)
            if self.model is not None:
                added.set_model(self.model)
            self.callbacks.append(added)
        self._backup_last()
        self._find_hooks()

    def _backup_last(self) -> None:
        """What is written to a backup is what the others' hooks have made of it."""
        backups = [c for c in self.callbacks if isinstance(c, BackupAndRestore)]
        if len(backups) > 1:
            raise ValueError(f"callbacks must hold at most one BackupAndRestore, received {len(backups)}")
        self.backup = backups[0] if backups else None
        self.callbacks.sort(key=lambda c: c is self.backup)

    def state_dict(self) -> dict[str, Any]:
        """The callbacks' states: by class, in their order."""
        states: dict[str, Any] = {}
        for callback in self.callbacks:
            states.setdefault(type(callback).__name__, []).append(callback.state_dict())
        return states

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Give each callback the state that the one of its class and place had; what is left over is warned of."""
        left = {name: list(states) for name, states in state.items()}
        for callback in self.callbacks:
            if found := left.get(type(callback).__name__):
                callback.load_state_dict(found.pop(0))
        if lost := sorted(name for name, states in left.items() if any(states)):
            warnings.warn(
                f"the backup holds the state of {', '.join(lost)}, which is not among the callbacks now", stacklevel=4
            )

    def _find_hooks(self) -> None:
        """Which callbacks listen to batches at all: a list that is mostly empty, walked at every step.

        One with a method ``wants_train_batch`` (``_test_``, ``_predict_``) is asked by it whether this is a batch
        that it cares for.
        """
        self._batch_hooks: dict[str, list[_Hook]] = {}
        for kind, others in (("train", ("on_batch_",)), ("test", ()), ("predict", ())):
            for edge in ("begin", "end"):
                name = f"on_{kind}_batch_{edge}"
                names = (name, *(other + edge for other in others))
                self._batch_hooks[name] = [
                    (getattr(c, f"wants_{kind}_batch", None) if edge == "end" else None, getattr(c, name))
                    for c in self.callbacks
                    if any(_overrides(c, n) for n in names)
                ]

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        if self.history is not None:
            model.history = self.history
        for callback in self.callbacks:
            callback.set_model(model)

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        for callback in self.callbacks:
            callback.set_params(params)

    def listens(self, hook: str) -> bool:
        """Whether any callback has overridden that batch hook (``"on_train_batch_end"``)."""
        return bool(self._batch_hooks[hook])

    def _batch(self, hooks: list[_Hook], batch: int, logs: BatchLogs) -> None:
        told: Logs | None = None
        for wants, hook in hooks:
            if wants is None or wants(batch):
                if told is None:
                    told = logs() if callable(logs) else (logs or {})
                hook(batch, told)

    def on_train_batch_begin(self, batch: int, logs: BatchLogs = None) -> None:
        if hooks := self._batch_hooks["on_train_batch_begin"]:
            self._batch(hooks, batch, logs)

    def on_train_batch_end(self, batch: int, logs: BatchLogs = None) -> None:
        if hooks := self._batch_hooks["on_train_batch_end"]:
            self._batch(hooks, batch, logs)

    def on_test_batch_begin(self, batch: int, logs: BatchLogs = None) -> None:
        if hooks := self._batch_hooks["on_test_batch_begin"]:
            self._batch(hooks, batch, logs)

    def on_test_batch_end(self, batch: int, logs: BatchLogs = None) -> None:
        if hooks := self._batch_hooks["on_test_batch_end"]:
            self._batch(hooks, batch, logs)

    def on_predict_batch_begin(self, batch: int, logs: BatchLogs = None) -> None:
        if hooks := self._batch_hooks["on_predict_batch_begin"]:
            self._batch(hooks, batch, logs)

    def on_predict_batch_end(self, batch: int, logs: BatchLogs = None) -> None:
        if hooks := self._batch_hooks["on_predict_batch_end"]:
            self._batch(hooks, batch, logs)

    # The two names of a training step's hooks mean the same, whoever calls them.
    on_batch_begin, on_batch_end = on_train_batch_begin, on_train_batch_end

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        logs = {} if logs is None else logs
        for callback in self.callbacks:
            callback.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = {} if logs is None else logs
        for callback in self.callbacks:
            callback.on_epoch_end(epoch, logs)

    def _all(self, name: str, logs: Logs | None) -> None:
        logs = {} if logs is None else logs
        for callback in self.callbacks:
            getattr(callback, name)(logs)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._all("on_train_begin", logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._all("on_train_end", logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._all("on_test_begin", logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._all("on_test_end", logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._all("on_predict_begin", logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._all("on_predict_end", logs)


def _flattened(callbacks: Any) -> Iterable[Callback]:
    if callbacks is None:
        return
    if isinstance(callbacks, (list, tuple)):
        for callback in callbacks:
            yield from _flattened(callback)
        return
    if not isinstance(callbacks, Callback):
        made = " (the class: make one with its arguments)" if isinstance(callbacks, type) else ""
        raise TypeError(f"callbacks must be Callback objects, received {callbacks!r}{made}")
    yield callbacks


def _overrides(callback: Callback, name: str) -> bool:
    return name in vars(callback) or getattr(type(callback), name) is not getattr(Callback, name)
