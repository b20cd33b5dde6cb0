"""Several threads, a forked child, Ctrl-C."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from model_tools import same_bits

from fastcnn import layers as L  # noqa: N812
from fastcnn._ops import core
from fastcnn.layers import base
from fastcnn.models import Model, Sequential

pytestmark = pytest.mark.usefixtures("keep_threads")


def network() -> Sequential:
    model = Sequential([
        L.Input((20, 20, 3)), L.Conv2D(16, 3, activation="relu"), L.MaxPooling2D(), L.Conv2D(24, 3, activation="relu"),
        L.Flatten(), L.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def images(seed: int, count: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 20, 20, 3)).astype(np.float32)


@pytest.mark.parametrize("threads", [1, 2])
def test_many_threads_predict_at_once(threads: int) -> None:
    core.set_threads(threads)
    model = network()
    data = [images(seed, 20 + seed) for seed in range(8)]
    expected = [model.predict(x, batch_size=16) for x in data]
    fresh = network()
    fresh.set_weights(model.get_weights())
    start = threading.Barrier(8)

    def work(number: int) -> list[np.ndarray]:
        start.wait()
        return [fresh.predict(data[(number + turn) % 8], batch_size=16) for turn in range(8)]

    with ThreadPoolExecutor(8) as pool:
        for number, results in enumerate(pool.map(work, range(8))):
            assert same_bits(results, [expected[(number + turn) % 8] for turn in range(8)])


class SlowCounter(Counter[str]):
    """Lets other threads in between reading a count and writing it, where Python itself seldom does."""

    def __getitem__(self, key: str) -> int:
        count = super().__getitem__(key)
        time.sleep(1e-4)
        return count


def test_automatic_names_are_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_names", SlowCounter())
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda _: L.Flatten().name, range(100)))
    assert sorted(names) == sorted(["flatten", *(f"flatten_{i}" for i in range(1, 100))])


def test_predicting_while_weights_change() -> None:
    """Every result belongs to weights that the model had before or has after; the last belongs to the last ones."""
    model = network()
    x = images(0)
    stop = threading.Event()
    seen: list[np.ndarray] = []

    def work() -> None:
        while not stop.is_set():
            seen.append(model.predict_on_batch(x))

    thread = threading.Thread(target=work)
    thread.start()
    for step in range(20):
        model.train_on_batch(x, np.full(len(x), step % 10))
    stop.set()
    thread.join()
    assert all(np.isfinite(s).all() for s in seen)
    fresh = network()
    fresh.set_weights(model.get_weights())
    assert same_bits([model.predict_on_batch(x)], [fresh.predict_on_batch(x)])


def test_other_threads_run_during_a_prediction() -> None:
    core.set_threads(1)
    model = Sequential([L.Input((64, 64, 16)), *(L.Conv2D(64, 3, padding="same") for _ in range(3))])
    x = np.zeros((16, 64, 64, 16), np.float32)
    model.predict_on_batch(x)
    ticks: list[float] = []
    running = threading.Event()

    def predict() -> None:
        running.set()
        model.predict_on_batch(x)
        running.clear()

    thread = threading.Thread(target=predict)
    thread.start()
    running.wait()
    while running.is_set():
        ticks.append(time.perf_counter())
        time.sleep(0.001)
    thread.join()
    # Had the other thread kept the interpreter, there would be one tick or two.
    assert len(ticks) >= 10


def _child(model: Model, x: np.ndarray, connection: Any) -> None:
    model.fit(x, np.zeros(len(x)), verbose=0)
    connection.send((model.predict(x), core.threads()))
    connection.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_forked_child_trains_and_predicts() -> None:
    core.set_threads(2)
    model = network()
    x = images(0, 200)
    model.predict(x)  # starts OpenMP's threads
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=_child, args=(model, x, there))
    process.start()
    assert here.poll(60), "the child hangs"
    result, threads = here.recv()
    process.join(10)
    assert (process.exitcode, threads) == (0, 1)
    model.fit(x, np.zeros(len(x)), verbose=0)
    assert result.shape == (200, 10)
    assert np.isfinite(result).all()
    assert core.threads() == 2


PROGRAM = """
import sys, time, numpy as np
import fastcnn
from fastcnn.models import Sequential
from fastcnn.layers import *
model = Sequential([Input((28, 28, 1)), Conv2D(16, 3, activation="relu"), Flatten(), Dense(10, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy")
x, y = np.random.default_rng(0).random((2000, 28, 28, 1)), np.zeros(2000)
model.predict(x[:10])
print("started", flush=True)
try:
    if sys.argv[1] == "fit":
        model.fit(x, y, epochs=10**6, verbose=0)
    else:
        while True:
            model.predict(x)
except KeyboardInterrupt:
    again = Sequential([Input((28, 28, 1)), Conv2D(16, 3, activation="relu"), Flatten(), Dense(10, "softmax")])
    again.set_weights(model.get_weights())
    same = np.array_equal(again.predict(x[:10]), model.predict(x[:10]))
    print("usable", same, flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGINT")
@pytest.mark.parametrize("what", ["fit", "predict"])
def test_ctrl_c(what: str) -> None:
    # On a busy machine threads that spin while they wait would take up the second.
    env = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, "-c", PROGRAM, what]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        start = time.perf_counter()
        assert process.stdout.readline() == "usable True\n"
        assert time.perf_counter() - start < 1
        assert process.wait(10) == 0


def test_an_interrupted_step_is_seen_by_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is raised right after the kernels have run: what the weights are by then is what predictions use."""
    model = network()
    x, y = images(0), np.zeros(40)
    model.predict(x)
    objective = model._ready()
    run = type(objective).run

    def interrupted(*args: Any) -> Any:
        run(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(type(objective), "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, verbose=0)
    fresh = network()
    fresh.set_weights(model.get_weights())
    assert same_bits([model.predict(x)], [fresh.predict(x)])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_forked_while_others_predict() -> None:
    """No lock that another thread holds at the fork stays locked in the child."""
    model, x = network(), images(0)
    expected = model.predict_on_batch(x[:3])
    stop = threading.Event()

    def busy() -> None:
        count = 0
        while not stop.is_set():
            count += 1
            model.predict(x[: 1 + count % 20])

    workers = [threading.Thread(target=busy, daemon=True) for _ in range(3)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for worker in workers:
            worker.start()
        for _ in range(12):
            child = os.fork()
            if child == 0:
                os._exit(0 if same_bits([model.predict_on_batch(x[:3])], [expected]) else 1)
            deadline = time.monotonic() + 20
            done, status = os.waitpid(child, os.WNOHANG)
            while not done and time.monotonic() < deadline:
                time.sleep(0.005)
                done, status = os.waitpid(child, os.WNOHANG)
            if not done:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
            assert done, "the child hangs"
            assert status == 0
    finally:
        sys.setswitchinterval(before)
        stop.set()
        for worker in workers:
            worker.join()


def test_a_loss_may_use_the_model() -> None:
    """Plans are built outside the lock that guards them."""
    model, x = network(), images(0)
    seen = []

    def loss(y_true: Any, y_pred: Any) -> Any:
        seen.append(model.predict_on_batch(x[:1]))
        return (y_true - y_pred) ** 2

    model.compile("sgd", loss)
    target = np.zeros_like(model.predict_on_batch(x))
    thread = threading.Thread(target=model.train_on_batch, args=(x, target), daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert seen
