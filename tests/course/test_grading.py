"""nbgrader itself makes, grades and returns an assignment: of a right, an empty and a wrong submission."""

from pathlib import Path
from typing import Any

import nbformat
import pytest

from tools.course import grading
from tools.course.assignments import Assignment, assignments, submission
from tools.project import ROOT, Project
from tools.tidy import dumps

pytest.importorskip("nbgrader", reason="nbgrader is not installed: pip install -r requirements.txt")

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")

KINDS = ("right", "empty", "wrong")


@pytest.fixture(scope="module")
def assignment() -> Assignment:
    """The first problem set: it needs PyTorch alone."""
    return next(one for one in assignments(Project(ROOT)) if one.name == "problem-set-1")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, assignment: Assignment) -> Path:
    """A course with one assignment released and three submissions graded, feedback written."""
    folder = tmp_path_factory.mktemp("course")
    grading.lay(folder, [assignment])
    grading.release(folder, [assignment])
    for kind in KINDS:
        path = folder / "submitted" / kind / assignment.name / f"{assignment.name}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(dumps(submission(assignment, kind)), "utf-8")
    with grading.grader(folder) as api:
        for kind in KINDS:
            grading.done(api.autograde(assignment.name, kind), f"grade {kind}")
            grading.done(api.generate_feedback(assignment.name, kind), f"answer {kind}")
    return folder


def test_students_get_tests_without_the_hidden_ones_and_no_solution(course: Path, assignment: Assignment) -> None:
    path = course / "release" / assignment.name / f"{assignment.name}.ipynb"
    text = "\n".join(cell.source for cell in nbformat.read(path, 4).cells)
    assert "def softmax" in text
    assert "assert abs(P.sum() - 1)" in text
    for hidden in ("SOLUTION", "HIDDEN", "scores.max()", "torch.tensor([1000.0", "as blurred", "2 points"):
        assert hidden not in text.replace("(4 points)", "")


def test_points_are_as_expected(course: Path, assignment: Assignment) -> None:
    with grading.grader(course) as api:
        found = {kind: one_submission(api, assignment.name, kind) for kind in KINDS}
    tests = sum(block.points for block in assignment.named("tests"))
    assert tests == 16
    assert {kind: (one["max_code_score"], one["code_score"]) for kind, one in found.items()} == {
        "right": (16, 16),
        "empty": (16, 0),
        "wrong": (16, 0),
    }
    # what is written is marked by a person
    assert found["right"]["needs_manual_grade"]
    assert found["right"]["max_written_score"] == 4


def one_submission(api: Any, name: str, student: str) -> dict[str, Any]:
    """What the gradebook says of one submission."""
    return next(one for one in api.get_submissions(name) if one["student"] == student)


def test_each_student_gets_feedback(course: Path, assignment: Assignment) -> None:
    pages = {kind: course / "feedback" / kind / assignment.name / f"{assignment.name}.html" for kind in KINDS}
    text = {kind: page.read_text("utf-8") for kind, page in pages.items()}
    assert "16.0 / 20.0" in text["right"]
    assert "0.0 / 20.0" in text["empty"]
    assert "NotImplementedError" in text["empty"]
    assert "AssertionError" in text["wrong"]
