"""The slides of a lecture, as they are written in `course/slides/NAME.md`.

Slides are parted by a line `---`; what stands below a line `???` is for the speaker alone. A slide is a heading (`#`
for the title of the deck, `##` for the others) and Markdown with the book's roles. Besides:

    ![A caption of one line.](fig-saliency-cat)   a figure of any chapter; "(fig-x 2)" is the second frame of a player
    ![A caption of one line.](table-cell-id)      the table that a cell shows, by the cell's id
    - [ ] An option. | What is said of it.        a question's options, as in the chapters; [x] is the right one
"""

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from bs4 import BeautifulSoup
from nbformat import NotebookNode

from tools.citations import Bibliography
from tools.labels import Label, labels
from tools.markdown import Markdown
from tools.project import BookError, Project
from tools.quiz import Option
from tools.tidy import read

HEADING = re.compile(r"^#{1,2} +(.+)$", re.MULTILINE)
SHOWN = re.compile(r"^!\[(?P<caption>[^\]]*)\]\((?P<label>[\w-]+)(?: (?P<frame>\d+))?\)$", re.MULTILINE)
OPTION = re.compile(r"^- \[(?P<mark>[ x])\] (?P<text>.+?) \| (?P<said>.+)$", re.MULTILINE)


@dataclass
class Slide:
    """One slide: heading, body and notes in plain Markdown, what is shown with its caption, a question's options."""

    heading: str
    body: str
    notes: str
    caption: str = ""
    pictures: list[tuple[str, str]] = field(default_factory=list)
    table: str = ""
    options: list[Option] = field(default_factory=list)


def decks(project: Project) -> dict[str, Path]:
    """Every deck by its name: one for each chapter, by the chapter's subject, and those that go across."""
    return {path.stem: path for path in sorted((project.root / "course" / "slides").glob("*.md"))}


def deck(project: Project, path: Path) -> list[Slide]:
    """The slides of one file; raises BookError for a figure or a cell that no chapter has."""
    markdown = Markdown(project, path, *_known(project))
    return [_slide(text, markdown) for text in re.split(r"^---$", path.read_text("utf-8"), flags=re.MULTILINE)]


def _slide(text: str, markdown: Markdown) -> Slide:
    """One slide from its text."""
    shown, _, notes = text.partition("\n???\n")
    heading, picture = HEADING.search(shown), SHOWN.search(shown)
    if heading is None:
        raise BookError(f"{markdown.page.name}: a slide has no heading: {text.strip()[:60]!r}.")
    options = [
        Option(markdown.prose(found["text"]), found["mark"] == "x", markdown.prose(found["said"]))
        for found in OPTION.finditer(shown)
    ]
    body = OPTION.sub("", SHOWN.sub("", HEADING.sub("", shown, count=1)))
    slide = Slide(markdown.prose(heading[1]), markdown.convert(body).strip(), markdown.convert(notes).strip())
    slide.options = options
    if picture is not None:
        _show(slide, picture, markdown)
    return slide


def _show(slide: Slide, picture: re.Match[str], markdown: Markdown) -> None:
    """Put a figure or a table of a chapter onto a slide."""
    cell = _cells(markdown.project).get(picture["label"])
    if cell is None:
        raise BookError(f"{markdown.page.name} shows {picture['label']}, which no chapter has.")
    slide.caption = markdown.prose(picture["caption"])
    found = pictures(cell, cell.metadata.get("mystnb", {}).get("image", {}).get("alt", ""))
    turn = int(picture["frame"] or 0)
    slide.pictures = found[turn - 1 : turn] if turn else found
    slide.table = "" if found else _table(cell)
    if not slide.pictures and not slide.table:
        raise BookError(f"{markdown.page.name} shows {picture['label']}, which has neither picture nor table.")


@cache
def _known(project: Project) -> tuple[dict[str, Label], Bibliography]:
    """What references and citations of any deck lead to."""
    return labels(project), Bibliography(project.root / "reference" / "references.bib")


@cache
def _cells(project: Project) -> dict[str, NotebookNode]:
    """The code cells of all chapters, by the label of their figure and by their id."""
    cells = [cell for chapter in project.chapters for cell in read(chapter).cells if cell.cell_type == "code"]
    figures = {cell.metadata.get("mystnb", {}).get("figure", {}).get("name"): cell for cell in cells}
    return {cell.id: cell for cell in cells} | {name: cell for name, cell in figures.items() if name}


def _table(cell: NotebookNode) -> str:
    """The table that a cell shows, as HTML; empty if it shows none."""
    for output in cell.get("outputs", ()):
        text = "".join(output.get("data", {}).get("text/html", ""))
        table = BeautifulSoup(text, "html.parser").select_one("table.dataframe")
        if table is not None:
            del table["border"]
            return str(table)
    return ""


def pictures(cell: NotebookNode, alt: str) -> list[tuple[str, str]]:
    """Source and alternative text of a cell's pictures; of a frame player, the three frames that paper gets."""
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        for kind in ("image/png", "image/jpeg", "image/webp"):
            if kind in data:
                return [(f"data:{kind};base64,{''.join(data[kind]).strip()}", alt)]
        if "frame-player" in (text := "".join(data.get("text/html", ""))):
            frames = BeautifulSoup(text, "html.parser").select(".frame.key img")
            return [(str(frame["src"]), str(frame["alt"])) for frame in frames]
    return []
