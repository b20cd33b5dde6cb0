"""Builds run_cases.c with the kernels of each instruction set, and runs it on the cases.

    python tests/c/run.py                 as shipped, every instruction set of this processor
    python tests/c/run.py --sanitize      under AddressSanitizer and UndefinedBehaviorSanitizer
    python tests/c/run.py --neon          cross-compiled for AArch64, NEON and portable, under qemu-aarch64
    python tests/c/run.py --cc clang      with another compiler

Objects are kept in build/c and compiled again when a source changed.
"""

from __future__ import annotations

import argparse
import ast
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CSRC = ROOT / "csrc"
BUILD = ROOT / "build" / "c"
HARNESS = HERE / "run_cases.c"

SANITIZE = ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
SHIPPED = ["-O3", "-fno-math-errno", "-fno-trapping-math"]
SKIPPED = 77  # run_cases: the processor does not run this instruction set


@dataclass(frozen=True)
class Build:
    """One program: compiler, flags, instruction set, and what runs it."""

    name: str
    compiler: str
    flags: tuple[str, ...]
    isa: str
    runner: tuple[str, ...] = ()

    def missing(self) -> str:
        """Which program this build needs and doesn't find; empty if none."""
        wanted = [self.compiler, *self.runner[:1]]
        return ", ".join(program for program in wanted if shutil.which(program) is None)


def isa_flags() -> dict[str, list[str]]:
    """setup.py's compiler flags of each instruction set; read, since importing it would build."""
    for node in ast.parse((ROOT / "setup.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "GNU_FLAGS":
            return ast.literal_eval(node.value)  # type: ignore[no-any-return]
    raise RuntimeError("setup.py has no GNU_FLAGS")


def native_isas() -> list[str]:
    """The instruction sets of this machine's architecture."""
    machine = platform.machine().lower()
    if machine in ("x86_64", "amd64"):
        return ["portable", "avx2", "avx512"]
    return ["portable", "neon"] if machine in ("aarch64", "arm64") else ["portable"]


def native(isa: str, compiler: str = "gcc", sanitize: bool = False) -> Build:
    """The kernels of one instruction set for this machine."""
    flags = SANITIZE if sanitize else SHIPPED
    name = f"{compiler}-{isa}{'-sanitize' * sanitize}"
    return Build(name, compiler, tuple(flags + isa_flags()[isa]), isa)


def aarch64(isa: str) -> Build:
    """The kernels for 64-bit Arm, under an emulator."""
    return Build(f"aarch64-{isa}", "aarch64-linux-gnu-gcc", (*SHIPPED, "-static"), isa, ("qemu-aarch64",))


def compile_and_link(build: Build) -> Path:
    """The program, compiled where a source is newer than its object, two sources at once."""
    directory = BUILD / build.name
    directory.mkdir(parents=True, exist_ok=True)
    kernels = sorted((CSRC / "kernels").glob("*.c"))
    headers = [p for pattern in ("**/*.h", "**/*.def") for p in CSRC.glob(pattern)]
    newest_header = max(p.stat().st_mtime for p in [*headers, ROOT / "setup.py", Path(__file__)])
    upper = build.isa.upper()
    defines = [f"-DFC_TARGET_{upper}", f"-DFC_HAVE_{upper}", f"-DFC_TABLE=fc_table_{build.isa}", f"-DFC_TABLE_ISA=FC_{upper}"]
    command = [build.compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", *build.flags, *defines, f"-I{CSRC}"]

    def compile_one(source: Path) -> Path:
        target = directory / f"{source.stem}.o"
        if not target.exists() or target.stat().st_mtime < max(newest_header, source.stat().st_mtime):
            subprocess.run([*command, "-c", str(source), "-o", str(target)], check=True)
        return target

    common = [CSRC / "cpu.c", CSRC / "kernel_info.c", HARNESS]
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        objects = list(pool.map(compile_one, [*common, *kernels]))
    program = directory / "run_cases"
    subprocess.run([build.compiler, *build.flags, *map(str, objects), "-lm", "-o", str(program)], check=True)
    return program


def run(build: Build, cases: tuple[Path, Path]) -> int:
    """Build, run, and return the program's exit code. Its output goes to ours."""
    began = time.monotonic()
    program = compile_and_link(build)
    built = time.monotonic()
    done = subprocess.run([*build.runner, str(program), *map(str, cases)], check=False)
    finished = time.monotonic()
    verdict = {0: "passed", SKIPPED: "skipped"}.get(done.returncode, f"FAILED with exit code {done.returncode}")
    print(f"{build.name}: {verdict} (built in {built - began:.0f} s, ran in {finished - built:.0f} s)", flush=True)
    return done.returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--sanitize", action="store_true", help="AddressSanitizer and UndefinedBehaviorSanitizer")
    parser.add_argument("--neon", action="store_true", help="cross-compile for AArch64 and run under qemu")
    parser.add_argument("--cc", default="gcc", help="compiler of the native builds")
    parser.add_argument("--isa", action="append", help="only this instruction set (may be repeated)")
    options = parser.parse_args(arguments)
    for path in (ROOT, HERE.parent, HERE):
        sys.path.insert(0, str(path))
    from write_cases import write_cases

    if options.neon:
        builds = [aarch64(isa) for isa in options.isa or ["neon", "portable"]]
    else:
        builds = [native(isa, options.cc, options.sanitize) for isa in options.isa or native_isas()]
    missing = {build.missing() for build in builds} - {""}
    if missing:
        parser.error(f"not found: {', '.join(sorted(missing))}")
    cases = write_cases(BUILD)
    codes = [run(build, cases) for build in builds]
    return 0 if all(code in (0, SKIPPED) for code in codes) else 1


if __name__ == "__main__":
    sys.exit(main())
