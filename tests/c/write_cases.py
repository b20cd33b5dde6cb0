"""Writes the cases for run_cases.c: a text of what to run, and a file of all numbers in it.

The text has for each case

    case <name> <atol> <rtol> <number of buffers> <number of steps>
    buffer <C type> <elements> <offset of its beginning content> <offset of the expected content>     (-1: none)
    step <kernel> <each argument in the order of csrc/kernels.def>       (a pointer: its buffer, or -1)

and offsets are bytes in the data file. Expected float arrays are written as doubles, as the reference has them.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, TextIO

import numpy as np
from cases import CASES, Problem
from cases.running import allocate

from fastcnn._ops import core

C_TYPES = {"float32": "float", "float64": "double", "uint8": "uint8_t", "int32": "int32_t", "int64": "int64_t"}
C_TYPES["uint64"] = "uint64_t"


def write_cases(directory: Path) -> tuple[Path, Path]:
    """Write cases.txt and cases.bin into `directory`, and return their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    paths = directory / "cases.txt", directory / "cases.bin"
    with open(paths[0], "w", encoding="ascii") as text, open(paths[1], "wb") as data:
        for case in CASES:
            _write(case.name, case.problem, text, data)
    return paths


def _append(data: BinaryIO, array: np.ndarray) -> int:
    offset = data.tell()
    data.write(np.ascontiguousarray(array).tobytes())
    return offset


def _write(name: str, problem: Problem, text: TextIO, data: BinaryIO) -> None:
    buffers = allocate(problem)
    places = {buffer: place for place, buffer in enumerate(buffers)}
    print(f"case {name} {problem.atol!r} {problem.rtol!r} {len(buffers)} {len(problem.steps)}", file=text)
    for buffer, array in buffers.items():
        initial = _append(data, problem.inputs[buffer]) if buffer in problem.inputs else -1
        expected = -1
        if buffer in problem.expected:
            wanted = problem.expected[buffer]
            expected = _append(data, wanted.astype(np.float64 if array.dtype.kind == "f" else array.dtype))
        print(f"buffer {C_TYPES[array.dtype.name]} {array.size} {initial} {expected}", file=text)
    for step in problem.steps:
        words = [step.kernel]
        for field in core.KERNELS[step.kernel].fields:
            value = step.args.get(field.name)
            if field.dtype is not None:
                words.append(str(places[value]) if isinstance(value, str) else "-1")
            elif field.kind == "real":
                words.append(float(value or 0).hex())
            else:
                words.append(str(int(value or 0)))
        print("step", *words, file=text)
