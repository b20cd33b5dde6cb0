"""Arrays from outside: what is taken, what it becomes, what is turned away and with which words."""

import numpy as np
import pytest
from layouts import VARIANTS, same_bits

from fastcnn._ops import cgroup
from fastcnn._ops.arrays import as_float32, as_images, as_labels, check_memory, check_out, empty, memory_limit


@pytest.fixture
def numbers():
    return np.random.default_rng(0).standard_normal((3, 4, 5, 2)).astype(np.float32)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_layout_and_dtype_becomes_dense_float32(variant, numbers):
    given = VARIANTS[variant](numbers)
    made = as_float32(given, "x", 4)
    assert same_bits(made, np.array(given, dtype=np.float32, order="C"))
    assert made.flags.c_contiguous
    assert made.flags.aligned
    assert made.dtype.isnative


def test_what_fits_already_is_not_copied(numbers):
    assert as_float32(numbers, "x") is numbers
    assert np.shares_memory(as_float32(numbers[1:], "x"), numbers)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1, 1, 1, 1)])
def test_scalars_and_empty_arrays(shape):
    made = as_float32(np.ones(shape), "x")
    assert made.shape == shape
    assert made.dtype == np.float32


def test_nan_and_infinity_come_through():
    assert same_bits(
        as_float32([np.nan, np.inf, -np.inf, -0.0], "x"), np.array([np.nan, np.inf, -np.inf, -0.0], np.float32)
    )


@pytest.mark.parametrize(
    "bad",
    [
        np.array([1j]),
        np.array(["1"]),
        np.array([b"1"]),
        np.array([None]),
        np.array([1, "a"], object),
        np.array(["2020-01-01"], "datetime64[D]"),
        np.array([1], "timedelta64[s]"),
        np.zeros(1, [("a", "f4")]),
        None,
        "text",
        {"a": 1},
    ],
    ids=str,
)
def test_what_is_no_number_is_turned_away(bad):
    with pytest.raises(TypeError, match=r"^images must be an array of numbers \(float, int or bool\), received dtype "):
        as_float32(bad, "images")


def test_unequal_lists_are_turned_away():
    with pytest.raises(ValueError, match=r"images can't be made an array.*received \[\[1, 2\], \[3\]\]"):
        as_float32([[1, 2], [3]], "images")


def test_wrong_rank():
    with pytest.raises(ValueError, match=r"w must have rank 2, received rank 1, shape \(3,\)"):
        as_float32([1, 2, 3], "w", 2)
    with pytest.raises(
        ValueError,
        match=r"x must have rank 4, \(batch, height, width, channels\), received rank 3, shape \(8, 8, 1\); add a",
    ):
        as_images(np.zeros((8, 8, 1)), "x")


def test_labels():
    for good in ([0, 2, 1], np.array([[0], [2], [1]]), np.array([0.0, 2, 1]), np.array([0, 2, 1], ">u2")):
        made = as_labels(good, "y", (3,), 3)
        assert made.dtype == np.int32
        assert made.tolist() == [0, 2, 1]
    assert as_labels([False, True], "y", (2,), 2).tolist() == [0, 1]
    assert as_labels(np.zeros((0,)), "y", (0,), 2).shape == (0,)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ([0, 3, 1], "received 3 at 1"),
        ([0, 1, -1], "received -1 at 2"),
        ([0.0, 0.5, 1], "received 0.5 at 1"),
        ([np.nan, 0, 1], "received nan at 0"),
        ([0, np.inf, 1], "received inf at 1"),
        (np.array([0, 2**63, 1], np.uint64), "received 9223372036854775808 at 1"),
        (np.array([2**32, 1, 1]), "received 4294967296 at 0"),
    ],
)
def test_bad_labels_are_named_with_their_place(bad, words):
    with pytest.raises(ValueError, match=f"y must be whole numbers from 0 to 2, {words}"):
        as_labels(bad, "y", (3,), 3)


def test_labels_of_the_wrong_shape_or_dtype():
    with pytest.raises(ValueError, match=r"y must hold one class number a row, shape \(3,\), received shape \(3, 2\)"):
        as_labels(np.zeros((3, 2), int), "y", (3,), 2)
    with pytest.raises(TypeError, match="y must be an array of numbers"):
        as_labels(["a", "b"], "y", (2,), 2)


@pytest.mark.parametrize(
    ("out", "error", "words"),
    [
        ([0.0] * 6, TypeError, "out must be a NumPy array, received list"),
        (np.zeros((2, 3)), TypeError, "out must be of native dtype float32, received <f8"),
        (np.zeros((2, 3), ">f4"), TypeError, "received >f4"),
        (np.zeros((3, 2), np.float32), ValueError, r"result's shape \(2, 3\), received \(3, 2\)"),
        (np.zeros((3, 2), np.float32).T, ValueError, "C-contiguous"),
        (np.zeros(25, np.uint8)[1:].view(np.float32).reshape(2, 3), ValueError, "aligned"),
        (VARIANTS["read-only"](np.zeros((2, 3), np.float32)), ValueError, "read-only"),
    ],
    ids=["list", "float64", "big-endian", "shape", "transposed", "unaligned", "read-only"],
)
def test_bad_out(out, error, words):
    with pytest.raises(error, match=words):
        check_out(out, (2, 3), [])


def test_overlap():
    memory = np.zeros(12, np.float32)
    x, shifted, apart = memory[:6], memory[3:9], memory[6:]
    check_out(apart, (6,), [x])
    check_out(x, (6,), [x], in_place=True)
    with pytest.raises(ValueError, match=r"out must not overlap the inputs$"):
        check_out(x, (6,), [x])
    with pytest.raises(ValueError, match="out must not overlap the inputs unless it is one of them"):
        check_out(shifted, (6,), [x], in_place=True)
    with pytest.raises(ValueError, match="overlap"):
        check_out(x, (6,), [memory[:5]], in_place=True)


def test_memory_is_checked_before_it_is_asked_for():
    with pytest.raises(MemoryError, match=r"the result, shape \(1073741824, 1048576\), would take 4194304.0 GiB"):
        check_memory((2**30, 2**20), "the result")
    with pytest.raises(MemoryError, match="a float32 copy of x"):
        as_float32(np.broadcast_to(np.float64(1), (2**30, 2**20)), "x")


def test_memory_granted_by_the_control_group_counts(monkeypatch):
    monkeypatch.setattr(cgroup, "memory", lambda: 2**30)
    memory_limit.cache_clear()
    try:
        check_memory((2**28,), "x")
        with pytest.raises(MemoryError, match=r"would take 1.0 GiB; this process can have 1.0 GiB"):
            check_memory((2**28 + 1,), "x")
    finally:
        memory_limit.cache_clear()


def test_results_start_on_a_cache_line():
    for n in range(1, 50, 7):
        assert empty((n, 3), "y").ctypes.data % 64 == 0
