"""Sphinx extension: goes once over every finished page, for readers on phones, on paper and with a screen reader.

What the theme and the other extensions leave to be wished is mended here, in the HTML. Each module of `finishing/` has
one subject and hands on its `STEPS`, functions that change a page in place.
"""

from pathlib import Path
from typing import Any

from finishing import access, answers, cite, dark, download, folds, head, icons, pictures, sections, terms, unused
from finishing.page import Page
from sphinx.application import Sphinx

from tools.course import make as course
from tools.project import Project

STEPS = (
    *folds.STEPS,
    *answers.STEPS,
    *access.STEPS,
    *pictures.STEPS,
    *dark.STEPS,
    *download.STEPS,
    *head.STEPS,
    *terms.STEPS,
    *cite.STEPS,
)


def finish(app: Sphinx, error: Exception | None) -> None:
    """Go over every page, let the first one be `index.html` too, and remove what nothing loads."""
    if error or app.builder.format != "html":
        return
    site = Path(app.outdir)
    (site / "index.html").unlink(missing_ok=True)  # it only led on to the first page
    pages = [Page(app, path) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]
    for page in pages:
        for step in STEPS:
            step(page)
        page.write()
        if page.name == app.config.root_doc:
            page.write(site / "index.html")
    sections.write(site, pages)
    (site / "sitemap.xml").write_text(head.sitemap(pages), "utf-8", newline="\n")
    course.attach(Project(Path(app.srcdir)), site)
    icons.lighten(site)
    unused.sweep(site)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx; late, when all pages are written."""
    app.connect("build-finished", finish, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
