"""The slides of a lecture, chosen from a chapter by rules: what is shown, and what the speaker says.

One slide for the title, one for what will be learned, one for each figure, table, displayed equation, question, and
cell *by hand*, the exercises, and the take-away. The prose between them is what the speaker says.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from bs4 import BeautifulSoup
from nbformat import NotebookNode

from tools.course.exercises import exercises
from tools.markdown import Markdown
from tools.myst import LABELLED, Code, Directive, Text, parse
from tools.quiz import Option, Quiz, quiz
from tools.tidy import read

MOST = 30
SENTENCE = re.compile(r"(?<=[.!?:])\s+(?=[A-Z$*`])")
HEADING = re.compile(r"^#{1,3} +(.+)$", re.MULTILINE)
LEAVING = ("References", "Works cited", "Your own photo")
# What goes first where a lecture is too long: the least important kinds.
DISPENSABLE = ("table", "equation", "code", "figure")


@dataclass
class Slide:
    """One slide: its kind, heading, body (Markdown or HTML), notes for the speaker, and a question if it asks one."""

    kind: str
    heading: str
    body: str = ""
    caption: str = ""
    lead: str = ""
    said: str = ""
    pictures: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    quiz: Quiz | None = None


def deck(markdown: Markdown) -> list[Slide]:
    """The slides of one chapter, at most thirty; the first one's notes hold two questions for the room."""
    slides = list(_slides(markdown))
    _tell(slides)
    for slide in slides:
        slide.heading = slide.heading or slides[0].heading
    for kind in DISPENSABLE:
        while len(slides) > MOST and (found := _crowded(slides, kind)) is not None:
            dropped = slides.pop(found)
            slides[found - 1].notes += dropped.notes
    slides[0].body = _short(_sentences(next(filter(_plain, slides[0].notes), "")), 320)
    asked = [slide.quiz for slide in slides if slide.quiz]
    questions = [f"Ask the room: {one.question}" for one in asked[:2]]
    slides[0].notes = [*questions, *slides[0].notes]
    return slides


def _tell(slides: list[Slide]) -> None:
    """Put a sentence of the prose onto slides that would be bare: before and after a formula, under a picture."""
    for before, slide in pairwise(slides):
        if slide.kind == "equation":
            lead = _sentences(before.notes[-1])[-1:] if before.notes and not slide.lead else []
            slide.lead = slide.lead or "".join(lead)
        if slide.kind in ("equation", "figure", "table"):
            said = next((note for note in slide.notes if _plain(note)), "")
            slide.said = _short(_sentences(said.removeprefix("**What to see.** ")))


def _plain(note: str) -> bool:
    """Whether a note is a paragraph of prose: no list, table, formula or box."""
    return bool(note.strip()) and not note.lstrip().startswith(("-", "|", "$$", ">", "<", "#", "1."))


def _short(sentences: list[str], most: int = 190) -> str:
    """As many of the first sentences as a slide has room for."""
    kept = ""
    for sentence in sentences:
        if len(kept) + len(sentence) > most:
            break
        kept = f"{kept} {sentence}".strip()
    return kept


def _crowded(slides: list[Slide], kind: str) -> int | None:
    """The last slide of a kind in the section that has most slides of it."""
    sections = [slide.heading for slide in slides if slide.kind == kind]
    if not sections:
        return None
    most = max(sections, key=sections.count)
    return max(i for i, slide in enumerate(slides) if (slide.kind, slide.heading) == (kind, most))


def _slides(markdown: Markdown) -> Iterator[Slide]:
    """All slides in the order of the chapter."""
    notebook = read(markdown.page)
    current: Slide = Slide("title", "")
    heading, done = "", False
    for cell in notebook.cells:
        if done:
            break
        if cell.cell_type == "code":
            if slide := _from_code(cell, heading, markdown):
                yield current
                current = slide
            continue
        for piece in parse(cell.source):
            for slide in _from_piece(piece, heading, current, markdown):
                if slide.heading in ("Exercises", *LEAVING):
                    done = slide.heading == "Exercises"
                    heading = slide.heading
                    continue
                if slide.kind == "section":
                    heading = slide.heading
                    continue
                yield current
                current = slide
    yield current
    yield _exercises(markdown)
    yield _closing(notebook, markdown)


