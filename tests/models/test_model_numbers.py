"""Numbers as arguments: those of NumPy count as Python's do, and are kept in files."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_tools import LABELS, X, small

from fastcnn import layers as L  # noqa: N812
from fastcnn import losses, optimizers, regularizers
from fastcnn.models import load_model
from fastcnn.shapes import check_padding, pair, real_number

KINDS = (np.float16, np.float32, np.float64, np.int8, np.uint32, int, float, Fraction)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_number(kind: Any) -> None:
    for found in (real_number(kind(0), "a", high=1.0, closed=False), real_number(kind(1), "a", high=1.0) - 1):
        assert type(found) is float
        assert found == 0
    with pytest.raises(ValueError, match=r"^a must be a number from 0 to below 1, received "):
        real_number(kind(1), "a", high=1.0, closed=False)
    with pytest.raises(ValueError, match=r"^a must be a finite number of at least 2, received "):
        real_number(kind(1), "a", low=2.0)


@pytest.mark.parametrize(
    "value", [True, np.True_, "1", None, [1.0], 1j, math.nan, math.inf, -math.inf, np.float32("inf")]
)
def test_what_is_no_number(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^a must be a finite number, received "):
        real_number(value, "a", low=-math.inf)


def test_numbers_of_numpy_wherever_one_is_asked_for(tmp_path: Path) -> None:
    half = np.float32(0.5)
    for layer in (L.Dropout(half), L.LeakyReLU(half), L.ReLU(negative_slope=half), L.ReLU(np.int64(6)),
                  L.Rescaling(half, half)):  # fmt: skip
        json.dumps(layer.get_config())
    json.dumps(losses.CategoricalCrossentropy(label_smoothing=half).get_config())
    json.dumps(regularizers.L1L2(half, np.int32(1)).get_config())
    json.dumps(optimizers.RMSprop(half, half, half, half, weight_decay=half).get_config())
    for weights in ([half], {"dense": half}, half):
        model = small()
        model.layers[-1].name = "dense"
        model.compile("sgd", "sparse_categorical_crossentropy", loss_weights=weights)
        model.save(tmp_path / "m")
        assert load_model(tmp_path / "m").evaluate(X, LABELS, verbose=0) == model.evaluate(X, LABELS, verbose=0)


@pytest.mark.parametrize(
    "value",
    [(3, 2), [3, 2], np.array([3, 2]), np.array([3, 2], np.uint8), (np.int64(3), np.array(2))],
    ids=lambda value: repr(value),
)
def test_pairs_of_any_kind(value: Any) -> None:
    assert pair(value, "a") == (3, 2)
    layer = L.Conv2D(4, value, strides=value, padding=(value, value))
    expected = L.Conv2D(4, (3, 2), strides=(3, 2), padding=((3, 2), (3, 2)))
    assert {**layer.get_config(), "name": ""} == {**expected.get_config(), "name": ""}
    json.dumps(layer.get_config())


def test_what_is_no_pair() -> None:
    for value in ((1, 2, 3), [1], np.array([1, 2, 3]), np.zeros((3, 2), int), range(1, 4)):
        with pytest.raises(ValueError, match=r"^a must be an int or a pair \(rows, columns\), received "):
            pair(value, "a")
    for value in ("33", b"33", {3: 3}, 2.0, np.array([1.0, 2.0]), np.ones((2, 2), int), None):
        with pytest.raises(TypeError, match=r"^a must be an integer, received "):
            pair(value, "a")
    with pytest.raises(ValueError, match=r"^padding must be \(\(top, bottom\), \(left, right\)\), received array"):
        check_padding(np.array([1, 2, 3]))


def test_numbers_that_no_layer_can_use() -> None:
    for make, message in (
        (lambda: L.Rescaling("1", name="a"), "layer 'a': scale must be a finite number, received '1'"),
        (lambda: L.Rescaling(1, math.nan, name="a"), "layer 'a': offset must be a finite number, received nan"),
        (lambda: L.ReLU("6", name="a"), "layer 'a': max_value must be a finite number of at least 0, received '6'"),
        (lambda: losses.CategoricalCrossentropy(label_smoothing=1),
         "label_smoothing must be a number from 0 to below 1, received 1"),
    ):  # fmt: skip
        with pytest.raises(ValueError) as caught:
            make()  # type: ignore[no-untyped-call]
        assert str(caught.value) == message
