"""Imports point downward only, as the table of docs/architecture.md has it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import fastcnn

PACKAGE = Path(fastcnn.__file__).parent

DOCUMENT = Path(__file__).parent.parent / "docs" / "architecture.md"
#: The document's table, a row a line: parts in code quotes first. The rows above may import those below.
TABLE = DOCUMENT.read_text(encoding="utf-8").split("## Who may import whom")[1].split("\n## ")[0]
ROWS = [re.findall(r"`(\w+)`", line.split("|")[1]) for line in reversed(TABLE.splitlines()) if line.startswith("| `")]
RANK = {part: rank for rank, row in enumerate(ROWS) for part in row}
#: The executable specification must not lean on what it is there to check.
REFERENCE_MAY_IMPORT = {"reference", "errors", "shapes"}


def part_of(module: str) -> str:
    """`fastcnn.layers.dense` -> `layers`; the package itself -> `__init__`."""
    return module.split(".")[1] if "." in module else "__init__"


def module_name(path: Path) -> str:
    words = ["fastcnn", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(words[:-1] if words[-1] == "__init__" else words)


def imported(path: Path) -> list[tuple[int, str]]:
    """(line, module) of all that a file of the package imports from the package, wherever in the file it stands."""
    module, found = module_name(path), []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names if alias.name.split(".")[0] == "fastcnn"]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                home = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
                home = home[: len(home) - node.level + 1]
                base = ".".join([*home, *([node.module] if node.module else [])])
            if base == "fastcnn":
                found += [(node.lineno, f"fastcnn.{alias.name}") for alias in node.names]
            elif base.startswith("fastcnn."):
                found.append((node.lineno, base))
    return found


FILES = sorted(PACKAGE.rglob("*.py"))


def test_every_part_has_its_place() -> None:
    parts = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES}
    assert len(ROWS) > 8
    assert sum(map(len, ROWS)) == len(RANK), "a part is in the table of docs/architecture.md twice"
    assert parts == set(RANK), f"in the package or in the table, but not in both: {sorted(parts ^ set(RANK))}"
    assert {"_ops", "cli", "graph"} <= parts  # the files were found at all


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_downward(path: Path) -> None:
    mine = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    upward = [
        f"{path.relative_to(PACKAGE)}:{line} imports {module}"
        for line, module in imported(path)
        if RANK.get(part_of(module), len(ROWS)) > RANK[mine]
    ]
    assert not upward, "\n".join(upward)


@pytest.mark.parametrize("path", [p for p in FILES if "reference" in p.parts], ids=lambda path: path.name)
def test_reference_stands_alone(path: Path) -> None:
    others = [(line, module) for line, module in imported(path) if part_of(module) not in REFERENCE_MAY_IMPORT]
    assert not others
