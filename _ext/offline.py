"""Sphinx extension: pages load MathJax, and whatever else `tools.vendor` has fetched, from the site itself.

It lies in `.cache/vendor/` and is laid into `vendor/` of the site, outside `_static/`, because Jupyter Book would put
every script below `_static/` on every page.
"""

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from tools import vendor

# The theme loads its icons twice, as fonts and as 1.5 MB of script, and preloads the fonts in a way that browsers
# refuse for pages opened as files. The style sheet alone shows every icon.
NEEDLESS = re.compile(
    r'\s*<link rel="preload" as="font"[^>]*fontawesome[^>]*>|\s*<script src="[^"]*fontawesome[^"]*"></script>'
)


def configure(app: Sphinx, config: Any) -> None:
    """Point Sphinx at the local copy of MathJax, as seen from `_static/`; without one its CDN default stays."""
    config.nb_ipywidgets_js = {}  # no page shows a widget: tools/refresh.py sees to that
    if vendor.ready(Path(app.srcdir)):
        config.mathjax_path = "../vendor/mathjax/tex-mml-chtml.js"


def finish(app: Sphinx, error: Exception | None) -> None:
    """Lighten the pages of the finished site and lay what they load beside them."""
    if error or app.builder.format != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text("utf-8")
        page.write_text(NEEDLESS.sub("", text), "utf-8", newline="\n")
    if vendor.ready(Path(app.srcdir)):
        vendor.lay(Path(app.srcdir), Path(app.outdir))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx; early, before other extensions read the settings."""
    app.connect("config-inited", configure, priority=100)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
