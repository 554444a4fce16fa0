"""Graded assignments: written as Markdown in `course/`, made into notebooks in nbgrader's format.

A fenced block of Python becomes a code cell, and what stands between is Markdown. The words after `python` say more:

    ```python answer NAME                 the student's cell; what stands between BEGIN and END SOLUTION is taken out
    ```python tests NAME                  what a student sees and can run: no points
    ```python test NAME POINTS SENTENCE   a test, in no notebook: its last line has to have the reference's value
    ```python wrong NAME POINTS REASON    a typical mistake, in no notebook, and the points that a fair marker gives it
    ```markdown written NAME POINTS       an answer in words, marked by hand; the block's text is the model answer

    ```python drawn                       lines `n = 30, 20, 25`: a number wherever {{n}} or {{100 - n}} stands

The sentence is what the student is told: it states a property of a right answer. Random numbers in tests are seeded,
otherwise for each student. What is drawn is drawn for a course: the first of its line, if the course has no seed.
"""

import ast
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tools.project import BookError, Project
from tools.tidy import METADATA

FENCE = re.compile(
    r"^```(?P<language>python|markdown)[ \t]*(?P<words>.*)\n(?P<body>(?:.*\n)*?)```[ \t]*$", re.MULTILINE
)
SOLVED = re.compile(r"^(?P<indent>[ \t]*)### BEGIN SOLUTION\n(?:.*\n)*?[ \t]*### END SOLUTION\n?", re.MULTILINE)
DRAWN = re.compile(r"^```python drawn\n(?P<lines>(?:.*\n)*?)```\n\n", re.MULTILINE)
PLACE = re.compile(r"\{\{(.+?)\}\}")
MAGIC = re.compile(r"^[ \t]*[%!].*$", re.MULTILINE)
STUB = "raise NotImplementedError()  # your code here\n"
KINDS = ("code", "answer", "tests", "test", "wrong", "written")


@dataclass
class Block:
    """One cell to be: its kind (text or one of KINDS), its source, its name, its points, and what it says in words."""

    kind: str
    body: str
    name: str = ""
    points: int = 0
    says: str = ""


@dataclass
class Assignment:
    """One assignment: its name, and its blocks in order."""

    name: str
    blocks: list[Block] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Its heading."""
        return next(line.lstrip("# ") for line in self.blocks[0].body.splitlines() if line.startswith("# "))

    @property
    def after(self) -> list[int]:
        """The numbers of the chapters that it stands on, from its line "*After chapters 1 and 2.*"."""
        told = re.search(r"\*After chapters? ([\d, and]+)", self.blocks[0].body)
        return [int(number) for number in re.findall(r"\d+", told[1])] if told else []

    @property
    def points(self) -> int:
        """What can be had."""
        return self.worth() + sum(block.points for block in self.named("written"))

    @property
    def problems(self) -> list[str]:
        """The names of the problems that tests mark, in order."""
        return [block.name for block in self.named("answer")]

    def worth(self, name: str = "") -> int:
        """What the tests of a problem, or all tests, can give."""
        return sum(block.points for block in self.named("test", name))

    def named(self, kind: str, name: str = "") -> list[Block]:
        """The blocks of a kind, or those of them that have this name."""
        return [block for block in self.blocks if block.kind == kind and name in ("", block.name)]


def assignments(project: Project, seed: str = "") -> list[Assignment]:
    """All assignments of the book, by name, with the numbers of a course's seed."""
    return [parse(path, seed) for path in sorted((project.root / "course").glob("p*.md"))]


def find(project: Project, name: str, seed: str = "") -> Assignment:
    """An assignment by its name; raises BookError if there is none, naming all."""
    known = {one.name: one for one in assignments(project, seed)}
    if name not in known:
        raise BookError(f"there is no assignment {name!r}: it is one of {', '.join(known)}.")
    return known[name]


