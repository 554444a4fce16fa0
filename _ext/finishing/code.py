"""Code that fits phones and paper: a line too long goes on below itself, further in than it began.

Most elements of a page are the colored words of its listings. While a page is gone over they are held apart, and only
their plain text stands in their place.
"""

import re

INDENT = re.compile(r"(?:<span[^>]*>|</span>)*( *)")
# What a cell printed, `myst-ansi`, may be a table, whose columns have to stay below each other.
LISTING = re.compile(
    r'(<div class="(?:(?!myst-ansi)[^"])*"><div class="highlight"><pre)>(?:<span></span>)?(.*?)\n*</pre>', re.DOTALL
)
HELD = re.compile(r'<pre data-listing="(\d+)">.*?</pre>', re.DOTALL)
TAG = re.compile(r"<[^>]*>")


def held(text: str) -> tuple[str, list[str]]:
    """A page's text with plain listings, and the listings, in which each line knows how far in it begins."""
    listings: list[str] = []

    def hold(found: re.Match[str]) -> str:
        text = found[2].replace("&quot;", '"').replace("&#39;", "'")
        listings.append("".join(map(line, text.split("\n"))))
        return f'{found[1]} data-listing="{len(listings) - 1}">{TAG.sub("", text)}</pre>'

    return LISTING.sub(hold, text), listings


def released(text: str, listings: list[str]) -> str:
    """The text with its listings back in their places."""
    return HELD.sub(lambda found: f"<pre>{listings[int(found[1])]}</pre>", text)


def line(text: str) -> str:
    """One line as an element; the line break is inside, so that copied code keeps it."""
    found = INDENT.match(text)
    indent = len(found[1]) if found else 0
    style = f' style="--in:{indent}"' if indent else ""
    return f'<span class="line"{style}>{text}\n</span>'
