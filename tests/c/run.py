"""Builds run_cases.c with the kernels of each instruction set, and runs it on the cases.

    python tests/c/run.py                 --sanitize and --neon, as far as their tools are installed
    python tests/c/run.py --sanitize      this machine's instruction sets under AddressSanitizer and UBSan
    python tests/c/run.py --neon          cross-compiled for AArch64, NEON and portable, under qemu-aarch64
    python tests/c/run.py --plain         this machine's instruction sets as shipped
    python tests/c/run.py --coverage      which lines of the kernels no case reaches, on this machine's instruction sets
    python tests/c/run.py --cc clang ...  with another compiler

fastcnn must be installed (it writes the cases). Objects are kept in build/c and compiled again when a source changed.
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
COVERAGE = ["-O0", "--coverage"]
SHIPPED = ["-O3", "-fno-math-errno", "-fno-trapping-math"]
SKIPPED = 77  # run_cases: the processor does not run this instruction set


@dataclass(frozen=True)
class Build:
    """One program: compiler, flags (of all sources, and of the kernels besides), instruction set, what runs it."""

    name: str
    compiler: str
    flags: tuple[str, ...]
    kernel_flags: tuple[str, ...]
    isa: str
    runner: tuple[str, ...] = ()

    def obstacle(self) -> str:
        """What keeps this build from being made or run on this machine; empty if nothing does."""
        for program in (self.compiler, *self.runner[:1]):
            if shutil.which(program) is None:
                return f"{program} is not installed"
        command = [self.compiler, *self.flags, *self.kernel_flags, "-x", "c", "-", "-o", os.devnull]
        source = "#include <sys/mman.h>\n#include <unistd.h>\nint main(void) { return 0; }\n"
        if subprocess.run(command, input=source, text=True, capture_output=True, check=False).returncode:
            return f"{self.compiler} can't build with {' '.join(self.flags + self.kernel_flags)}"
        return ""


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
    return Build(name, compiler, tuple(flags), tuple(isa_flags()[isa]), isa)


def aarch64(isa: str) -> Build:
    """The kernels for 64-bit Arm, under an emulator."""
    return Build(
        f"aarch64-{isa}",
        "aarch64-linux-gnu-gcc",
        (*SHIPPED, "-static"),
        tuple(isa_flags()[isa]),
        isa,
        ("qemu-aarch64",),
    )


def compile_and_link(build: Build) -> Path:
    """The program, compiled where a source is newer than its object, two sources at once."""
    directory = BUILD / build.name
    directory.mkdir(parents=True, exist_ok=True)
    kernels = sorted((CSRC / "kernels").glob("*.c"))
    headers = [p for pattern in ("**/*.h", "**/*.def") for p in CSRC.glob(pattern)]
    newest_header = max(p.stat().st_mtime for p in [*headers, ROOT / "setup.py", Path(__file__)])
    upper = build.isa.upper()
    defines = [f"-DFC_TARGET_{upper}", f"-DFC_TABLE=fc_table_{build.isa}", f"-DFC_TABLE_ISA=FC_{upper}"]
    command = [build.compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", *build.flags, *defines, f"-I{CSRC}"]

    def compile_one(source: Path) -> Path:
        target = directory / f"{source.stem}.o"
        # Only the kernels may use the instruction set: the rest asks the processor whether it has it.
        flags = build.kernel_flags if source in kernels else ()
        if not target.exists() or target.stat().st_mtime < max(newest_header, source.stat().st_mtime):
            subprocess.run([*command, *flags, "-c", str(source), "-o", str(target)], check=True)
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


def unreached(build: Build) -> list[str]:
    """Lines of csrc/kernels that the last run of a build with `COVERAGE` did not reach, as gcov shows them."""
    lines = set()
    for counts in (BUILD / build.name).glob("*.gcda"):
        done = subprocess.run(["gcov", "-t", counts], cwd=counts.parent, capture_output=True, text=True, check=True)
        source = ""
        for line in done.stdout.splitlines():
            parts = line.split(":", 2)
            if len(parts) < 3:  # a rule between the instances of an inline function
                continue
            count, number, text = (part.strip() for part in parts)
            if number == "0" and text.startswith("Source:"):
                source = text.removeprefix("Source:")
            if count == "#####" and Path(source).parent == CSRC / "kernels":
                lines.add(f"{build.isa}: {Path(source).name}:{number}: {text}")
    return sorted(lines)


def measure_coverage(isas: list[str], cases: tuple[Path, Path]) -> int:
    """Print the lines that no case reaches; 1 if there are any."""
    missed: list[str] = []
    for isa in isas:
        build = Build(f"gcc-{isa}-coverage", "gcc", tuple(COVERAGE), tuple(isa_flags()[isa]), isa)
        for old in (BUILD / build.name).glob("*.gcda"):  # counts add up from run to run
            old.unlink()
        if run(build, cases) != SKIPPED:
            missed += unreached(build)
    print(*missed, f"{len(missed)} lines of the kernels are not reached", sep="\n")
    return int(bool(missed))


def chosen(options: argparse.Namespace) -> list[Build]:
    """The builds that the command line asks for."""
    native_sets = options.isa or native_isas()
    builds = [native(isa, options.cc) for isa in native_sets if options.plain]
    if options.sanitize or not (options.plain or options.neon):
        builds += [native(isa, options.cc, sanitize=True) for isa in native_sets]
    if options.neon or not (options.plain or options.sanitize):
        builds += [aarch64(isa) for isa in options.isa or ["neon", "portable"]]
    return builds


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: 0 if nothing failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--sanitize", action="store_true", help="AddressSanitizer and UndefinedBehaviorSanitizer")
    parser.add_argument("--neon", action="store_true", help="cross-compile for AArch64 and run under qemu")
    parser.add_argument("--plain", action="store_true", help="with the flags of the shipped package")
    parser.add_argument("--coverage", action="store_true", help="list lines of the kernels that no case reaches (gcov)")
    parser.add_argument("--cc", default="gcc", help="compiler of the builds for this machine")
    parser.add_argument("--isa", action="append", help="only this instruction set (may be repeated)")
    options = parser.parse_args(arguments)
    sys.path.insert(0, str(HERE.parent))
    from write_cases import write_cases  # here, since it needs fastcnn, and --help does not

    asked = options.sanitize or options.neon or options.plain
    cases = write_cases(BUILD)
    if options.coverage:
        return measure_coverage(options.isa or native_isas(), cases)
    failed = False
    for build in chosen(options):
        if obstacle := build.obstacle():
            print(f"{build.name}: NOT CHECKED, {obstacle}", flush=True)
            failed |= asked
        else:
            failed |= run(build, cases) not in (0, SKIPPED)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
