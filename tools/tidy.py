"""Notebooks on disk: one spelling, and of a run only the results, nothing that differs from one run to the next."""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from tools.project import BookError

LIVE = "live"
ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
CELL_METADATA = frozenset({"tags", "mystnb", "nbval"})
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "ipython3",
    },
}


def read(path: Path) -> NotebookNode:
    """A notebook from disk; raises BookError naming it if it is none."""
    try:
        notebook = nbformat.reads(path.read_text("utf-8"), as_version=4)
        nbformat.validate(notebook)
    except (OSError, ValueError, nbformat.ValidationError, AttributeError) as error:
        raise BookError(f"{path.name} is no notebook that can be read: {str(error).splitlines()[0]}") from None
    return notebook


def dumps(notebook: NotebookNode) -> str:
    """The notebook's one spelling on disk: sorted keys, one space, a newline at the end."""
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def replace(path: Path, text: str) -> None:
    """Write a file in one step, so that an interruption leaves the old one or the new one."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, "utf-8", newline="\n")
    os.replace(partial, path)


def tidy(notebook: NotebookNode, root: Path) -> NotebookNode:
    """A copy without timings, random identifiers, memory addresses, local paths and live cells' outputs."""
    notebook = nbformat.from_dict(json.loads(json.dumps(notebook)))
    for number, cell in enumerate(notebook.cells):
        cell.metadata = NotebookNode({k: v for k, v in cell.metadata.items() if k in CELL_METADATA and v})
        cell.setdefault("id", f"cell-{number}")
        if cell.cell_type == "code":
            live = LIVE in cell.metadata.get("tags", ())
            cell.outputs = [] if live else [quiet(output, root) for output in merged(cell.outputs)]
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


def merged(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs with neighboring pieces of one stream joined: where a stream is cut depends on timing alone."""
    result: list[NotebookNode] = []
    for output in outputs:
        last = result[-1] if result else None
        if last and output.output_type == "stream" == last.output_type and output.name == last.name:
            last.text += output.text
        else:
            result.append(output)
    return result


def quiet(node: Any, root: Path) -> Any:
    """An output with memory addresses zeroed and local paths shortened, pictures untouched."""
    if isinstance(node, dict):
        return NotebookNode({k: v if k.startswith("image/") else quiet(v, root) for k, v in node.items()})
    if isinstance(node, list):
        return [quiet(item, root) for item in node]
    if isinstance(node, str):
        for path in (str(root), sys.prefix):
            node = node.replace(path, "…")
        return ADDRESS.sub("at 0x0", node)
    return node
