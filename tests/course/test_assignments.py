"""The graded assignments: right answers earn everything, empty ones nothing, mistakes what a fair marker gives."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tools.course.assignments import (
    STUB,
    Assignment,
    Block,
    assignments,
    defines,
    find,
    notebook,
    parse,
    released,
    submission,
)
from tools.course.marking import Mark, Values, agrees, answers, job, mark, marks, reference, seed_of, values
from tools.project import ROOT, BookError, Project

ALL = assignments(Project(ROOT))
SEED = 5


@pytest.fixture(params=ALL, ids=lambda assignment: assignment.name)
def assignment(request: pytest.FixtureRequest) -> Assignment:
    """Each of the book's assignments."""
    return request.param


REDRAWN = ("problem-set-4", "problem-set-5")
"""The assignments whose numbers a course draws."""


class Graded(NamedTuple):
    """What each answer, mistake and empty cell of an assignment earns, and the right values of its tests."""

    had: list[tuple[Block, int]]
    right: dict[str, Values]


@cache
def graded() -> dict[tuple[str, str], Graded]:
    """Every assignment, and some with other numbers: all of it in one process, which takes seconds to start."""
    tried = {}
    for name, seed in [*((one.name, "") for one in ALL), *((name, "another") for name in REDRAWN)]:
        one = find(Project(ROOT), name, seed)
        answered = one.named("answer")
        empty = [Block("empty", released(block), block.name) for block in answered]
        tried[name, seed] = one, [*answered, *one.named("wrong"), *answered, *empty]
    found = values([job(one, b.name, b.body, (), SEED) for one, blocks in tried.values() for b in blocks])
    result = {}
    for key, (one, blocks) in tried.items():
        told = [next(found) for _ in blocks]
        right = dict(zip(one.problems, told, strict=False))
        marked = [marks(one.named("test", b.name), v, right[b.name]) for b, v in zip(blocks, told, strict=True)]
        had = [(b, sum(mark.had for mark in given)) for b, given in zip(blocks, marked, strict=True)]
        result[key] = Graded(had[len(right) :], right)
    return result


def test_right_answers_earn_everything_and_empty_ones_nothing(assignment: Assignment) -> None:
    for block, had in graded()[assignment.name, ""].had:
        if block.kind == "answer":
            assert had == assignment.worth(block.name), block.name
        if block.kind == "empty":
            assert had == 0, block.name


def test_mistakes_earn_what_a_fair_marker_gives() -> None:
    """At most one point more or less, in nine of ten; the fair points stand beside each mistake, with their reason."""
    off = {}
    for one in ALL:
        for number, (block, had) in enumerate(graded()[one.name, ""].had):
            if block.kind == "wrong":
                off[one.name, block.name, number, block.says] = had - block.points
    assert len(off) > 120
    far = {what: by for what, by in off.items() if abs(by) > 1}
    assert len(far) <= len(off) / 10, far
    assert max(map(abs, off.values())) <= 3, far


def test_each_problem_has_six_mistakes_and_a_right_answer_in_another_form(assignment: Assignment) -> None:
    for name in assignment.problems:
        fair = [block.points for block in assignment.named("wrong", name)]
        assert sum(points < assignment.worth(name) for points in fair) >= 6, name
        assert all(points <= assignment.worth(name) for points in fair)


