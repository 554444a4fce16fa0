"""Sphinx extension: pages load MathJax, and whatever else `tools.vendor` has fetched, from the site itself.

It lies in `.cache/vendor/` and is laid into `vendor/` of the site, outside `_static/`, because Jupyter Book would put
every script below `_static/` on every page.
"""

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from tools import vendor


def configure(app: Sphinx, config: Any) -> None:
    """Point Sphinx at the local copy of MathJax, as seen from `_static/`; without one its CDN default stays."""
    config.nb_ipywidgets_js = {}  # no page shows a widget: tools/refresh.py sees to that
    if vendor.ready(Path(app.srcdir)):
        config.mathjax_path = "../vendor/mathjax/tex-mml-chtml.js"


def finish(app: Sphinx, error: Exception | None) -> None:
    """Lay what the pages load beside the finished site."""
    if error or app.builder.format != "html":
        return
    if vendor.ready(Path(app.srcdir)):
        vendor.lay(Path(app.srcdir), Path(app.outdir))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx; early, before other extensions read the settings."""
    # Jupyter Book sets this for an extension that the book does not load, and Sphinx would warn.
    app.add_config_value("comments_config", {}, "")
    app.connect("config-inited", configure, priority=100)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
