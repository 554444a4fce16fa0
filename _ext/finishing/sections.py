"""What the search looks through: the book section by section, each with its words, and without code.

A section's text is what stands between its heading and the next. Terms of the glossary and names of the package are
sections of their own. The words that readers look for are not always those of the text: a term whose meaning leads to
a chapter is a synonym of the part of it that speaks of the term most, and `SYNONYMS` adds what the glossary lacks.
"""

import json
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bs4 import NavigableString, Tag

from finishing.page import Page

SCRIPT = Path(__file__).parent.parent / "search.js"
LEFT_OUT = (
    "pre, td code, script, style, svg, .math, details.hide, .headerlink, .lab, aside.cite, fieldset.quiz,"
    " table.dataframe, .cell_input, .cell_output > :not(figure, .output > figure), .chapter-cards, .questions,"
    " .caption-number"
)
HEADINGS = ("h1", "h2", "h3", "h4")
ASIDE = re.compile(r"^(exercises|references|take-away|bibliography|how to cite)", re.IGNORECASE)
NUMBER = re.compile(r"^[\d.]+\s+")

SYNONYMS = {
    "GDPR": ("reference/what_to_report", r"General Data Protection|GDPR"),
    "localization": ("where_is_it", r"weakly supervised localization"),
    "posterior": ("what_does_a_convnet_see", r"softmax|log-posterior"),
    "remove and retrain": ("which_map_to_believe", r"retrain"),
    "ROAR": ("which_map_to_believe", r"retrain"),
    "sanity check": ("one_rule_apart", r"sanity check"),
    "steering": ("any_number", r"steering|angle"),
}
"""A word, the end of the name of a page, and what that section of the page says most often."""


@dataclass
class Section:
    """A part of a page that can be found."""

    page: str
    anchor: str
    title: str
    trail: str
    text: str
    kind: str = "text"
    words: list[str] = field(default_factory=list)

    def said(self, pattern: str) -> tuple[int, int]:
        """How often a pattern stands in the title, and in the text."""
        found = re.compile(pattern, re.IGNORECASE)
        return len(found.findall(self.title)), len(found.findall(self.text))


def plain(element: Tag) -> str:
    """The text of an element in one line."""
    return tight(element.get_text(" "))


def tight(text: str) -> str:
    """Text in one line, without the spaces that the borders of elements leave before and after marks."""
    return re.sub(r"([(\[])\s+", r"\1", re.sub(r"\s+([.,;:?!)\]])", r"\1", " ".join(text.split())))


def sections(page: Page) -> Iterator[Section]:
    """The sections of a page, which loses its code and what else is not searched."""
    article = page.article
    for element in article.select(LEFT_OUT):
        if not element.decomposed:
            element.decompose()
    top = article.select_one("h1")
    trail = NUMBER.sub("", plain(top)) if top else ""
    if page.name.startswith("reference/glossary"):
        yield from terms(page, trail)
    yield from names(page, trail)
    for heading in article.select("section[id] > :is(h1, h2, h3, h4)"):
        section = heading.parent
        assert section is not None
        title = NUMBER.sub("", plain(heading))
        kind = (
            "name"
            if page.name == "reference/api"
            else "aside"
            if ASIDE.match(title) or page.name.endswith("bibliography")
            else "text"
        )
        yield Section(page.name, str(section["id"]), title, trail, own_text(section), kind)


def own_text(section: Tag) -> str:
    """What a section says before its first subsection, without its heading."""
    parts = [
        str(child) if isinstance(child, NavigableString) else plain(child)
        for child in section.children
        if isinstance(child, NavigableString) or (isinstance(child, Tag) and child.name not in ("section", *HEADINGS))
    ]
    return tight(" ".join(parts))


def terms(page: Page, trail: str) -> Iterator[Section]:
    """The terms of a glossary, which leave the page's own section empty."""
    for term in page.article.select("dl.glossary > dt[id]"):
        meaning = term.find_next_sibling("dd")
        yield Section(page.name, str(term["id"]), plain(term), trail, plain(meaning) if meaning else "", "term")
    for listing in page.article.select("dl.glossary"):
        listing.decompose()


def names(page: Page, trail: str) -> Iterator[Section]:
    """The package's names, with the first paragraph of what is said of them."""
    for name in page.article.select("dt.sig[id]"):
        said = name.find_next_sibling("dd")
        first = said.find("p") if said else None
        yield Section(page.name, str(name["id"]), str(name["id"]), trail, plain(first) if first else "", "name")
    for listing in page.article.select("dl.py"):
        if not listing.decomposed:
            listing.decompose()


def attach(found: list[Section], synonyms: dict[str, tuple[str, str]]) -> None:
    """Give the sections their synonyms."""
    for word, (page, pattern) in (synonyms | SYNONYMS).items():
        parts = [s for s in found if s.page.endswith(page) and s.kind == "text"]
        if parts and (best := max(parts, key=lambda s: s.said(pattern))).said(pattern) > (0, 0):
            best.words.append(word)


def meant(pages: Iterable[Page]) -> dict[str, tuple[str, str]]:
    """The terms whose meaning leads to a chapter: that page, and what to look for there."""
    found = {}
    for page in pages:
        if not page.name.startswith("reference/glossary"):
            continue
        for term in page.article.select("dl.glossary > dt[id]"):
            meaning, word = term.find_next_sibling("dd"), "".join(term.find_all(string=True, recursive=False)).strip()
            for link in meaning.select('a[href*="chapters/"]') if isinstance(meaning, Tag) else ():
                name = str(link["href"]).split("/")[-1].partition(".html")[0]
                found[word] = f"chapters/{name}", re.escape(word)
    return found


def write(site: Path, pages: list[Page]) -> None:
    """Lay the sections and the script that searches them beside the site, and let the page of the search load them.

    The pages are used up: they have to be written by now.
    """
    read = [page for page in pages if page.name not in ("index", "search", "genindex")]
    synonyms = meant(read)
    found = [section for page in read for section in sections(page)]
    attach(found, synonyms)
    rows = [[s.page, s.anchor, s.title, s.trail, s.text, s.kind, s.words] for s in found if s.text or s.words]
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    (site / "sections.js").write_text(f"globalThis.bookSections = {text};\n", "utf-8", newline="\n")
    shutil.copyfile(SCRIPT, site / "search.js")
    (site / "searchindex.js").unlink(missing_ok=True)
    for page in pages:
        if page.name != "search":
            continue
        for script in page.soup.select('script[src*="searchtools"], script[src*="language_data"]'):
            script.decompose()
        for script in page.soup.select('script[src*="searchindex"]'):
            script["src"] = "sections.js"
            script.insert_after(page.soup.new_tag("script", src="search.js", defer="defer"))
        page.write()
