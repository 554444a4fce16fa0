"""What happens to an answer: none yet, right, or not yet with a hint."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import says

import saliency_lib as sl
from saliency_lib.exercises import check as framework


@pytest.fixture(autouse=True)
def double() -> Iterator[None]:
    """An exercise for these tests: double a number."""

    @framework.exercise("double-a-number")
    def judge(answer: object, x: float) -> None:
        given = framework.number(answer)
        framework.expect(not framework.near(given, x), "this is <x> itself")
        framework.expect(framework.near(given, 2 * x), "add x to itself")

    yield
    framework.CHECKS.pop("double-a-number")


@pytest.mark.parametrize(
    ("answer", "correct", "text"),
    [
        (None, None, "not answered yet"),
        (6, True, "correct"),
        (6.004, True, "correct"),
        (3, False, "not yet: this is <x> itself"),
        (7, False, "not yet: add x to itself"),
        ((6, 6), False, "not yet: the answer is one number"),
        ("six", False, "not yet: the answer is one number"),
        (float("nan"), False, "not yet: the answer is one number"),
    ],
)
def test_an_answer_is_judged(answer: object, correct: bool | None, text: str) -> None:
    verdict = sl.check("double-a-number", answer, x=3)
    assert verdict.correct is correct
    assert str(verdict) == repr(verdict) == text


def test_the_page_shows_the_same_sentence_escaped() -> None:
    page = sl.check("double-a-number", 3, x=3)._repr_html_()
    assert "✗ not yet: this is &lt;x&gt; itself" in page
    assert "✓ correct" in sl.check("double-a-number", 6, x=3)._repr_html_()
    assert "… not answered yet" in sl.check("double-a-number", None, x=3)._repr_html_()


def test_an_unknown_exercise_is_named_with_its_neighbors() -> None:
    with pytest.raises(sl.SaliencyError) as error:
        sl.check("doubel-number", 1)
    assert "'double-a-number'" in says(error.value)


@pytest.mark.parametrize("given", [{}, {"y": 1}, {"x": 1, "y": 1}])
def test_what_the_check_needs_is_asked_for_even_before_there_is_an_answer(given: dict[str, int]) -> None:
    with pytest.raises(sl.SaliencyError, match=r"double-a-number.*'[xy]'"):
        sl.check("double-a-number", None, **given)


def test_a_mistake_in_a_check_is_no_verdict() -> None:
    with pytest.raises(TypeError):
        sl.check("double-a-number", 1, x="three")


TESTS = Path(__file__).parent
CHAPTERS = sorted((TESTS.parent / "chapters").glob("*.ipynb"))
ASKED = {name: path.stem for path in CHAPTERS for name in re.findall(r"label: ex-([\w-]+)", path.read_text("utf-8"))}


def judged_names() -> set[str]:
    """The exercises that some test hands to `helpers.judged`: right, empty, and at least three wrong answers."""
    calls = (
        node for path in TESTS.glob("test_exercises_*.py") for node in ast.walk(ast.parse(path.read_text("utf-8")))
    )
    names = (node.args[0] for node in calls if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "judged")
    return {name.value for name in names if isinstance(name, ast.Constant)}


def test_every_exercise_of_every_chapter_has_its_wrong_answers() -> None:
    assert len(ASKED) >= 5 * len(CHAPTERS)
    assert {name: chapter for name, chapter in ASKED.items() if name not in judged_names()} == {}
