"""What a training shows while it runs: the bar and its lines."""

from __future__ import annotations

import io
import re
import sys
import time
from typing import Any

import numpy as np
import pytest
from callback_tools import FakeModel, run

from fastcnn import callbacks as cb


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


FIT = {"batch_size": 32, "samples": 90}
VALUES = [{"loss": 0.51234, "f1": np.array([0.5, 0.00001]), "val_loss": 1e-5}] * 2


@pytest.mark.parametrize("verbose", [1, 2, "auto"])
def test_lines_where_nobody_watches(verbose: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run(None, VALUES, verbose=verbose, pause=0.01, **FIT)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    pattern = r"Epoch 2/2 - \d\.\ds - (\d+) images/s - loss: 0.5123 - f1: \[0.5000 1.0000e-05\] - val_loss: 1.0000e-05"
    match = re.fullmatch(pattern, lines[1])
    assert match, lines[1]
    assert 90 / 3 < float(match[1]) <= 90 / 0.03  # three steps of at least 10 ms, 90 images and not 96


def test_silence(capsys: pytest.CaptureFixture[str]) -> None:
    run(cb.ProgbarLogger(), VALUES, verbose=0)
    assert capsys.readouterr() == ("", "")


def test_a_live_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "100")
    stopping = cb.EarlyStopping("loss", verbose=1)
    run(stopping, VALUES, verbose=1, steps=4, pause=0.06, **FIT)
    drawn = terminal.getvalue()
    assert "Epoch 1/2" in drawn
    assert re.search(r"2/4 \[00:00<00:00\], [\d.]+ images/s, loss: 1.0000", drawn)
    assert "validating" in drawn
    # What stays are the summaries, each at the beginning of a cleared line.
    kept = [part.split("\r")[-1] for part in drawn.split("\n")]
    assert [k[:9] for k in kept] == ["Epoch 1/2", "Epoch 2/2", "Epoch 2: ", ""]
    assert "val_loss: 1.0000e-05" in kept[1]


def test_a_live_bar_costs_a_step_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    asked: list[int] = []

    def logs() -> dict[str, Any]:
        asked.append(1)
        return {"loss": 1.0}

    listed = cb.CallbackList(None, add_progbar=True, add_history=True, model=FakeModel(), verbose=1, steps=20_000)
    listed.on_train_begin()
    listed.on_epoch_begin(0)
    start = time.perf_counter()
    for step in range(20_000):
        listed.on_train_batch_begin(step)
        listed.on_train_batch_end(step, logs)
    seconds = time.perf_counter() - start
    assert len(asked) <= seconds / 0.1
    listed.on_epoch_end(0, {})
    listed.on_train_end({})


def test_evaluation_and_prediction(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def evaluate_and_predict() -> None:
        listed = cb.CallbackList(None, add_progbar=True, model=FakeModel(), verbose=1, steps=None)
        listed.on_test_begin()
        for step in range(3):
            time.sleep(0.06)
            listed.on_test_batch_end(step, {"loss": 2.0})
        listed.on_test_end({"loss": 0.25})
        listed.on_predict_begin()
        listed.on_predict_batch_end(0)
        listed.on_predict_end()

    evaluate_and_predict()
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"Evaluation - 0\.\ds - [\d.]+ steps/s - loss: 0.2500", lines[0])
    assert re.fullmatch(r"Prediction - 0\.\ds - [\d.]+ steps/s", lines[1])
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    evaluate_and_predict()
    assert re.search(r"Evaluation 2 \[00:00\], [\d.]+ steps/s, loss: 2.0000", terminal.getvalue())


def test_no_output_stream_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)  # as in a windowed program
    run(None, VALUES, verbose=1)
