"""The numbers of the book: what {eq}, {numref}, {prf:ref} and {ref} refer to, counted as Sphinx counts them.

Equations, figures, exercises and each kind of theorem have a counter of their own, which starts again in each
chapter: equation (2.3) is the third labelled one of chapter 2. A test compares them with the numbers in the site.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.myst import INLINE, LABELLED, TARGET, Directive, Text, walk
from tools.project import BookError, Project
from tools.tidy import read

KINDS = {"figure": "Figure", "exercise": "Exercise", "exercise-start": "Exercise"}


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


def found_in_text(text: str) -> Iterator[tuple[str, str, str]]:
    """Kind, label and title of the numbered things and labelled headings of a MyST text, each kind in order."""
    for piece in walk(text):
        if isinstance(piece, Directive):
            if piece.name == "math" and piece.label:
                yield "Equation", piece.label, ""
            elif piece.name in KINDS:
                yield KINDS[piece.name], piece.label, piece.argument
            elif piece.name.startswith("prf:") and piece.name != "prf:proof":
                yield piece.name.removeprefix("prf:").title(), piece.label, piece.argument
        elif isinstance(piece, Text):
            for match in TARGET.finditer(piece.text):
                heading = re.match(r"\s*#+\s+(.+)", piece.text[match.end() :])
                yield "", match["label"], heading[1].strip() if heading else ""
            displays = (LABELLED.fullmatch(match["display"] or "") for match in INLINE.finditer(piece.text))
            yield from (("Equation", math["label"], "") for math in displays if math and math["label"])


def found_in_page(page: Path) -> Iterator[tuple[str, str, str]]:
    """The same for a whole page, figures made by code cells included."""
    if page.suffix == ".md":
        yield from found_in_text(page.read_text("utf-8"))
        return
    for cell in read(page).cells:
        if cell.cell_type == "markdown":
            yield from found_in_text(cell.source)
        elif figure := cell.metadata.get("mystnb", {}).get("figure"):
            yield "Figure", figure.get("name", ""), ""


def labels(project: Project) -> dict[str, Label]:
    """Every label of the book; raises BookError for one that is used twice."""
    known: dict[str, Label] = {}
    for page in project.pages:
        chapter = project.numbers.get(page)
        counts: Counter[str] = Counter()
        for kind, label, title in found_in_page(page):
            counts[kind] += 1
            number = f"{chapter}.{counts[kind]}" if chapter else str(counts[kind])
            if label in known:
                raise BookError(f"{project.relative(page)}: the label {label} is taken already.")
            if label:
                known[label] = Label(kind, number if kind else "", title, page)
    return known
