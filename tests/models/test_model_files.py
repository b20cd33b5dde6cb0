"""Model files: what is kept, what is turned away, and that a file is whole or not there."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_tools import LABELS, Offset, X, random_weights, same_bits, small

import fastcnn
from fastcnn import layers as L  # noqa: N812
from fastcnn import losses, metrics, optimizers
from fastcnn.errors import ModelFileError
from fastcnn.models import Model, Sequential, clone_model, load_model


def joined() -> Model:
    """Functional: two inputs, two outputs, a nested model, a layer shared with it, one called twice, a frozen one."""
    shared = L.Dense(4, activation="tanh", kernel_regularizer="l2")
    inner_input = L.Input((4,))
    inner = Model(inner_input, shared(L.Dense(4)(inner_input)))
    a, b = L.Input((4,), name="a"), L.Input((4,), name="b")
    body = Sequential([L.Input((4,)), L.Dense(4), L.LeakyReLU(0.1), L.Dropout(0.0)])
    p = L.Add()([inner(body(a)), inner(shared(b))])
    first = L.Dense(3, activation="softmax", name="first")(p)
    model = Model([a, b], [first, L.Dense(2, name="second", trainable=False)(body(p))], name="joined")
    random_weights(model)
    return model


def joined_data() -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    rng = np.random.default_rng(2)
    x = [rng.standard_normal((12, 4)).astype(np.float32) for _ in range(2)]
    return x, {"first": rng.integers(0, 3, 12), "second": rng.standard_normal((12, 2))}


# ---------------------------------------------------------------- what is kept

OPTIMIZERS = [
    optimizers.SGD(0.05, 0.9, nesterov=True), optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    optimizers.Adam(0.01), optimizers.AdamW(0.01), optimizers.Adagrad(0.1), optimizers.Adadelta(1.0),
    optimizers.Lion(0.01), optimizers.SGD(),
]  # fmt: skip


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.name)
def test_training_goes_on_where_it_stopped(optimizer: Any, tmp_path: Path) -> None:
    x, y = joined_data()
    straight = joined()
    how: dict[str, Any] = {"batch_size": 5, "shuffle": False, "verbose": 0}
    straight.compile(optimizer, {"first": losses.SparseCategoricalCrossentropy(), "second": "mse"},
                     loss_weights={"first": 1.0, "second": 0.5},
                     metrics={"first": ["accuracy"], "second": [metrics.MeanAbsoluteError(name="off")]})  # fmt: skip
    straight.fit(x, y, epochs=2, **how)
    straight.save(tmp_path / "m")
    resumed = load_model(tmp_path / "m")
    assert resumed.optimizer is not None
    assert resumed.optimizer.iterations == 6
    assert same_bits(straight.predict(x), resumed.predict(x))
    assert straight.evaluate(x, y, verbose=0) == resumed.evaluate(x, y, verbose=0)
    histories = [model.fit(x, y, epochs=2, **how).history for model in (straight, resumed)]
    assert histories[0] == histories[1]
    assert same_bits(straight.get_weights(), resumed.get_weights())
    resumed.save(tmp_path / "again")
    straight.save(tmp_path / "m")
    # The same bytes but for the order of the header's entries.
    assert sorted((tmp_path / "m").read_bytes()) == sorted((tmp_path / "again").read_bytes())


def test_structure_and_metadata_are_kept(tmp_path: Path) -> None:
    model = joined()
    model.metadata = {"classes": ["a", "b"], "mean": [0.5]}
    model.save(tmp_path / "m")
    again = load_model(str(tmp_path / "m"))
    assert again.get_config() == model.get_config()
    assert (again.name, again.metadata, again.compiled) == ("joined", model.metadata, False)
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert [v.shape for v in again.trainable_weights] == [v.shape for v in model.trainable_weights]
    assert again.count_params() == model.count_params()  # what was shared is shared
    for not_kept in ({1, 2}, X):
        model.metadata = {"x": not_kept}
        with pytest.raises(ValueError, match=r"model\.metadata must be plain data"):
            model.save(tmp_path / "n")
    assert not (tmp_path / "n").exists()


def test_new_layers_beside_loaded_ones(tmp_path: Path) -> None:
    """Automatic names go on after those that came from a file, also in a fresh process."""
    model = Sequential([L.Input((4,)), L.Dense(3), L.Dense(2)])
    model.save(tmp_path / "m")
    program = (
        "import sys; from fastcnn.models import *; from fastcnn.layers import *; m = load_model(sys.argv[1]);"
        "m.add(Dense(5)); m.save(sys.argv[1]); print(load_model(sys.argv[1]).output_shape)"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "m"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(None, 5)"


def test_weights_alone(tmp_path: Path) -> None:
    model, other = small(), small()
    model.fit(X, LABELS, verbose=0)
    model.save_weights(tmp_path / "w")
    assert not same_bits(model.get_weights(), other.get_weights())
    other.load_weights(tmp_path / "w")
    assert same_bits(model.get_weights(), other.get_weights())
    fit, nested = joined(), joined()
    nested.set_weights([w * 0 for w in nested.get_weights()])
    fit.save_weights(tmp_path / "w")
    nested.load_weights(tmp_path / "w")
    assert same_bits(fit.get_weights(), nested.get_weights())
    fit.save(tmp_path / "m")
    nested.load_weights(tmp_path / "m")  # a whole model has weights too
    with pytest.raises(ModelFileError, match="holds weights alone"):
        load_model(tmp_path / "w")


def test_clone_has_new_weights() -> None:
    model = joined()
    fastcnn.set_seed(1)
    clone = clone_model(model)
    assert [v.shape for v in clone.weights] == [v.shape for v in model.weights]
    assert not same_bits(clone.get_weights(), model.get_weights())
    clone.set_weights(model.get_weights())
    x, _ = joined_data()
    assert same_bits(clone.predict(x), model.predict(x))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, copy.copy, pickle.dumps, lambda model: pickle.dumps([model], 0)])
def test_models_are_not_pickled(duplicate: Callable[[Any], Any]) -> None:
    for model in (small(), joined()):
        with pytest.raises(TypeError, match=rf"model '{model.name}' can't be .*clone_model.* model\.save\(path\)"):
            duplicate(model)


def test_load_without_compiling(file: Path) -> None:
    model = load_model(file, compile=False)
    assert not model.compiled
    assert same_bits([model.predict(X)], [load_model(file).predict(X)])


def test_what_cannot_be_kept(tmp_path: Path) -> None:
    def mine(y_true: Any, y_pred: Any) -> Any:
        return (y_true - y_pred) ** 2

    model = Sequential([L.Input((2,)), L.Dense(1)])
    for how in (
        {"loss": mine}, {"loss": "mse", "metrics": [mine]},
        {"loss": "mse", "optimizer": optimizers.SGD(lambda step: 0.1)},
    ):  # fmt: skip
        model.compile(**{"optimizer": "sgd", **how})
        with pytest.warns(UserWarning, match="saved without how it was compiled"):
            model.save(tmp_path / "m")
        assert not load_model(tmp_path / "m").compiled
    for layer, message in (
        (Offset(), r"its class Offset is not one of fastcnn\.layers"),
        (L.Dense(1, activation=lambda x: x * 2.0), "has no name to be saved by"),
        (L.Dense(1, kernel_regularizer=lambda w: w), "can't be saved"),
    ):
        with pytest.raises(ValueError, match=message):
            Sequential([L.Input((2,)), layer]).save(tmp_path / "n")
    assert not (tmp_path / "n").exists()


def test_a_layer_taken_off_after_training(tmp_path: Path) -> None:
    model = small("adam")
    model.fit(X, LABELS, verbose=0)
    model.pop()
    model.save(tmp_path / "m")
    assert same_bits([load_model(tmp_path / "m", compile=False).predict(X)], [model.predict(X)])


@pytest.mark.parametrize("name", ["optimizer", "__metadata__", "weights"])
def test_names_of_layers_and_optimizer_state_never_meet(name: str, tmp_path: Path) -> None:
    inner = Sequential([L.Input((3,)), L.Dense(3, name="kernel")], name="m")
    model = Sequential([L.Input((4,)), L.Dense(3, name=name), inner, L.Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    x = X.reshape(50, -1)[:, :4]
    model.fit(x, LABELS, verbose=0)
    model.save(tmp_path / "m")
    again = load_model(tmp_path / "m")
    assert same_bits(model.get_weights(), again.get_weights())
    histories = [m.fit(x, LABELS, shuffle=False, verbose=0).history for m in (model, again)]
    assert histories[0] == histories[1]


def test_a_models_own_flag_is_kept(tmp_path: Path) -> None:
    """Frozen as a whole or in parts, alone or within another model."""
    for make in (
        lambda layers: Sequential([L.Input((4,)), *layers], trainable=False),
        lambda layers: Model(at := L.Input((4,)), layers[1](layers[0](at)), trainable=False),
    ):
        model = make([L.Dense(3), L.Dense(3, trainable=False)])
        outer = Sequential([L.Input((4,)), model, L.Dense(3)])
        model.save(tmp_path / "m")
        outer.save(tmp_path / "outer")
        for again in (load_model(tmp_path / "m"), clone_model(model), type(model).from_config(model.get_config()),
                      load_model(tmp_path / "outer").layers[0]):  # fmt: skip
            assert isinstance(again, Model)
            assert (again.trainable, again.trainable_weights) == (False, [])
            assert [layer.trainable for layer in again.layers[-2:]] == [True, False]
            assert again.get_config() == model.get_config()
        assert len(load_model(tmp_path / "outer").trainable_weights) == 2


def test_state_of_weights_that_were_frozen_meanwhile(tmp_path: Path) -> None:
    """It is kept in the file, goes into the loaded optimizer, and is there when they are trained again."""
    straight = small("adam")
    for _ in range(2):
        straight.train_on_batch(X, LABELS)
    straight.layers[0].trainable = False
    straight.save(tmp_path / "m")
    resumed = load_model(tmp_path / "m")
    for model in (straight, resumed):
        model.compile(model.optimizer, "sparse_categorical_crossentropy")
        model.train_on_batch(X, LABELS)
        model.save(tmp_path / "m")
    resumed = load_model(tmp_path / "m")
    for model in (straight, resumed):
        model.layers[0].trainable = True
        model.compile(model.optimizer, "sparse_categorical_crossentropy")
        model.train_on_batch(X, LABELS)
    assert same_bits(straight.get_weights(), resumed.get_weights())


def test_weights_freed_after_compiling_have_no_state_yet(tmp_path: Path) -> None:
    model = small("adam")
    model.layers[0].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    model.train_on_batch(X, LABELS)
    model.layers[0].trainable = True
    model.save(tmp_path / "m")
    again = load_model(tmp_path / "m")
    again.train_on_batch(X, LABELS)
    assert again.optimizer is not None
    assert [len(parts) for _, parts in again.optimizer.state()] == [4, 4]


# ---------------------------------------------------------------- whole or not there


def test_not_overwritten(file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        small().save(file, overwrite=False)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        small().save_weights(file, overwrite=False)
    assert file.read_bytes() == before


def test_folders_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        small().save(tmp_path / "nowhere" / "m")
    with pytest.raises(IsADirectoryError):
        small().save(tmp_path)
    if hasattr(os, "geteuid") and os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(PermissionError):
            small().save(tmp_path / "locked" / "m")


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_process_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "m"
    program = (
        "import sys, numpy as np; from fastcnn.models import *; from fastcnn.layers import *\n"
        "m = Sequential([Input((300,)), Dense(400)])\n"
        "for i in range(10**6):\n"
        "    m.set_weights([np.full(w.shape, i) for w in m.get_weights()]); m.save(sys.argv[1]); print(i, flush=True)"
    )
    for wait in (3, 8, 15):
        with subprocess.Popen([sys.executable, "-c", program, path], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(wait):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        weights = load_model(path).get_weights()
        assert weights[0][0, 0] >= wait - 1
        assert all((w == weights[0][0, 0]).all() for w in weights)
