"""compile, fit and evaluate."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from .. import callbacks as cb
from .. import losses, optimizers
from .. import metrics as metrics_module
from ..data.dataset import Dataset, sample_shape
from ..errors import shown
from ..graph import clock
from ..losses import Loss
from ..optimizers import Optimizer
from ..shapes import whole_number
from .data import Arrays, Batch, check_verbose, checked_batch, is_arrays, sample_weights
from .objective import Objective, make_losses
from .predictor import Predictor
from .progress import NaNWatch, Tally, metric_groups
from .run import Run
from .snapshot import Snapshot
from .sources import Source, length, make_source, split_validation


class Trainer(Predictor):
    """The part of a model that learns and is judged."""

    def _start(self, name: str | None, trainable: bool) -> None:
        super()._start(name, trainable)
        self.optimizer: Optimizer | None = None
        self.compiled = False
        self.stop_training = False
        #: The loss of the last batch trained on, before its step.
        self.batch_loss = 0.0
        self.history: Any = None
        #: The training under way, for callbacks; None where there is none.
        self.run: Run | None = None
        self._compile_config: dict[str, Any] = {}
        self._objective: Objective | None = None
        self._tally: Tally | None = None

    # ---- compile

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        recompute: bool = False,
    ) -> None:
        """Say how the model is trained and judged.

        Parameters
        ----------
        optimizer : str or Optimizer
        loss : str, Loss, function, or list or dict of these for several outputs
            A function takes (y_true, y_pred) as graph values and returns one loss a row, or a scalar.
        loss_weights : list or dict of float, optional
        metrics, weighted_metrics : list, optional
            Names, objects or functions of (y_true, y_pred) arrays; lists or dicts of lists for several outputs.
            The weighted ones see sample weights and class weights.
        recompute : bool
            Train in less memory, for more work: what layers compute on the way forward isn't all kept, and computed
            again on the way back, whatever saves most (Chen et al., "Training deep nets with sublinear memory cost",
            2016). A step takes up to a third longer; its results are the same to the last bit.

        Raises
        ------
        ValueError
            An unknown name; the closest known one is suggested.
        TypeError
            `recompute` is not True or False.
        """
        if not isinstance(recompute, (bool, np.bool_)):
            raise TypeError(f"recompute must be True or False, received {shown(recompute)}")
        new = optimizers.get(optimizer)
        config = {
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "recompute": bool(recompute),
        }
        self._check_compile(config)
        self.optimizer, self._compile_config = new, config
        self._changed()
        self.compiled = True
        if self.built:
            self._ready()

    def _check_compile(self, config: dict[str, Any]) -> None:
        """Find unknown names before anything is changed."""
        if config["loss"] is None:
            raise ValueError('compile needs a loss, for example loss="sparse_categorical_crossentropy"')
        if self.built:
            make_losses(self, config["loss"], config["loss_weights"])
            names = self.output_names
        else:
            losses.get(config["loss"])
            names = ["output"]
        for what in ("metrics", "weighted_metrics"):
            for group in metric_groups(config[what], names, what):
                for item in group:
                    metrics_module.get(item, (None,), (None, 2))

    def _require_compiled(self) -> None:
        if not self.compiled or self.optimizer is None:
            raise ValueError("the model isn't compiled: call compile(optimizer=…, loss=…, metrics=[…]) first")

    def _ready(self) -> Objective:
        """The objective, made when first needed: it depends on the outputs' shapes."""
        self._require_compiled()
        self._require_built()
        if self._objective is None:
            config = self._compile_config
            chosen, scales = make_losses(self, config["loss"], config["loss_weights"])
            assert self.optimizer is not None
            self._objective = Objective(self, chosen, scales, self.optimizer, config["recompute"])
            self._tally = Tally(self, chosen, config["metrics"], config["weighted_metrics"])
        return self._objective

    def _changed(self) -> None:
        """The graph is another one: what was made for the old one is thrown away."""
        self._objective = self._tally = None
        self._forget_plans("train", "test")

    def objective_losses(self) -> list[Loss | None]:
        """The loss of each output, None for those that have none."""
        return list(self._ready().losses)

    @property
    def metrics_names(self) -> list[str]:
        self._ready()
        assert self._tally is not None
        return list(self._tally.names)

    @property
    def metrics(self) -> list[Any]:
        """The metrics that it is compiled with, in the order of `metrics_names`; none before."""
        if not (self.compiled and self.built):
            return []
        self._ready()
        assert self._tally is not None
        return self._tally.metrics

    # ---- single batches

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """One optimizer step on one batch; returns the loss and metrics before the step."""
        objective = self._ready()
        objective.check_frozen()
        return self._one(checked_batch(self, x, y, sample_weight, class_weight), objective, True, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics of one batch."""
        objective = self._ready()
        return self._one(checked_batch(self, x, y, sample_weight), objective, False, return_dict)

    def _one(self, batch: Batch, objective: Objective, training: bool, return_dict: bool) -> Any:
        tally = self._tally
        assert tally is not None
        tally.reset()
        loss, predictions = self._step(batch, objective, training)
        tally.add(batch, loss, predictions)
        NaNWatch().look(batch, loss, "this batch")
        logs = tally.logs()
        return logs if return_dict else list(logs.values())

    def _given(self, item: Any) -> Any:
        """What a source of batches gave, as (x, y) or (x, y, sample_weight): models may take other forms."""
        return item

    def _step(self, batch: Batch, objective: Objective, training: bool) -> tuple[float, list[np.ndarray]]:
        try:
            loss, predictions = objective.run(batch, training)
        finally:
            # Also where Ctrl-C came during the step: the weights are others then, and plans must know.
            if training:
                clock.values_changed()
        if training:
            self.batch_loss = loss
        return loss, predictions

    # ---- fit

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Collection[int] = 1,
    ) -> Any:
        """Train.

        Parameters
        ----------
        x : array, list or dict of arrays, Dataset, or iterable of batches
            A `fastcnn.data.Dataset` and any other iterable (generator, or object with ``__len__`` and ``__getitem__``)
            give (x, y) or (x, y, sample_weight).
        y : array, list or dict of arrays
            With x as arrays.
        batch_size : int
            32 if not given.
        epochs : int
            The number of the last epoch; ``epochs - initial_epoch`` are run.
        verbose : "auto", 0, 1 or 2
            Nothing, a live bar, or a line an epoch.
        validation_split : float
            So much of the end of x is kept for validation.
        validation_data : (x, y), (x, y, sample_weight) or iterable of batches
        class_weight : dict of class number to weight, "balanced" or "effective_number"
            The names are explained at `fastcnn.utils.class_weights`, and need x and y as arrays.
        sample_weight : array
            One weight a sample.
        validation_freq : int or list of int
            Validate after every so many epochs, or after these epochs, counted from 1.

        Returns
        -------
        History
            ``history.history`` maps names to one number an epoch.
        """
        epochs = whole_number(epochs, "epochs", 0)
        initial_epoch = whole_number(initial_epoch, "initial_epoch", 0)
        often = _validated_after(validation_freq)
        steps_per_epoch = _steps(steps_per_epoch, "steps_per_epoch")
        validation_steps = _steps(validation_steps, "validation_steps")
        verbose = check_verbose(verbose)
        self._require_compiled()
        if not self.built:
            self._build_from(x)
        self._ready().check_frozen()
        train = make_source(self, x, y, batch_size, sample_weight, class_weight, steps_per_epoch, shuffle, True)
        train, validation = split_validation(
            self, train, validation_split, validation_data, validation_batch_size or batch_size, validation_steps
        )
        if isinstance(train, Arrays) and class_weight is not None:
            # After the validation part is cut off: that one is judged without them.
            given = None if train.weights is None else train.weights.array
            train.weights = sample_weights(self, given, class_weight, train.targets, train.samples)
        listeners = cb.CallbackList(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            epochs=epochs,
            steps=length(train),
            samples=getattr(train, "samples", None),
            batch_size=getattr(train, "batch_size", None),
        )
        self.stop_training = False
        run = Run(self, train, validation, listeners, initial_epoch, epochs, often)
        backup = listeners.backup
        if backup is not None and backup.found():
            run.resume(backup.path)
            listeners.set_params({**listeners.params, "resumed": True})
        outer, self.run = self.run, run
        try:
            run.go()
        finally:
            self.run = outer
        self.history = listeners.history
        return self.history

    def snapshot(self) -> Snapshot:
        """A copy of the weights, the optimizer's state and the random numbers: ``snapshot.apply(model)`` goes back."""
        self._ready()
        return Snapshot.take(self)

    def _build_from(self, x: Any) -> None:
        if isinstance(x, Dataset):
            self.build((None, *sample_shape(x)))
            return
        if not is_arrays(x):
            raise ValueError(
                f"model {self.name!r} isn't built yet and x is an iterable of batches: give the first layer "
                f"input_shape=(height, width, channels)"
            )
        self.build((None, *np.shape(x)[1:]))

    # ---- evaluate and predict

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics on data, without learning.

        Parameters
        ----------
        x, y, batch_size, verbose, sample_weight
            As for `fit`.
        steps : int, optional
            At most so many batches.
        return_dict : bool
            Names and numbers instead of a list.

        Returns
        -------
        float, list of float or dict
            The loss, followed by the metrics in the order of `metrics_names`.
        """
        self._ready()
        verbose = check_verbose(verbose)
        source = make_source(self, x, y, batch_size, sample_weight, steps=_steps(steps))
        listeners = cb.CallbackList(
            callbacks,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            epochs=1,
            steps=length(source),
            samples=getattr(source, "samples", None),
            batch_size=getattr(source, "batch_size", None),
        )
        logs = self._evaluate(source, listeners)
        if return_dict:
            return logs
        values = list(logs.values())
        return values[0] if len(values) == 1 else values

    def _evaluate(self, source: Source, listeners: Any) -> dict[str, float]:
        objective, tally = self._ready(), self._tally
        assert tally is not None
        tally.reset()
        watch = NaNWatch()
        listeners.on_test_begin()
        number = -1
        for number, batch in enumerate(source):
            listeners.on_test_batch_begin(number)
            loss, predictions = self._step(batch, objective, False)
            tally.add(batch, loss, predictions)
            watch.look(batch, loss, f"evaluation, batch {number}")
            listeners.on_test_batch_end(number, tally.logs)
        if number < 0:
            raise ValueError("the data to evaluate on gave no batches; a generator that is used up can't be read again")
        logs = tally.logs()
        listeners.on_test_end(logs)
        return logs


def _steps(count: int | None, name: str = "steps") -> int | None:
    return None if count is None else whole_number(count, name)


def _validated_after(given: Any) -> int | frozenset[int]:
    """`fit`'s validation_freq, checked."""
    if isinstance(given, (set, frozenset, list, tuple, range)):
        return frozenset(whole_number(epoch, "validation_freq") for epoch in given)
    return whole_number(given, "validation_freq")