BYPASSES = {
    "an early end": "raise SystemExit(0)",
    "numbers that are near to all others": """
class Any(float):
    def __eq__(self, other): return True
    def __sub__(self, other): return 0.0
    __rsub__ = __sub__
def softmax(scores): return [Any("nan")] * len(scores)
def central(score, I0, entry, h=1e-6): return Any("nan")
""",
    "an answer that equals everything": """
class Anything:
    def __eq__(self, other): return True
    def tolist(self): return self
def softmax(scores): return Anything()
def slopes(scores, c): return Anything()
""",
    "builtins": """
import builtins
builtins.all = builtins.abs = lambda *a: True
""",
    "a transformer of IPython's input": """
from IPython.core.interactiveshell import InteractiveShell
InteractiveShell.instance().input_transformers_post.append(lambda lines: ["pass"])
""",
    "comparisons of PyTorch that always hold": """
import torch
torch.testing.assert_close = torch.allclose = torch.equal = lambda *a, **k: True
torch.Tensor.__eq__ = lambda a, b: True
""",
    "a worker that says True": """
import __main__
__main__.answer = lambda job, given: [["value", True]] * len(job["tests"])
__main__.run = __main__.plain = lambda *a: True
""",
    "no random numbers": """
import random, torch
torch.manual_seed = random.seed = lambda *a: None
torch.rand = torch.randn = lambda *a, **k: torch.zeros(a)
def softmax(scores): return torch.zeros(len(scores))
""",
    "a line that looks like a result": """
import json, os, sys
for descriptor in range(1, 12):
    try: os.write(descriptor, (json.dumps([["value", True]] * 4) + "\\n").encode())
    except OSError: pass
""",
}


@pytest.mark.parametrize("names", [[*BYPASSES][:4], *([name] for name in [*BYPASSES][4:])], ids=lambda names: names[-1])
def test_no_bypass_earns_a_point(names: list[str]) -> None:
    """One that spoils its process is the last there; the first three spoil nothing but their own answers."""
    one, jobs = find(Project(ROOT), "problem-set-1"), []
    for name in names:
        handed_in = submission(one, "empty")
        handed_in.cells.insert(0, new_code_cell(BYPASSES[name]))
        for cell in handed_in.cells:
            if cell.metadata.get("nbgrader", {}).get("solution") and cell.cell_type == "code":
                cell.source += f"\n{BYPASSES[name]}"  # what it defines is handed in as the answer
        found, own, _ = answers(one, handed_in)
        jobs += [job(one, problem, found[problem], own, SEED) for problem in one.problems]
    for problem, told in zip(len(names) * one.problems, values(jobs), strict=True):
        given = marks(one.named("test", problem), told, graded()[one.name, ""].right[problem])
        assert sum(mark.had for mark in given) == 0


def test_a_loop_or_a_dead_process_costs_its_own_problem_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(
        "# A\n\n"
        + "\n".join(f"```python answer {n}\n{n} = 1\n```\n\n```python test {n} 2 It is one.\n{n}\n```\n" for n in "ab")
    )
    one = parse(path)
    dead, alive = values([job(one, "a", "import os; os._exit(3)", (), 0), job(one, "b", "b = 1", (), 0)])
    assert "ended by itself" in dead[0][1]
    assert alive == [["value", 1]]
    # the second one cannot answer any more
    for endless in ("while True: pass", "import os, time; os.closerange(1, 99); time.sleep(99)"):
        (late,) = values([job(one, "a", endless, (), 0)], patience=5)
        assert "did not end" in late[0][1]


