"""The whole book as one PDF: `make editions` prints the built site, page by page, with Chromium.

Why Chromium and not LaTeX or paged.js: the site's pages are what is proofread and tested, Chromium sets their formulas
by the same MathJax and draws page numbers in the margin itself. What it cannot do is to write page numbers into a table
of contents. So the book is printed twice: the first time to learn on which page each heading came to lie.
"""

import html
import re
import tempfile
from pathlib import Path

import yaml
from bs4 import BeautifulSoup, Tag

from tools import chromium, site, vendor
from tools.project import BookError, Project

STYLE = (Path(__file__).parent / "edition.css").read_text("utf-8")
# Of no use on paper.
DROPPED = (
    ".headerlink, .copybtn, script, .toggle-button, .prev-next-area, nav, button, .bd-header-article, .start, .live"
)
SHELL = """<!doctype html>
<html lang="en" data-theme="light" data-mode="light">
<head><meta charset="utf-8"><title>{title}</title>
{styles}
<style>{style}</style>
<script>
window.MathJax = {{ options: {{ processHtmlClass: "tex2jax_process|mathjax_process|math|output_area" }} }};
</script>
<script src="{mathjax}"></script>
</head>
<body><main class="bd-main"><div class="bd-content">
{cover}
{contents}
{body}
</div></main></body></html>
"""


