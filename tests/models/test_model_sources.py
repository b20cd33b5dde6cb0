"""fit, evaluate and predict: where data comes from, and what is reported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from model_tools import LABELS, X, same_bits, small

from fastcnn import callbacks, losses, metrics
from fastcnn import layers as L  # noqa: N812
from fastcnn import reference as ref
from fastcnn.models import Model

# ---------------------------------------------------------------- sources of batches


def pairs(size: int = 10) -> Iterator[tuple[Any, ...]]:
    for start in range(0, 50, size):
        yield X[start : start + size], LABELS[start : start + size]


def endless() -> Iterator[tuple[Any, ...]]:
    while True:
        yield from pairs()


class Batches:
    """As Keras' Sequence: it never raises IndexError, and shuffles between epochs."""

    def __init__(self) -> None:
        self.ends = 0

    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return X[10 * index : 10 * index + 10], LABELS[10 * index : 10 * index + 10]

    def on_epoch_end(self) -> None:
        self.ends += 1


class Again:
    """An iterable that starts anew each time, as a data loader does."""

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return pairs()


def test_every_source_trains_alike() -> None:
    expected = small()
    expected.fit(X, LABELS, batch_size=10, shuffle=False, epochs=2, verbose=0)
    sequence = Batches()
    for source, steps in ((endless(), 5), (sequence, None), (Again(), None), (Again(), 5)):
        model = small()
        history = model.fit(source, steps_per_epoch=steps, epochs=2, verbose=0, validation_data=Batches())
        assert same_bits(model.get_weights(), expected.get_weights()), source
        assert len(history.history["val_loss"]) == 2
    assert sequence.ends == 2
    # A generator is asked for no more than it is needed for, and stays open.
    generator = pairs()
    small().fit(generator, steps_per_epoch=3, verbose=0)
    assert np.array_equal(next(generator)[1], LABELS[30:40])


def test_evaluate_and_predict_take_sources() -> None:
    model = small()
    expected, loss = model.predict(X), model.evaluate(X, LABELS, batch_size=10, verbose=0)
    for source in (pairs(), Batches(), Again()):
        assert model.evaluate(source, verbose=0) == loss
    for source in (pairs(), Batches(), Again(), (x for x, _ in pairs())):
        assert same_bits([model.predict(source)], [expected])
    assert model.predict(endless(), steps=2).shape == (20, 3)
    assert model.predict(X, batch_size=10, steps=2).shape == (20, 3)
    assert model.evaluate(endless(), steps=5, verbose=0) == loss
    assert len(model.predict(Batches(), steps=9)) == 50


def test_weights_in_batches() -> None:
    weight = np.linspace(0, 1, 50)
    expected, model = small(), small()
    expected.fit(X, LABELS, sample_weight=weight, batch_size=25, shuffle=False, verbose=0)
    model.fit(((X[i : i + 25], LABELS[i : i + 25], weight[i : i + 25]) for i in (0, 25)), verbose=0)
    assert same_bits(model.get_weights(), expected.get_weights())


def test_sources_that_run_dry() -> None:
    model = small()
    with pytest.raises(ValueError, match="gave no batches in this epoch"):
        model.fit(pairs(), epochs=2, verbose=0)
    with pytest.raises(ValueError, match="gave no batches"):
        model.evaluate(iter([]), verbose=0)
    with pytest.raises(ValueError, match="gave no batches"):
        model.predict(iter([]))
    with pytest.raises(ValueError, match="gave no batches"):
        model.fit(X, LABELS, validation_data=pairs(), epochs=2, verbose=0)


# ---------------------------------------------------------------- single batches, reports


