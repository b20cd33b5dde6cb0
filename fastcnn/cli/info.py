"""``fastcnn info``: what a bug report needs."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from importlib import metadata
from typing import Any

from .._ops import cpu_info
from .._version import __version__

_LIBRARIES = ("numpy", "pillow", "safetensors", "tqdm", "matplotlib")
_VARIABLES = (
    "FASTCNN_ISA", "FASTCNN_CONV", "FASTCNN_VERBOSE", "FASTCNN_DATA_DIR", "OMP_NUM_THREADS", "OMP_PROC_BIND",
    "OMP_WAIT_POLICY",
)  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Print it; the exit code."""
    found = collect()
    if options.json:
        print(json.dumps(found, indent=1))
        return 0
    for name, value in found.items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v}" for k, v in value.items()) or "none"
        elif isinstance(value, list):
            value = " ".join(value)
        print(f"{name.replace('_', ' '):<24} {value}")
    return 0


def collect() -> dict[str, Any]:
    """Versions, processor, threads and settings, as plain data."""
    return {
        "fastcnn": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}{_free_threading()}",
        "system": platform.platform(),
        "processor": _processor(),
        **cpu_info(),
        "libraries": {name: version for name in _LIBRARIES if (version := _version(name))},
        "environment": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
        "installed_in": os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _free_threading() -> str:
    enabled = getattr(sys, "_is_gil_enabled", lambda: True)()
    return "" if enabled else ", without the GIL"


def _processor() -> str:
    """The processor's name as the system gives it."""
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
