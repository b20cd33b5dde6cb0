"""Pipelines: what they give, in which order, and how they go on where they were left."""

from __future__ import annotations

import gc
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastcnn
from fastcnn.data import Dataset, augment

X = np.arange(23 * 2, dtype=np.float32).reshape(23, 2)
Y = np.arange(23)


def numbers(dataset: Dataset) -> list[Any]:
    """The labels that an epoch gives, batch by batch."""
    return [y.tolist() for _, y in dataset]


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("fastcnn")]


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    gc.collect()  # other tests' iterators
    yield
    assert threads() == []


class Counting:
    """A function with a state: each element gets the number of the call."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, x: Any, y: Any) -> Any:
        self.count += 1
        return x, y + 1000 * self.count

    def state_dict(self) -> dict[str, int]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.count = state["count"]


# ---------------------------------------------------------------- what they give


def test_batches_of_arrays() -> None:
    dataset = Dataset.from_arrays(X, Y).batch(5)
    assert len(dataset) == 5
    for _ in range(2):  # again and again
        x, y = dataset.to_arrays()
        np.testing.assert_array_equal(x, X)
        np.testing.assert_array_equal(y, Y)
    assert [len(b) for b in numbers(dataset)] == [5, 5, 5, 5, 3]
    full = Dataset.from_arrays(X, Y).batch(5, drop_remainder=True)
    assert [len(b) for b in numbers(full)] == [5] * len(full) == [5] * 4
    np.testing.assert_array_equal(next(iter(Dataset.from_arrays(X).batch(3))), X[:3])
    named = next(iter(Dataset.from_arrays({"a": X, "b": Y}, Y, Y / 2).batch(4)))
    assert named[0].keys() == {"a", "b"}
    np.testing.assert_array_equal(named[0]["b"], Y[:4])
    np.testing.assert_array_equal(named[2], Y[:4] / 2)
    assert [int(y) for _, y in Dataset.from_arrays(X, Y)] == Y.tolist()
    assert len(Dataset.from_arrays(X[:0], Y[:0]).batch(4)) == len(list(Dataset.from_arrays(X[:0]).batch(4))) == 0


def test_shuffling_depends_on_seed_and_epoch_alone() -> None:
    dataset, same = (Dataset.from_arrays(X, Y).shuffle(seed=7).batch(4) for _ in range(2))
    epochs = [numbers(dataset) for _ in range(3)]
    assert epochs == [numbers(same) for _ in range(3)]
    for epoch in epochs:
        assert sorted(y for batch in epoch for y in batch) == Y.tolist()
    assert len({str(epoch) for epoch in epochs}) == 3
    fixed = Dataset.from_arrays(X, Y).shuffle(seed=7, reshuffle_each_iteration=False).batch(4)
    assert numbers(fixed) == numbers(fixed) == epochs[0]
    assert numbers(Dataset.from_arrays(X, Y).shuffle(seed=8).batch(4)) != epochs[0]
    for _ in range(2):  # without a seed: fastcnn's own random numbers
        fastcnn.set_seed(3)
        epochs.append(numbers(Dataset.from_arrays(X, Y).shuffle().batch(4)))
    assert epochs[3] == epochs[4] != epochs[0]


def stream() -> Iterator[tuple[np.ndarray, int]]:
    for i in range(23):
        yield X[i], i


def test_streams() -> None:
    dataset = Dataset.from_generator(stream, length=23)
    assert len(dataset.batch(5)) == 5
    expected = numbers(Dataset.from_arrays(X, Y).batch(5))
    assert numbers(dataset.batch(5)) == numbers(dataset.batch(5)) == expected
    shuffled = dataset.shuffle(6, seed=1).batch(23)
    first, second = numbers(shuffled)[0], numbers(shuffled)[0]
    assert sorted(first) == sorted(second) == Y.tolist()
    assert first != second
    assert all(value <= place + 5 for place, value in enumerate(first))  # from among the next 6
    with pytest.raises(TypeError, match="has no length"):
        len(Dataset.from_generator(stream))
    once = Dataset.from_generator(stream()).batch(23)
    assert numbers(once)[0] == Y.tolist()
    with pytest.raises(ValueError, match="used up"):
        list(once)


def test_map_take_skip_repeat() -> None:
    dataset = Dataset.from_arrays(X, Y)
    doubled = dataset.map(lambda x, y: (x, 2 * y)).batch(4)
    assert numbers(doubled) == numbers(dataset.batch(4).map(lambda x, y: (x, 2 * y)))
    assert numbers(dataset.take(6).batch(4)) == [[0, 1, 2, 3], [4, 5]]
    assert numbers(dataset.skip(20).batch(4)) == [[20, 21, 22]]
    for batched in (dataset.batch(4), dataset.batch(4).map(lambda x, y: (x, y)), dataset.take(23).batch(4).prefetch()):
        assert numbers(batched.take(2)) == [[0, 1, 2, 3], [4, 5, 6, 7]]
        assert numbers(batched.skip(4)) == [[16, 17, 18, 19], [20, 21, 22]]
        assert len(batched.take(2)) == len(batched.skip(4)) == 2
        assert len(list(batched.take(99))) == len(batched.take(99)) == 6
        assert list(batched.skip(99)) == list(batched.take(0)) == []
    twice = dataset.shuffle(seed=1).repeat(2).batch(23)
    first, second = numbers(twice)
    assert sorted(first) == sorted(second) == Y.tolist()
    assert first != second
    assert len(dataset.batch(4).repeat(3)) == len(list(dataset.batch(4).repeat(3))) == 18
    endless = dataset.batch(4).repeat()
    with pytest.raises(TypeError):
        len(endless)
    assert numbers(endless.take(7))[-1] == [0, 1, 2, 3]
    assert list(Dataset.from_arrays(X[:0]).batch(2).repeat()) == []


def test_samplers() -> None:
    class Twice:
        seed = 5

        def __len__(self) -> int:
            return 4

        def order(self, epoch: int) -> np.ndarray:
            return np.array([epoch, 22, 22, self.seed])

    dataset = Dataset.from_arrays(X, Y, sampler=Twice()).batch(4)
    assert numbers(dataset) == [[0, 22, 22, 5]]
    assert numbers(dataset) == [[1, 22, 22, 5]]
    assert dataset.state_dict()["seeds"] == [5]
    with pytest.raises(ValueError, match="4 whole numbers from 0 to 9"):
        list(Dataset.from_arrays(Y[:10], sampler=Twice()).batch(2))
    with pytest.raises(TypeError, match="sampler must have order"):
        Dataset.from_arrays(X, sampler=[1, 2])  # type: ignore[arg-type]


def test_cache_reads_once_and_still_shuffles() -> None:
    calls = []

    def counted(x: Any, y: Any) -> Any:
        calls.append(1)
        return x, y

    dataset = Dataset.from_arrays(X, Y).map(counted).cache().shuffle(23, seed=1).batch(4)
    first, second = numbers(dataset), numbers(dataset)
    assert len(calls) == 23
    assert first != second
    left = Dataset.from_arrays(X, Y).batch(4).map(counted).cache()
    for _ in left:
        break
    assert len(numbers(left)) == len(numbers(left)) == 6  # what was left in the middle is not taken for the whole
    assert len(calls) == 23 + 1 + 6


def test_parallel_calls_keep_the_order() -> None:
    def slow(x: Any, y: Any) -> Any:
        time.sleep(0.002 * (int(y[0]) % 3))
        return x, y

    dataset = Dataset.from_arrays(X, Y).batch(1)
    for workers in (1, 3, -1):
        assert numbers(dataset.map(slow, num_parallel_calls=workers)) == numbers(dataset)


def test_numpys_files(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    np.savez(tmp_path / "both.npz", x=X, y=Y, z=Y)
    mapped = Dataset.from_npy(tmp_path / "x.npy", tmp_path / "y.npy").shuffle(seed=1).batch(4)
    expected = numbers(Dataset.from_arrays(X, Y).shuffle(seed=1).batch(4))
    assert numbers(mapped) == expected
    assert numbers(mapped.cache()) == expected
    assert numbers(Dataset.from_npz(tmp_path / "both.npz").shuffle(seed=1).batch(4)) == expected
    np.save(tmp_path / "objects.npy", np.array([{}, None]), allow_pickle=True)
    (tmp_path / "text.npy").write_text("no array")
    for make, message in (
        (lambda: Dataset.from_npz(tmp_path / "both.npz", ("x", "w")), r"both\.npz has no array 'w'; it has x, y, z"),
        (lambda: Dataset.from_npz(tmp_path / "x.npy"), "use from_npy"),
        (lambda: Dataset.from_npy(tmp_path / "both.npz"), "use from_npz"),
        (lambda: Dataset.from_npy(tmp_path / "objects.npy"), "objects.npy can't be read"),
        (lambda: Dataset.from_npy(tmp_path / "text.npy"), "text.npy can't be read"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    with pytest.raises(FileNotFoundError, match=r"nothing\.npy"):
        Dataset.from_npy(tmp_path / "nothing.npy")


def test_bad_arguments() -> None:
    dataset = Dataset.from_arrays(X, Y)
    for make, message in (
        (lambda: Dataset.from_arrays(X, Y[:3]), r"equally long, received lengths \[23, 3\]"),
        (lambda: Dataset.from_arrays(), "at least one array"),
        (lambda: dataset.batch(0), "batch_size must be at least 1"),
        (lambda: dataset.prefetch(0), "buffer_size must be at least 1"),
        (lambda: dataset.batch(2).shuffle(), "buffer_size must be given here"),
        (lambda: dataset.shuffle(seed=-1), "seed must be at least 0"),
        (lambda: list(Dataset.from_generator(lambda: iter([X[:1], X[:2]])).batch(2)), r"one shape.*\(1, 2\) and \(2,"),
        (lambda: Dataset.from_arrays(X[:0]).batch(1).peek(), "the dataset is empty"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            make()
    for make, message in (
        (lambda: dataset.map(3), "function must be callable, received 3"),  # type: ignore[arg-type]
        (lambda: Dataset.from_arrays(["a", {}]), "expected arrays of numbers"),
        (lambda: Dataset.from_arrays(3), "a sample in each row, received"),
        (lambda: Dataset.from_generator(3), "generator must be a function or an iterable"),  # type: ignore[arg-type]
        (lambda: list(Dataset.from_generator(lambda: 3)), "must give an iterable"),  # type: ignore[arg-type,return-value]
    ):  # fmt: skip
        with pytest.raises(TypeError, match=message):
            make()


# ---------------------------------------------------------------- in the background


def test_prefetch_runs_ahead_by_so_much_and_no_more() -> None:
    made: list[int] = []

    def source() -> Iterator[int]:
        for i in range(10):
            made.append(i)
            yield i

    items = iter(Dataset.from_generator(source).prefetch(3))
    assert next(items) == 0
    for _ in range(200):
        if len(made) == 4:
            break
        time.sleep(0.005)
    time.sleep(0.02)
    assert len(made) == 4  # the one that was taken, and three that wait
    assert threads() == ["fastcnn-prefetch"]
    items.close()  # type: ignore[attr-defined]
    assert threads() == []
    assert len(made) == 4


def test_errors_come_where_the_element_would_have() -> None:
    def broken(x: Any, y: Any) -> Any:
        if y[0] == 8:
            raise RuntimeError("at 8")
        return x, y

    base = Dataset.from_arrays(X, Y).batch(4)
    for dataset in (base.map(broken).prefetch(), base.map(broken, num_parallel_calls=3).prefetch(5), base.map(broken)):
        items = iter(dataset)
        assert [int(next(items)[1][0]) for _ in range(2)] == [0, 4]
        with pytest.raises(RuntimeError, match="at 8"):
            next(items)
        assert threads() == []


def test_left_in_the_middle() -> None:
    dataset = Dataset.from_arrays(X, Y).shuffle(seed=1).batch(4).map(lambda x, y: (x, y), 3).prefetch(2)
    expected = [numbers(dataset) for _ in range(3)]
    again = Dataset.from_arrays(X, Y).shuffle(seed=1).batch(4).map(lambda x, y: (x, y), 3).prefetch(2)
    for _ in again:
        break
    assert threads() == []
    assert numbers(again) == expected[1]  # the epoch that was left is over
    assert [y.tolist() for y in [again.peek()[1]]] == expected[2][:1]
    assert numbers(again) == expected[2]


# ---------------------------------------------------------------- going on


def pipeline(kind: str) -> Dataset:
    base = Dataset.from_arrays(X, Y)
    return {
        "rows": lambda: base.shuffle(seed=3),
        "batches": lambda: base.shuffle(seed=3).batch(4),
        "background": lambda: base.shuffle(seed=3).batch(4).map(Counting(), 2).prefetch(3),
        "samples": lambda: base.shuffle(seed=3).map(Counting()).batch(4).prefetch(1),
        "repeated": lambda: base.shuffle(seed=3).batch(4).repeat(2).take(9).map(Counting()),
        "rows repeated": lambda: base.shuffle(seed=3).repeat(2).skip(3).batch(4),
        "cached": lambda: base.batch(4).map(lambda x, y: (x, y)).cache().shuffle(4, seed=2).map(Counting()).prefetch(),
        "stream": lambda: Dataset.from_generator(stream).shuffle(5, seed=9).skip(2).batch(4).repeat(2),
    }[kind]()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2), st.integers(0, 23))
@pytest.mark.parametrize(
    "kind", ["rows", "batches", "background", "samples", "repeated", "rows repeated", "cached", "stream"]
)
def test_a_resumed_epoch_goes_on_with_the_same_elements(kind: str, epochs: int, done: int) -> None:
    original = pipeline(kind)
    for _ in range(epochs):
        numbers(original)
    rest: list[Any] = []
    state = original.state_dict()
    for number, (_, y) in enumerate(original, 1):
        if number == done:
            state, rest = original.state_dict(), []
        else:
            rest.append(y.tolist())
    following = numbers(original)
    resumed = pipeline(kind)
    numbers(resumed)  # what it did before doesn't matter
    resumed.load_state_dict(json.loads(json.dumps(state)))
    assert numbers(resumed) == rest
    assert numbers(resumed) == following


def test_what_ran_ahead_is_forgotten() -> None:
    function = Counting()
    dataset = Dataset.from_arrays(X, Y).batch(4).map(function).prefetch(5)
    for number, _ in enumerate(dataset, 1):
        if number == 2:
            break
    assert function.count == 2
    assert dataset.state_dict()["functions"] == [{"count": 2}]
    assert int(dataset.peek()[1][0]) == 3000
    assert function.count == 2
    assert int(next(iter(dataset))[1][0]) == 3000


def test_peek_takes_nothing_away() -> None:
    pairs = [(np.float32([i]), i) for i in range(8)]
    for dataset in (
        Dataset.from_generator(iter(pairs)).batch(2).prefetch(),
        Dataset.from_generator(iter(pairs)).batch(2),
    ):
        assert [dataset.peek()[1].tolist() for _ in range(2)] == [[0, 1]] * 2
        assert numbers(dataset) == [[0, 1], [2, 3], [4, 5], [6, 7]]
    # Behind a position it is the one that comes next; in the middle of an epoch, the next one's first.
    dataset = Dataset.from_arrays(X, Y).shuffle(seed=1).batch(4)
    items = iter(dataset)
    next(items)
    again = Dataset.from_arrays(X, Y).shuffle(seed=1).batch(4)
    again.load_state_dict(dataset.state_dict())
    assert again.peek()[1].tolist() == next(items)[1].tolist() == next(iter(again))[1].tolist()
    assert dataset.peek()[1].tolist() == numbers(dataset)[0]


def test_a_pause_goes_on_where_there_is_no_end() -> None:
    def endless() -> Dataset:
        return Dataset.from_arrays(X, Y).shuffle(seed=1).repeat().batch(4).map(Counting()).prefetch()

    dataset, seen = endless(), []
    for part in (3, 5, 4):
        for _, (_, y) in zip(range(part), dataset):
            seen.append(y.tolist())
        dataset.pause()
        state = json.loads(json.dumps(dataset.state_dict()))
        dataset = endless()
        dataset.load_state_dict(state)
    assert seen == [y.tolist() for _, (_, y) in zip(range(12), endless())]
    for ended in (Dataset.from_arrays(X, Y).batch(4), Dataset.from_arrays(X, Y).batch(4).repeat().take(5)):
        next(iter(ended))
        ended.pause()
        assert ended.state_dict()["epoch"] == 1
        assert int(next(iter(ended))[1][0]) == 0
    once = Dataset.from_generator(iter([(x, y) for x, y in zip(X, Y)])).repeat()
    assert int(next(iter(once))[1]) == 0
    once.pause()  # can't begin again, and goes on by itself
    assert int(next(iter(once))[1]) == 1


def test_a_cache_that_was_filled_can_be_resumed() -> None:
    dataset = Dataset.from_generator(stream).batch(4).cache().shuffle(5, seed=2)
    numbers(dataset)
    state, expected = dataset.state_dict(), numbers(dataset)
    assert state["length"] is not None
    again = Dataset.from_generator(stream).batch(4).cache().shuffle(5, seed=2)
    again.load_state_dict(state)
    assert numbers(again) == expected


def test_states_that_do_not_fit() -> None:
    dataset = pipeline("background")
    state = dataset.state_dict()
    for wrong, message in (
        (pipeline("batches").state_dict(), "1 shuffling steps and 0 functions"),
        ({**state, "length": 7}, "length 7, this one's is 6"),
        ({"epoch": 1}, "state must be what state_dict gave"),
        (None, "state must be what state_dict gave"),
    ):
        with pytest.raises(ValueError, match=message):
            dataset.load_state_dict(wrong)  # type: ignore[arg-type]
    assert "Shuffled → Batch → Map → Prefetch, 6 elements" in repr(dataset)


def test_augmentation_goes_on_with_the_dataset() -> None:
    """Taken up in the middle of an epoch, it changes batches as it would have, however far ahead the thread was."""
    pictures = np.random.default_rng(0).integers(0, 256, (23, 6, 6, 3), dtype=np.uint8)

    def augmented() -> Dataset:
        steps = augment.Compose([augment.RandomFlip(), augment.RandomTranslation(0.3, 0.3)], seed=5)
        return Dataset.from_arrays(pictures, Y).shuffle(seed=1).batch(4).map(steps).prefetch(3)

    dataset, again = augmented(), augmented()
    numbers(dataset)
    rest: list[Any] = []
    for number, (x, _) in enumerate(dataset, 1):
        if number == 2:
            state = json.loads(json.dumps(dataset.state_dict()))
        elif number > 2:
            rest.append(x)
    again.load_state_dict(state)
    found = [x for x, _ in again]
    assert len(found) == len(rest) == 4
    assert all(np.array_equal(a, b) for a, b in zip(found, rest))
    assert not np.array_equal(found[0], [x for x, _ in Dataset.from_arrays(pictures, Y).batch(4)][2])
