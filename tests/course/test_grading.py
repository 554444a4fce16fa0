"""nbgrader itself makes, grades and returns an assignment: of a right, an empty and a wrong submission."""

from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest

from tools.course import grading
from tools.course.assignments import Assignment, assignments, submission
from tools.project import ROOT, BookError, Project
from tools.tidy import dumps

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),
    pytest.mark.skipif(not find_spec("nbgrader"), reason="nbgrader is not installed: pip install -r requirements.txt"),
]

KINDS = ("right", "empty", "wrong")


@pytest.fixture(scope="module")
def assignment() -> Assignment:
    """The first problem set: it needs PyTorch alone."""
    return next(one for one in assignments(Project(ROOT)) if one.name == "problem-set-1")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, assignment: Assignment) -> Path:
    """A course: one assignment released, three submissions graded and answered, one of them renamed by a browser."""
    folder = tmp_path_factory.mktemp("course")
    grading.lay(folder, [assignment])
    grading.release(folder, [assignment])
    for kind in KINDS:
        name = f"{assignment.name} (1)" if kind == "wrong" else assignment.name
        path = folder / "submitted" / kind / assignment.name / f"{name}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(dumps(submission(assignment, kind)), "utf-8")
    (folder / "submitted" / "absent").mkdir()
    rows = grading.grade(folder, assignment, "secret 21")  # by which all three get the same random numbers
    assert [row[:2] for row in rows] == [["absent", ""], ["empty", "0/16"], ["right", "16/16"], ["wrong", "5/16"]]
    assert rows[0][2] == "nothing was handed in"
    assert "handed in as problem-set-1 (1).ipynb" in rows[3][2]
    assert (folder / f"{assignment.name}-marks.csv").read_text("utf-8").splitlines()[3] == "right,16/16,"
    return folder


def test_students_get_the_tests_that_are_shown_and_no_solution(course: Path, assignment: Assignment) -> None:
    path = course / "release" / assignment.name / f"{assignment.name}.ipynb"
    text = "\n".join(cell.source for cell in nbformat.read(path, 4).cells)
    assert "def softmax" in text
    assert "one probability for each score" in text
    for hidden in ("SOLUTION", "scores.max()", "torch.tensor([1000.0", "as blurred", "2 points"):
        assert hidden not in text.replace("(4 points)", "")


def test_points_are_in_the_gradebook(course: Path, assignment: Assignment) -> None:
    with grading.grader(course) as api:
        found = {one["student"]: one for one in api.get_submissions(assignment.name)}
    assert assignment.worth() == 16
    assert {kind: (one["max_code_score"], one["code_score"]) for kind, one in found.items()} == {
        "right": (16, 16),
        "empty": (16, 0),
        "wrong": (16, 5),
    }
    # what is written is marked by a person
    assert found["right"]["needs_manual_grade"]
    assert found["right"]["max_written_score"] == 4


def test_each_student_gets_feedback_in_sentences(course: Path, assignment: Assignment) -> None:
    pages = {kind: course / "feedback" / kind / assignment.name / f"{assignment.name}.html" for kind in KINDS}
    text = {kind: page.read_text("utf-8") for kind, page in pages.items()}
    assert "16.0 / 20.0" in text["right"]
    assert "0.0 / 20.0" in text["empty"]
    assert "NotImplementedError" in text["empty"]
    assert "0 of 1: Scores of a thousand do not overflow." in text["wrong"]
    assert "AssertionError" not in text["wrong"]


def test_nothing_handed_in_is_said(tmp_path: Path, assignment: Assignment) -> None:
    with pytest.raises(BookError, match="nothing was handed in"):
        grading.grade(tmp_path, assignment)
