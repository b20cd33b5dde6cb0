"""A training that is killed again and again ends with the bits of one that wasn't."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastcnn
from fastcnn import callbacks, layers, losses, metrics
from fastcnn.errors import ModelFileError
from fastcnn.models import Sequential
from fastcnn.models.progress import metric_state, set_metric_state
from fastcnn.utils.plain import pack, unpack

if not hasattr(os, "fork"):
    pytest.skip("trainings are forked to be killed", allow_module_level=True)

SIGKILL = -9
KILLS = 50


class Trainings:
    """The process that runs and kills trainings."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("resume_child.py"))]
        paths = {**os.environ, "PYTHONPATH": str(Path(fastcnn.__file__).parents[1])}
        self.process = subprocess.Popen(command, env=paths, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, name: str, folder: Path, **how: Any) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps({"name": name, "folder": str(folder), **how}), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate(timeout=30)


@pytest.fixture(scope="module")
def trainings() -> Iterator[Trainings]:
    found = Trainings()
    yield found
    found.close()


def _left_behind(folder: Path) -> dict[str, bytes]:
    """Everything that a training leaves: its files, the arrays of its weights as bytes."""
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".csv", ".json")}
    with np.load(folder / "end.npz") as arrays:
        found["weights"] = b"".join(arrays[name].tobytes() for name in arrays.files)
    names = sorted(path.name for path in folder.iterdir() if path.suffix == ".safetensors")
    return {**found, "models": " ".join(names).encode()}


@pytest.mark.parametrize(("name", "kills"), [("arrays", KILLS), ("generator", 10), ("dataset", 15)])
def test_killed_trainings_end_with_the_same_bits(trainings: Trainings, tmp_path: Path, name: str, kills: int) -> None:
    def folder(number: int) -> Path:
        path = tmp_path / str(number)
        path.mkdir()
        return path

    whole = folder(0)
    assert trainings.run(name, whole) == 0
    wanted = _left_behind(whole)
    assert len(json.loads(wanted["end.json"])["epochs"]) >= 2
    rng = np.random.default_rng(1)
    done = killed = ended = 0
    while killed < kills or ended < 2:
        done += 1
        path = folder(done)
        while True:
            # One in three at a moment of its own, which the training knows nothing of.
            how = {"after": rng.uniform(0, 0.15)} if rng.random() < 1 / 3 else {"event": int(rng.integers(1, 60))}
            code = trainings.run(name, path, **how)
            assert code in (0, SIGKILL)
            if code == 0:
                break
            killed += 1
            leftovers = list((path / "backup").glob(".*.tmp")) if (path / "backup").exists() else []
            assert len(leftovers) <= 1, "what earlier kills left behind is removed"
        ended += 1
        assert _left_behind(path) == wanted
        assert not (path / "backup" / "training.safetensors").exists()


X = np.random.default_rng(0).random((24, 4), dtype=np.float32)
Y = (X.sum(1) * 10).astype(np.int32) % 3


def _model(units: int = 5, optimizer: str = "adam") -> Sequential:
    model = Sequential([layers.Input((4,)), layers.Dense(units, activation="relu"), layers.Dropout(0.2),
                        layers.Dense(3, activation="softmax")])  # fmt: skip
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _fit(model: Sequential, *listeners: callbacks.Callback, epochs: int = 3, **how: Any) -> Any:
    return model.fit(X, Y, batch_size=8, epochs=epochs, verbose=0, callbacks=list(listeners), **how)


class Stop(callbacks.Callback):
    """Something that goes wrong after so many batches, or what is given as `does`."""

    def __init__(self, after: int, does: Any = None) -> None:
        self.left, self.does = after, does

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if self.left == 0:
            if self.does is None:
                raise RuntimeError("on purpose")
            self.does()


def test_a_full_disk_leaves_the_last_backup(tmp_path: Path) -> None:
    import resource

    fastcnn.set_seed(1)
    whole = _model()
    _fit(whole)
    fastcnn.set_seed(1)
    model = _model()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before: list[bytes] = []

    def fill_up() -> None:
        before.append(backup.path.read_bytes())
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))

    backup = callbacks.BackupAndRestore(tmp_path, save_freq=1)
    try:
        with pytest.raises(OSError, match=r"training\.safetensors"):
            _fit(model, Stop(5, fill_up), backup)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in tmp_path.iterdir()] == [backup.path.name]
    assert backup.path.read_bytes() == before[0]
    again = _model()
    _fit(again, callbacks.BackupAndRestore(tmp_path))
    assert [a.tobytes() for a in again.get_weights()] == [a.tobytes() for a in whole.get_weights()]


