"""Builds the kernels once per instruction set, and the Cython module that runs them.

Everything declarative is in pyproject.toml. Here is only what it can't say: each file of csrc/kernels is
compiled several times, with the flags of one instruction set each, and linked into one extension.
"""

import hashlib
import itertools
import os
import platform
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

CSRC = Path("csrc")
COMMON = sorted(str(p) for p in CSRC.glob("*.c"))
KERNELS = sorted(str(p) for p in (CSRC / "kernels").glob("*.c"))
HEADERS = sorted(str(p) for pattern in ("**/*.h", "**/*.def") for p in CSRC.glob(pattern))

# Each instruction set's own flags, by kind of compiler. Portable is the platform's baseline: no flags at all.
GNU_FLAGS = {
    "portable": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"],
    "neon": [],
}
MSVC_FLAGS = {"portable": [], "avx2": ["/arch:AVX2"], "avx512": ["/arch:AVX512"], "neon": []}


def target_machine() -> str:
    """The processor built for: cross builds on macOS and Windows say it through these variables."""
    words = os.environ.get("ARCHFLAGS", "").split()
    asked = {architecture for flag, architecture in itertools.pairwise(words) if flag == "-arch"}
    if len(asked) > 1:
        raise SystemExit(
            f"ARCHFLAGS asks for {' and '.join(sorted(asked))} in one build, but each has kernels of its own, compiled "
            f"with its own flags: build once for each"
        )
    return (asked.pop() if asked else os.environ.get("VSCMD_ARG_TGT_ARCH") or platform.machine()).lower()


def instruction_sets() -> list[str]:
    machine = target_machine()
    if machine in ("x86_64", "amd64", "x64"):
        return ["portable", "avx2", "avx512"]
    if machine in ("aarch64", "arm64"):
        return ["portable", "neon"]
    return ["portable"]


class BuildKernels(build_ext):
    """build_ext, with the kernels' objects made first."""

    def build_extensions(self) -> None:
        msvc = self.compiler.compiler_type == "msvc"
        if msvc:
            compile_args, openmp, link_args = ["/O2", "/std:c11", "/fp:precise"], ["/openmp"], []
        elif sys.platform == "darwin":
            compile_args = ["-O3", "-std=c11", "-fno-math-errno"]
            openmp, link_args = ["-Xpreprocessor", "-fopenmp"], ["-lomp"]
        else:
            # -fno-trapping-math and -fno-math-errno only drop side effects that nobody reads; values are exact.
            compile_args = ["-O3", "-std=c11", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden"]
            openmp, link_args = ["-fopenmp"], ["-fopenmp"]
        if not msvc and "-g" not in os.environ.get("CFLAGS", ""):
            compile_args.append("-g0")  # many Pythons ask for debug information, which would be most of the wheel
            if sys.platform != "darwin":
                link_args = [*link_args, "-Wl,-s"]  # nor names of functions that nobody outside can call
        sets = instruction_sets()
        macros = [(f"FC_HAVE_{name.upper()}", None) for name in sets if name != "portable"]
        include = [str(CSRC), numpy.get_include()]
        newest_header = max(Path(p).stat().st_mtime for p in [*HEADERS, "setup.py"])

        def compile_one(job: tuple[str, str, list[str], list[tuple[str, str | None]]]) -> list[str]:
            """The object of one source, compiled if it is not there or older than what it is made from."""
            source, directory, flags, defines = job
            # Objects stay in build/objects from one build to the next, apart for each way of compiling.
            command = repr([getattr(self.compiler, "compiler_so", None), compile_args, flags, defines])
            place = Path("build", "objects", f"{directory}-{hashlib.sha256(command.encode()).hexdigest()[:12]}")
            objects = self.compiler.object_filenames([source], output_dir=str(place))
            newest = max(newest_header, Path(source).stat().st_mtime)
            if all(Path(o).exists() and Path(o).stat().st_mtime > newest for o in objects):
                return objects
            return self.compiler.compile(
                [source],
                output_dir=str(place),
                macros=defines,
                include_dirs=[str(CSRC)],
                extra_preargs=compile_args + flags,
            )

        flags_of = MSVC_FLAGS if msvc else GNU_FLAGS
        jobs = [(source, "common", [], macros) for source in COMMON]
        for name in sets:
            defines: list[tuple[str, str | None]] = [(f"FC_TARGET_{name.upper()}", None)]
            jobs += [(source, name, flags_of[name], defines) for source in KERNELS]
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            objects = [o for group in pool.map(compile_one, jobs) for o in group]
        for extension in self.extensions:
            extension.extra_objects = objects
            extension.depends = [*extension.depends, "setup.py", "fastcnn/_ops/team.h", *HEADERS, *COMMON, *KERNELS]
            extension.include_dirs = include
            extension.extra_compile_args = [a for a in compile_args if a != "-std=c11"] + openmp
            extension.extra_link_args = link_args
        super().build_extensions()


setup(
    ext_modules=cythonize(
        [
            Extension(
                "fastcnn._ops.core",
                ["fastcnn/_ops/core.pyx"],
                define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
            )
        ],
        language_level=3,
        compiler_directives={"freethreading_compatible": True, "embedsignature": True},
    ),
    cmdclass={"build_ext": BuildKernels},
)
