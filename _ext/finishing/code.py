"""Code that fits phones and paper: a line too long goes on below itself, further in than it began."""

import re

INDENT = re.compile(r"(?:<span[^>]*>|</span>)*( *)")
# What a cell printed, `myst-ansi`, may be a table, whose columns have to stay below each other.
LISTING = re.compile(
    r'(<div class="(?:(?!myst-ansi)[^"])*"><div class="highlight"><pre>)(?:<span></span>)?(.*?)\n*(</pre>)', re.DOTALL
)


def wrapped(text: str) -> str:
    """A page's text; each line of each listing is an element that knows how far in it begins."""
    return LISTING.sub(lambda found: found[1] + "".join(map(line, found[2].split("\n"))) + found[3], text)


def line(text: str) -> str:
    """One line as an element; the line break is inside, so that copied code keeps it."""
    found = INDENT.match(text)
    indent = len(found[1]) if found else 0
    style = f' style="--in:{indent}"' if indent else ""
    return f'<span class="line"{style}>{text}\n</span>'