def test_an_earlier_slip_costs_once_and_own_cells_count(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(
        "# A\n\n```python answer one\ndef one(): return 1\n```\n\n```python test one 1 It is one.\none()\n```\n\n"
        "```python answer two\ndef two(): return 2 * one()\n```\n\n```python test two 1 It is two.\ntwo()\n```\n"
    )
    one = parse(path)
    cells = ["k = 2", "%matplotlib inline\ndef one(): return 3", "def two(): return k * one()"]
    lost = new_notebook(cells=[new_code_cell(source) for source in cells])
    right = reference(one, 0)
    given, remarks = mark(one, lost, 0, right)
    assert given == [Mark("one", 1, 0, "It is one."), Mark("two", 1, 1, "It is two.")]
    assert remarks == []
    twice = new_notebook(cells=[*lost.cells, new_code_cell("def one(): return 1")])
    assert answers(one, twice)[2] == ["one is answered twice: the last cell counts"]
    assert answers(one, new_notebook())[2] == ["the cell of one is missing", "the cell of two is missing"]


def test_numbers_agree_whatever_holds_them() -> None:
    assert agrees([1, 2.0001, [True]], [1.0, 2, [1]])
    assert agrees({"a": None, "b": float("nan")}, {"a": None, "b": float("nan")})
    for found, right in ((1.01, 1), ([1], [1, 1]), ("1", 1), (None, 0), ([1], 1), ({"a": 1}, {"b": 1})):
        assert not agrees(found, right)
    assert len({seed_of("secret", str(n)) for n in range(200)}) == 16
    assert seed_of("secret", "ada") == seed_of("secret", "ada")
    assert any(seed_of("secret", str(n)) != seed_of("other", str(n)) for n in range(5))


def test_what_a_student_gets_holds_no_solution_and_no_test_that_counts(assignment: Assignment) -> None:
    cells = submission(assignment, "empty").cells
    assert "\n".join(cell.source for cell in cells).count(STUB.strip()) == len(assignment.problems)
    kinds = {cell.metadata["nbgrader"]["grade_id"].split("-")[0] for cell in cells}
    assert kinds == {"text", "code", "answer", "tests", "written"}
    for block in assignment.named("tests"):
        compile(block.body, "cell", "exec")
        assert all(", " in line for line in block.body.splitlines() if line.startswith("assert"))


def test_points_add_up_to_what_is_promised(assignment: Assignment) -> None:
    assert f"{assignment.points} points" in " ".join(assignment.blocks[0].body.split())
    identities = [cell.metadata["nbgrader"]["grade_id"] for cell in notebook(assignment).cells]
    assert len(set(identities)) == len(identities)
    assert all(block.points <= 2 for block in assignment.named("test"))


DRAWN = """# A

```python drawn
n = 30, 20, 25
k = 0.5, 0.25
```

Above {{n}} of 100, {{ 100 - n }} below.

```python answer a
a = {{n * k}}
```
"""


def test_a_course_draws_its_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(DRAWN)
    plain = [block.body for block in parse(path).blocks]
    assert plain == ["# A\n\nAbove 30 of 100, 70 below.", "a = 15.0\n"]
    others = {seed: [block.body for block in parse(path, seed).blocks] for seed in "abcdefgh"}
    assert others["a"] == [block.body for block in parse(path, "a").blocks]
    assert len({tuple(bodies) for bodies in others.values()}) > 2


@pytest.mark.parametrize("name", REDRAWN)
def test_with_other_numbers_right_answers_and_mistakes_earn_the_same(name: str) -> None:
    plain, other = ([had for _, had in graded()[name, seed].had] for seed in ("", "another"))
    assert find(Project(ROOT), name, "another").blocks != find(Project(ROOT), name).blocks
    assert plain == other


def test_no_place_for_a_number_is_left(assignment: Assignment) -> None:
    assert not any("{{" in block.body + block.says for block in assignment.blocks)


def test_there_are_problem_sets_and_a_project() -> None:
    assert [one.name for one in ALL] == [*(f"problem-set-{n}" for n in (1, 2, 3, 4, 5)), "project"]


def test_a_submission_is_wrong_where_it_shall_be() -> None:
    one = Assignment("one", [Block("answer", "x = 1\n", "x"), Block("wrong", "x = 2\n", "x", 1, "Why.")])
    assert [submission(one, kind).cells[0].source for kind in ("right", "wrong")] == ["x = 1", "x = 2"]
    assert defines("def f(): pass\nx = y = 1\nclass A: pass") == {"f", "x", "y", "A"}
    assert defines("def f(:") == set()


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ("python tests lost\nassert True", "belong to no answer"),
        ("python test lost 2 It is.\n1", "belong to no answer"),
        ("python anwser x\n1", "nobody knows"),
        ("python test x\n1", "needs points"),
        ("python wrong x 2\n1", "needs points"),
    ],
)
def test_blocks_that_are_not_understood_are_refused(block: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(f"# A\n\n```{block}\n```\n")
    with pytest.raises(BookError, match=why):
        parse(path)
