"""Callbacks that reach into a training, each judged by what it leaves behind."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from callback_tools import run

import fastcnn
from fastcnn import callbacks as cb
from fastcnn import layers, optimizers
from fastcnn.models import Sequential, load_model

X = np.random.default_rng(0).random((48, 4), dtype=np.float32)
Y = X[:, :3].argmax(1).astype(np.int32)


def _model(optimizer: Any = "sgd") -> Sequential:
    fastcnn.set_seed(1)
    model = Sequential([layers.Input((4,)), layers.Dense(5, activation="relu", name="first"),
                        layers.Dense(3, activation="softmax", name="second")])  # fmt: skip
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _fit(model: Sequential, *listeners: cb.Callback, epochs: int = 2, **how: Any) -> Any:
    return model.fit(X, Y, batch_size=8, epochs=epochs, verbose=0, callbacks=list(listeners), **how)


def _bits(model: Any) -> bytes:
    return b"".join(w.tobytes() for w in model.get_weights())


# ---- averages


def _averages(model: Sequential) -> bytes:
    assert model.optimizer is not None
    return b"".join(a.tobytes() for a in dict(model.optimizer.state())["average"])


def test_swap_ema_weights(tmp_path: Path) -> None:
    """Validation sees the averages, training the weights; what is saved between epochs are the averages."""
    judged, trained = [], []
    watch = cb.LambdaCallback(
        on_test_batch_begin=lambda batch, logs: judged.append(_bits(model)),
        on_train_batch_begin=lambda batch, logs: trained.append(_bits(model)),
    )
    plain = _model(optimizers.SGD(0.5, use_ema=True, ema_momentum=0.9))
    wanted = []
    keeps = cb.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: wanted.append(_bits(plain)),
        on_epoch_end=lambda epoch, logs: wanted.append(_averages(plain)),
    )
    _fit(plain, keeps)
    model = _model(optimizers.SGD(0.5, use_ema=True, ema_momentum=0.9))
    saved = cb.ModelCheckpoint(tmp_path / "{epoch}.safetensors")
    _fit(model, cb.SwapEMAWeights(swap_on_epoch=True), watch, saved, validation_data=(X[:8], Y[:8]))
    assert trained == wanted[:6] + wanted[7:13]
    assert judged == [wanted[6], wanted[13]]
    for epoch in (1, 2):
        loaded = load_model(tmp_path / f"{epoch}.safetensors")
        assert _bits(loaded) == judged[epoch - 1] == _averages_in(tmp_path / f"{epoch}.safetensors")
    assert _bits(model) == _bits(plain) == judged[1] == _averages(model)
    with pytest.raises(ValueError, match=r"SwapEMAWeights needs an optimizer that keeps averages: SGD\(use_ema=True\)"):
        _fit(_model(), cb.SwapEMAWeights())


@pytest.mark.parametrize("swap", [True, False])
def test_early_stopping_with_averages(swap: bool) -> None:
    """What was judged comes back if the averages are in the model at the end of an epoch."""
    model = _model(optimizers.SGD(0.5, use_ema=True, ema_momentum=0.9))
    judged = []
    keep = cb.LambdaCallback(on_test_batch_begin=lambda batch, logs: judged.append(_bits(model)))
    stop = cb.EarlyStopping("val_loss", mode="max", patience=1, restore_best_weights=True)  # the first epoch is best
    _fit(model, cb.SwapEMAWeights(swap), stop, keep, validation_data=(X[:8], Y[:8]))
    assert stop.best_epoch == 0 and len(judged) == 2
    assert (_bits(model) == judged[0]) == swap


def test_a_validation_that_was_interrupted_leaves_the_weights() -> None:
    """Ctrl-C while the averages are in the weights' place: training goes on with the weights."""

    def interrupt(batch: int, logs: Any) -> None:
        raise KeyboardInterrupt

    model = _model(optimizers.SGD(0.5, use_ema=True, ema_momentum=0.9))
    trained, resumed = [], []
    keep = cb.LambdaCallback(
        on_train_batch_end=lambda batch, logs: trained.append(_bits(model)), on_test_batch_begin=interrupt
    )
    with pytest.raises(KeyboardInterrupt):
        _fit(model, cb.SwapEMAWeights(), keep, validation_data=(X[:8], Y[:8]))
    assert _bits(model) != trained[-1]  # the test's own condition: it was in the middle
    _fit(model, cb.LambdaCallback(on_train_batch_begin=lambda batch, logs: resumed.append(_bits(model))))
    assert resumed[0] == trained[-1]


def _averages_in(path: Path) -> bytes:
    from safetensors.numpy import load_file

    arrays = load_file(path)
    return b"".join(arrays[f"/optimizer/average/{layer}/{name}"].tobytes()
                    for layer in ("first", "second") for name in ("kernel", "bias"))  # fmt: skip


# ---- learning rates