class Counting(callbacks.Callback):
    """A callback of a user's, whose state is backed up, and which counts an epoch's beginnings."""

    def __init__(self) -> None:
        self.begun = 0

    def state_dict(self) -> dict[str, Any]:
        return {"begun": self.begun, "array": np.arange(3), 1: (self.begun, None)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        assert np.array_equal(state["array"], np.arange(3))
        assert state[1] == (state["begun"], None)
        self.begun = state["begun"]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.begun += 1


@pytest.mark.parametrize("batches", [2, 3, 4, 6, 8])
def test_callbacks_go_on_with_their_state(tmp_path: Path, batches: int) -> None:
    """Also where the training ended in the middle of an epoch, which begins once."""
    with pytest.raises(RuntimeError, match="on purpose"):
        _fit(_model(), Counting(), callbacks.BackupAndRestore(tmp_path, save_freq=1), Stop(batches + 1))
    counting = Counting()
    history = _fit(_model(), counting, callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False))
    assert counting.begun == 3
    assert history.epoch == [0, 1, 2]
    assert len(history.history["loss"]) == 3
    # What has come to its end is not trained again, and a later goal goes on from there.
    model = _model()
    assert _fit(model, counting, callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)).epoch == [0, 1, 2]
    assert _fit(_model(), counting, callbacks.BackupAndRestore(tmp_path), epochs=4).epoch == [0, 1, 2, 3]
    assert counting.begun == 4
    assert not tmp_path.exists()


CLASSES = 3
LABELS = np.random.default_rng(1).integers(0, CLASSES, 40)
PROBABILITIES = np.random.default_rng(2).dirichlet(np.ones(CLASSES), 40)
#: What metrics may be given: class numbers, one-hot rows, two classes, numbers.
DATA = [
    (LABELS, PROBABILITIES),
    (np.eye(CLASSES)[LABELS], PROBABILITIES),
    ((LABELS > 0)[:, None].astype(float), PROBABILITIES[:, :1]),
    (LABELS + 0.5, LABELS + 0.25),
    (np.insert(np.full((40, 1, 4), [2.0, 3, 14, 15]), 0, LABELS[:, None], axis=2), np.ones((40, 1, 4 + CLASSES))),
]


@pytest.mark.parametrize("make", metrics._CLASSES, ids=lambda make: make.__name__)
def test_every_metric_goes_on_from_its_sums(make: Any) -> None:
    """Also through a file; what is lost on the way are functions, which a new metric has itself."""
    needed = {"num_classes": CLASSES, "precision": 0.5, "recall": 0.5, "sensitivity": 0.5, "specificity": 0.5,
              "loss": losses.DetectionLoss(16, CLASSES, (16,))}  # fmt: skip
    known = inspect.signature(make).parameters
    config = {name: value for name, value in needed.items()
              if name in known and known[name].default is inspect.Parameter.empty}  # fmt: skip
    for y, p in DATA:
        whole, other = make(**config), make(**config)
        try:
            whole.update_state(y[:20], p[:20])
            whole.result()
        except ValueError:
            continue
        arrays: dict[str, Any] = {}
        data = json.loads(json.dumps(pack(metric_state(whole), arrays, "")))
        other.reset_state()
        set_metric_state(other, unpack(data, arrays))
        for metric in (whole, other):
            metric.update_state(y[20:], p[20:])
        np.testing.assert_array_equal(whole.result(), other.result())
        return
    pytest.fail(f"{make.__name__} takes none of the data")


def test_what_does_not_fit_is_an_error(tmp_path: Path) -> None:
    _fit(_model(), callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False), callbacks.EarlyStopping("loss"))
    backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    with pytest.raises(ModelFileError, match=r"another model: weight 'dense/bias' has shape \(5,\) there and \(7,\)"):
        _fit(_model(units=7), backup)
    with pytest.raises(ModelFileError, match="another optimizer: Adam with other options than this SGD"):
        _fit(_model(optimizer="sgd"), backup)
    with pytest.raises(ValueError, match="the backup is of a training with samples=24, this one has 12"):
        _fit(_model(), backup, validation_split=0.5)
    with pytest.warns(UserWarning, match="state of EarlyStopping, which is not among the callbacks now"):
        _fit(_model(), backup)
    backup.path.write_bytes(backup.path.read_bytes()[:-100])
    with pytest.raises(ModelFileError, match="damaged"):
        _fit(_model(), backup)
    with pytest.raises(ValueError, match="at most one BackupAndRestore, received 2"):
        _fit(_model(), backup, callbacks.BackupAndRestore(tmp_path))
    for wrong in ("batch", 0, 1.5):
        with pytest.raises((ValueError, TypeError), match="save_freq must be"):
            callbacks.BackupAndRestore(tmp_path, save_freq=wrong)  # type: ignore[arg-type]
    for nowhere in ("", None):
        with pytest.raises(ValueError, match="backup_dir must be a folder"):
            callbacks.BackupAndRestore(nowhere)  # type: ignore[arg-type]
