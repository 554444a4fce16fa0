"""What a course takes from the book, written to `_build/course/`: `make course`.

student/      the chapters without solutions            instructor/   the chapters with solutions and marking guides
nbgrader/     problem sets and a project: sources, and what students get
qti.zip       the chapters' questions and the exam, for learning platforms
"""

import shutil
import zipfile
from pathlib import Path

from nbformat import NotebookNode

from tools.course import grading, qti
from tools.course.assignments import assignments
from tools.course.versions import versions
from tools.project import Project
from tools.tidy import dumps, replace

KINDS = ("student", "instructor")


def folder(project: Project) -> Path:
    """Where a course is written."""
    return project.root / "_build" / "course"


def seed(project: Project) -> str:
    """The seed that the course was made with; "" if it was made with none."""
    kept = folder(project) / "nbgrader" / "seed.txt"
    return kept.read_text("utf-8") if kept.exists() else ""


def write(project: Project, chosen: str = "") -> None:
    """Make everything anew, with the last seed if none is chosen; what was graded in the nbgrader folder stays."""
    top = folder(project)
    for kind in KINDS:
        shutil.rmtree(top / kind, ignore_errors=True)
        lay(top / kind, versions(project, instructor=kind == "instructor"))
    chosen = chosen or seed(project)
    listed = assignments(project, chosen)
    grading.lay(top / "nbgrader", listed)
    replace(top / "nbgrader" / "seed.txt", chosen)
    grading.release(top / "nbgrader", listed)
    count = qti.write(project, top / "qti.zip")
    print(f"The course is in {top}: student/, instructor/, nbgrader/, and {count} questions in qti.zip.")


def lay(target: Path, notebooks: dict[str, NotebookNode]) -> None:
    """Write notebooks into a folder."""
    target.mkdir(parents=True, exist_ok=True)
    for name, notebook in notebooks.items():
        replace(target / name, dumps(notebook))


def attach(project: Project, site: Path) -> None:
    """Lay the student's notebooks into a built site, as `downloads/student.zip`; the instructor's stay at home."""
    (site / "downloads").mkdir(exist_ok=True)
    with zipfile.ZipFile(site / "downloads" / "student.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, notebook in versions(project, instructor=False).items():
            # A fixed date: the same notebooks are the same archive.
            archive.writestr(zipfile.ZipInfo(f"student/{name}"), dumps(notebook), zipfile.ZIP_DEFLATED)
