"""For screen readers, keyboards and search: names that match what is seen, roles that exist, ids that are unique."""

from collections import Counter

from finishing.page import Page


def names(page: Page) -> None:
    """Nothing is spoken otherwise than it is written, and the sidebar is a landmark."""
    for summary in page.soup.select("summary[aria-label]"):
        del summary["aria-label"]  # "Toggle hidden content" instead of the text that is there
    for script in page.soup.find_all("script", string=lambda text: bool(text and "search-button-field" in text)):
        # Its text is "Search Ctrl+K".
        script.string = script.get_text().replace(' title="Search" aria-label="Search"', ' title="Search"')
    for sidebar in page.soup.select("div.bd-sidebar-primary"):
        sidebar["role"], sidebar["aria-label"] = "navigation", "Book"


def roles(page: Page) -> None:
    """Lists hold list items only, and no role is used that ARIA has given up."""
    for entry in page.soup.select('[role="doc-biblioentry"]'):
        entry["role"] = "listitem"
    for listing in page.soup.select('.citation-list[role="list"], .footnote-list[role="list"]'):
        for link in listing.select('[role="doc-backlink"]'):
            del link["role"]
    for cell in page.soup.select("th"):
        if not cell.get_text(strip=True) and not cell.find("img"):
            cell.name = "td"  # a corner of a table is no heading


def identifiers(page: Page) -> None:
    """An id is the first element's that has it; the theme's copies of the table of contents and of the title go."""
    for copy in page.soup.select("#jb-print-docs-body"):
        copy.decompose()
    counts: Counter[str] = Counter()
    for element in page.soup.select("[id]"):
        counts[str(element["id"])] += 1
        if counts[str(element["id"])] > 1:
            del element["id"]


def solutions(page: Page) -> None:
    """A click on a solution's header opens it, and does not lead back to the exercise."""
    for link in page.soup.select("div.solution > .admonition-title a"):
        link.unwrap()


STEPS = (names, roles, identifiers, solutions)
