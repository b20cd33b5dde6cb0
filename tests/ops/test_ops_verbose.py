"""FASTCNN_VERBOSE: what is said about the choice of kernels, and that nothing is said unasked."""

from __future__ import annotations

import numpy as np
import pytest

from fastcnn import layers, models, ops


def arrays(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    return [np.ones(shape, np.float32) for shape in shapes]


@pytest.mark.parametrize("value", [None, "", "0"])
def test_silent_unless_asked(
    value: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("FASTCNN_VERBOSE", raising=False)
    if value is not None:
        monkeypatch.setenv("FASTCNN_VERBOSE", value)
    ops.conv2d(*arrays((1, 8, 8, 16), (3, 3, 16, 16)))
    assert capsys.readouterr() == ("", "")


def test_functions_say_kernel_shapes_and_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FASTCNN_VERBOSE", "1")
    x, w = arrays((2, 9, 8, 16), (3, 3, 16, 32))
    monkeypatch.setenv("FASTCNN_CONV", "direct")
    ops.conv2d(x, w, padding="same")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fastcnn: conv2d: conv2d_forward (")
    assert line.endswith(", 2x9x8x16 -> 2x9x8x32, 3x3: FASTCNN_CONV: direct")
    monkeypatch.delenv("FASTCNN_CONV")
    ops.conv2d(x, w, padding="same")
    assert "F(4x4,3x3) " in capsys.readouterr().err


def test_one_line_for_each_gradient(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FASTCNN_VERBOSE", "1")
    dy, x, w = arrays((1, 4, 4, 6), (1, 9, 9, 3), (3, 3, 3, 2))
    ops.depthwise_conv2d_backward(dy, x, w, strides=2)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[2] for line in lines] == ["depthwise_backward_data", "depthwise_backward_weights"]
    assert all("1x9x9x3 -> 1x4x4x6, 3x3 strides 2x2 groups 3" in line for line in lines)


def test_a_plan_says_it_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    model = models.Sequential([layers.Input((8, 8, 4)), layers.Conv2D(5, 3, name="first"), layers.MaxPooling2D(2)])
    monkeypatch.setenv("FASTCNN_VERBOSE", "1")
    model.predict(np.zeros((2, 8, 8, 4), np.float32), verbose=0)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("fastcnn: first: ")
    assert "2x8x8x4 -> 2x6x6x5, 3x3" in lines[0]
    model.predict(np.zeros((2, 8, 8, 4), np.float32), verbose=0)
    assert capsys.readouterr().err == ""
