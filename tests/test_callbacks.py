"""Callbacks, driven as a model drives them."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from callback_tools import FakeModel, run

from fastcnn import callbacks as cb
from fastcnn import metrics


def losses(*values: float) -> list[dict[str, Any]]:
    return [{"val_loss": v} for v in values]


class Recorder(cb.Callback):
    def __init__(self) -> None:
        self.calls: list[str] = []


def _record(name: str) -> Callable[..., None]:
    def hook(self: Recorder, *args: Any, **kwargs: Any) -> None:
        self.calls.append(name)

    return hook


HOOKS = [name for name in dir(cb.Callback) if name.startswith("on_")]
Everything = type("Everything", (Recorder,), {n: _record(n) for n in HOOKS if "on_batch" not in n})


def test_order_of_hooks() -> None:
    callback = Everything()
    run([callback], [{"loss": 1.0, "val_loss": 2.0}], steps=2)
    step = ["on_train_batch_begin", "on_train_batch_end"]
    validation = ["on_test_begin", "on_test_batch_end", "on_test_end"]
    assert callback.calls == [
        "on_train_begin", "on_epoch_begin", *step, *step, *validation, "on_epoch_end", "on_train_end"
    ]  # fmt: skip
    listed = cb.CallbackList(callback)
    callback.calls.clear()
    for name in ("on_predict_begin", "on_predict_end"):
        getattr(listed, name)()
    for name in ("on_predict_batch_begin", "on_predict_batch_end", "on_test_batch_begin"):
        getattr(listed, name)(0)
    assert callback.calls == [
        "on_predict_begin", "on_predict_end", "on_predict_batch_begin", "on_predict_batch_end", "on_test_batch_begin"
    ]  # fmt: skip


def test_the_older_names_of_batch_hooks() -> None:
    older = type("Older", (Recorder,), {n: _record(n) for n in ("on_batch_begin", "on_batch_end")})()
    run(older, [{"loss": 1.0}], steps=1)
    assert older.calls == ["on_batch_begin", "on_batch_end"]


def test_logs_of_a_batch_are_only_worked_out_for_listeners() -> None:
    asked: list[int] = []

    def logs() -> dict[str, Any]:
        asked.append(1)
        return {"loss": 3.0}

    quiet = cb.CallbackList([cb.History(), cb.EarlyStopping(), cb.ModelCheckpoint("a"), cb.CSVLogger("b")])
    assert not quiet.listens("on_train_batch_begin")
    quiet.on_train_batch_end(0, logs)
    quiet.on_batch_end(0, logs)
    assert asked == []
    seen: list[Any] = []
    two = [cb.LambdaCallback(on_train_batch_end=lambda b, told: seen.append(told)) for _ in range(2)]
    listed = cb.CallbackList([quiet.callbacks, two])
    assert listed.listens("on_train_batch_end")
    listed.on_train_batch_end(0, logs)
    assert seen == [{"loss": 3.0}] * 2
    assert asked == [1]


def test_callback_list() -> None:
    model = FakeModel()
    history, late = cb.History(), Recorder()
    listed = cb.CallbackList([[history]], add_history=True, add_progbar=True, model=model, verbose=0, epochs=3)
    assert [type(c) for c in listed.callbacks] == [cb.History, cb.ProgbarLogger]
    assert listed.history is model.history is history  # type: ignore[attr-defined]
    assert history.model is model
    assert history.params == {"verbose": 0, "epochs": 3}
    listed.append(late)
    assert late.model is model
    assert late.params["epochs"] == 3
    assert cb.CallbackList().callbacks == []
    with pytest.raises(TypeError, match=r"received <class.*History'> .the class"):
        cb.CallbackList([cb.History])
    with pytest.raises(TypeError, match="must be Callback objects, received 3"):
        cb.CallbackList(3)


def test_history() -> None:
    _, history = run(None, [{"loss": 2.0, "val_loss": 3.0}, {"loss": 1.0, "val_loss": 2.5}])
    assert history.history == {"loss": [2.0, 1.0], "val_loss": [3.0, 2.5]}
    assert history.epoch == [0, 1]
    assert history.params["epochs"] == 2


def test_what_earlier_callbacks_add_is_in_the_history() -> None:
    _, history = run(cb.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1)), [{"loss": 2.0}] * 2)
    assert history.history["learning_rate"] == [0.1, 0.05]


def test_lambda_callback() -> None:
    seen: list[Any] = []
    callback = cb.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append((epoch, logs["loss"])),
        on_train_batch_begin=lambda batch, logs: seen.append(batch),
        on_train_end=None,
    )
    run(callback, [{"loss": 2.0}], steps=2)
    assert seen == [0, 1, (0, 2.0)]
    with pytest.raises(TypeError, match="no hook 'on_epoch'"):
        cb.LambdaCallback(on_epoch=print)
    with pytest.raises(TypeError, match="on_epoch_end must be a function"):
        cb.LambdaCallback(on_epoch_end=3)  # type: ignore[arg-type]


def stopped_after(values: Sequence[float], monitor: str = "val_loss", **arguments: Any) -> int:
    _, history = run(cb.EarlyStopping(monitor, **arguments), [{monitor: v} for v in values])
    return len(history.epoch)


@pytest.mark.parametrize(
    ("values", "arguments", "epochs"),
    [
        ([3, 2, 1, 0], {}, 4),
        ([3, 2, 2, 0], {}, 3),
        ([3, 3, 3, 3], {"patience": 2}, 3),
        ([3, 4, 2, 4, 4, 0], {"patience": 2}, 5),
        ([3, 2.95, 2.91, 2.85, 0], {"patience": 2, "min_delta": 0.1}, 3),
        ([1, 2, 3, 3], {"mode": "max"}, 4),
        ([3, 4], {"mode": "max"}, 2),
        ([5, 4, 3, 2], {"baseline": 1, "patience": 2}, 4),
        ([5, 5, 3, 2], {"baseline": 1, "patience": 2}, 2),
        ([5, 5, 0.5, 2, 2], {"baseline": 1, "patience": 3}, 5),
        ([3, 4, 5, 6, 7], {"start_from_epoch": 3}, 5),
        ([math.nan, math.nan, math.nan], {"patience": 2}, 2),
        ([3, math.nan, 2, 1], {"patience": 2}, 4),
    ],
)
def test_early_stopping(values: list[float], arguments: dict[str, Any], epochs: int) -> None:
    assert stopped_after(values, **arguments) == epochs


def test_early_stopping_knows_which_way_is_better() -> None:
    assert stopped_after([0.5, 0.6, 0.7, 0.6], "val_accuracy") == 4
    assert stopped_after([0.5, 0.4, 0.4], "val_mean_absolute_error") == 3
    assert stopped_after([0.5, 0.4, 0.3, 0.2], "mae") == 4
    stopping = cb.EarlyStopping("val_mine")
    with pytest.raises(ValueError, match="can't tell whether more or less of 'val_mine'"):
        run(stopping, [{"val_mine": 1.0}])
    model = FakeModel(mine=metrics.Precision(name="mine"))
    assert len(run(cb.EarlyStopping("val_mine"), [{"val_mine": v} for v in (1, 2, 3)], model)[1].epoch) == 3


def test_early_stopping_restores_the_best_weights(capsys: pytest.CaptureFixture[str]) -> None:
    stopping = cb.EarlyStopping(patience=2, restore_best_weights=True, verbose=1)
    model, _ = run(stopping, losses(3, 2, 2.5, 2.5, 0))
    assert model.weights[0] == 1
    assert (stopping.stopped_epoch, stopping.best_epoch, stopping.best) == (3, 1, 2)
    assert capsys.readouterr().out == "Epoch 4: early stopping\nGoing back to the weights of epoch 2\n"
    # It can be used again, and restores where the training ran to its end too.
    model, history = run(stopping, losses(9, 8, 8.5))
    assert len(history.epoch) == 3
    assert model.weights[0] == 1
    model, _ = run(cb.EarlyStopping(patience=2), losses(3, 2, 2.5, 2.5))
    assert model.weights[0] == 3
    # Nothing but NaN: the first epoch is the best there is.
    model, _ = run(cb.EarlyStopping(restore_best_weights=True), losses(math.nan, math.nan))
    assert model.weights[0] == 0


def test_a_missing_value_is_warned_of() -> None:
    for callback in (cb.EarlyStopping(), cb.ReduceLROnPlateau()):
        with pytest.warns(
            UserWarning, match=f"{type(callback).__name__}: 'val_loss' is not in the logs; there are: .*loss"
        ):
            run(callback, [{"loss": 1.0}])
    with pytest.warns(UserWarning, match="is not a single number"):
        run(cb.EarlyStopping("f1_score"), [{"f1_score": np.ones(3)}])


def rates(callback: cb.Callback, values: Sequence[float]) -> list[float]:
    _, history = run(callback, losses(*values))
    return [round(r, 10) for r in history.history["learning_rate"]]


def test_reduce_lr_on_plateau(capsys: pytest.CaptureFixture[str]) -> None:
    # The logs hold the rate of the epoch itself.
    assert rates(cb.ReduceLROnPlateau(factor=0.1, patience=2), [3, 3, 3, 3, 3, 3]) == [0.5] * 3 + [0.05] * 2 + [0.005]
    reduce = cb.ReduceLROnPlateau(factor=0.1, patience=1, min_lr=0.2, verbose=1)
    assert rates(reduce, [3, 3, 3, 2]) == [0.5, 0.5, 0.2, 0.2]
    assert capsys.readouterr().out == "Epoch 2: learning rate lowered to 0.2\n"
    assert rates(cb.ReduceLROnPlateau(factor=0.1, patience=1, cooldown=2), [3] * 5) == [0.5, 0.5, 0.05, 0.05, 0.005]
    assert rates(cb.ReduceLROnPlateau(patience=1), [3, 2.99995, 2.99992, 2]) == [0.5, 0.5, 0.05, 0.005]
    with pytest.raises(ValueError, match="factor must be at least 0 and below 1, received 1"):
        cb.ReduceLROnPlateau(factor=1)


def test_learning_rate_scheduler(capsys: pytest.CaptureFixture[str]) -> None:
    model, history = run(cb.LearningRateScheduler(lambda epoch, lr: lr / 2, verbose=1), losses(1, 1))
    assert model.optimizer.learning_rate == 0.125
    assert history.history["learning_rate"] == [0.25, 0.125]
    assert "Epoch 2: learning rate 0.125" in capsys.readouterr().out
    model, _ = run(cb.LearningRateScheduler(lambda *a: np.float32(a[1] / 2)), losses(1))
    assert model.optimizer.learning_rate == 0.25
    with pytest.raises(ValueError, match="schedule must return a float, received None for epoch 0"):
        run(cb.LearningRateScheduler(lambda epoch: None), losses(1))  # type: ignore[arg-type,return-value]
    with pytest.raises(TypeError, match="schedule must be a function"):
        cb.LearningRateScheduler(0.1)  # type: ignore[arg-type]


def files(folder: Path) -> dict[str, str]:
    return {p.name: p.read_text() for p in sorted(folder.iterdir())}


def test_model_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(cb.ModelCheckpoint(tmp_path / "a" / "{epoch:02d}-{val_loss:.1f}"), losses(3, 2.25))
    assert files(tmp_path / "a") == {"01-3.0": "model 0", "02-2.2": "model 1"}
    run(cb.ModelCheckpoint(tmp_path / "b" / "w", save_weights_only=True), losses(3, 2, 4))
    assert files(tmp_path / "b") == {"w": "weights 2"}
    best = cb.ModelCheckpoint(str(tmp_path / "c" / "best"), save_best_only=True, verbose=1)
    run(best, losses(3, 2, 4, 2))
    assert files(tmp_path / "c") == {"best": "model 1"}
    assert "Epoch 3: val_loss is not better than 2.0" in capsys.readouterr().out
    run(best, losses(2.5))  # the best so far counts on in a second fit
    assert files(tmp_path / "c") == {"best": "model 1"}
    run(cb.ModelCheckpoint(tmp_path / "d", save_best_only=True, initial_value_threshold=1.0), losses(3, 2))
    assert not (tmp_path / "d").exists()


def test_model_checkpoint_within_an_epoch(tmp_path: Path) -> None:
    run(cb.ModelCheckpoint(tmp_path / "{epoch}-{batch}", save_freq=2), losses(3, 2), steps=3)
    assert sorted(files(tmp_path)) == ["1-2", "2-1", "2-3"]


def test_model_checkpoint_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"can't be filled in .*acc.*there are: epoch, val_loss"):
        run(cb.ModelCheckpoint(tmp_path / "{acc}"), losses(1))
    with pytest.raises(ValueError, match="save_freq must be"):
        cb.ModelCheckpoint("a", save_freq="batch")
    with pytest.raises(ValueError, match="save_freq must be at least 1"):
        cb.ModelCheckpoint("a", save_freq=0)
    with pytest.raises(ValueError, match="Unknown mode 'maximum'"):
        cb.ModelCheckpoint("a", mode="maximum")
    with pytest.warns(UserWarning, match="'val_loss' is not in the logs"):
        run(cb.ModelCheckpoint(tmp_path / "kept", save_best_only=True), [{"loss": 1.0}])
    assert (tmp_path / "kept").exists()


def test_csv_logger(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    values: list[dict[str, Any]] = [
        {"loss": np.float64(0.1), "f1": np.array([0.5, 0.25])},
        {"loss": 0.2},
        {"loss": 0.3, "f1": [1.0], "extra": 1},
    ]
    run(cb.CSVLogger(path), values)
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["epoch", "f1", "loss"], ["0", "[0.5, 0.25]", "0.1"], ["1", "NA", "0.2"], ["2", "[1.0]", "0.3"]]
    run(cb.CSVLogger(path, append=True), [{"a_new_name": 1.0, "loss": 0.4}])
    assert path.read_text().splitlines()[-1] == "0,NA,0.4"
    run(cb.CSVLogger(path, separator=";"), [{"loss": 0.5}])
    assert path.read_text().splitlines() == ["epoch;loss", "0;0.5"]
    new = tmp_path / "new.csv"
    run(cb.CSVLogger(new, append=True), [{"loss": 0.5}])
    assert new.read_text().splitlines() == ["epoch,loss", "0,0.5"]
    with pytest.raises(ValueError, match="separator must be one character"):
        cb.CSVLogger(path, separator="::")


def test_csv_lines_that_a_backup_counts_are_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log.csv"
    forced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: forced.append(os.fstat(handle).st_size))
    counted: list[int] = []
    logger = cb.CSVLogger(path)
    backup = cb.LambdaCallback(on_epoch_end=lambda epoch, logs: counted.append(logger.state_dict()["size"]))
    run([logger, backup], [{"loss": 1.0}, {"loss": 2.0}])
    assert forced == counted == [len(b"epoch,loss\r\n0,1.0\r\n"), path.stat().st_size]
    assert logger.state_dict()["size"] == 0


def test_csv_can_be_followed(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    seen: list[str] = []
    follow = cb.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(path.read_text()))
    run([cb.CSVLogger(path), follow], [{"loss": 1.0}, {"loss": 2.0}])
    assert [len(text.splitlines()) for text in seen] == [2, 3]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_terminate_on_nan(bad: float, capsys: pytest.CaptureFixture[str]) -> None:
    def logs(epoch: int, step: int) -> dict[str, Any]:
        return {"loss": bad if (epoch, step) == (1, 1) else 1.0}

    model, history = run(cb.TerminateOnNaN(), [{"loss": 1.0}] * 4, batch_logs=logs)
    assert model.stop_training
    assert history.epoch == [0, 1]
    assert f"Batch 1: the loss is {bad}" in capsys.readouterr().out
