"""fit, evaluate and predict on pipelines."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_tools import LABELS, X, same_bits, small

from fastcnn import callbacks
from fastcnn import layers as L  # noqa: N812
from fastcnn.data import Dataset
from fastcnn.models import Sequential


def pipeline(size: int = 10) -> Dataset:
    return Dataset.from_arrays(X, LABELS).batch(size).prefetch()


def test_a_pipeline_trains_as_its_arrays_do() -> None:
    expected = small()
    one = expected.fit(X, LABELS, batch_size=10, shuffle=False, epochs=2, verbose=0, validation_data=(X, LABELS))
    model = small()
    two = model.fit(pipeline(), epochs=2, verbose=0, validation_data=pipeline())
    assert same_bits(model.get_weights(), expected.get_weights())
    assert one.history == two.history
    assert model.evaluate(pipeline(32), verbose=0) == expected.evaluate(X, LABELS, verbose=0)
    assert same_bits([model.predict(pipeline())], [expected.predict(X)])
    assert same_bits([model.predict(Dataset.from_arrays(X).batch(7))], [expected.predict(X)])
    weighted = [small(), small()]
    weighted[0].fit(X, LABELS, batch_size=10, shuffle=False, verbose=0, sample_weight=np.arange(50))
    weighted[1].fit(Dataset.from_arrays(X, LABELS, np.arange(50)).batch(10), verbose=0)
    assert same_bits(*(model.get_weights() for model in weighted))


def test_uint8_pictures_are_taken_as_they_are() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, X.shape, dtype=np.uint8)
    models = [small(), small()]
    models[0].fit(pictures, LABELS, shuffle=False, verbose=0)
    models[1].fit(Dataset.from_arrays(pictures, LABELS).batch(32), verbose=0)
    assert same_bits(*(model.get_weights() for model in models))


def test_a_model_is_built_from_a_pipeline() -> None:
    model = Sequential([L.Flatten(), L.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(pipeline().map(lambda x, y: (x[:, :4], y)), verbose=0)
    assert model.input_shape == (None, 4, *X.shape[2:])


def test_steps_per_epoch_begin_another_epoch_each_time() -> None:
    seen: list[Any] = []

    def spy(x: Any, y: Any) -> Any:
        seen.append(y.tolist())
        return x, y

    dataset = Dataset.from_arrays(X, LABELS).shuffle(seed=1).batch(10).map(spy)
    small().fit(dataset, steps_per_epoch=2, epochs=3, verbose=0)
    expected = Dataset.from_arrays(X, LABELS).shuffle(seed=1).batch(10)
    assert seen == [y.tolist() for _ in range(3) for _, y in list(expected)[:2]]
    assert dataset.state_dict()["epoch"] == 3
    assert dataset.state_dict()["position"] is None


class Stops(callbacks.Callback):
    def __init__(self, after: int) -> None:
        self.left = after

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("stop", [None, 3, 4, 5])
def test_an_endless_dataset_is_learned_from_as_a_whole(tmp_path: Path, stop: int | None) -> None:
    seen: list[Any] = []
    judged: list[Any] = []

    def endless(into: list[Any]) -> Dataset:
        def spy(x: Any, y: Any) -> Any:
            into.append(y.tolist())
            return x, y

        return Dataset.from_arrays(X, LABELS).shuffle(seed=1).repeat().batch(8).map(spy)

    def fit(*listeners: callbacks.Callback) -> None:
        backup = callbacks.BackupAndRestore(tmp_path, save_freq=1)
        small().fit(endless(seen), steps_per_epoch=2, epochs=4, verbose=0, callbacks=[backup, *listeners],
                    validation_data=endless(judged), validation_steps=1)  # fmt: skip

    if stop is not None:
        with pytest.raises(KeyboardInterrupt):
            fit(Stops(stop))
        seen.pop()  # it stopped before the backup of this one
    fit()
    expected: list[Any] = []
    assert [y for _, y in zip(range(8), endless(expected))]
    assert seen == expected
    assert all(y == judged[0] for y in judged), "judged by the same samples each time"


def test_a_filled_cache_is_resumed(tmp_path: Path) -> None:
    def fit(*listeners: callbacks.Callback) -> Any:
        model = small()
        dataset = Dataset.from_generator(lambda: ((X[i : i + 10], LABELS[i : i + 10]) for i in (0, 10))).cache()
        model.fit(dataset, epochs=3, verbose=0, callbacks=list(listeners))
        return model

    whole = fit()
    with pytest.raises(KeyboardInterrupt):
        fit(callbacks.BackupAndRestore(tmp_path, save_freq=1), Stops(3))
    resumed = fit(callbacks.BackupAndRestore(tmp_path, save_freq=1))
    assert same_bits(whole.get_weights(), resumed.get_weights())


def test_a_fit_that_fails_leaves_no_thread() -> None:
    class Fails(callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 1:
                raise KeyboardInterrupt

    gc.collect()  # other tests' iterators
    with pytest.raises(KeyboardInterrupt):
        small().fit(pipeline(5), verbose=0, callbacks=[Fails()])
    with pytest.raises(ValueError, match="batch 0: x must have shape"):
        small().fit(Dataset.from_arrays(X[:, :2], LABELS).batch(5).prefetch(), verbose=0)
    with pytest.raises(ValueError, match=r"batch 0: x must have shape .*\.batch\(32\)"):
        small().fit(Dataset.from_arrays(X, LABELS).prefetch(), verbose=0)
    with pytest.raises(ValueError, match="gave no batches"):
        small().fit(Dataset.from_arrays(X[:0], LABELS[:0]).batch(5).prefetch(), verbose=0)
    assert [t.name for t in threading.enumerate() if t.name.startswith("fastcnn")] == []
