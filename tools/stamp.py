"""The stamp of a chapter: fingerprints of everything that its outputs depend on, so that stale means stale.

- `cells`    the code cells, and those of their tags that change what running them does
- `files`    what its kernel used: each module of `saliency_lib`, without comments and docstrings, and each file that it
             opened in `data/` (the SHA-256 of weights from elsewhere is a constant in a module)
- `pins`     the pinned versions of those packages that `pyproject.toml` asks for and its kernel loaded
- `outputs`  the outputs themselves, so that nobody mends one by hand

A file that no kernel used makes nothing stale. Only inputs and the committed bytes count, never the machine: a Mac or a
GPU would compute other last digits, and finds the same stamp. All stamps are in `chapters/stamps.json`.
"""

import ast
import hashlib
import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from tools.project import Project
from tools.tidy import LIVE, replace

TAGS = frozenset({LIVE, "raises-exception", "skip-execution"})
PIN = re.compile(r"([\w.-]+)==(\S+).*# via .*\(pyproject\.toml\)")
"""A line of requirements.txt for what the project itself asks for, and not only for what others need."""

WHY = {
    "cells": "its code cells changed",
    "pins": "a pinned version changed",
    "outputs": "its outputs were edited or cleared",
}
Stamp = dict[str, Any]


def content(path: Path) -> bytes:
    """A file's bytes, with line endings normalized if it is text (no NUL byte, as git decides)."""
    raw = path.read_bytes()
    return raw if b"\0" in raw else raw.replace(b"\r\n", b"\n")


def digest(parts: Iterable[str | bytes]) -> str:
    """16 hexadecimal digits for a sequence of parts, each hashed with its length to keep them apart."""
    total = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        total.update(f"{len(raw)}:".encode() + raw)
    return total.hexdigest()[:16]


def code(node: Any) -> Any:
    """A syntax tree as nested lists without docstrings, the same under every version of Python."""
    if isinstance(node, list):
        return [code(item) for item in node if not _says_nothing(item)]
    if not isinstance(node, ast.AST):
        return ascii(node)
    # Newer versions add fields, which older code leaves empty.
    fields = [[name, code(value)] for name, value in ast.iter_fields(node)]
    return [type(node).__name__, *(field for field in fields if field[1] != [])]


def _says_nothing(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def file(path: Path) -> str:
    """Digest of what a file does: of Python its code alone, of other files every byte; empty if it is gone."""
    if not path.is_file():
        return ""
    return python(content(path)) if path.suffix == ".py" else digest([content(path)])


@cache
def python(text: bytes) -> str:
    """Digest of a module's code; of its bytes where they are no Python."""
    try:
        return digest([json.dumps(code(ast.parse(text)))])
    except SyntaxError:
        return digest([text])


def pins(requirements: Path) -> dict[str, str]:
    """The pinned version of each package that `pyproject.toml` asks for."""
    return dict(PIN.findall(requirements.read_text("utf-8")))


def cells(notebook: NotebookNode) -> str:
    """Digest of what a kernel would be given."""
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            tags = sorted(TAGS & set(cell.metadata.get("tags", ())))
            parts += [cell.source.replace("\r\n", "\n").rstrip(), *tags]
    return digest(parts)


def outputs(notebook: NotebookNode) -> str:
    """Digest of what the kernel gave back, as it stands in the file."""
    kept = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    return digest([json.dumps(kept, sort_keys=True)])


def stamp(project: Project, notebook: NotebookNode, used: Iterable[str], packages: Iterable[str]) -> Stamp:
    """The stamp of a chapter as it is now, if these files of the book and these installed packages are what it uses."""
    pinned = pins(project.root / "requirements.txt")
    return {
        "cells": cells(notebook),
        "files": {name: file(project.root / name) for name in sorted(used)},
        "pins": {name: pinned[name] for name in sorted(packages) if name in pinned},
        "outputs": outputs(notebook),
    }


def stamps(project: Project) -> dict[str, Stamp]:
    """Every stamp, by the chapter's file name."""
    path = project.root / "chapters" / "stamps.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def record(project: Project, path: Path, new: Stamp) -> None:
    """Put one chapter's stamp among the others, and drop those of chapters that are gone."""
    known = {page.name for page in project.chapters}
    kept = {name: old for name, old in {**stamps(project), path.name: new}.items() if name in known}
    replace(project.root / "chapters" / "stamps.json", json.dumps(kept, indent=1, sort_keys=True) + "\n")


def reasons(project: Project, path: Path, notebook: NotebookNode) -> list[str]:
    """Why a chapter's outputs cannot be trusted; empty if they can."""
    old = stamps(project).get(path.name)
    if not old:
        return ["it was never run"]
    new = stamp(project, notebook, old["files"], old["pins"])
    changed = [name for name, now in new["files"].items() if now != old["files"][name]]
    more = f" and {len(changed) - 1} more of its files" if changed[1:] else ""
    return [why for name, why in WHY.items() if old[name] != new[name]] + [f"{n}{more} changed" for n in changed[:1]]
