"""The assignments as a course of nbgrader's: a folder with sources, settings, what students get, and their points.

python -m tools.book grade problem-set-1      # after collecting into _build/course/nbgrader/submitted/STUDENT/

nbgrader files submissions, takes the marks of what is written by hand, and writes feedback. It runs nothing of a
submission: `marking` does, in a process apart, and enters its points and sentences into nbgrader's gradebook.
"""

import csv
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from unittest.mock import patch

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from tqdm import tqdm

from tools.course.assignments import STUB, Assignment, notebook, submission
from tools.course.marking import Mark, Values, answers, mark, reference, seed_of
from tools.project import BookError
from tools.tidy import dumps, read, replace

SETTINGS = f"""# Settings of nbgrader for this course; `nbgrader --help-all` has the others.
c = get_config()
c.CourseDirectory.course_id = "deep-inside-convnets"
c.ClearSolutions.code_stub = {{"python": {STUB.strip()!r}}}
c.ClearSolutions.text_stub = "Your answer here."
# Nothing of a submission runs in here: `python -m tools.book grade` runs it in a process apart, and enters the points.
c.Execute.enabled = False
c.ClearOutput.enabled = False
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
    own = {"JUPYTER_PREFER_ENV_PATH": "1", "PATH": path, "JUPYTER_PATH": shared.rstrip(os.pathsep)}
    with patch.dict(os.environ, own), warnings.catch_warnings():
        # nbgrader's gradebook warns of its own ways with SQLAlchemy, three times a submission
        warnings.filterwarnings("ignore", module=r"nbgrader\.")
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


def grade(folder: Path, assignment: Assignment, course: str = "") -> list[list[str]]:
    """Grade all that was handed in, write feedback and `marks.csv`; a row a student: points, those of tests, remarks.

    `course` is a secret of yours: it decides, with the student's name, the random numbers of the tests.
    """
    given = sorted(path for path in (folder / "submitted").glob("*") if path.is_dir())
    if not given:
        raise BookError(f"nothing was handed in: put notebooks into {folder / 'submitted'}/STUDENT/{assignment.name}/")
    rows, known = [], dict[int, dict[str, Values]]()
    with grader(folder) as api:
        for path in tqdm(given, unit="student", leave=False, disable=None):
            notebook, remarks = handed_in(path, assignment)
            if notebook is None:
                rows.append([path.name, "", *remarks])
                continue
            done(api.autograde(assignment.name, path.name, force=True, create=True), f"file what {path.name} handed in")
            seed = seed_of(course, path.name)
            known[seed] = known.get(seed) or reference(assignment, seed)
            marks, more = mark(assignment, notebook, seed, known[seed])
            enter(folder, assignment, path.name, marks)
            done(api.generate_feedback(assignment.name, path.name, force=True), f"write feedback for {path.name}")
            had = sum(mark.had for mark in marks)
            rows.append([path.name, f"{had}/{assignment.worth()}", "; ".join([*remarks, *more])])
    with (folder / f"{assignment.name}-marks.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["student", "points of tests", "remarks"], *rows])
    return rows


def handed_in(student: Path, assignment: Assignment) -> tuple[NotebookNode | None, list[str]]:
    """The notebook that a student handed in, and remarks; one that a browser renamed gets its name back."""
    right = student / assignment.name / f"{assignment.name}.ipynb"
    found = sorted((student / assignment.name).glob("*.ipynb"))
    if not found:
        return None, ["nothing was handed in"]
    remarks = [f"of {len(found)} notebooks {found[0].name} counts"] if found[1:] and right not in found else []
    try:
        notebook = read(right if right in found else found[0])
    except BookError as error:
        return None, [str(error)]
    if right not in found:
        remarks.append(f"handed in as {found[0].name}")
    # what an editor lost of nbgrader's names is put back: the answers, in the assignment's own notebook
    answered, own, _ = answers(assignment, notebook)
    whole = restored(assignment, notebook, answered, own)
    replace(right, dumps(whole))
    return notebook, remarks


def restored(assignment: Assignment, notebook: NotebookNode, answered: dict[str, str], own: list[str]) -> NotebookNode:
    """The released assignment with a submission's answers and words in it, and the student's own cells at its end."""
    result = submission(assignment, "empty")
    words = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell.source for cell in notebook.cells}
    for cell in result.cells:
        name = cell.metadata["nbgrader"]["grade_id"]
        if name.startswith("answer-"):
            cell.source = answered.get(name.removeprefix("answer-"), cell.source)
        elif name.startswith("written-"):
            cell.source = words.get(name, cell.source)
    result.cells += [new_code_cell(source, id=f"own-{number}") for number, source in enumerate(own)]
    return result


def enter(folder: Path, assignment: Assignment, student: str, marks: list[Mark]) -> None:
    """Put points and sentences into nbgrader's gradebook: a cell of tests has the points, its answer the sentences."""
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as book:
        for name in assignment.problems:
            own = [mark for mark in marks if mark.problem == name]
            where = (assignment.name, assignment.name, student)
            score = book.find_grade(f"tests-{name}", *where)
            score.auto_score, score.needs_manual_grade = sum(mark.had for mark in own), False
            comment = book.find_comment(f"answer-{name}", *where)
            comment.auto_comment = "\n".join(f"- {mark.had} of {mark.points}: {mark.says}" for mark in own)
        book.db.commit()