class Shuffling:
    """Batches that are shuffled between epochs."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(3)
        self.order = self.rng.permutation(len(X))

    def __len__(self) -> int:
        return 5

    def __getitem__(self, i: int) -> tuple[Any, Any]:
        chosen = self.order[10 * i : 10 * i + 10]
        return X[chosen], LABELS[chosen]

    def on_epoch_end(self) -> None:
        self.order = self.rng.permutation(len(X))


@pytest.mark.parametrize("after", [3, 11, 12])
def test_sources_that_shuffle_themselves_are_resumed(tmp_path: Path, after: int) -> None:
    class Stops(callbacks.Callback):
        left = after

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt

    def fit(*listeners: callbacks.Callback) -> Any:
        model = small()
        model.fit(Shuffling(), epochs=4, verbose=0, callbacks=list(listeners))
        return model.get_weights()

    whole = fit()
    with pytest.raises(KeyboardInterrupt):
        fit(callbacks.BackupAndRestore(tmp_path, save_freq=1), Stops())
    assert same_bits(whole, fit(callbacks.BackupAndRestore(tmp_path, save_freq=1)))


def test_single_batches() -> None:
    model = small()
    loss, accuracy = model.test_on_batch(X, LABELS)
    p = model.predict_on_batch(X)
    assert same_bits([p], [model.predict(X)])
    assert loss == pytest.approx(ref.softmax_crossentropy(np.log(p), LABELS).mean(), rel=1e-5)
    assert accuracy == pytest.approx(np.mean(p.argmax(-1) == LABELS))
    assert model.train_on_batch(X, LABELS, return_dict=True) == {"loss": loss, "accuracy": accuracy}
    assert model.test_on_batch(X, LABELS, return_dict=True)["loss"] < loss
    assert same_bits([model(X)], [model.predict_on_batch(X)])
    assert model.metrics_names == ["loss", "accuracy"]


def test_metrics_in_every_form() -> None:
    def worst(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        return np.max(y_pred, -1)

    weighted = metrics.SparseCategoricalAccuracy(name="weighted")
    model = small(
        metrics=[
            "acc",
            metrics.SparseCategoricalAccuracy(name="mine"),
            worst,
            metrics.SparseTopKCategoricalAccuracy(2),
        ],
        weighted_metrics=[weighted],
    )
    weight = (LABELS == 1).astype(np.float32)
    logs = model.evaluate(X, LABELS, sample_weight=weight, batch_size=7, return_dict=True, verbose=0)
    p = model.predict(X)
    hit = p.argmax(-1) == LABELS
    expected = {
        "loss": np.mean(weight * ref.softmax_crossentropy(np.log(p), LABELS)),
        "acc": hit.mean(), "mine": hit.mean(), "worst": p.max(-1).mean(),
        "sparse_top_k_categorical_accuracy": np.mean((p > p[np.arange(50), LABELS][:, None]).sum(-1) < 2),
        "weighted": hit[LABELS == 1].mean(),
    }  # fmt: skip
    assert logs == pytest.approx(expected, rel=1e-5)
    assert list(logs) == list(expected)


def test_several_outputs() -> None:
    inputs = L.Input((6, 5, 2))
    flat = L.Flatten()(inputs)
    outputs = [L.Dense(3, activation="softmax", name="kind")(flat), L.Dense(1, name="size")(flat)]
    model = Model(inputs, [*outputs, L.Dense(2, name="free")(flat)])
    y = {"kind": LABELS, "size": np.ones(50)}
    model.compile("sgd", {"kind": losses.SparseCategoricalCrossentropy(), "size": "mse"},
                  metrics={"kind": ["accuracy"], "size": "mae"})  # fmt: skip
    history = model.fit(X, y, epochs=2, verbose=0, validation_data=(X, y))
    assert list(history.history) == [
        "loss", "kind_accuracy", "size_mae", "val_loss", "val_kind_accuracy", "val_size_mae",
    ]  # fmt: skip
    kind, size, free = model.predict(X)
    loss, accuracy, mae = model.evaluate(X, y, verbose=0)
    p = ref.softmax_crossentropy(np.log(kind), LABELS).mean() + np.mean((size - 1) ** 2)
    assert loss == pytest.approx(p, rel=1e-5)
    assert (accuracy, mae) == pytest.approx((np.mean(kind.argmax(-1) == LABELS), np.abs(size - 1).mean()), rel=1e-5)
    assert free.shape == (50, 2)
    assert model.evaluate(X, [LABELS, np.ones((50, 1))], verbose=0)[0] == loss
    before = model.get_layer("free").get_weights()
    model.fit(X, y, verbose=0)
    assert same_bits(before, model.get_layer("free").get_weights())


def test_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    for verbose, said in ((0, False), (1, True), (2, True), ("auto", True)):
        model = small()
        model.fit(X, LABELS, epochs=2, verbose=verbose, validation_split=0.2)
        model.evaluate(X, LABELS, verbose=verbose)
        out = capsys.readouterr().out
        assert bool(out) == said
        if said:
            assert "Epoch 2/2" in out
            assert "val_accuracy: " in out


def test_history_and_callbacks() -> None:
    log: list[Any] = []

    class Spy(callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            log.append((batch, sorted(logs)))

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            log.append((f"epoch {epoch}", sorted(logs)))

    model = small()
    history = model.fit(X, LABELS, batch_size=25, epochs=2, callbacks=[Spy()], validation_split=0.2, verbose=0)
    assert model.history is history
    assert history.epoch == [0, 1]
    names = ["accuracy", "loss"]
    assert [entry[0] for entry in log] == [0, 1, "epoch 0", 0, 1, "epoch 1"]
    assert set(names) <= set(log[0][1])
    assert log[2][1] == [*names, *(f"val_{n}" for n in names)]


def test_stop_training() -> None:
    class Stop(callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.model.stop_training = epoch == 1

    assert len(small().fit(X, LABELS, epochs=9, callbacks=[Stop()], verbose=0).history["loss"]) == 2
