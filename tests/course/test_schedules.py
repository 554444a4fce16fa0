"""The schedules of the page For the teacher add up, and one that does not is told."""

from pathlib import Path

import pytest

from tools.course import schedules
from tools.course.schedules import Slot, chapters_in, needed, problems
from tools.project import ROOT, Project

BOOK = Project(ROOT)


def test_the_evening_the_week_and_the_term_add_up() -> None:
    assert list(problems(BOOK)) == []


def test_a_chapter_needs_those_that_its_first_lines_link_to() -> None:
    by_name = {path.stem[3:]: path for path in BOOK.chapters}
    assert BOOK.numbers[by_name["taylor_expansion"]] in needed(by_name["saliency_maps"], BOOK)


@pytest.mark.parametrize(
    ("slots", "told"),
    [
        ([Slot("1", [2, 1], 50, 50, []), Slot("2", [3], 91, 50, [])], "2: 91 minutes of lecture, and there are 90"),
        ([Slot("1", [1], 50, 95, [])], "1: 95 minutes of exercises, and there are 90"),
        ([Slot("1", [3], 50, 50, []), Slot("2", [2], 50, 50, [])], "1: 3 needs chapter 2, which is later"),
        ([Slot("1", [1, 2], 50, 50, [1])], "1: problem set 1 is due before there was a week for it"),
        ([Slot("1", [1, 2], 50, 50, [])], "leaves out [3, 4"),
    ],
)
def test_what_does_not_add_up_is_told(monkeypatch: pytest.MonkeyPatch, slots: list[Slot], told: str) -> None:
    monkeypatch.setattr(schedules, "slots", lambda project, title: slots)
    monkeypatch.setattr(schedules, "SLOTS", {"A term of twelve weeks": (90, 90)})
    assert any(told in problem for problem in problems(BOOK))


def test_chapters_are_read_from_a_row() -> None:
    assert chapters_in("Chapters 3, 4 and 5; chapter work") == [3, 4, 5]


def test_a_page_without_its_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "reference").mkdir()
    (tmp_path / schedules.PAGE).write_text("nothing")
    with pytest.raises(schedules.BookError, match="no table of the schedule"):
        schedules.rows(Project(tmp_path), "A week's block")
