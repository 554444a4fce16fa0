"""The graded assignments: right answers pass, typical wrong ones and empty ones do not, and nbgrader counts points."""

from functools import cache
from typing import Any

import pytest

from tools.course.assignments import Assignment, Block, assignments, notebook, released, submission
from tools.project import ROOT, BookError, Project

ALL = assignments(Project(ROOT))


Space = dict[str, Any]


def runs(code: str, space: Space) -> bool:
    """Whether a cell runs through."""
    try:
        exec(compile(code, "cell", "exec"), space)
    except Exception:
        return False
    return True


@cache
def verdicts(name: str) -> dict[tuple[str, str], bool]:
    """By answer and kind (right, empty, empty without hidden tests, wrong 0, ...), whether its tests pass.

    Cell by cell, as nbgrader runs it; a right answer stays for the cells below.
    """
    assignment, space, found = next(one for one in ALL if one.name == name), dict[str, Any](), {}
    for block in assignment.blocks:
        if block.kind == "code":
            assert runs(block.body, space)
        elif block.kind == "tests":
            (right,) = assignment.named("answer", block.name)
            tried = {"right": right.body, "empty": released(right)}
            tried |= {f"wrong {n}": one.body for n, one in enumerate(assignment.named("wrong", block.name))}
            for kind, code in tried.items():
                mine = dict(space)
                runs(code, mine)
                found[block.name, kind] = runs(block.body, mine)
            mine = dict(space)
            runs(released(right), mine)
            found[block.name, "empty, what students see"] = runs(released(block), mine)
            runs(right.body, space)
    return found


@pytest.fixture(params=ALL, ids=lambda assignment: assignment.name)
def assignment(request: pytest.FixtureRequest) -> Assignment:
    """Each of the book's assignments."""
    return request.param


def test_right_answers_pass_and_empty_and_typical_wrong_ones_do_not(assignment: Assignment) -> None:
    found = verdicts(assignment.name)
    names = {block.name for block in assignment.named("tests")}
    assert {name for name, kind in found if kind == "wrong 0"} == names
    assert {pair for pair, well in found.items() if well} == {(name, "right") for name in names}


def test_what_a_student_gets_holds_no_solution_and_no_hidden_test(assignment: Assignment) -> None:
    for block in assignment.blocks:
        assert "###" not in released(block) or block.kind == "text"
    assert all("HIDDEN" in block.body for block in assignment.named("tests"))
    assert all("BEGIN SOLUTION" in block.body for block in assignment.named("answer"))


def test_points_add_up_to_what_is_promised(assignment: Assignment) -> None:
    assert f"{assignment.points} points" in " ".join(assignment.blocks[0].body.split())
    identities = [cell.metadata["nbgrader"]["grade_id"] for cell in notebook(assignment).cells]
    assert len(set(identities)) == len(identities)


def test_there_are_four_problem_sets_and_a_project() -> None:
    assert [one.name for one in ALL] == [*(f"problem-set-{n}" for n in (1, 2, 3, 4)), "project"]


def test_a_submission_is_wrong_where_it_shall_be() -> None:
    one = Assignment("one", [Block("answer", "x = 1\n", "x"), Block("wrong", "x = 2\n", "x")])
    assert [submission(one, kind).cells[0].source for kind in ("right", "wrong")] == ["x = 1", "x = 2"]


def test_tests_without_an_answer_are_refused(tmp_path: Any) -> None:
    from tools.course.assignments import parse

    path = tmp_path / "a.md"
    path.write_text("# A\n\n```python tests lost 2\nassert True\n```\n")
    with pytest.raises(BookError, match="belong to no answer"):
        parse(path)
    path.write_text("# A\n\n```python anwser x\n```\n")
    with pytest.raises(BookError, match="nobody knows"):
        parse(path)
