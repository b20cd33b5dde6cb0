"""Is what was built what is meant to be shipped? Reads the wheel and the sdist in the folder given."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

LIMIT = 2.5e6
#: Folders that everything in them goes into the sdist, and files of the package that the wheel has no use for.
SOURCES = ("csrc/", "fastcnn/", "tests/", "benchmarks/", "examples/", "docs/", ".ci/")
NOT_IN_WHEELS = (".pyx", ".pxi", ".c", ".h", ".def", ".o")


def main(folder: Path) -> int:
    problems: list[str] = []
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        entries = archive.infolist()
    names = [entry.filename for entry in entries]
    sample = sum(entry.compress_size for entry in entries if "sample" in entry.filename)
    size = wheel.stat().st_size - sample
    print(f"{wheel.name}: {size / 1e6:.2f} MB and {sample / 1e6:.2f} MB of sample data")
    if size > LIMIT:
        problems.append(f"the wheel without its sample data has {size} bytes, more than {LIMIT:.0f}")
    if not sample:
        problems.append("the wheel has no sample data")
    if "fastcnn/py.typed" not in names:
        problems.append("the wheel has no py.typed")
    problems += [f"{name} should not be in the wheel" for name in names if name.endswith(NOT_IN_WHEELS)]
    problems += [f"{name} is outside the package" for name in names if not name.startswith("fastcnn")]

    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=False).stdout.splitlines()
    wanted = [name for name in tracked if name.startswith(SOURCES) or ("/" not in name and name != ".gitignore")]
    problems += [f"{name} is missing from the sdist" for name in wanted if name not in packed]
    problems += [f"{name} should not be in the sdist" for name in packed if name.endswith((".so", ".pyd", ".pyc"))]

    for problem in problems:
        print(f"inspect_wheel: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
