"""Sphinx extension: the parts of the book's first page that are made from the book itself.

`three-questions` is the figure that answers, from `_static/landing/` (written by `tools.landing`); `chapter-cards`
shows each chapter's number, picture, first sentences and time; `install-line` and `how-to-cite` name the repository,
which is written in `_config.yml` alone. What comes before all that is in `first_screen.py`.
"""

import base64
import html
import io
import json
import re
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tools.project import Project
from tools.refresh import read

TIME = re.compile(r"\*\*Time:\*\*\s*([^.]+)\.")
CARD_WIDTH = 480


class Part(SphinxDirective):
    """A directive without content that knows the book."""

    @property
    def project(self) -> Project:
        """The book that is being built."""
        return Project(Path(self.env.srcdir))

    def raw(self, text: str) -> list[nodes.Node]:
        """HTML as it is."""
        return [nodes.raw("", text, format="html")]


class ThreeQuestions(Part):
    """One photo, three questions, two answers to each."""

    def run(self) -> list[nodes.Node]:
        """The figure: radio buttons that choose which pair of maps is seen; it needs no script."""
        said = json.loads((self.project.root / "_static" / "landing" / "figure.json").read_text("utf-8"))
        asked = said["asked"]
        choices = "".join(
            f'<input type="radio" name="asked" id="ask-{i}"{" checked" if i == 1 else ""}>'
            f'<label for="ask-{i}">{html.escape(name)}?</label>'
            for i, name in enumerate(asked)
        )
        photo = f'<img src="_static/landing/photo.webp" alt="{PHOTO_ALT}" {SIZE}>'
        panels = [
            panel("The photo", [photo], "The same for every question."),
            panel("Guided back&shy;propagation", stack("guided", asked, GUIDED_ALT), agreement(said["guided"])),
            panel("The gradient", stack("gradient", asked, GRADIENT_ALT), agreement(said["gradient"])),
        ]
        return self.raw(
            '<div class="questions"><fieldset><legend>Where do you see the …</legend>'
            f'{choices}<div class="panels">{"".join(panels)}</div></fieldset></div>'
        )


SIZE = 'width="336" height="336"'
PHOTO_ALT = "A white cup of espresso on a red saucer with a spoon, seen from above."
GUIDED_ALT = "Asked for {name}: fine bright outlines of the cup, the saucer and the spoon, the same for every question."
GRADIENT_ALT = "Asked for {name}: grainy light in and around the cup, in other places for each question."


def panel(title: str, pictures: list[str], note: str) -> str:
    """A picture with its title and a line below."""
    return f'<div class="panel"><b>{title}</b><div class="stack">{"".join(pictures)}</div><small>{note}</small></div>'


def stack(rule: str, asked: list[str], alt: str) -> list[str]:
    """One picture a question, of which the chosen one is seen."""
    alts = [html.escape(alt.format(name=name)) for name in asked]
    return [
        f'<img src="_static/landing/{rule}-{i}.webp" class="answer-{i}" alt="{text}" {SIZE}>'
        for i, text in enumerate(alts)
    ]


def agreement(pair: list[float]) -> str:
    """How much the maps of the three questions are alike."""
    low, high = (f"{value:.2f}" for value in pair)
    return f"Rank correlation between its answers: {low if low == high else f'{low} to {high}'}."


class ChapterCards(Part):
    """All chapters at a glance."""

    def run(self) -> list[nodes.Node]:
        """One card a chapter, in the order of the book."""
        for page in self.project.chapters:
            self.env.note_dependency(str(page))
        cards = "".join(self.card(page) for page in self.project.chapters)
        return self.raw(f'<div class="chapter-cards">{cards}</div>')

    def card(self, page: Path) -> str:
        """Number, title, picture, first sentences and time of a chapter."""
        notebook = read(page)
        texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
        title, lead = opening(texts[0])
        time = next((found[1] for text in texts if (found := TIME.search(text))), "")
        number = self.project.numbers.get(page, "")
        picture = thumbnail(notebook)
        shown = ""
        if picture:
            path = Path(self.env.app.outdir) / "_images" / f"card-{page.stem}.webp"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path, "WEBP", quality=62, method=6)
            shown = f'<img src="_images/{path.name}" alt="" width="{picture.width}" height="{picture.height}">'
        return (
            f'<a class="chapter-card" href="chapters/{page.stem}.html">{shown}'
            f'<span class="number">Chapter {number}</span><b>{html.escape(title)}</b>'
            f"<span>{html.escape(lead)}</span><small>{html.escape(time)}</small></a>"
        )


def opening(text: str) -> tuple[str, str]:
    """Title and first paragraph of a chapter, as plain text."""
    blocks = [" ".join(block.split()) for block in re.split(r"\n\s*\n", text.strip())]
    plain = [re.sub(r"\{[\w:]+\}`([^`<]+?)(?:\s*<[^>]+>)?`|[*`$]", lambda m: m[1] or "", block) for block in blocks]
    return plain[0].lstrip("# "), next((block for block in plain[1:] if block and block[0] not in "#(`:"), "")


def thumbnail(notebook: Any) -> Image.Image | None:
    """The upper left of a chapter's first picture, twice as wide as high; None if it has none."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            for mime, data in output.get("data", {}).items():
                if mime in ("image/png", "image/jpeg", "image/webp"):
                    picture = Image.open(io.BytesIO(base64.b64decode("".join(data)))).convert("RGB")
                    seen = picture.crop((0, 0, picture.width, min(picture.height, picture.width // 2)))
                    return seen.resize((CARD_WIDTH, CARD_WIDTH * seen.height // seen.width), Image.Resampling.LANCZOS)
    return None


class InstallLine(Part):
    """How to install the package."""

    def run(self) -> list[nodes.Node]:
        """A line to paste into a shell."""
        address = f"{self.project.repository}@{self.project.branch}"
        line = f'pip install "saliency_lib @ git+{address}"'
        return [nodes.literal_block(line, line, language="console")]


class HowToCite(Part):
    """Authors, version and a BibTeX entry, from `CITATION.cff`."""

    def run(self) -> list[nodes.Node]:
        """One line and one block."""
        path = self.project.root / "CITATION.cff"
        self.env.note_dependency(str(path))
        cite = yaml.safe_load(path.read_text("utf-8"))
        authors = [a.get("name") or f"{a['given-names']} {a['family-names']}" for a in cite["authors"]]
        line = nodes.paragraph("", f"{', '.join(authors)}. Version {cite['version']}.")
        entry = (
            "@book{deepinsideconvnets,\n"
            f"  title   = {{{cite['title']}}},\n  author  = {{{{{' and '.join(authors)}}}}},\n"
            f"  version = {{{cite['version']}}},\n  url     = {{{self.config.html_baseurl}}}\n}}"
        )
        return [line, nodes.literal_block(entry, entry, language="bibtex")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("three-questions", ThreeQuestions)
    app.add_directive("chapter-cards", ChapterCards)
    app.add_directive("install-line", InstallLine)
    app.add_directive("how-to-cite", HowToCite)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
