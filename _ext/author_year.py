"""Sphinx extension: works in the bibliography bear the labels under which the text cites them, authors and year."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from pybtex.database import Entry
from pybtex.plugin import register_plugin
from pybtex.style.formatting.plain import Style
from pybtex.style.labels import BaseLabelStyle
from sphinx.application import Sphinx

from tools.citations import authors


class AuthorYearLabels(BaseLabelStyle):
    """Labels such as "Springenberg et al., 2014"."""

    def format_labels(self, sorted_entries: Sequence[Entry]) -> Iterator[str]:
        """The label of each entry, in order; where several would be alike, the later ones get a letter."""
        seen: Counter[str] = Counter()
        for entry in sorted_entries:
            label = f"{authors(entry)}, {entry.fields['year']}"
            yield label + " bcdefgh"[seen[label]].strip()
            seen[label] += 1


class AuthorYear(Style):
    """The plain style under these labels, sorted by them."""

    default_label_style = "author_year"
    default_sorting_style = "author_year_title"


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the style known by name."""
    register_plugin("pybtex.style.labels", "author_year", AuthorYearLabels)
    register_plugin("pybtex.style.formatting", "author_year", AuthorYear)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
