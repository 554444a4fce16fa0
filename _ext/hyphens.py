"""Sphinx extension: the search finds hyphenated words in one word too, and quotes from the text, not from buttons.

"back-propagation" is found by "back", "propagation" and "backpropagation".
"""

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.search import languages
from sphinx.search.en import SearchEnglish

HYPHENATED = re.compile(r"\b\w+(?:[-\u2010\u2011]\w+)+\b")
HYPHENS = re.compile(r"[-\u2010\u2011]")


class Hyphens(SearchEnglish):
    """English, with each hyphenated word indexed in one word as well."""

    def split(self, input: str) -> list[str]:
        """The words of a text."""
        joined = [HYPHENS.sub("", word) for word in HYPHENATED.findall(input)]
        return [*super().split(input), *joined]


def quote_the_text(app: Sphinx, error: Exception | None) -> None:
    """Let the excerpts below a result begin in the article: the theme's `main` begins with its buttons."""
    script = Path(app.outdir) / "_static" / "searchtools.js"
    if not error and script.is_file():
        text = script.read_text("utf-8").replace('[role="main"]', ".bd-article")
        script.write_text(text, "utf-8", newline="\n")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    languages["en"] = Hyphens
    app.connect("build-finished", quote_the_text)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
