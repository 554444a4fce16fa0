"""A term of the glossary shows what it means where it is used: a card on hover and on focus, without a script."""

from functools import cache
from pathlib import Path

from bs4 import BeautifulSoup

from finishing.page import Page

GLOSSARY = "reference/glossary"
LONGEST = 260


@cache
def meanings(path: Path) -> dict[str, str]:
    """By the id of each term, the first paragraph of its definition as plain text."""
    if not path.is_file():
        return {}
    found = {}
    for term in BeautifulSoup(path.read_text("utf-8"), "html.parser").select("dl.glossary dt[id]"):
        definition = term.find_next("dd")
        if definition and not definition.select_one(".math"):
            text = " ".join(definition.get_text().split())
            found[str(term["id"])] = text if len(text) <= LONGEST else text[:LONGEST].rsplit(" ", 1)[0] + " …"
    return found


def cards(page: Page) -> None:
    """Write the meaning beside each link to a term; formulas are not shown in cards, such terms have none."""
    if page.name == GLOSSARY:
        return
    known = meanings(page.site / f"{GLOSSARY}.html")
    for link in page.article.select("a.reference.internal:has(> .std-term)"):
        meaning = known.get(str(link.get("href", "")).partition("#")[2])
        if meaning:
            link["class"], link["data-card"] = [*link.get_attribute_list("class"), "term"], meaning


STEPS = (cards,)
