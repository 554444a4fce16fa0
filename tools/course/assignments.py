"""Graded assignments: written as Markdown in `course/`, made into notebooks in nbgrader's format.

A fenced block of Python becomes a code cell, and what stands between is Markdown. The words after `python` say more:

    ```python answer NAME             the student's cell; what is between BEGIN SOLUTION and END SOLUTION is taken out
    ```python tests NAME POINTS       tests of it; what is between BEGIN HIDDEN TESTS and END HIDDEN TESTS is not shown
    ```python wrong NAME              a typical wrong answer: in no notebook, the tests have to refuse it
    ```markdown written NAME POINTS   an answer in words, marked by hand; the block's text is the model answer
"""

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
HIDDEN = re.compile(r"^[ \t]*### BEGIN HIDDEN TESTS\n(?:.*\n)*?[ \t]*### END HIDDEN TESTS\n?", re.MULTILINE)
STUB = "raise NotImplementedError()  # your code here\n"


@dataclass
class Block:
    """One cell to be: its kind (text, code, answer, tests, wrong or written), its name, its points, and its source."""

    kind: str
    body: str
    name: str = ""
    points: int = 0


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
    def points(self) -> int:
        """What can be had."""
        return sum(block.points for block in self.blocks)

    def named(self, kind: str, name: str = "") -> list[Block]:
        """The blocks of a kind, or those of them that have this name."""
        return [block for block in self.blocks if block.kind == kind and name in ("", block.name)]


def assignments(project: Project) -> list[Assignment]:
    """All assignments of the book, by name."""
    return [parse(path) for path in sorted((project.root / "course").glob("*.md")) if path.stem != "README"]


def parse(path: Path) -> Assignment:
    """An assignment from its Markdown; raises BookError for a block that is not understood."""
    found = Assignment(path.stem.replace("_", "-"), list(_blocks(path.read_text("utf-8"), path)))
    for kind in ("tests", "wrong"):
        for block in found.named(kind):
            if not found.named("answer", block.name):
                raise BookError(f"{path.name}: {kind} {block.name} belong to no answer.")
    return found


def _blocks(text: str, path: Path) -> Iterator[Block]:
    end = 0
    for match in FENCE.finditer(text):
        if prose := text[end : match.start()].strip():
            yield Block("text", prose)
        end = match.end()
        kind, *rest = match["words"].split() or ["code"]
        if kind not in ("code", "answer", "tests", "wrong", "written") or (kind == "written") != (
            match["language"] == "markdown"
        ):
            raise BookError(f"{path.name}: nobody knows what a block `{match['words']}` is.")
        name, points = [*rest, "", ""][:2]
        yield Block(kind, match["body"], name, int(points or 0))
    if prose := text[end:].strip():
        yield Block("text", prose)


def notebook(assignment: Assignment) -> NotebookNode:
    """The instructor's source of an assignment, as nbgrader's `generate_assignment` takes it."""
    cells = [_cell(block, number) for number, block in enumerate(assignment.blocks) if block.kind != "wrong"]
    return new_notebook(cells=cells, metadata=METADATA)


def _cell(block: Block, number: int) -> NotebookNode:
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
        told["points"] = block.points
    make = new_markdown_cell if block.kind in ("text", "written") else new_code_cell
    return make(source, id=told["grade_id"], metadata={"nbgrader": told})


def released(block: Block) -> str:
    """What a student finds in a cell: no solution, no hidden test."""
    return HIDDEN.sub("", SOLVED.sub(lambda match: match["indent"] + STUB, block.body))


def submission(assignment: Assignment, kind: str) -> NotebookNode:
    """An assignment as handed in: `right`, `empty`, or `wrong`, with a typical mistake in each answer that has one."""
    result = notebook(assignment)
    cells = {cell.metadata["nbgrader"]["grade_id"]: cell for cell in result.cells}
    for block in [*assignment.named("answer"), *assignment.named("written")]:
        cell = cells[f"{block.kind}-{block.name}"]
        if kind == "empty":
            cell.source = released(block).rstrip("\n") if block.kind == "answer" else "Your answer here."
        elif kind == "wrong" and (mistakes := assignment.named("wrong", block.name)):
            cell.source = mistakes[0].body.rstrip("\n")
    return result
