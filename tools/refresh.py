"""Stale chapters are run again; the others are left alone."""

import copy
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from tools.project import BookError, Project
from tools.stamp import KEY, reasons, stamp
from tools.tidy import dumps, tidy

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def read(path: Path) -> NotebookNode:
    """A notebook from disk; raises BookError naming it if it is none."""
    try:
        notebook = nbformat.reads(path.read_text("utf-8"), as_version=4)
        nbformat.validate(notebook)
    except (OSError, ValueError, nbformat.ValidationError, AttributeError) as error:
        raise BookError(f"{path.name} is no notebook that can be read: {str(error).splitlines()[0]}") from None
    return notebook


def stale(project: Project) -> dict[Path, list[str]]:
    """The chapters whose outputs cannot be trusted, each with why."""
    found = {path: reasons(project, read(path)) for path in project.chapters}
    return {path: why for path, why in found.items() if why}


@dataclass
class Progress:
    """One line a cell on a terminal (rewritten in place), one every few seconds in a log."""

    name: str
    cells: int
    started: float = field(default_factory=time.monotonic)
    told: float = 0.0

    def __call__(self, cell: NotebookNode, cell_index: int) -> None:
        """Say that a cell is about to run (a hook of nbclient)."""
        now = time.monotonic()
        if cell.cell_type != "code" or (not sys.stdout.isatty() and now - self.told < 5):
            return
        self.told = now
        end = "\r" if sys.stdout.isatty() else "\n"
        print(
            f"  {self.name}: cell {cell_index + 1} of {self.cells}, {now - self.started:.0f} s   ",
            end=end,
            flush=True,
        )

    @property
    def seconds(self) -> float:
        """Time since the chapter was begun."""
        return time.monotonic() - self.started


def kernel_environment() -> dict[str, str]:
    """The environment of a chapter's kernel: figures inline, controls as frames that need no kernel."""
    kept = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}
    return {**kept, "PYTHONHASHSEED": "0", "JUPYTER_PREFER_ENV_PATH": "1", "SALIENCY_STATIC": "1"}


def interruptible(client: NotebookClient) -> None:
    """Run a notebook in a thread of its own: in the main one, nbclient would take Ctrl-C for itself and lose it."""
    with ThreadPoolExecutor(1) as worker:
        future = worker.submit(client.execute, env=kernel_environment())
        try:
            while not future.done():
                wait([future], timeout=0.2)
        except KeyboardInterrupt:
            while not future.done():
                if client.km and (process := getattr(client.km.provisioner, "process", None)):
                    process.kill()
                wait([future], timeout=0.2)
            raise
        future.result()


def execute(project: Project, path: Path, notebook: NotebookNode, timeout: int) -> NotebookNode:
    """A run copy of a chapter, tidied and stamped; raises BookError naming chapter, cell and error."""
    name = project.relative(path)
    fresh = copy.deepcopy(notebook)
    fresh.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    progress = Progress(name, len(fresh.cells))
    current = [0]

    def remember(cell: NotebookNode, cell_index: int) -> None:
        current[0] = cell_index
        progress(cell, cell_index)

    client = NotebookClient(
        fresh,
        timeout=timeout,
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_start=remember,
        record_timing=False,
        extra_arguments=["--log-level=ERROR"],  # the kernel's own warnings are not the chapter's
    )
    try:
        interruptible(client)
    except CellExecutionError as error:
        sentence = ANSI.sub("", f"{error.ename}: {error.evalue}".strip()).splitlines()[0]
        raise BookError(f"{name}, cell {current[0] + 1}: {sentence}") from None
    except CellTimeoutError:
        raise BookError(f"{name}, cell {current[0] + 1}: still running after {timeout} s.") from None
    except DeadKernelError:
        raise BookError(f"{name}, cell {current[0] + 1}: the kernel died (out of memory?).") from None
    result = tidy(fresh, project.root)
    for number, cell in enumerate(result.cells, start=1):
        if any(WIDGET_VIEW in output.get("data", {}) for output in cell.get("outputs", ())):
            raise BookError(f"{name}, cell {number}: shows a widget, which no page can; tag the cell `live`.")
    result.metadata[KEY] = stamp(project, result)
    print(f"  {name}: done in {progress.seconds:.0f} s" + " " * 30, flush=True)
    return result


def write(path: Path, notebook: NotebookNode) -> None:
    """Replace a notebook in one step, so that an interruption leaves the old one or the new one."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(dumps(notebook), "utf-8", newline="\n")
    os.replace(partial, path)


def refresh(project: Project, paths: list[Path], *, force: bool = False, timeout: int = 600) -> list[str]:
    """Run the stale ones among these chapters again and return what went wrong, one sentence a chapter."""
    failures = []
    for path in paths:
        before = path.read_bytes() if path.is_file() else b""
        try:
            notebook = read(path)
            why = ["you asked for it"] if force else reasons(project, notebook)
            if not why:
                print(f"  {project.relative(path)}: up to date")
                continue
            print(f"  {project.relative(path)}: running, because {' and '.join(why)}", flush=True)
            result = execute(project, path, notebook, timeout)
            if path.read_bytes() != before:
                raise BookError(f"{project.relative(path)} was edited while it ran: run it again.")
            write(path, result)
        except BookError as error:
            failures.append(str(error))
            print(f"  {error}", file=sys.stderr, flush=True)
    return failures
