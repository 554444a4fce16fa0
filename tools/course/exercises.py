"""The book's exercises as a course sees them: grade, minutes, what each trains, and what its check says.

The first line of an exercise tells: `*By hand, 5 minutes. Trains the softmax.*`
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tools.labels import labels
from tools.myst import Directive, walk
from tools.project import Project
from tools.tidy import read

GRADES = ("By hand", "In code", "Experiment")
POINTS = {"By hand": 2, "In code": 3, "Experiment": 4}
TOLD = re.compile(rf"\*(?P<grade>{'|'.join(GRADES)}), (?P<minutes>\d+) minutes\. Trains (?P<trains>.+?)\.\*", re.DOTALL)


@dataclass(frozen=True)
class Exercise:
    """One exercise of a chapter; grade, minutes and trains are empty where its first line does not tell them."""

    label: str
    number: str
    title: str
    page: Path
    body: str
    grade: str = ""
    minutes: int = 0
    trains: str = ""

    @property
    def name(self) -> str:
        """What `sl.check` calls it."""
        return self.label.removeprefix("ex-")

    @property
    def points(self) -> int:
        """What a grade is worth in a course."""
        return POINTS.get(self.grade, 0)


def exercises(project: Project) -> list[Exercise]:
    """Every exercise of every chapter, in reading order."""
    known = labels(project)
    found = []
    for page in project.chapters:
        for cell in read(page).cells:
            if cell.cell_type == "markdown":
                found += [_exercise(piece, known[piece.label].number, page) for piece in asked(cell.source)]
    return found


def asked(text: str) -> Iterator[Directive]:
    """The exercises in a MyST text."""
    for piece in walk(text):
        if isinstance(piece, Directive) and piece.name in ("exercise", "exercise-start"):
            yield piece


def _exercise(piece: Directive, number: str, page: Path) -> Exercise:
    told = TOLD.match(piece.body.strip())
    if not told:
        return Exercise(piece.label, number, piece.argument, page, piece.body)
    trains = " ".join(told["trains"].split())
    return Exercise(piece.label, number, piece.argument, page, piece.body, told["grade"], int(told["minutes"]), trains)


@cache
def hints(project: Project) -> dict[str, list[str]]:
    """By the name of each exercise: every sentence that its check can answer with, in the order of the mistakes."""
    found: dict[str, list[str]] = {}
    for path in sorted((project.root / "saliency_lib" / "exercises").glob("*.py")):
        body = ast.parse(path.read_text("utf-8")).body
        functions = {node.name: node for node in body if isinstance(node, ast.FunctionDef)}
        for function in functions.values():
            if name := _registered(function):
                found[name] = list(dict.fromkeys(_sentences(function, functions)))
    return found


def _registered(function: ast.FunctionDef) -> str:
    """The name under which a function is a check; empty if it is none."""
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and getattr(decorator.func, "id", "") == "exercise":
            return ast.literal_eval(decorator.args[0])
    return ""


def _sentences(function: ast.FunctionDef, others: dict[str, ast.FunctionDef]) -> Iterator[str]:
    """The hints of a check and of the helpers that it calls; what is filled in at run time stands as an ellipsis."""
    for node in ast.walk(function):
        name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.Call) and name in ("expect", "NotYet") and (text := _text(node.args[-1])):
            yield text
        elif name.startswith("_") and name in others and name != function.name:
            yield from _sentences(others[name], others)


def _text(node: ast.expr) -> str:
    """A hint as far as it is written in the source."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
