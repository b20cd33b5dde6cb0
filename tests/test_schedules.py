"""Learning rate schedules: Keras 3.15's numbers (PyTorch's for OneCycle), in training, and in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastcnn import layers, optimizers
from fastcnn.models import Sequential, load_model
from fastcnn.optimizers import schedules

STEPS = (0, 1, 10, 29, 31, 51, 75, 119, 200)
HALVED = {"initial_learning_rate": 0.1, "decay_steps": 30, "decay_rate": 0.5}
DOWN = {"initial_learning_rate": 0.1, "decay_steps": 50, "end_learning_rate": 0.01}
# fmt: off
#: Class, arguments, and what keras.optimizers.schedules gives for STEPS (torch.optim.lr_scheduler.OneCycleLR's, which
#: has no step 200, for the last). At step 75 the third cosine begins, a step late in Keras for its float32 logarithm.
CASES: list[tuple[str, dict[str, Any], list[float]]] = [
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 100, "alpha": 0.05},
     [0.1, 0.0999766, 0.0976752, 0.0816131, 0.079199, 0.051008, 0.0189124, 0.005, 0.005]),
    ("CosineDecay", {"initial_learning_rate": 0.01, "decay_steps": 100, "warmup_target": 0.2, "warmup_steps": 20},
     [0.01, 0.0195, 0.105, 0.196029, 0.194088, 0.156208, 0.0843565, 4.93467e-05, 0.0]),
    ("CosineDecayRestarts",
     {"initial_learning_rate": 0.1, "first_decay_steps": 30, "t_mul": 1.5, "m_mul": 0.8, "alpha": 0.01},
     [0.1, 0.0997288, 0.07525, 0.00127117, 0.0801035, 0.0447393, 0.06436, 0.0181336, 0.0209786]),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 30, "t_mul": 1.0},
     [0.1, 0.0997261, 0.075, 0.000273904, 0.0997261, 0.0206107, 0.05, 0.000273904, 0.025]),
    ("ExponentialDecay", HALVED,
     [0.1, 0.097716, 0.0793701, 0.0511687, 0.048858, 0.0307786, 0.0176777, 0.00639609, 0.000984313]),
    ("ExponentialDecay", {**HALVED, "staircase": True}, [0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.0125, 0.0015625]),
    ("PolynomialDecay", {**DOWN, "power": 2.0}, [0.1, 0.096436, 0.0676, 0.025876, 0.022996, 0.01, 0.01, 0.01, 0.01]),
    ("PolynomialDecay", {**DOWN, "cycle": True},
     [0.1, 0.0982, 0.082, 0.0478, 0.0442, 0.0541, 0.0325, 0.0286, 0.01]),
    ("PiecewiseConstantDecay", {"boundaries": [10, 50], "values": [0.1, 0.05, 0.01]},
     [0.1, 0.1, 0.1, 0.05, 0.05, 0.01, 0.01, 0.01, 0.01]),
    ("InverseTimeDecay", HALVED,
     [0.1, 0.0983607, 0.0857143, 0.0674157, 0.0659341, 0.0540541, 0.0444444, 0.0335196, 0.0230769]),
    ("InverseTimeDecay", {**HALVED, "staircase": True},
     [0.1, 0.1, 0.1, 0.1, 0.0666667, 0.0666667, 0.05, 0.04, 0.025]),
    ("OneCycle", {"max_learning_rate": 0.4, "total_steps": 120, "warmup_fraction": 0.25},
     [0.016, 0.0171255, 0.118066, 0.4, 0.399513, 0.343868, 0.193021, 1.6e-06, 1.6e-06]),
]
# fmt: on


@pytest.mark.parametrize(("name", "config", "wanted"), CASES)
def test_numbers(name: str, config: dict[str, Any], wanted: list[float]) -> None:
    schedule = getattr(schedules, name)(**config)
    np.testing.assert_allclose([schedule(step) for step in STEPS], wanted, rtol=1e-5, atol=1e-7)
    # Through JSON it stays the same, to the last bit.
    again = schedules.deserialize(json.loads(json.dumps(schedules.serialize(schedule))))
    assert type(again) is type(schedule)
    assert again.get_config() == schedule.get_config()
    assert [again(step) for step in range(201)] == [schedule(step) for step in range(201)]


def test_restarts_begin_where_they_should() -> None:
    """At each restart, and not a step before: also where lengths double, and the sums of lengths are exact."""
    schedule = schedules.CosineDecayRestarts(1.0, 10)
    tops = [step for step in range(311) if schedule(step) == 1.0]
    assert tops == [0, 10, 30, 70, 150, 310]


def test_in_training_and_in_a_file(tmp_path: Path) -> None:
    model = Sequential([layers.Input((2,)), layers.Dense(1)])
    decay = schedules.ExponentialDecay(0.1, 2, 0.5)
    model.compile(optimizers.SGD(decay), "mse")
    x, y = np.ones((4, 2), np.float32), np.zeros((4, 1), np.float32)
    seen = []
    for _ in range(4):
        assert model.optimizer is not None
        seen.append(model.optimizer.learning_rate)
        model.train_on_batch(x, y)
    assert seen == [decay(step) for step in range(4)]
    model.save(tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")
    assert loaded.optimizer is not None
    assert loaded.optimizer.learning_rate == decay(4)
    for one in (model, loaded):
        one.train_on_batch(x, y)
    assert [a.tobytes() for a in loaded.get_weights()] == [a.tobytes() for a in model.get_weights()]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.ExponentialDecay(-1, 10, 0.5), "initial_learning_rate must be a finite number of at least"),
        (lambda: schedules.CosineDecay(0.1, 0), "decay_steps must be above 0, received 0"),
        (lambda: schedules.CosineDecayRestarts(0.1, 10, t_mul=0.5), "t_mul must be a finite number of at least 1"),
        (lambda: schedules.PiecewiseConstantDecay([10], [0.1]), "received 1 values and 1 boundaries"),
        (lambda: schedules.PiecewiseConstantDecay([10, 5], [1, 2, 3]), "boundaries must grow, received"),
        (lambda: schedules.OneCycle(0.1, 100, warmup_fraction=1.0), "warmup_fraction must be below 1, received 1.0"),
        (lambda: schedules.deserialize({"class_name": "CosinDecay", "config": {}}), "Did you mean 'cosine_decay'"),
        (lambda: optimizers.SGD(lambda step: 0.1).get_config(), "can't be saved"),
    ],
)
def test_bad_arguments(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
