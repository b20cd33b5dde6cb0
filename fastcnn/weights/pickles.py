"""Pickles of tensors, read by an interpreter that can build tensors and plain data, and nothing else.

A pickle is a program for a small stack machine (Python's `pickletools` has the list of its instructions). Python's own
machine imports whatever module and calls whatever function the program names. This one knows the instructions that
PyTorch's `torch.save` writes for state dictionaries and the functions in `_FUNCTIONS`; anything else is an error that
names it. A tensor is made as a description, checked against its storage's size; no number is read here.

The time taken and the memory held grow with the pickle's length only: nested values are never printed, compared or
hashed, which for a value that refers to itself many times over would take forever.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable
from typing import IO, Any, NamedTuple

from ..errors import ModelFileError, shown
from .stored import brief

#: Types of numbers by the name of PyTorch's class of storages, as NumPy names them.
STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool",
}  # fmt: skip
#: Most axes of a tensor.
_MAX_RANK = 32


class Storage(NamedTuple):
    """A run of numbers of one type, elsewhere in the file, that tensors are cut from."""

    dtype: str
    key: str
    size: int


class Tensor(NamedTuple):
    """Where in a storage a tensor's numbers are, in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Global(NamedTuple):
    """A name that the pickle refers to."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class _Bounded:
    """A file as `pickletools` reads it, except that no more is asked for than is left of it."""

    def __init__(self, file: IO[bytes], end: int) -> None:
        self._file, self._end = file, end

    def tell(self) -> int:
        return self._file.tell()

    def read(self, count: int) -> bytes:
        return self._file.read(min(count, self._end - self._file.tell()))

    def readline(self) -> bytes:
        return self._file.readline(self._end - self._file.tell())


def load(file: IO[bytes], end: int) -> Any:
    """The next pickle of a file, which is left right behind it.

    Parameters
    ----------
    file : binary file
        Positioned at the pickle.
    end : int
        Size of the file: nothing beyond is read or made room for.

    Returns
    -------
    None, bool, int, float, str, bytes, tuple, list, dict, Storage or Tensor

    Raises
    ------
    ModelFileError
        It is truncated or damaged, or wants something made that is neither plain data nor a tensor.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(_Bounded(file, end)):  # type: ignore[arg-type]
            if opcode.name == "STOP":
                return machine.pop()
            machine.run(opcode.name, argument)
    except ModelFileError:
        raise
    except (ValueError, TypeError, LookupError, OverflowError, struct.error, EOFError) as error:
        raise ModelFileError(f"its pickle is truncated or damaged ({brief(error)})") from None
    raise ModelFileError("its pickle is truncated")


