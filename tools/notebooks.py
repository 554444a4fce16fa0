"""The chapters in JupyterLab, with this environment's kernel: `make notebooks`.

What is opened is the plain Markdown that Colab gets, in `_build/notebooks/`: a reader may change and break it, and the
chapters stay as they are. A notebook that the reader has changed is never written over.
"""

import hashlib
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import nbformat

from tools import colab
from tools.project import BookError, Project
from tools.tidy import dumps

# Only of use where nothing is installed.
ELSEWHERE = frozenset({"about-this-copy", "install"})
QUIET = ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]


def texts(project: Project) -> dict[str, str]:
    """Text of each notebook by its file name."""
    found = {}
    for path, text in colab.notebooks(project).items():
        notebook = nbformat.reads(text, as_version=4)
        notebook.cells = [cell for cell in notebook.cells if cell.id not in ELSEWHERE]
        found[path.name] = dumps(notebook)
    return found


def digest(text: str) -> str:
    """What tells a notebook that was changed from one that was not."""
    cells = [(cell.cell_type, cell.source) for cell in nbformat.reads(text, as_version=4).cells]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def lay(project: Project) -> Path:
    """The folder with a notebook for each chapter; those that the reader has changed are left alone."""
    folder = project.root / "_build" / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / ".written.json"
    written: dict[str, str] = json.loads(record.read_text("utf-8")) if record.is_file() else {}
    for name, text in texts(project).items():
        path = folder / name
        if path.is_file() and digest(path.read_text("utf-8")) != written.get(name):
            print(f"  {name}: kept, because you have changed it (remove it to get the book's again)")
            continue
        path.write_text(text, "utf-8", newline="\n")
        written[name] = digest(text)
    record.write_text(json.dumps(written, indent=1), "utf-8")
    return folder


def command(folder: Path, *options: str) -> list[str]:
    """What starts JupyterLab in that folder."""
    return [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", *QUIET, *options]


def environment() -> dict[str, str]:
    """That of this process, without what makes controls into pictures."""
    return {name: value for name, value in os.environ.items() if name != "SALIENCY_STATIC"}


def open_lab(project: Project) -> None:
    """Open the chapters in JupyterLab until interrupted; raises BookError if it does not start."""
    folder = lay(project)
    options = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with suppress(KeyboardInterrupt):
        if subprocess.call(command(folder, *options), env=environment()) != 0:
            raise BookError("JupyterLab could not be started: its own words are above.")