def _from_piece(piece: Text | Code | Directive, heading: str, current: Slide, markdown: Markdown) -> Iterator[Slide]:
    """The slides that a piece of text begins; what begins none is said by the speaker."""
    if isinstance(piece, Directive):
        if piece.name == "quiz":
            asked = _plain_quiz(quiz(piece), markdown)
            said = [f"{option.verdict} {option.text}: {option.said}" for option in asked.options]
            yield Slide("quiz", heading, quiz=asked, notes=said)
        elif piece.name == "admonition" and piece.argument == "In this chapter":
            points, _, rest = piece.body.partition("**You need:**")
            yield Slide("learn", "In this lecture", markdown.convert(points), notes=[markdown.convert(rest)])
        elif piece.name == "math" and piece.label:
            yield Slide("equation", heading, markdown.convert(f"$$\n{piece.body}\n$$ ({piece.label})"))
        elif piece.name in ("prf:theorem",):
            yield Slide("theorem", heading, markdown.directive(piece).replace("> ", "").replace(">", ""))
        else:
            current.notes.append(markdown.directive(piece) if piece.name != "quiz" else "")
        return
    if isinstance(piece, Code):
        return
    yield from _from_text(piece.text, heading, current, markdown)


def _plain_quiz(asked: Quiz, markdown: Markdown) -> Quiz:
    """A question whose references are spelled out."""
    options = (Option(markdown.prose(o.text), o.right, markdown.prose(o.said)) for o in asked.options)
    return Quiz(markdown.prose(asked.question), tuple(options))


def _from_text(text: str, heading: str, current: Slide, markdown: Markdown) -> Iterator[Slide]:
    """Headings, labelled equations, and the prose around them."""
    for block in re.split(r"\n\s*\n", text.strip()):
        found = HEADING.match(block.strip())
        if found:
            title = markdown.prose(found[1])
            if current.kind == "title" and not current.heading:
                current.heading = title
            else:
                yield Slide("section", title)
                heading = title
            continue
        display = LABELLED.search(block)
        if display and display["label"]:
            before = block[: display.start()].strip()
            lead = _sentences(markdown.prose(before))[-1:] if before else []
            formula = markdown.prose(block[display.start() : display.end()])
            current = Slide("equation", heading, formula, lead="".join(lead))
            yield current
            if after := block[display.end() :].strip():
                current.notes.append(markdown.prose(after))
            continue
        current.notes.append(markdown.prose(block))


def _sentences(text: str) -> list[str]:
    return [sentence for sentence in SENTENCE.split(" ".join(text.split())) if sentence]


def _from_code(cell: NotebookNode, heading: str, markdown: Markdown) -> Slide | None:
    """A slide for the cell's figure, or for its code where it is the method by hand; None if it is neither."""
    if figure := cell.metadata.get("mystnb", {}).get("figure"):
        alt = cell.metadata["mystnb"].get("image", {}).get("alt", "")
        shown = pictures(cell, alt)
        caption = markdown.caption(figure.get("name", ""), figure.get("caption", ""))
        return Slide("figure", heading, caption=caption, pictures=shown) if shown else None
    if (table := _table(cell)) is not None:
        return Slide("table", heading, table)
    lines = cell.source.strip().splitlines()
    if heading.startswith("By hand") and len(lines) <= 18 and "hide-input" not in cell.metadata.get("tags", ()):
        return Slide("code", heading, f"```python\n{cell.source.strip()}\n```")
    return None


def _table(cell: NotebookNode) -> str | None:
    """The table that a cell shows, as HTML, if a slide has room for it."""
    for output in cell.get("outputs", ()):
        text = "".join(output.get("data", {}).get("text/html", ""))
        table = BeautifulSoup(text, "html.parser").select_one("table.dataframe")
        if table is not None and len(table.select("tr")) <= 12 and len(table.select("tr:last-child > *")) <= 9:
            del table["border"]
            return str(table)
    return None


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


def _exercises(markdown: Markdown) -> Slide:
    """What to work on afterwards."""
    rows = [
        f"- **{one.number}** {one.title}" + (f" *({one.grade.lower()}, {one.minutes} minutes)*" if one.grade else "")
        for one in exercises(markdown.project)
        if one.page == markdown.page
    ]
    return Slide("exercises", "Exercises", "\n".join(rows))


def _closing(notebook: NotebookNode, markdown: Markdown) -> Slide:
    """The take-away of the chapter."""
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = re.search(r"^## Take-away\n(.*?)(?=^## |^\*\*Strengths|\Z)", text, re.MULTILINE | re.DOTALL)
    return Slide("closing", "Take-away", markdown.convert(found[1]) if found else "")
