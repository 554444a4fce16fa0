"""Sphinx extension: the directive `lab` makes a place in a page in which a network lives.

Until that place comes into view, and for readers whose browser runs no scripts, it shows a picture that was prepared
beforehand. What the lab loads is laid beside the site by `tools.lab`, outside `_static/`, whose scripts would be loaded
by every page.
"""

import html
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tools.lab.titles import ALTS, TITLES

MISSING = "This lab needs JavaScript and a browser of 2023 or later. The picture shows how it begins."


class Lab(SphinxDirective):
    """One lab, by its name."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The place, its picture, and once a page the script that waits for it to be seen."""
        name = self.arguments[0]
        if name not in TITLES:
            raise self.error(f"there is no lab {name!r}: there are {', '.join(TITLES)}")
        up = "../" * self.env.docname.count("/")
        pages: set[str] = self.env.temp_data.setdefault("labs", set())
        style = f'<link rel="stylesheet" href="{up}lab/photo.css">' if name == "photo" else ""
        script = "" if pages else f'<script src="{up}lab/view.js"></script>'
        pages.add(name)
        place = (
            f'{style}<div class="lab" id="lab-{name}" data-lab="{name}" role="group" aria-label="Lab: {TITLES[name]}">'
            f'<div class="lab-prepared"><img src="{up}lab/{name}.webp" alt="{html.escape(ALTS[name])}">'
            f"<noscript><p>{MISSING}</p></noscript></div></div>{script}"
        )
        return [nodes.raw("", place, format="html")]


def finish(app: Sphinx, error: Exception | None) -> None:
    """Lay what the labs load beside the finished site, where there is any lab."""
    root, site = Path(app.srcdir), Path(app.outdir)
    if not error and app.builder.format == "html" and (root / "lab").is_dir():
        from tools.lab.lay import lay  # brings PyTorch, which a book without labs does not need

        lay(root, site)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("lab", Lab)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
