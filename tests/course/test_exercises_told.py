"""Every exercise tells its grade, its minutes and what it trains; every chapter has five to eight, in three grades."""

from pathlib import Path

import pytest

from tools.course.exercises import GRADES, exercises, hints
from tools.project import ROOT, Project

BOOK = Project(ROOT)
ALL = exercises(BOOK)


@pytest.mark.parametrize("chapter", BOOK.chapters, ids=lambda path: path.stem)
def test_five_to_eight_in_three_grades(chapter: Path) -> None:
    here = [exercise for exercise in ALL if exercise.page == chapter]
    assert 5 <= len(here) <= 8
    assert {exercise.grade for exercise in here} == set(GRADES)
    for exercise in here:
        assert 5 <= exercise.minutes <= 60, exercise.name
        assert len(exercise.trains) > 10, exercise.name


def test_every_check_has_at_least_two_different_hints() -> None:
    told = hints(BOOK)
    assert {exercise.name for exercise in ALL if len(told[exercise.name]) < 2} == set()