class Edition:
    """The site's pages in the order of the book, made into one."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.names = [project.relative(page).rsplit(".", 1)[0] for page in project.pages]
        self.solutions: list[Tag] = []
        self.headings: list[tuple[int, str, str]] = []

    def body(self) -> str:
        """All chapters and references, and the solutions after them."""
        parts = [self.page(name) for name in self.names]
        self.headings.append((1, "solutions", "Solutions"))
        solved = "".join(map(str, self.solutions))
        return "".join(parts) + f'<article class="bd-article"><h1 id="solutions">Solutions</h1>{solved}</article>'

    def page(self, name: str) -> str:
        """The article of one page: its ids made unique, its links made to lead within the book."""
        path = self.project.site / f"{name}.html"
        soup = BeautifulSoup(path.read_text("utf-8"), "html.parser")
        article = soup.select_one("article.bd-article")
        if article is None:
            raise BookError(f"{path.name} has no article.")
        for useless in article.select(DROPPED):
            useless.decompose()
        for frame in article.select(".frame-player .frame, .frame-player .controls"):
            # Of a control that moves, paper gets the frames that were chosen for it.
            if "key" in frame.get_attribute_list("class"):
                frame.attrs.pop("hidden", None)
            else:
                frame.decompose()
        for element in article.select("[id]"):
            element["id"] = self.anchor(name, str(element["id"]))
        for link in article.select("a[href]"):
            link["href"] = self.target(name, str(link["href"]), path)
        for picture in article.select("img[src]"):
            source = str(picture["src"])
            picture["src"] = source if source.startswith("data:") else (path.parent / source).resolve().as_uri()
            picture["loading"] = "eager"
        self.collect(article, name)
        return str(article)

    def collect(self, article: Tag, name: str) -> None:
        """Note the headings, and take the solutions out."""
        article["id"] = self.anchor(name, "")
        for level, heading in ((int(found.name[1]), found) for found in article.select("h1, h2")):
            section = heading.find_parent("section")
            identity = str(section["id"]) if section and section.get("id") else str(article["id"])
            self.headings.append((level, identity, heading.get_text(" ", strip=True)))
        solutions = [found.extract() for found in article.select("div.solution")]
        if solutions:
            title = next(text for level, _, text in reversed(self.headings) if level == 1)
            part = BeautifulSoup(f"<h2>{html.escape(title)}</h2>", "html.parser")
            self.solutions += [part, *solutions]

    def anchor(self, name: str, identity: str) -> str:
        """An id within the one page."""
        return f"{name.replace('/', '-')}--{identity}"

    def target(self, name: str, link: str, path: Path) -> str:
        """Where a link of a page leads: within the book, or to the site on the web."""
        if re.match(r"[a-z]+:", link):
            return link
        file, _, identity = link.partition("#")
        if not file:
            return f"#{self.anchor(name, identity)}"
        other = (path.parent / file).resolve()
        inside = str(other.relative_to(self.project.site.resolve())) if other.is_relative_to(self.project.site) else ""
        if inside.removesuffix(".html") in self.names:
            return f"#{self.anchor(inside.removesuffix('.html'), identity)}"
        return f"{self.project.address}/{inside}"

    def cover(self) -> str:
        """The first page: picture, title, authors, version and date, from `CITATION.cff`."""
        cite = yaml.safe_load((self.project.root / "CITATION.cff").read_text("utf-8"))
        authors = ", ".join(a.get("name") or f"{a['given-names']} {a['family-names']}" for a in cite["authors"])
        picture = (self.project.root / "_static" / "cover.webp").as_uri()
        released = f", {cite['date-released']}" if "date-released" in cite else ""
        return (
            f'<section class="cover"><img src="{picture}" alt=""><h1>{html.escape(cite["title"])}</h1>'
            f"<p>{html.escape(authors)}</p><p>Version {cite['version']}{released}. {self.project.address}</p></section>"
        )

    def contents(self, pages: dict[str, int]) -> str:
        """The table of contents; a dot for a page that is not known yet."""
        rows = "".join(
            f'<li class="level-{level}"><a href="#{identity}"><span>{html.escape(text)}</span>'
            f"<b>{pages.get(identity, '·')}</b></a></li>"
            for level, identity, text in self.headings
        )
        return f'<section class="contents"><h1>Contents</h1><ul>{rows}</ul></section>'

    def whole(self, body: str, pages: dict[str, int]) -> str:
        """The one page."""
        first = BeautifulSoup((self.project.site / f"{self.names[0]}.html").read_text("utf-8"), "html.parser")
        sheets = {
            (self.project.site / str(link["href"]).split("?")[0]).resolve().as_uri()
            for link in first.select('link[rel="stylesheet"]')
        }
        return SHELL.format(
            title="Deep Inside ConvNets",
            styles="\n".join(f'<link rel="stylesheet" href="{sheet}">' for sheet in sorted(sheets)),
            style=STYLE,
            mathjax=(self.project.site / "vendor" / "mathjax" / "tex-mml-chtml.js").as_uri(),
            cover=self.cover(),
            contents=self.contents(pages),
            body=body,
        )


def numbers(path: Path) -> dict[str, int]:
    """The page of every place in a PDF that a link leads to, the cover being the first."""
    from pypdf import PdfReader

    reader = PdfReader(path)
    found = {}
    for name, destination in reader.named_destinations.items():
        page = reader.get_destination_page_number(destination)
        if page is not None:
            found[name.removeprefix("/")] = page + 1
    return found


def write(project: Project) -> Path:
    """Build the site, print it as one PDF, and say where it is."""
    site.build(project)
    if not vendor.ready(project.root):
        raise BookError("The printed book needs MathJax, which could not be fetched.")
    edition, target = Edition(project), project.root / "_build" / "editions" / "deep-inside-convnets.pdf"
    target.parent.mkdir(parents=True, exist_ok=True)
    body = edition.body()
    with tempfile.TemporaryDirectory() as folder:
        page, draft = Path(folder) / "book.html", Path(folder) / "draft.pdf"
        page.write_text(edition.whole(body, {}), "utf-8")
        chromium.pdf(page.as_uri(), draft, patience=300)
        page.write_text(edition.whole(body, numbers(draft)), "utf-8")
        chromium.pdf(page.as_uri(), target, patience=300)
    print(f"The book is in {target} ({target.stat().st_size / 1e6:.0f} MB).")
    return target