class _Machine:
    """The stack machine."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, name: str, argument: Any) -> None:
        if name in _PUSHES:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _INSTRUCTIONS:
            _INSTRUCTIONS[name](self, argument)
        else:
            raise ModelFileError(f"its pickle has the instruction {name}, which no file of tensors needs")

    def pop(self) -> Any:
        """The top of the stack, which must be above the last mark."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise ValueError("the stack is empty")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        if not self.stack or type(self.stack[-1]) is not kind:
            raise ValueError(f"a {kind.__name__} was expected")
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
        mark = self.marks.pop()
        values = self.stack[mark:]
        del self.stack[mark:]
        return values

    def put(self, number: int) -> None:
        if not self.stack:
            raise ValueError("the stack is empty")
        self.memo[number] = self.stack[-1]

    def make_tuple(self, count: int) -> None:
        values = [self.pop() for _ in range(count)]
        self.stack.append(tuple(reversed(values)))

    def extend(self, values: list[Any]) -> None:
        self.top(list).extend(values)

    def set_items(self, values: list[Any]) -> None:
        target = self.top(dict)
        if len(values) % 2:
            raise ValueError("a key without a value")
        for key, value in zip(values[::2], values[1::2]):
            if not isinstance(key, (str, int)):
                raise ModelFileError(f"its pickle has a dictionary key of type {type(key).__name__}")
            if isinstance(key, int) and abs(key) > 2**60:  # larger ones can be made to share a hash, all of them
                raise ModelFileError("its pickle has a dictionary key of more than 60 bits")
            target[key] = value

    def make_global(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("a name that is no string")
        wanted = _Global(module, name)
        if wanted not in _FUNCTIONS and not _is_storage(wanted):
            raise ModelFileError(
                f"it wants {shown(str(wanted))}, which is neither a tensor nor plain data: nothing was run. "
                f"Save the model's state dictionary alone: torch.save(model.state_dict(), path)"
            )
        self.stack.append(wanted)

    def call(self) -> None:
        arguments, function = self.pop(), self.pop()
        if function not in _FUNCTIONS if isinstance(function, _Global) else True:
            raise ModelFileError("its pickle calls something that is no function for tensors")
        if not isinstance(arguments, tuple):
            raise ValueError("a call without arguments")
        self.stack.append(_FUNCTIONS[function](*arguments))

    def persistent(self) -> None:
        """A storage, which the pickle refers to as ("storage", its class, key, device, count[, view])."""
        found = self.pop()
        if not isinstance(found, tuple) or len(found) not in (5, 6) or found[0] != "storage":
            raise ValueError("a reference to something other than a storage")
        kind, key, count = found[1], found[2], found[4]
        if not isinstance(kind, _Global) or not _is_storage(kind) or not isinstance(key, str):
            raise ValueError("a storage without a type or a key")
        if len(found) == 6 and found[5] is not None:
            raise ModelFileError("it has storages that are views of others, which PyTorch stopped writing in 2017")
        self.stack.append(Storage(STORAGES[kind.name], key, _size(count)))

    def build(self) -> None:
        """Attributes of an object: those of a state dictionary (`_metadata`) say nothing of the tensors."""
        self.pop()
        self.top(dict)


def _is_storage(wanted: _Global) -> bool:
    return wanted.module == "torch" and wanted.name in STORAGES


def _size(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError("a size that is no number from 0 to 2**63")
    return value


def _sizes(values: Any) -> tuple[int, ...]:
    if not isinstance(values, tuple) or len(values) > _MAX_RANK:
        raise ValueError(f"a shape that is no tuple of at most {_MAX_RANK} sizes")
    return tuple(_size(value) for value in values)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_rest: Any) -> Tensor:
    """A tensor that lies within its storage and shares no number with itself.

    What else PyTorch gives (whether it learns, hooks, metadata) says nothing of its numbers.
    """
    if not isinstance(storage, Storage):
        raise ValueError("a tensor without a storage")
    made = Tensor(storage, _size(offset), _sizes(shape), _sizes(strides))
    if len(made.shape) != len(made.strides):
        raise ValueError("a tensor with more axes than strides, or fewer")
    count = 1
    for size in made.shape:
        count *= size
    reach = 1 + sum((size - 1) * stride for size, stride in zip(made.shape, made.strides)) if count else 0
    if count > storage.size or made.offset + reach > storage.size:
        raise ModelFileError("a tensor reaches beyond its storage")
    return made


def _parameter(data: Any, *_rest: Any) -> Tensor:
    if not isinstance(data, Tensor):
        raise ValueError("a parameter without a tensor")
    return data


def _ordered_dict(*arguments: Any) -> dict[Any, Any]:
    if arguments:
        raise ValueError("a dictionary made from arguments")
    return {}


#: All that a pickle can have called. Dictionaries keep their order, so an OrderedDict is one of them.
_FUNCTIONS: dict[_Global, Callable[..., Any]] = {
    _Global("collections", "OrderedDict"): _ordered_dict,
    _Global("torch._utils", "_rebuild_tensor"): _tensor,
    _Global("torch._utils", "_rebuild_tensor_v2"): _tensor,
    _Global("torch._utils", "_rebuild_parameter"): _parameter,
}
#: Instructions that put their own argument on the stack.
_PUSHES = {
    "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "SHORT_BINSTRING", "BINSTRING", "SHORT_BINBYTES",
    "BINBYTES", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
}  # fmt: skip
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_INSTRUCTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda m, a: None,
    "FRAME": lambda m, a: None,
    "MARK": lambda m, a: m.marks.append(len(m.stack)),
    "EMPTY_LIST": lambda m, a: m.stack.append([]),
    "EMPTY_DICT": lambda m, a: m.stack.append({}),
    "TUPLE": lambda m, a: m.stack.append(tuple(m.since_mark())),
    "TUPLE1": lambda m, a: m.make_tuple(1),
    "TUPLE2": lambda m, a: m.make_tuple(2),
    "TUPLE3": lambda m, a: m.make_tuple(3),
    "APPEND": lambda m, a: m.extend([m.pop()]),
    "APPENDS": lambda m, a: m.extend(m.since_mark()),
    "SETITEM": lambda m, a: m.set_items([m.pop(), m.pop()][::-1]),
    "SETITEMS": lambda m, a: m.set_items(m.since_mark()),
    "BINPUT": lambda m, a: m.put(a),
    "LONG_BINPUT": lambda m, a: m.put(a),
    "MEMOIZE": lambda m, a: m.put(len(m.memo)),
    "BINGET": lambda m, a: m.stack.append(m.memo[a]),
    "LONG_BINGET": lambda m, a: m.stack.append(m.memo[a]),
    "GLOBAL": lambda m, a: m.make_global(*a.split(" ", 1)),
    "STACK_GLOBAL": lambda m, a: m.make_global(*[m.pop(), m.pop()][::-1]),
    "BINPERSID": lambda m, a: m.persistent(),
    "REDUCE": lambda m, a: m.call(),
    "BUILD": lambda m, a: m.build(),
}
