"""The assignments as a course of nbgrader's: a folder with sources, settings, and what students get.

cd _build/course/nbgrader && nbgrader autograde problem-set-1      # after collecting into submitted/
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tools.course.assignments import STUB, Assignment, notebook
from tools.project import BookError
from tools.tidy import dumps, replace

SETTINGS = f"""# Settings of nbgrader for this course; `nbgrader --help-all` has the others.
c = get_config()
c.CourseDirectory.course_id = "deep-inside-convnets"
c.ClearSolutions.code_stub = {{"python": {STUB.strip()!r}}}
c.ClearSolutions.text_stub = "Your answer here."
c.ExecutePreprocessor.timeout = 120
"""


def lay(folder: Path, listed: list[Assignment]) -> None:
    """Write the settings and the instructor's source of each assignment."""
    folder.mkdir(parents=True, exist_ok=True)
    replace(folder / "nbgrader_config.py", SETTINGS)
    for assignment in listed:
        source = folder / "source" / assignment.name
        source.mkdir(parents=True, exist_ok=True)
        replace(source / f"{assignment.name}.ipynb", dumps(notebook(assignment)))


@contextmanager
def grader(folder: Path) -> Iterator[Any]:
    """nbgrader's own interface to the course in a folder; raises BookError where nbgrader is not installed."""
    try:
        from nbgrader.apps import NbGraderAPI
        from traitlets.config import Config
    except ImportError:
        raise BookError("nbgrader is not installed: pip install -r requirements.txt") from None
    config = Config()
    exec(SETTINGS, {"get_config": lambda: config})
    config.CourseDirectory.root = str(folder)
    config.Exchange.root = str(folder)  # nothing is exchanged: files are handed out and in by other means
    # The kernel that runs a submission is this environment's, and so are nbgrader's alembic and nbconvert's templates.
    path = os.pathsep.join([*installed("alembic", "bin", "Scripts"), os.environ.get("PATH", "")])
    shared = os.pathsep.join([*installed("nbconvert", "jupyter"), os.environ.get("JUPYTER_PATH", "")])
    with patch.dict(
        os.environ, {"JUPYTER_PREFER_ENV_PATH": "1", "PATH": path, "JUPYTER_PATH": shared.rstrip(os.pathsep)}
    ):
        yield NbGraderAPI(config=config)


def installed(package: str, *names: str) -> set[str]:
    """The folders of these names, outside site-packages, into which an installed package has put files."""
    files = [Path(file.locate()).resolve() for file in distribution(package).files or [] if ".." in file.parts]
    return {str(parent) for file in files for parent in file.parents if parent.name in names}


def done(result: dict[str, Any], what: str) -> None:
    """Raises BookError, nbgrader's own words above it, if something that it was asked for failed."""
    if not result["success"]:
        print(result.get("log") or result.get("error"), file=sys.stderr)
        raise BookError(f"nbgrader could not {what}: its words are above.")


def release(folder: Path, listed: list[Assignment]) -> None:
    """Make what students get, `release/NAME/`, with nbgrader's own `generate_assignment`."""
    with grader(folder) as api:
        for assignment in listed:
            done(api.generate_assignment(assignment.name, force=True), f"make {assignment.name}")
