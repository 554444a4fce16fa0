"""At the end of a chapter: how to cite it, and where to discuss it; at the end and at each section: where to report."""

from datetime import date
from functools import cache
from html import escape
from pathlib import Path
from urllib.parse import quote

import yaml
from bs4 import BeautifulSoup, Tag

from finishing.head import address
from finishing.page import Page
from tools.project import Project

BOX = """<aside class="cite" aria-label="Cite and discuss"><details><summary>How to cite this chapter</summary>
<pre class="bibtex" tabindex="0">{entry}</pre></details>
<p><a href="{repository}/discussions">Discuss this chapter</a> · <a href="{issue}">Report a mistake</a> ·
<a href="{errata}">Errata</a></p></aside>"""

ASK = "Ask about this section, or report a mistake"


def citation(page: Page) -> None:
    """A BibTeX entry from `CITATION.cff`, and three links."""
    path, heading = page.root / "CITATION.cff", page.article.find("h1")
    if not page.name.startswith("chapters/") or not path.is_file() or heading is None:
        return
    cite = yaml.safe_load(path.read_text("utf-8"))
    title = words(heading)
    authors = " and ".join(a.get("name") or f"{a['given-names']} {a['family-names']}" for a in cite["authors"])
    year = str(cite.get("date-released", date.today()))[:4]
    entry = (
        f"@incollection{{deepinsideconvnets-{page.path.stem.split('_')[0]},\n  title     = {{{title}}},\n"
        f"  author    = {{{{{authors}}}}},\n  booktitle = {{{cite['title']}}},\n  year      = {{{year}}},\n"
        f"  note      = {{Version {cite['version']}}},\n  url       = {{{address(page)}}}\n}}"
    )
    box = BOX.format(
        entry=escape(entry),
        repository=repository(page.root),
        issue=issue(page, ""),
        errata=page.link("reference/errata.html"),
    )
    page.article.append(BeautifulSoup(box, "html.parser"))


def questions(page: Page) -> None:
    """Beside each section's own link a second one, to a question about that section."""
    if not page.name.startswith("chapters/"):
        return
    for heading in page.article.select("h2"):
        where = issue(page, f", {words(heading)}")
        link = page.soup.new_tag("a", attrs={"class": "headerlink", "href": where, "title": ASK})
        link.string = "?"
        heading.append(link)


@cache
def repository(root: Path) -> str:
    """Address of the book's repository."""
    return Project(root).repository


def words(heading: Tag) -> str:
    """A heading without its number and its links."""
    return "".join(map(str, heading.find_all(string=True, recursive=False))).strip()


def issue(page: Page, where: str) -> str:
    """Where a question about this part of a page is asked; its title is begun."""
    return f"{repository(page.root)}/issues/new?title={quote(f'In {page.name}{where}: ')}"


STEPS = (citation, questions)
