"""Three versions of a chapter from one source: the book's own, a student's without solutions, an instructor's.

Both are the plain Markdown that Colab gets. The student's ends each exercise at its check; the instructor's keeps the
solution and has a marking guide before its check.
"""

import re

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook

from tools import colab
from tools.citations import Bibliography
from tools.course.exercises import Exercise, asked, exercises, hints
from tools.labels import labels
from tools.markdown import Markdown
from tools.project import BookError, Project
from tools.tidy import METADATA, read

BEGIN = re.compile(r"^`{3,}\{solution-start\}.*?^`{3,}\s*$\n?", re.MULTILINE | re.DOTALL)
END = re.compile(r"^`{3,}\{solution-end\}\s*^`{3,}\s*$\n?", re.MULTILINE)
WHOLE = re.compile(r"^(?P<fence>`{3,})\{solution\}.*?^(?P=fence)\s*$\n?", re.MULTILINE | re.DOTALL)


def unsolved(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells of a chapter without its solutions; raises BookError for a solution without an end."""
    kept, inside = [], False
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            kept += [] if inside else [cell]
            continue
        text, inside = _outside(WHOLE.sub("", cell.source), inside)
        if text.strip():
            kept.append(new_markdown_cell(text, id=cell.id))
    if inside:
        raise BookError("A solution has a beginning and no end.")
    return kept


def _outside(text: str, inside: bool) -> tuple[str, bool]:
    """What of a text lies outside solutions, and whether it ends within one."""
    kept = ""
    while text:
        mark = (END if inside else BEGIN).search(text)
        if mark is None:
            return kept + ("" if inside else text), inside
        kept += "" if inside else text[: mark.start()]
        text, inside = text[mark.end() :], not inside
    return kept, inside


def versions(project: Project, *, instructor: bool) -> dict[str, NotebookNode]:
    """A notebook for each chapter by its file name."""
    known, works = labels(project), Bibliography(project.root / "reference" / "references.bib")
    listed = {exercise.label: exercise for exercise in exercises(project)}
    found = {}
    for page in project.chapters:
        notebook = read(page)
        cells = marked(notebook, listed, hints(project)) if instructor else unsolved(notebook)
        plain = colab.plain(Markdown(project, page, known, works, beside=True), cells)
        found[page.name] = new_notebook(cells=plain, metadata=METADATA)
    return found


def marked(notebook: NotebookNode, listed: dict[str, Exercise], told: dict[str, list[str]]) -> list[NotebookNode]:
    """The cells of a chapter, with a marking guide after each exercise's text."""
    cells: list[NotebookNode] = []
    for cell in notebook.cells:
        cells.append(cell)
        for piece in asked(cell.source) if cell.cell_type == "markdown" else ():
            exercise = listed[piece.label]
            guide = guidance(exercise, told.get(exercise.name, []))
            cells.append(new_markdown_cell(guide, id=f"mark-{exercise.name}"[:64]))
    return cells


def guidance(exercise: Exercise, sentences: list[str]) -> str:
    """How to mark one exercise: points, time, what it trains, and what the check says to each mistake."""
    lines = [f"> **Marking, exercise {exercise.number}** ({exercise.points} points, {exercise.minutes} minutes)."]
    if exercise.trains:
        lines.append(f"> It trains {exercise.trains}.")
    lines += [
        f'> Full points where `sl.check("{exercise.name}", …)` says *correct* and the way to it is shown; one point',
        "> less where the way is missing; half where one of these mistakes is left. The check's hints:",
        ">",
    ]
    return "\n".join([*lines, *(f"> - {sentence}" for sentence in sentences)])
