"""Stale chapters are run again; the others are left alone."""

import copy
import json
import os
import re
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from tqdm import tqdm

from tools import stamp
from tools.project import BookError, Project
from tools.tidy import METADATA, dumps, read, replace, tidy

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
ANSI = re.compile(r"\x1b\[[0-9;]*m")
# From its start the kernel notes which files it opens; after the last cell it tells, and which modules came since.
LISTEN = """import sys; sys.files_opened = set(); sys.modules_before = set(sys.modules); \
sys.addaudithook(lambda event, arguments, note=sys.files_opened.add: event == "open" and note(arguments[0]))"""
TELL = """import json, os, sys
_opened = [os.path.realpath(os.fsdecode(f)) for f in [*sys.files_opened] if isinstance(f, (str, bytes, os.PathLike))]
_data = [file for file in _opened if file.startswith(FOLDER) and "__pycache__" not in file]
_modules = [m for name, m in [*sys.modules.items()] if name.split(".")[0] == "saliency_lib"]
_files = [*_data, *(os.path.realpath(m.__file__) for m in _modules if getattr(m, "__file__", None))]
print(json.dumps([_files, sorted({name.split(".")[0] for name in {*sys.modules} - sys.modules_before})]))"""


def stale(project: Project) -> list[str]:
    """The chapters whose outputs cannot be trusted, each with why, one sentence a chapter."""
    found = {path: stamp.reasons(project, path, read(path)) for path in project.chapters}
    return [f"{project.relative(path)} is stale: {' and '.join(why)}." for path, why in found.items() if why]


def kernel_environment(root: Path) -> dict[str, str]:
    """A chapter's surroundings: this book's own package, figures inline, controls as frames that need no kernel."""
    kept = {key: value for key, value in os.environ.items() if key != "MPLBACKEND"}
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    return {**kept, "PYTHONPATH": path, "PYTHONHASHSEED": "0", "JUPYTER_PREFER_ENV_PATH": "1", "SALIENCY_STATIC": "1"}


@cache
def distributions() -> Mapping[str, list[str]]:
    """By the name of each module that can be imported here, the packages that bring it."""
    return packages_distributions()


def interruptible(client: NotebookClient, environment: dict[str, str]) -> None:
    """Run a notebook in a thread of its own: in the main one, nbclient would take Ctrl-C for itself and lose it."""
    with ThreadPoolExecutor(1) as worker:
        future = worker.submit(client.execute, env=environment)
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


def execute(
    project: Project, path: Path, notebook: NotebookNode, timeout: int
) -> tuple[NotebookNode, list[str], set[str]]:
    """A run copy of a chapter, tidied; the files of the book that its kernel used, and the packages that it loaded.

    Raises BookError naming chapter, cell and error.
    """
    name, fresh = project.relative(path), copy.deepcopy(notebook)
    fresh.metadata = NotebookNode(METADATA)
    # A bar on a terminal, a line every few seconds in a log.
    pace = {"miniters": 1, "mininterval": 0.1 if sys.stdout.isatty() else 5}
    bar = tqdm(total=len(fresh.cells), desc=f"  {name}", unit="cell", file=sys.stdout, leave=False, **pace)
    folder = os.path.join(os.path.realpath(project.root), "data", "")
    fresh.cells.append(new_code_cell(TELL.replace("FOLDER", repr(folder))))
    client = NotebookClient(
        fresh,
        timeout=timeout,
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_start=lambda cell, cell_index: bar.update(cell_index + 1 - bar.n),
        record_timing=False,
        # The kernel's own warnings are not the chapter's.
        extra_arguments=["--log-level=ERROR", f"--IPKernelApp.exec_lines={LISTEN}"],
    )
    try:
        with bar:
            interruptible(client, kernel_environment(project.root))
    except CellExecutionError as error:
        sentence = ANSI.sub("", f"{error.ename}: {error.evalue}".strip()).splitlines()[0]
        raise BookError(f"{name}, cell {bar.n}: {sentence}") from None
    except CellTimeoutError:
        raise BookError(f"{name}, cell {bar.n}: still running after {timeout} s.") from None
    except DeadKernelError:
        raise BookError(f"{name}, cell {bar.n}: the kernel died (out of memory?).") from None
    told, modules = json.loads("".join(output.text for output in fresh.cells.pop().outputs))
    result = tidy(fresh, project.root)
    for number, cell in enumerate(result.cells, start=1):
        if any(WIDGET_VIEW in output.get("data", {}) for output in cell.get("outputs", ())):
            raise BookError(f"{name}, cell {number}: shows a widget, which no page can; tag the cell `live`.")
    used = [project.relative(Path(file)) for file in told]
    if foreign := [file for file in used if not file.startswith(("saliency_lib/", "data/"))]:
        raise BookError(f"{name} imported {foreign[0]}, which is not this book's package.")
    return result, used, {package.lower() for name in modules for package in distributions().get(name, ())}


def store(project: Project, paths: list[Path], timeout: int) -> None:
    """Compute again, and keep, what these chapters read from `data/results/`; their outputs stay as they are."""
    os.environ["SALIENCY_STORE"] = "1"
    for path in paths:
        execute(project, path, read(path), timeout)
        print(f"  {project.relative(path)}: what it stores is computed")


def refresh(project: Project, paths: list[Path], *, force: bool = False, timeout: int = 600) -> None:
    """Run the stale ones among these chapters again; raises BookError at the end if that failed for any."""
    failures = 0
    for path in paths:
        name = project.relative(path)
        try:
            started, notebook = time.time(), read(path)
            why = ["you asked for it"] if force else stamp.reasons(project, path, notebook)
            if not why:
                print(f"  {name}: up to date")
                continue
            print(f"  {name}: running, because {' and '.join(why)}", flush=True)
            result, used, packages = execute(project, path, notebook, timeout)
            for file in [name, *used]:
                if (project.root / file).stat().st_mtime > started:
                    raise BookError(f"{file} was edited while {name} ran: run it again.")
            replace(path, dumps(result))
            stamp.record(project, path, stamp.stamp(project, result, used, packages))
            print(f"  {name}: done in {time.time() - started:.0f} s", flush=True)
        except BookError as error:
            failures += 1
            print(f"  {error}", file=sys.stderr, flush=True)
    if failures:
        raise BookError(f"{failures} of {len(paths)} chapters could not be brought up to date.")
