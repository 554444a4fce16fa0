"""The house: which room may import which, what is packed, and what `import saliency_lib` costs."""

import ast
import tomllib
from functools import cache
from pathlib import Path

import pytest

import saliency_lib as sl

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "saliency_lib"

FLOORS = [
    {"errors", "progress"},
    {"files", "checks"},
    {"registry"},
    {"images", "scans", "categories", "controls", "statistics"},
    {"targets"},
    {"datasets", "runs"},
    {"models"},
    {"methods"},
    {"class_images", "diffusion", "localization"},
    {"auditing", "comparison", "localization_benchmark", "sanity"},
    {"invariances", "studies"},
    {"plots"},
    {"players", "exercises"},
    {"widgets"},
    {"cli"},
    {"__main__"},
]
"""From the ground up. A room imports from floors below its own, and from itself."""


def room(module: str) -> str:
    """The room of the package that a module belongs to."""
    return module.split(".")[1] if module.count(".") else ""


@cache
def imports() -> list[tuple[str, str, str]]:
    """Every import of the package in the package: the file, its room, the room that it imports from."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module == "saliency_lib":
                names = [f"saliency_lib.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            found += [(str(path), own, room(name)) for name in names if name.startswith("saliency_lib")]
    return [(path, own, other) for path, own, other in found if own != "__init__" and own != other]


def test_nothing_imports_upward() -> None:
    height = {name: level for level, floor in enumerate(FLOORS) for name in floor}
    rooms = {
        path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.name[0] != "_" and path.suffix != ".pyi"
    }
    assert rooms <= height.keys()
    assert len(rooms) <= 29
    assert len(imports()) > 100
    upward = [(path, other) for path, own, other in imports() if height[other] >= height[own]]
    assert upward == []


def test_no_files_of_a_room_import_each_other_in_a_circle() -> None:
    below: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        top = ast.parse(path.read_text("utf-8")).body
        below[name] = {node.module for node in top if isinstance(node, ast.ImportFrom) and node.module}
    for start in below:
        seen, todo = set(), set(below[start])
        while todo:
            name = todo.pop()
            seen.add(name)
            todo |= below.get(name, set()) - seen
        assert start not in seen


def test_every_folder_of_the_package_is_listed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    folders = {path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in PACKAGE.rglob("__init__.py")}
    data = {"saliency_lib.data", "saliency_lib.data.photos", "saliency_lib.data.results"}
    assert set(settings["packages"]) == folders | data


def test_every_public_name_is_where_the_stub_says() -> None:
    """Names are imported when they are used, so nothing else would notice a file that was renamed."""
    assert [name for name in sl.__all__ if not hasattr(sl, name)] == []
    with pytest.raises(ModuleNotFoundError):
        __import__("saliency_lib.creatures")
