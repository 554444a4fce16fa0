"""What the chapters' text says of the book: references by number, works cited, exercises that can be checked."""

import re
from pathlib import Path

import pytest

from saliency_lib.exercises.check import _names
from tools.citations import Bibliography
from tools.project import ROOT, Project
from tools.refresh import read

PROJECT = Project(ROOT)
PAGES = [path.read_text("utf-8") for path in PROJECT.pages]
NUMBERED = re.compile(r"\{doc\}`[Cc]hapter (\d+) </(chapters/\w+)>`")
EXERCISE = re.compile(r"\{exercise\}.*\n:label: ex-([\w-]+)")
CHECKED = re.compile(r'^sl\.check\(\s*"([\w-]+)",\s*answer', re.MULTILINE)


def test_a_chapter_named_by_its_number_has_that_number() -> None:
    numbers = {PROJECT.relative(page).removesuffix(".ipynb"): number for page, number in PROJECT.numbers.items()}
    found = {(name, int(number)) for text in PAGES for number, name in NUMBERED.findall(text)}
    assert found
    assert {(name, number) for name, number in found if numbers.get(name) != number} == set()


def test_every_work_in_the_bibliography_is_cited() -> None:
    cited = " ".join(re.findall(r"\{cite:[tp]\}`([^`]+)`", "\n".join(PAGES)))
    keys = Bibliography(ROOT / "reference" / "references.bib").entries
    assert [key for key in keys if key not in cited] == []


@pytest.mark.parametrize("chapter", PROJECT.chapters, ids=lambda path: path.stem)
def test_every_exercise_is_checked_by_the_library_and_its_cell_holds_no_answer(chapter: Path) -> None:
    cells = read(chapter).cells
    asked = [name for cell in cells if cell.cell_type == "markdown" for name in EXERCISE.findall(cell.source)]
    checking = [cell for cell in cells if cell.cell_type == "code" and CHECKED.search(cell.source)]
    assert [name for cell in checking for name in CHECKED.findall(cell.source)] == asked
    subject = chapter.stem.split("_", 1)[1]
    for cell, name in zip(checking, asked, strict=True):
        assert _names()[name].endswith(f".{subject}")
        assert re.search(r"^answer = None\b", cell.source, re.MULTILINE)
        assert "assert" not in cell.source
