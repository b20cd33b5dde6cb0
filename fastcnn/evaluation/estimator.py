"""A network as one of scikit-learn's classifiers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import layers, optimizers
from ..errors import shown
from ..models import Model, Sequential, load_model
from ..shapes import whole_number
from ..utils import class_weights
from .seeding import seeded

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import (
        _check_sample_weight,
        check_is_fitted,
        column_or_1d,
        validate_data,
    )
except ImportError:
    raise ImportError('CNNClassifier needs scikit-learn 1.6 or newer: pip install "fastcnn[sklearn]"') from None


class CNNClassifier(ClassifierMixin, BaseEstimator):
    """A convolutional network with scikit-learn's interface: for ``GridSearchCV``, ``Pipeline``, ``cross_val_score``.

    Parameters
    ----------
    build_fn : callable, optional
        ``build_fn(input_shape, classes, **build_args)`` -> Model whose output has a probability (or, compiled with a
        loss ``from_logits``, a logit) for each class; with two classes it may have only that of the second. A model
        that isn't compiled is compiled with `optimizer` and cross entropy. By default a small network that suits the
        images' size.
    build_args : dict, optional
        Further arguments of `build_fn`, in a grid search: ``{"build_args": [{"filters": 8}, {"filters": 16}]}``. The
        default network takes ``filters`` and ``units``.
    epochs, batch_size : int
    optimizer : str or Optimizer
    learning_rate : float, optional
        Instead of the optimizer's own.
    validation_split : float
        So much of the training images, chosen at random, is kept from learning and judged after each epoch, for
        callbacks such as EarlyStopping.
    callbacks : callable, optional
        Makes the list of callbacks of each training.
    class_weight : dict or "balanced", optional
        A weight for each class, by its label; "balanced" weights classes so that all count the same.
    image_shape : tuple of int, optional
        (height, width) or (height, width, channels), where X has rows (samples, features), as after a scaler or in a
        table. Without it such rows are images of one row and one channel.
    random_state : int, RandomState or None
        With a number, training repeats itself.
    verbose : "auto", 0, 1 or 2
        As of ``Model.fit``.

    Attributes
    ----------
    classes_ : array, shape (classes,)
    model_ : Model
    history_ : dict of str to list of float
        One number an epoch.
    image_shape_ : (height, width, channels)
    n_features_in_ : int
        Where X has rows (samples, features).

    Notes
    -----
    Pickled (for processes of joblib, say), the model is a safetensors file within, which is read without evaluating
    anything; the rest is as safe as a pickle is: not at all, if it comes from elsewhere.
    """

    def __init__(
        self,
        build_fn: Callable[..., Model] | None = None,
        *,
        build_args: Mapping[str, Any] | None = None,
        epochs: int = 10,
        batch_size: int = 32,
        optimizer: Any = "adam",
        learning_rate: float | None = None,
        validation_split: float = 0.0,
        callbacks: Callable[[], list[Any]] | None = None,
        class_weight: Any = None,
        image_shape: Sequence[int] | None = None,
        random_state: Any = None,
        verbose: Any = 0,
    ) -> None:
        # Kept as they are: scikit-learn wants them checked in `fit`.
        self.build_fn = build_fn
        self.build_args = build_args
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.validation_split = validation_split
        self.callbacks = callbacks
        self.class_weight = class_weight
        self.image_shape = image_shape
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> CNNClassifier:
        """Build a network and train it.

        Parameters
        ----------
        X : array, shape (samples, height, width, channels), (samples, height, width) or (samples, features)
        y : array, shape (samples,)
            Labels: numbers or strings.
        sample_weight : array, shape (samples,), optional
        """
        array, y = validate_data(self, X, y, ensure_2d=_rank(X) <= 2, allow_nd=True)
        check_classification_targets(y)
        labels = column_or_1d(y, warn=True)
        images = self._images(array)
        classes, numbers = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(f"y must have at least two classes, received one class: {shown(classes[:1].tolist()[0])}")
        weights = None
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, array, ensure_non_negative=True)
        weights = self._weighted(weights, classes, numbers)
        seed = None if self.random_state is None else check_random_state(self.random_state).randint(2**31 - 1)
        with seeded(seed):
            rng = np.random.default_rng(seed)
            order = rng.permutation(len(images)) if self.validation_split else np.arange(len(images))
            model = self._model(images, len(classes))
            target = numbers[order]
            history = model.fit(
                images[order], target if model.output_shape[-1] > 1 else target[:, None],
                sample_weight=None if weights is None else weights[order],
                epochs=whole_number(self.epochs, "epochs"), batch_size=whole_number(self.batch_size, "batch_size"),
                validation_split=self.validation_split, verbose=self.verbose,
                callbacks=None if self.callbacks is None else self.callbacks(),
            )  # fmt: skip
        self.classes_, self.model_, self.history_ = classes, model, dict(history.history)
        self.image_shape_ = images.shape[1:]
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Probabilities, (samples, classes), the classes in the order of `classes_`."""
        check_is_fitted(self)
        images = self._images(validate_data(self, X, ensure_2d=_rank(X) <= 2, allow_nd=True, reset=False))
        if images.shape[1:] != self.image_shape_:
            raise ValueError(f"X must hold images of shape {self.image_shape_}, as in fit, received {images.shape[1:]}")
        found = self.model_.predict(images, batch_size=max(32, self.batch_size), verbose=0)
        logits = any(getattr(loss, "from_logits", False) for loss in self.model_.objective_losses())
        if found.shape[1] > 1:
            if not logits:
                return found
            found = np.exp(found - found.max(1, keepdims=True))
            return found / found.sum(1, keepdims=True)
        second = 1 / (1 + np.exp(-found)) if logits else found
        return np.concatenate([1 - second, second], axis=1)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The likeliest class of each image, as `y` named it."""
        best = self.predict_proba(X).argmax(1)
        return self.classes_[best]

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "model_" in state:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.safetensors"
                state["model_"].save(path)
                state["model_"] = path.read_bytes()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        if isinstance(state.get("model_"), bytes):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "model.safetensors"
                path.write_bytes(state["model_"])
                state["model_"] = load_model(path)
        super().__setstate__(state)

    def _images(self, X: NDArray[Any]) -> NDArray[Any]:
        """X as (samples, height, width, channels)."""
        shape = None if self.image_shape is None else tuple(whole_number(s, "image_shape") for s in self.image_shape)
        if shape is not None and len(shape) not in (2, 3):
            raise ValueError(f"image_shape must be (height, width) or (height, width, channels), received {shape}")
        if X.ndim == 2:
            shape = (1, X.shape[1]) if shape is None else shape
            if np.prod(shape) != X.shape[1]:
                raise ValueError(f"image_shape {shape} needs {np.prod(shape)} features, X has {X.shape[1]}")
            X = X.reshape(len(X), *shape)
        elif X.ndim not in (3, 4):
            raise ValueError(f"X must have shape (samples, height, width, channels), received {X.shape}")
        images = X[..., None] if X.ndim == 3 else X
        if shape is not None and images.shape[1:] != (*shape, 1)[:3]:
            raise ValueError(f"X must hold images of image_shape {shape}, received {X.shape[1:]}")
        return images

    def _weighted(
        self, weights: NDArray[Any] | None, classes: NDArray[Any], numbers: NDArray[Any]
    ) -> NDArray[Any] | None:
        """Weights of samples with those of their classes."""
        if self.class_weight is None:
            return weights
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            of_class = np.array(list(class_weights(numbers).values()))
        elif isinstance(self.class_weight, Mapping):
            unknown = [key for key in self.class_weight if key not in classes]
            if unknown:
                raise ValueError(f"class_weight's keys must be labels of y, received {shown(unknown[0])}")
            of_class = np.array([self.class_weight.get(label, 1.0) for label in classes.tolist()], np.float64)
        else:
            raise ValueError(f'class_weight must be a dict or "balanced", received {shown(self.class_weight)}')
        return of_class[numbers] if weights is None else weights * of_class[numbers]

    def _model(self, images: NDArray[Any], classes: int) -> Model:
        if self.build_fn is not None and not callable(self.build_fn):
            raise TypeError(f"build_fn must be a function that makes a Model, received {shown(self.build_fn)}")
        args = dict(self.build_args or {})
        if self.build_fn is None:
            model: Model = _default_network(images, classes, **args)
        else:
            model = self.build_fn(images.shape[1:], classes, **args)
        if not isinstance(model, Model):
            raise TypeError(f"build_fn must return a Model, it returned {shown(model)}")
        width = model.output_shape[-1]
        if len(model.output_shape) != 2 or not (width == classes or (width == 1 and classes == 2)):
            raise ValueError(
                f"build_fn's model must give {classes} numbers for each image, one for each class, its output has "
                f"shape {model.output_shape}"
            )
        if not model.compiled:
            # A new one each time: an optimizer remembers what it has trained.
            optimizer = optimizers.get(optimizers.serialize(optimizers.get(self.optimizer)))
            if self.learning_rate is not None:
                optimizer.learning_rate = self.learning_rate
            loss = "sparse_categorical_crossentropy" if width > 1 else "binary_crossentropy"
            model.compile(optimizer, loss, metrics=["accuracy"])
        return model


def _rank(X: Any) -> int:
    """Number of axes, also of what is only array-like; that of sparse matrices is known without unpacking them."""
    return X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim


def _default_network(images: NDArray[Any], classes: int, filters: int = 16, units: int = 64) -> Model:
    """Two convolutions for each halving down to about four pixels, at most three times, and two dense layers."""
    normalize = layers.Normalization()
    normalize.adapt(images)
    model = Sequential([layers.Input(images.shape[1:]), normalize])
    height, width = images.shape[1:3]
    stages = max(0, min(3, int(np.log2(max(1, min(height, width) / 4)))))
    for stage in range(stages):
        for _ in range(2):
            model.add(layers.Conv2D(filters << stage, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D())
    if not stages:
        model.add(layers.Conv2D(filters, (min(3, height), min(3, width)), padding="same", activation="relu"))
    model.add(layers.Flatten())
    model.add(layers.Dense(units, activation="relu"))
    model.add(layers.Dense(classes, activation="softmax"))
    return model