def test_learning_rate_finder(tmp_path: Path) -> None:
    model = _model("adam")
    _fit(model)
    before = _bits(model)
    finder = cb.LearningRateFinder(1e-4, 100.0, steps=40, smoothing=0.5, stop_factor=2)
    _fit(model, finder, epochs=100)
    assert len(finder.learning_rates) == len(finder.losses) <= 40
    assert finder.learning_rates[0] == 1e-4
    ratios = np.divide(finder.learning_rates[1:], finder.learning_rates[:-1])
    np.testing.assert_allclose(ratios, 10 ** (6 / 39))
    # It ends where the loss has exploded, and suggests a rate from where it fell.
    assert finder.losses[-1] > 2 * min(finder.losses)
    assert 1e-4 <= finder.suggestion < finder.learning_rates[int(np.argmin(finder.losses))]
    # Nothing is left of it: training goes on as if it had never been.
    assert _bits(model) == before
    _fit(model)
    untouched = _model("adam")
    _fit(untouched, epochs=2)
    _fit(untouched)
    assert _bits(model) == _bits(untouched) != before
    finder.plot(tmp_path / "rates.png", "Rates")
    assert (tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")


def test_learning_rate_finder_puts_a_schedule_back() -> None:
    schedule = optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    model = _model(optimizers.SGD(schedule))
    finder = cb.LearningRateFinder(steps=20)
    with pytest.warns(UserWarning, match="tried only 6 of 20 learning rates"):
        _fit(model, finder, epochs=1)
    assert model.optimizer is not None
    assert model.optimizer.schedule is schedule
    assert model.optimizer.iterations == 0
    for wrong in ({"steps": 2}, {"min_learning_rate": 0}, {"min_learning_rate": 2.0}, {"smoothing": 1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            cb.LearningRateFinder(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 3 learning rates tried, there are 0"):
        _ = cb.LearningRateFinder().suggestion


@pytest.mark.parametrize("callback", [cb.LearningRateScheduler(lambda epoch: 0.1), cb.ReduceLROnPlateau("loss")])
def test_a_schedule_and_a_callback_do_not_mix(callback: cb.Callback) -> None:
    model = _model(optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)))
    with pytest.raises(ValueError, match=rf"{type(callback).__name__} sets the learning rate, and so does"):
        _fit(model, callback)


# ---- files


def test_checkpoints_keep_the_best(tmp_path: Path) -> None:
    values = [0.5, 0.9, 0.7, 0.8, 0.6, 0.85]
    logs = [{"val_accuracy": value} for value in values]

    def left(**how: Any) -> list[str]:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        run(cb.ModelCheckpoint(folder / "{epoch}.txt", **how), logs)
        return sorted(path.stem for path in folder.iterdir())

    best = {"monitor": "val_accuracy", "mode": "max", "save_best_only": True}
    assert left(keep=2) == ["5", "6"]
    assert left(**best) == ["1", "2"]
    assert left(**best, keep=1) == ["2"]
    assert left(**best, keep=3) == ["2", "4", "6"]
    assert left(**best, keep=3, initial_value_threshold=0.82) == ["2", "6"]
    assert left(**{**best, "mode": "min"}, keep=2) == ["1", "5"]
    assert left(save_freq=4, keep=2) == ["4", "6"]  # after batches 12 and 16 of 3 an epoch
    with pytest.raises(ValueError, match="keep=2 needs a filepath that names what changes"):
        cb.ModelCheckpoint("model.safetensors", keep=2)
    with pytest.raises(ValueError, match="keep must be at least 1"):
        cb.ModelCheckpoint("{epoch}.safetensors", keep=0)


def test_terminate_on_nan_can_raise() -> None:
    model = _model()
    bad = X.copy()
    bad[20] = np.inf
    with pytest.raises(RuntimeError, match=r"batch 2: the loss is nan"), pytest.warns(RuntimeWarning, match="infinity"):
        model.fit(bad, Y, batch_size=8, shuffle=False, verbose=0, callbacks=[cb.TerminateOnNaN(raise_error=True)])


def test_tensorboard(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    model = _model()
    board = cb.TensorBoard(tmp_path, histogram_freq=2, write_steps_per_second=True, update_freq=4)
    history = _fit(model, board, validation_data=(X[:8], Y[:8])).history
    train, validation = _events(tmp_path / "train"), _events(tmp_path / "validation")
    for name in ("loss", "accuracy"):
        for events, key in ((train, name), (validation, f"val_{name}")):
            np.testing.assert_allclose([v for _, v in events[f"epoch_{name}"]], history[key], rtol=1e-6)
            assert [step for step, _ in events[f"epoch_{name}"]] == [0, 1]
    np.testing.assert_allclose(train["epoch_learning_rate"], [(0, 0.01), (1, 0.01)], rtol=1e-6)
    assert [step for step, _ in train["batch_loss"]] == [3, 7, 11]
    assert len(train["epoch_steps_per_second"]) == 2
    assert len(train["first/kernel/histogram"]) == 1
    with pytest.raises(ValueError, match='update_freq must be "epoch", "batch" or a number of batches'):
        cb.TensorBoard(tmp_path, update_freq="step")


def _events(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Tags, with their steps and values: an event file is records of a length, its checksum, an event, its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    (path,) = folder.iterdir()
    data, place = path.read_bytes(), 0
    found: dict[str, list[tuple[int, float]]] = {}
    while place < len(data):
        size = int.from_bytes(data[place : place + 8], "little")
        event = Event.FromString(data[place + 12 : place + 12 + size])
        place += 16 + size
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def test_tensorboard_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("tensorboardX"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'pip install "fastcnn\[tensorboard\]"'):
        cb.TensorBoard("logs")
