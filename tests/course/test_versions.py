"""One source, three versions: nothing of a solution reaches a student, and an instructor finds how to mark."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools.course.exercises import Exercise, exercises
from tools.course.make import lay
from tools.course.versions import unsolved, versions
from tools.project import ROOT, BookError, Project
from tools.tidy import read

BOOK = Project(ROOT)
NAMES = [path.name for path in BOOK.chapters]


@pytest.fixture(scope="module")
def student() -> dict[str, NotebookNode]:
    """What students get."""
    return versions(BOOK, instructor=False)


@pytest.fixture(scope="module")
def instructor() -> dict[str, NotebookNode]:
    """What who marks them gets."""
    return versions(BOOK, instructor=True)


@pytest.fixture(scope="module")
def every() -> list[Exercise]:
    """The exercises of the book."""
    return exercises(BOOK)


def test_a_solution_is_taken_out_and_what_is_around_it_stays() -> None:
    cells = [
        new_markdown_cell("before\n\n```{solution-start} ex-a\n:class: dropdown\n```\nsecret"),
        new_code_cell("secret = 1"),
        new_markdown_cell("secret\n```{solution-end}\n```\n\nafter\n\n```{solution} ex-b\nsecret\n```\nend"),
    ]
    kept = [cell.source.strip() for cell in unsolved(new_notebook(cells=cells))]
    assert kept == ["before", "after\n\nend"]
    with pytest.raises(BookError, match="no end"):
        unsolved(new_notebook(cells=cells[:2]))


@pytest.mark.parametrize("name", NAMES)
def test_students_get_every_exercise_and_no_solution(
    name: str, student: dict[str, NotebookNode], every: list[Exercise]
) -> None:
    page = ROOT / "chapters" / name
    cells = student[name].cells
    text = "\n".join(cell.source for cell in cells)
    assert "Solution" not in text
    assert "{exercise}" not in text
    here = [exercise for exercise in every if exercise.page == page]
    for exercise in here:
        assert f"Exercise {exercise.number}" in text
        assert re.search(rf'sl\.check\(\s*"{exercise.name}", answer', text), exercise.name
    assert text.count("answer = None") == len(here)
    solved = {cell.source for cell in read(page).cells} - {cell.source for cell in unsolved(read(page))}
    code = {cell.source for cell in cells if cell.cell_type == "code"}
    assert solved
    assert not solved & code
    assert not any(cell.get("outputs") for cell in cells)


@pytest.mark.parametrize("name", NAMES)
def test_an_instructor_gets_solutions_points_and_the_hints_of_each_check(
    name: str, instructor: dict[str, NotebookNode], every: list[Exercise]
) -> None:
    page = ROOT / "chapters" / name
    text = "\n".join(cell.source for cell in instructor[name].cells)
    for exercise in every:
        if exercise.page == page:
            assert f"Solution to Exercise {exercise.number}" in text
            _, _, guide = text.partition(f"**Marking, exercise {exercise.number}**")
            assert guide.split("\n\n")[0].count("> - ") >= 2, exercise.name


def test_student_notebooks_use_no_name_that_only_a_solution_defines(
    tmp_path: Path, student: dict[str, NotebookNode]
) -> None:
    lay(tmp_path, student)
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", "--no-cache", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