def parse(path: Path, seed: str = "") -> Assignment:
    """An assignment from its Markdown; raises BookError for a block that is not understood."""
    text = drawn(path.read_text("utf-8"), f"{seed}/{path.stem}" if seed else "")
    found = Assignment(path.stem.replace("_", "-"), list(_blocks(text, path)))
    for kind in ("tests", "test", "wrong"):
        for block in found.named(kind):
            if block.name not in found.problems:
                raise BookError(f"{path.name}: {kind} {block.name} belong to no answer.")
    return found


def drawn(text: str, seed: str) -> str:
    """An assignment with its numbers filled in: statements, solutions, tests and mistakes alike."""
    found = DRAWN.search(text)
    if found is None:
        return text
    values = {}
    for line in found["lines"].splitlines():
        name, _, choices = line.partition(" = ")
        first, *others = ast.literal_eval(f"[{choices}]")
        values[name] = random.Random(f"{seed}/{name}").choice([first, *others]) if seed else first
    return PLACE.sub(lambda place: str(eval(place[1], {}, values)), text.replace(found[0], ""))


def _blocks(text: str, path: Path) -> Iterator[Block]:
    end = 0
    for match in FENCE.finditer(text):
        if prose := text[end : match.start()].strip():
            yield Block("text", prose)
        end = match.end()
        kind, name, points, says = [*match["words"].split(maxsplit=3), *[""] * 4][:4]
        kind = kind or "code"
        if kind not in KINDS or (kind == "written") != (match["language"] == "markdown"):
            raise BookError(f"{path.name}: nobody knows what a block `{match['words']}` is.")
        if kind in ("test", "wrong") and not (points.isdigit() and says):
            raise BookError(f"{path.name}: `{match['words']}` needs points, and a sentence that says what for.")
        yield Block(kind, match["body"], name, int(points or 0), says)
    if prose := text[end:].strip():
        yield Block("text", prose)


def notebook(assignment: Assignment) -> NotebookNode:
    """The instructor's source of an assignment, as nbgrader's `generate_assignment` takes it."""
    shown = [block for block in assignment.blocks if block.kind not in ("test", "wrong")]
    cells = [_cell(block, number, assignment.worth(block.name)) for number, block in enumerate(shown)]
    return new_notebook(cells=cells, metadata=METADATA)


def _cell(block: Block, number: int, worth: int) -> NotebookNode:
    source = block.body.rstrip("\n")
    graded, solved = block.kind in ("tests", "written"), block.kind in ("answer", "written")
    told = {
        "schema_version": 3,
        "grade": graded,
        "solution": solved,
        "locked": not solved,
        "task": False,
        "grade_id": f"{block.kind}-{block.name}" if block.name else f"{block.kind}-{number}",
    }
    if graded:
        told["points"] = block.points or worth
    make = new_markdown_cell if block.kind in ("text", "written") else new_code_cell
    return make(source, id=told["grade_id"], metadata={"nbgrader": told})


def released(block: Block) -> str:
    """What a student finds in a cell: no solution."""
    return SOLVED.sub(lambda match: match["indent"] + STUB, block.body)


def defines(source: str) -> set[str]:
    """The names that a cell defines at its top level; none if it is no Python."""
    try:
        tree = ast.parse(MAGIC.sub("", source))
    except SyntaxError:
        return set()
    named = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    return named | {target.id for target in targets if isinstance(target, ast.Name)}


def submission(assignment: Assignment, kind: str) -> NotebookNode:
    """An assignment as handed in: `right`, `empty`, or `wrong`, with the first typical mistake in each answer."""
    result = notebook(assignment)
    cells = {cell.metadata["nbgrader"]["grade_id"]: cell for cell in result.cells}
    for block in [*assignment.named("answer"), *assignment.named("written")]:
        cell = cells[f"{block.kind}-{block.name}"]
        if kind == "empty":
            cell.source = released(block).rstrip("\n") if block.kind == "answer" else "Your answer here."
        elif kind == "wrong" and (mistakes := assignment.named("wrong", block.name)):
            cell.source = mistakes[0].body.rstrip("\n")
    return result
