"""The numbers of the book: what {eq}, {numref}, {prf:ref} and {ref} refer to, counted as Sphinx counts them.

Equations, figures, exercises and each kind of theorem have a counter of their own, which starts again in each
chapter: equation (2.3) is the third labelled one of chapter 2. A test compares them with the numbers in the site.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.myst import TARGET, Directive, Text, substitute, walk
from tools.project import BookError, Project
from tools.tidy import read

FIGURES = frozenset({"figure"})
EQUATIONS = frozenset({"math"})
EXERCISES = frozenset({"exercise", "exercise-start"})
UNNUMBERED = frozenset({"prf:proof"})


@dataclass(frozen=True)
class Label:
    """What a label stands for: its kind as people call it, its number, its title, and the page that it is on."""

    kind: str
    number: str
    title: str
    page: Path

    @property
    def name(self) -> str:
        """What a reference to it says: "Figure 2.1", "(2.3)", or a section's heading."""
        if self.kind == "Equation":
            return f"({self.number})"
        return f"{self.kind} {self.number}" if self.number else self.title


@dataclass(frozen=True)
class Found:
    """Something that can be referred to, before it is counted."""

    kind: str
    label: str
    title: str = ""


def found_in_text(text: str) -> Iterator[Found]:
    """The numbered things and labelled headings of a MyST text, in order."""
    for piece in walk(text):
        if isinstance(piece, Directive):
            yield from _found_in_directive(piece)
        elif isinstance(piece, Text):
            yield from _found_in_prose(piece.text)


def _found_in_directive(piece: Directive) -> Iterator[Found]:
    if piece.name in EQUATIONS and piece.label:
        yield Found("Equation", piece.label)
    elif piece.name in FIGURES:
        yield Found("Figure", piece.label)
    elif piece.name in EXERCISES and "nonumber" not in piece.options:
        yield Found("Exercise", piece.label, piece.argument)
    elif piece.name.startswith("prf:") and piece.name not in UNNUMBERED:
        yield Found(piece.name.removeprefix("prf:").title(), piece.label, piece.argument)


def _found_in_prose(text: str) -> Iterator[Found]:
    headings = {}
    for match in TARGET.finditer(text):
        heading = re.match(r"\s*#+\s+(.+)", text[match.end() :])
        headings[match["label"]] = heading[1].strip() if heading else ""
    yield from (Found("", label, title) for label, title in headings.items())
    equations: list[Found] = []

    def equation(body: str, label: str) -> str:
        if label:
            equations.append(Found("Equation", label))
        return ""

    substitute(text, role=lambda name, content: "", display=equation)
    yield from equations


def found_in_page(page: Path) -> Iterator[Found]:
    """The same for a whole page, figures made by code cells included."""
    if page.suffix == ".md":
        yield from found_in_text(page.read_text("utf-8"))
        return
    for cell in read(page).cells:
        if cell.cell_type == "markdown":
            yield from found_in_text(cell.source)
        elif figure := cell.metadata.get("mystnb", {}).get("figure"):
            yield Found("Figure", figure.get("name", ""))


def labels(project: Project) -> dict[str, Label]:
    """Every label of the book; raises BookError for one that is used twice."""
    known: dict[str, Label] = {}
    for page in project.pages:
        chapter = project.numbers.get(page)
        counts: Counter[str] = Counter()
        for found in found_in_page(page):
            counts[found.kind] += 1
            number = f"{chapter}.{counts[found.kind]}" if chapter else str(counts[found.kind])
            if not found.label:
                continue
            if found.label in known:
                raise BookError(f"{project.relative(page)}: the label {found.label} is taken already.")
            known[found.label] = Label(found.kind, number if found.kind else "", found.title, page)
    return known
