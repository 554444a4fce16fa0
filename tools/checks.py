"""Everything that can be found wrong with the sources without running anything."""

import re
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from nbformat import NotebookNode

from tools import refresh
from tools.colab import stale as colab
from tools.myst import Directive, Text, walk
from tools.project import Project
from tools.tidy import read

GOOD = "Chapters, Colab copies, alt texts and the repository's name are in order."
SHORTEST_ALT = 20
IMAGE = re.compile(r"!\[(?P<alt>[^\]]*)\]\(")
FILE_NAME = re.compile(r"[\w./-]+\.(png|jpe?g|webp|svg|gif)", re.IGNORECASE)
TEXT_SUFFIXES = frozenset(".py .md .yml .yaml .toml .txt .cff .bib .ipynb .css .js .svg .html .json .tsv".split())  # noqa: SIM905


def problems(project: Project) -> list[str]:
    """Every problem, one sentence each."""
    return [*stale(project), *colab(project), *alt_texts(project), *repository_names(project)]


def stale(project: Project) -> list[str]:
    """The chapters that have to be run again, and why."""
    return refresh.stale(project)


def alt_problem(alt: str | None) -> str:
    """What is wrong with an alternative text; empty if nothing is."""
    if not alt or not alt.strip():
        return "has no alt text"
    if FILE_NAME.fullmatch(alt.strip()):
        return "has a file name for an alt text"
    if len(alt.strip()) < SHORTEST_ALT:
        return f"has an alt text too short to say what it shows ({alt.strip()!r})"
    return ""


class Images(HTMLParser):
    """Collects the alternative texts of all `<img>` in a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.alts: list[str | None] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an image."""
        if tag == "img":
            self.alts.append(dict(attrs).get("alt"))


def alt_texts(project: Project) -> list[str]:
    """The pictures of the book without a text for those who cannot see them."""
    found = []
    for page in project.pages:
        for where, problem in _alts(page):
            found.append(f"{project.relative(page)}{where}: a picture {problem}.")
    return found


def _alts(page: Path) -> Iterator[tuple[str, str]]:
    if page.suffix == ".md":
        yield from (("", problem) for problem in markdown_alts(page.read_text("utf-8")))
        return
    for number, cell in enumerate(read(page).cells, start=1):
        found = markdown_alts(cell.source) if cell.cell_type == "markdown" else output_alts(cell)
        yield from ((f", cell {number}", problem) for problem in found)


def markdown_alts(text: str) -> list[str]:
    """What is wrong with the pictures of a MyST text."""
    found = []
    for piece in walk(text):
        if isinstance(piece, Directive) and piece.name in ("figure", "image"):
            found.append(alt_problem(piece.options.get("alt")))
        elif isinstance(piece, Text):
            found += [alt_problem(match["alt"]) for match in IMAGE.finditer(piece.text)]
            found += [alt_problem(alt) for alt in Images(piece.text).alts]
    return [problem for problem in found if problem]


def output_alts(cell: NotebookNode) -> list[str]:
    """What is wrong with the pictures that a code cell made."""
    found = []
    for output in cell.outputs:
        data = output.get("data", {})
        html = data.get("text/html", "")
        if html:
            found += [alt_problem(alt) for alt in Images(html).alts]
        elif any(mime.startswith("image/") for mime in data):
            found.append(alt_problem(cell.metadata.get("mystnb", {}).get("image", {}).get("alt")))
    return [problem for problem in found if problem]


def tracked(project: Project) -> list[Path]:
    """The files that belong to the project: what git tracks or would add, or everything where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=project.root,
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0:
        return [project.root / name for name in listed.stdout.split("\0") if name]
    made = {".venv", ".cache", "_build", "__pycache__"}
    return [path for path in project.root.rglob("*") if path.is_file() and made.isdisjoint(path.parts)]


def repository_names(project: Project) -> list[str]:
    """The files, other than `_config.yml` and generated ones, that name the repository."""
    name = project.repository.removeprefix("https://github.com/")
    found = []
    for path in tracked(project):
        inside = path.relative_to(project.root)
        if path.suffix not in TEXT_SUFFIXES or inside.parts[0] in ("colab", "_build") or not path.is_file():
            continue
        if inside.as_posix() != "_config.yml" and name in path.read_text("utf-8", errors="replace"):
            found.append(f"{inside.as_posix()} names the repository; only _config.yml may.")
    return found
