"""A finished page of the site."""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath
from posixpath import relpath

from bs4 import BeautifulSoup, Tag
from bs4.dammit import EntitySubstitution
from bs4.formatter import HTMLFormatter
from sphinx.application import Sphinx

from finishing import code


class Formatter(HTMLFormatter):
    """Attributes in the order in which they were written."""

    def attributes(self, tag: Tag) -> Iterable[tuple[str, str | None]]:
        """Name and value of each."""
        return tag.attrs.items()


FORMATTER = Formatter(entity_substitution=EntitySubstitution.substitute_xml)


class Page:
    """One HTML file, parsed, with where it lies in the site and the source folder."""

    def __init__(self, app: Sphinx, path: Path) -> None:
        self.path, self.site, self.root, self.config = path, Path(app.outdir), Path(app.srcdir), app.config
        text, self.listings = code.held(path.read_text("utf-8"))
        self.soup = BeautifulSoup(text, "html.parser")

    @cached_property
    def name(self) -> str:
        """Path from the root of the site, without `.html`."""
        return self.path.relative_to(self.site).with_suffix("").as_posix()

    @cached_property
    def article(self) -> Tag:
        """The part of the page that is the book's."""
        found = self.soup.select_one("article.bd-article") or self.soup.body
        assert found is not None
        return found

    def link(self, target: str) -> str:
        """Address of a file of the site, named from its root, as seen from this page."""
        return relpath(target, PurePosixPath(f"{self.name}.html").parent)

    def file(self, address: str) -> Path | None:
        """The file of the site that an address on this page leads to; None for other sites and data in the page."""
        if "://" in address or address.startswith(("data:", "#", "mailto:", "//")) or not address:
            return None
        return (self.path.parent / address.split("#")[0].split("?")[0]).resolve()

    def write(self, path: Path | None = None) -> None:
        """Write the page, to its own place or another one in the same folder."""
        text = code.released(self.soup.decode(formatter=FORMATTER), self.listings)
        (path or self.path).write_text(text, "utf-8", newline="\n")
