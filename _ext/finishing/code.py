"""Code that fits phones and paper: a line too long goes on below itself, further in than it began."""

import re

from bs4 import BeautifulSoup

from finishing.page import FORMATTER, Page

INDENT = re.compile(r"(?:<span[^>]*>|</span>)*( *)")


def lines(page: Page) -> None:
    """Wrap each line of each listing in an element that knows how far in it begins."""
    for listing in page.article.select(".highlight pre"):
        if "myst-ansi" in " ".join(listing.parent.parent.get("class", []) if listing.parent.parent else []):
            continue  # what a cell printed may be a table, whose columns have to stay below each other
        text = listing.decode_contents(formatter=FORMATTER).removeprefix("<span></span>").rstrip("\n")
        wrapped = "".join(line(part) for part in text.split("\n"))
        # Parsed inside its element, or the parser would take indentation for nothing.
        fresh = BeautifulSoup(f"<pre>{wrapped}</pre>", "html.parser").pre
        assert fresh is not None
        listing.clear()
        listing.extend(list(fresh.children))


def line(text: str) -> str:
    """One line as an element; the line break is inside, so that copied code keeps it."""
    found = INDENT.match(text)
    indent = len(found[1]) if found else 0
    style = f' style="--in:{indent}"' if indent else ""
    return f'<span class="line"{style}>{text}\n</span>'


STEPS = (lines,)
