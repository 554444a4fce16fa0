"""The whole house, tests and benchmarks included: nothing imports upward, and no files each other in a circle."""

import ast
from pathlib import Path

from tools.project import ROOT

FLOORS = ("saliency_lib", "tools", "_ext", "benchmarks", "tests")
"""From the ground up; the rooms of the package have floors of their own in `tests/test_rooms.py`."""


def names(path: Path) -> set[str]:
    """The names under which a file is imported: extensions and what tests share, by those that follow their folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    short = {"_ext": parts[1:], "tests": parts[-1:]}.get(parts[0], ())
    return {".".join(name).removesuffix(".__init__") for name in (parts, short)} - {"", "conftest"}


def imported(path: Path) -> set[str]:
    """Everything that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def test_nothing_imports_upward_and_nothing_in_a_circle() -> None:
    paths = [path for floor in FLOORS for path in sorted((ROOT / floor).rglob("*.py"))]
    known = {name: path for path in paths for name in names(path)}
    uses = {path: {known[name] for name in imported(path) & known.keys()} - {path} for path in paths}
    assert sum(map(len, uses.values())) > 400
    floor = {path: FLOORS.index(path.relative_to(ROOT).parts[0]) for path in paths}
    assert [(path.name, other.name) for path in paths for other in uses[path] if floor[other] > floor[path]] == []
    outside = [path for path in paths if floor[path]]
    for start in outside:
        seen: set[Path] = set()
        todo = set(uses[start])
        while todo:
            path = todo.pop()
            seen.add(path)
            todo |= uses[path] - seen
        assert start not in seen, start.name
