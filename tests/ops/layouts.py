"""The same numbers in every layout and dtype that an argument may come in."""

import numpy as np


def strided(a):
    wide = np.zeros((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)
    wide[..., ::2] = a
    return wide[..., ::2]


def negative_strides(a):
    return np.flip(np.ascontiguousarray(np.flip(a)))


def unaligned(a):
    raw = np.empty(a.nbytes + 1, np.uint8)[1:]
    made = raw.view(a.dtype).reshape(a.shape)
    made[...] = a
    return made


def read_only(a):
    made = a.copy()
    made.flags.writeable = False
    return made


def broadcast(a):
    return np.broadcast_to(a[:1], a.shape)


def slice_of_larger(a):
    return np.pad(a, [(1, 2)] * a.ndim)[tuple(slice(1, 1 + n) for n in a.shape)]


#: name: what turns a contiguous float32 array into that layout or dtype (values may be rounded on the way).
VARIANTS = {
    "strided": strided,
    "negative strides": negative_strides,
    "fortran": np.asfortranarray,
    "unaligned": unaligned,
    "read-only": read_only,
    "broadcast": broadcast,
    "slice": slice_of_larger,
    "big-endian": lambda a: a.astype(">f4"),
    "float64": lambda a: a.astype(np.float64),
    "longdouble": lambda a: a.astype(np.longdouble),
    "float16": lambda a: a.astype(np.float16),
    "int8": lambda a: (8 * a).astype(np.int8),
    "uint8": lambda a: (8 * np.abs(a)).astype(np.uint8),
    "int32": lambda a: (8 * a).astype(np.int32),
    "big-endian int64": lambda a: (8 * a).astype(">i8"),
    "bool": lambda a: a > 0,
    "list": lambda a: a.tolist(),
    "strided float64, big-endian": lambda a: strided(a.astype(">f8")),
}


def same_bits(a, b):
    """Whether two arrays are float32, of one shape, and the same bit by bit."""
    return a.dtype == b.dtype == np.float32 and a.shape == b.shape and a.tobytes() == b.tobytes()


def close(actual, expected):
    """Hold a float32 result to the tolerance that every kernel promises."""
    assert isinstance(actual, np.ndarray)
    assert actual.dtype == np.float32
    assert actual.shape == np.shape(expected)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
